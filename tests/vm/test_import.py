# SPDX-License-Identifier: GPL-2.0-or-later
"""`gretel import` reads the tunnels of a kernel that has ip_gre, as ip(8) or systemd-networkd made
them, and the file that it prints takes their place."""
import re

import pytest
from gretel import BUILD, NAME, Site, ping_between_lans, site_text
from kernelpeer import GuestSite, KernelScene, become_router, kernel_tunnel
from net import run, wait_for
from scene import LAN, TUNNEL, UNDERLAY, A, B

ENDS = f"remote {UNDERLAY[4][A]} local {UNDERLAY[4][B]}"
ENDS6 = f"remote {UNDERLAY[6][A]} local {UNDERLAY[6][B]}"
LINES = [f"local = {UNDERLAY[4][B]}", f"remote = {UNDERLAY[4][A]}"]
LINES6 = [f"local = {UNDERLAY[6][B]}", f"remote = {UNDERLAY[6][A]}"]

# What makes the tunnel t1, and the lines that are printed of it.
CARRIED = {
    "plain": (f"ip tunnel add t1 mode gre {ENDS}; ip link set t1 up; ip address add 192.168.8.11 peer 192.168.8.1 dev t1;"
              "ip route add 10.66.0.0/16 dev t1",
              [*LINES, "address = 192.168.8.11 peer 192.168.8.1", "route = 10.66.0.0/16", "ttl = inherit"]),
    "key-ttl-mtu": (f"ip tunnel add t1 mode gre {ENDS} ttl 64 key 4242; ip link set t1 up mtu 1400;"
                    "ip -6 address add fd00:8::11 peer fd00:8::1 dev t1; ip address add 192.168.8.10/30 dev t1;"
                    "ip -6 route add fd00:66::/64 dev t1; ip route add 10.66.0.0/16 via 192.168.8.9 metric 50 src 192.168.8.10",
                    [*LINES, "address = 192.168.8.10/30", "address = fd00:8::11 peer fd00:8::1",
                     "route = 10.66.0.0/16 metric 50 src 192.168.8.10", "route = fd00:66::/64", "key = 4242", "mtu = 1400"]),
    "csum-seq": (f"ip tunnel add t1 mode gre {ENDS} csum seq key 10.0.0.1 tos b8 ttl 255; ip link set t1 up",
                 [*LINES, "key = 167772161", "checksum = require", "sequence = yes", "ttl = 255", "tos = 0xb8"]),
    "one-way": (f"ip link add t1 type gre {ENDS} ikey 1 okey 2 icsum oseq ttl 9; ip link set t1 up",
                [*LINES, "ikey = 1", "okey = 2", "checksum = receive", "sequence = send", "ttl = 9"]),
    "df": (f"ip link add t1 type gre {ENDS} nopmtudisc ignore-df tos inherit; ip link set t1 up",
           [*LINES, "ttl = inherit", "tos = inherit", "df = clear"]),
    "dev": (f"ip link add t1 type gre {ENDS} dev bond0 nopmtudisc; ip link set t1 up",
            [*LINES, "bind = bond0", "ttl = inherit", "df = copy"]),
    "mark": (f"ip link add t1 type gre {ENDS} ttl 64 fwmark 0x10; ip link set t1 up", [*LINES, "fwmark = 0x10"]),
    "no-local": (f"ip link add t1 type gre remote {UNDERLAY[4][A]} ttl 64; ip link set t1 up", LINES),
    "ip6gre": (f"ip link add t1 type ip6gre {ENDS6}; ip link set t1 up", LINES6),
    "ip6gre-key": (f"ip link add t1 type ip6gre {ENDS6} encaplimit none hoplimit 33 key 4242 tclass inherit; ip link set t1 up",
                   [*LINES6, "key = 4242", "ttl = 33", "tos = inherit"]),
    "gretap-bridge": (f"ip link add br9 type bridge; ip link add t1 type gretap {ENDS} key 100 ttl 64;"
                      "ip link set t1 up master br9", ["mode = gretap", *LINES, "bridge = br9", "key = 100"]),
    "ip6gretap": (f"ip link add t1 type ip6gretap {ENDS6} key 7 seq csum encaplimit none; ip link set t1 up",
                  ["mode = gretap", *LINES6, "key = 7", "checksum = require", "sequence = yes"]),
    "table": (f"ip link add t1 type gre {ENDS} ttl 64; ip link set t1 up; ip route add default dev t1 table 50 metric 5",
              [*LINES, "route = 0.0.0.0/0 metric 5 table 50"]),
    "vrf": (f"ip link add red type vrf table 10; ip link add t1 type gre {ENDS} ttl 64; ip link set t1 up master red;"
            "ip route add 10.66.0.0/16 dev t1 table 10; ip route add 10.67.0.0/16 dev t1",
            [*LINES, "vrf = red", "route = 10.66.0.0/16", "route = 10.67.0.0/16 table 254"]),
}
# What makes it, and what is said instead.
LEFT_OUT = {
    "multipoint": (f"ip tunnel add t1 mode gre local {UNDERLAY[4][B]} key 9", "# NOT CARRIED OVER: it has no remote"),
    "external": ("ip link add t1 type gretap external", "# NOT CARRIED OVER: it is external"),
    "gue": (f"modprobe fou; ip link add t1 type gre {ENDS} encap gue encap-sport auto encap-dport 5555",
            "udp = gue 5555"),
    "remcsum": (f"modprobe fou; ip link add t1 type gre {ENDS} encap gue encap-sport auto encap-dport 5555 encap-remcsum",
                "# NOT CARRIED OVER: its GUE leaves checksums to the receiver"),
    "fou": (f"modprobe fou; ip link add t1 type gre {ENDS} encap fou encap-sport auto encap-dport 5555",
            "udp = 5555"),
    "erspan": (f"ip link add t1 type erspan {ENDS} seq key 30 erspan_ver 1 erspan 123", "# NOT CARRIED OVER: ERSPAN"),
    "broadcast": (f"ip link add t1 type gre {ENDS}; ip address add 192.168.8.11/30 dev t1",
                  "#address = 192.168.8.11/30   # refused: address 192.168.8.11/30 is the broadcast address"),
    "down": (f"ip link add t1 type gre {ENDS}", "# the interface is down; with gretel it comes up"),
    "bird": (f"ip link add t1 type gre {ENDS}; ip link set t1 up; ip route add 10.66.0.0/16 dev t1 proto bird",
             "# the route to 10.66.0.0/16 is of BIRD, which goes on making it"),
    "ecmp": (f"ip link add t1 type gre {ENDS}; ip link set t1 up;"
             "ip route add 10.66.0.0/16 nexthop dev t1 weight 1 nexthop dev eth1 weight 3",
             "# the route to 10.66.0.0/16 has several next hops"),
    "master": (f"ip link add bond7 type bond; ip link add t1 type gretap {ENDS}; ip link set t1 down master bond7",
               "# it is a part of bond7 (bond)"),
    "rule": (f"ip link add t1 type gre {ENDS}; nft add table ip mine; nft add chain ip mine post '{{ type nat hook "
             "postrouting priority 100; }'; nft add rule ip mine post oifname t1 masquerade",
             '# nft, table ip mine, chain post: oifname "t1" masquerade'),
}


