#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Installs what gretel needs on Debian 12 or a current Ubuntu. Safe to run again: when everything is
# there it changes nothing and asks no network.
#   scripts/deps.sh build   compiler and libraries, and what the demo needs
#   scripts/deps.sh check   the same, and everything that the tests need (default)
#   scripts/deps.sh bench   the same, and the programs that the benchmark compares with
set -eu

build="build-essential meson ninja-build pkg-config
       libuv1-dev libmnl-dev libnftables-dev libinih-dev libjansson-dev libsmartcols-dev libsystemd-dev libcap-ng-dev
       libc-ares-dev libbpf-dev clang llvm bpftool
       python3 iproute2 nftables iputils-ping procps ethtool"
check="clang-format libclang-rt-14-dev cppcheck libcmocka-dev
       libpcap-dev python3-pytest python3-pytest-timeout python3-pytest-xdist python3-scapy
       tshark tcpdump conntrack mandoc socat frr bird2 smcroute
       qemu-system-x86 busybox-static cpio kmod systemd openvswitch-switch"
bench="iperf3 python3-matplotlib"

case "${1:-check}" in
build) want="$build" ;;
check) want="$build $check" ;;
bench) want="$build $check $bench" ;;
*)
	echo "usage: $0 [build|check|bench]" >&2
	exit 2
	;;
esac

missing=""
for package in $want; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "these packages are missing; run as root, or: sudo apt-get install$missing" >&2
	exit 1
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# A service that a package brings (a switch daemon) must not start on this machine by itself.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	trap 'rm -f "$policy"' EXIT
fi
# shellcheck disable=SC2086
apt-get install -q -y --no-install-recommends $missing