def gretel(guest, *words, check=True):
    opt = guest.machine.install() / "src/cmd"
    return guest.run([opt / "gretel", *words], check=check, env={"GRETELD": opt / "greteld"})


@pytest.mark.parametrize("outer", (4, 6))
def test_change_over(scene, tmp_path, outer):
    """LANs that talk through the kernel's tunnel talk through ours made from it, without a word to A.
    Before the scene that the others share: the machine has devices for one."""
    guest = scene.router[B]
    become_router(guest, *kernel_tunnel(outer, key=42, seq=None))
    Site(scene.router[A], tmp_path / A, site_text(A, outer, key=42, sequence="yes")).up()
    ping_between_lans(scene)
    text = gretel(guest, "import").stdout
    assert f"address = {TUNNEL[4][B]} peer {TUNNEL[4][A]}" in text
    site = GuestSite(guest, text)
    guest.ip(f"link del {NAME}")
    site.up()
    ping_between_lans(scene)
    assert site.plan().returncode == 0


@pytest.fixture(scope="module")
def guest(machine):
    """One scene for all that only looks; each test takes its tunnel away."""
    with KernelScene(machine) as scene:
        scene.router[B].machine.install()
        yield scene.router[B]


def section(text):
    """The lines of the tunnel's section."""
    return [line for line in text.partition("[tunnel t1]\n")[2].partition("\n\n")[0].splitlines() if line[0] != "#"]


# Devices are taken away after each; the rules of the last but two stay until the end.
SCRIPTS = {name: (script, "t1") for name, (script, _) in (CARRIED | LEFT_OUT).items()}
SCRIPTS["group"] = (f"ip tunnel add t1 mode gre {ENDS} key 1 ttl 64; ip tunnel add t2 mode gre {ENDS} key 2 ttl 64;"
                    "ip link set t1 up; ip link set t2 up;"
                    "ip route add 10.66.0.0/16 metric 7 nexthop dev t1 weight 1 nexthop dev t2 weight 3", "")
SCRIPTS["all"] = (f"ip tunnel add t1 mode gre {ENDS} key 1 ttl 64; ip tunnel add t2 mode gre {ENDS} key 2 ttl 64;"
                  "ip link set t1 up; ip route add 10.66.0.0/16 dev t1; sysctl -qw net.ipv4.ip_forward=1", "")
CLEAN = "printf 'link del %s\\n' t1 t2 br9 red bond7 | ip -force -batch - 2>/dev/null"


@pytest.fixture(scope="module")
def printed(guest):
    """{name: what import prints of the tunnels that its script makes}, one after the other; one script
    for all, because every script costs a second there."""
    opt = guest.machine.install() / "src/cmd"
    parts = [f"echo '### {name}'\n( set -e\n{script}\nGRETELD={opt}/greteld {opt}/gretel import {words}\n)\n{CLEAN}\n"
             for name, (script, words) in SCRIPTS.items()] + ["nft flush ruleset"]
    texts = re.split(r"^### (\S+)\n", guest.script("".join(parts), timeout=140).stdout, flags=re.M)
    return dict(zip(texts[1::2], texts[2::2]))


@pytest.mark.parametrize("name", SCRIPTS)
def test_accepted(printed, tmp_path, name):
    path = tmp_path / "import.conf"
    path.write_text(printed[name])
    assert printed[name].startswith("# Made by gretel import")
    run([BUILD / "src/cmd/greteld", "-c", path, "-r", tmp_path, "--check"])


@pytest.mark.parametrize("name", CARRIED)
def test_carried(printed, name):
    assert section(printed[name]) == CARRIED[name][1]


@pytest.mark.parametrize("name", LEFT_OUT)
def test_left_out(printed, name):
    assert LEFT_OUT[name][1] in printed[name]


def test_all(printed):
    """All of them, without those that the kernel makes itself; the networks of this machine are in the
    suggestion."""
    text = printed["all"]
    assert [line for line in text.splitlines() if line.startswith("[")] == ["[tunnel t1]", "[tunnel t2]"]
    assert f"#allow = {LAN[4][B]} <-> 10.66.0.0/16" in text
    assert "# This machine forwards (IPv4)." in text


def test_group(printed):
    """A route over two tunnels makes them a group."""
    assert re.findall(r"^(?:\[|route|group).*", printed["group"], re.M) == [
        "[tunnel t1]", "route = 10.66.0.0/16 metric 7", "group = t1",
        "[tunnel t2]", "route = 10.66.0.0/16 metric 7", "group = t1 weight 3"]


def test_not_there(guest):
    for word, said in (("t1", "there is no interface t1"), ("bond0", "bond0 is not a GRE interface of the kernel"),
                       ("all", "there is no GRE interface of the kernel here")):
        done = gretel(guest, "import", word, check=False)
        assert done.returncode == 1 and said in done.stderr and not done.stdout


NETDEV = f"""[NetDev]
Name=t1
Kind=gre
MTUBytes=1400

[Tunnel]
Independent=yes
Local={UNDERLAY[4][B]}
Remote={UNDERLAY[4][A]}
Key=4242
TTL=77
DiscoverPathMTU=no
"""
NETWORK = """[Match]
Name=t1

[Network]
ConfigureWithoutCarrier=yes
LinkLocalAddressing=no

[Address]
Address=192.168.8.11/32
Peer=192.168.8.1/32

[Route]
Destination=10.66.0.0/16
Metric=50
Scope=link
"""


def test_networkd(guest, tmp_path):
    """What systemd-networkd makes of two files is imported as the files themselves are."""
    files = {"25-t1.netdev": NETDEV, "25-t1.network": NETWORK}
    guest.networkd({f"/etc/systemd/network/{name}": text for name, text in files.items()})
    wait_for(lambda: guest.run(["ip", "route", "show", "10.66.0.0/16"]).stdout, 20, guest.networkd_said)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    said = run([BUILD / "src/cmd/gretel", "import", tmp_path / "25-t1.netdev"]).stdout
    assert section(said) == section(gretel(guest, "import", "t1").stdout)
    assert "df = copy" in section(said) and "key = 4242" in section(said)
