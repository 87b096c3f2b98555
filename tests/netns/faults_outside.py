# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the tunnel and of the network under it."""
from clinic import DEGRADED, registry
from net import wait_for
from scene import A, B, HOST, UNDERLAY

ROWS, fault = registry()
LOCAL, REMOTE = UNDERLAY[4][A], UNDERLAY[4][B]


# This host. -----------------------------------------------------------------------------------------

@fault("local-address-not-here", "local-address", f"local address {LOCAL}", "no interface")
def local_address_not_here(clinic):
    with clinic.ip(A, f"address del {LOCAL}/24 dev bond0", f"address add {LOCAL}/24 dev bond0"):
        yield


@fault("daemon-not-running", "daemon", "greteld is not running", "up")
def daemon_not_running(clinic):
    with clinic.stopped(A, clean=True):
        yield


@fault("daemon-killed", "daemon", "greteld is not running", "up")
def daemon_killed(clinic):
    with clinic.stopped(A):
        yield


@fault("file-has-a-fault", "file", "42x42", "gretel reload", exit=DEGRADED)
def file_has_a_fault(clinic):
    with clinic.edited(A, "key = 4242", "key = 42x42"):
        yield


@fault("two-tunnels-without-key", "file", "cannot be told", "its own key", exit=DEGRADED)
def two_tunnels_without_key(clinic):
    twin = f"[tunnel twin]\nlocal = {LOCAL}\nremote = {REMOTE}\n\n"
    with clinic.edited(A, "key = 4242\n", "", "[forward]", f"{twin}[forward]"):
        yield


@fault("file-not-loaded", "file-differs", "changed and not loaded", "ttl = 33", "gretel reload", exit=DEGRADED)
def file_not_loaded(clinic):
    site = clinic.sites[A]
    before = site.file.read_text()
    site.edit("key = 4242", "key = 4242\nttl = 33")
    try:
        yield
    finally:
        site.write(before)


@fault("name-taken", "foreign-interface", "My_Tunnel is somebody else's", "another name")
def name_taken(clinic):
    with clinic.stopped(A, clean=True), \
            clinic.ip(A, "link add My_Tunnel type bridge", "link del My_Tunnel"):
        yield


# The way. -------------------------------------------------------------------------------------------

@fault("route-missing", "no-route", f"no route to the peer {REMOTE}", "ip route add")
def route_missing(clinic):
    with clinic.ip(A, f"route add unreachable {REMOTE}/32", f"route del unreachable {REMOTE}/32"):
        yield


@fault("recursive-route", "recursive-route", "into the tunnel My_Tunnel", f"ip route add {REMOTE}")
def recursive_route(clinic):
    with clinic.ip(A, f"route add {REMOTE}/32 dev My_Tunnel", f"route del {REMOTE}/32 dev My_Tunnel"):
        yield


@fault("underlay-device-down", "device-down", "bond0", "is down", "ip link set bond0 up")
def underlay_device_down(clinic):
    with clinic.ip(A, "link set dev bond0 down", "link set dev bond0 up"):
        yield


@fault("underlay-cable-out", "device-down", "bond0", "no carrier")
def underlay_cable_out(clinic):
    clinic.scene.wire.ip("link set dev a down")
    try:
        wait_for(lambda: "LOWER_UP" not in clinic.scene.router[A].link("bond0")["flags"], 5)
        yield
    finally:
        clinic.scene.wire.ip("link set dev a up")


@fault("peer-gone", "neighbour", f"the peer {REMOTE} does not answer on bond0")
def peer_gone(clinic):
    with clinic.ip(B, f"address del {REMOTE}/24 dev bond0", f"address add {REMOTE}/24 dev bond0"):
        clinic.scene.router[A].run(["ip", "neigh", "flush", "dev", "bond0"], check=False)
        yield


@fault("gateway-gone", "neighbour", "the gateway to the peer 172.19.1.77", "bond0")
def gateway_gone(clinic):
    with clinic.ip(A, f"route add {REMOTE}/32 via 172.19.1.77 dev bond0", f"route del {REMOTE}/32"):
        yield


@fault("way-cut", "underlay", f"the peer {REMOTE} answers nothing")
def way_cut(clinic):
    with clinic.wire(cut="both"):
        yield


@fault("way-cut-one-way", "underlay", f"the peer {REMOTE} answers nothing")
def way_cut_one_way(clinic):
    with clinic.wire(cut="ba"):
        yield


@fault("router-says-unreachable", "unreachable", f"{REMOTE} cannot be reached")
def router_says_unreachable(clinic):
    with clinic.rules(B, "input", f"ip saddr {LOCAL} reject with icmp type host-unreachable"):
        yield


# GRE. -----------------------------------------------------------------------------------------------

@fault("gre-dropped-by-our-output", "gre-refused-here", "firewall rule of this host", "output chain")
def gre_dropped_by_our_output(clinic):
    with clinic.rules(A, "output", "meta l4proto gre drop"):
        yield


@fault("gre-dropped-by-our-input", "gre-dropped-here", f"GRE from {REMOTE} arrives", "input chain")
def gre_dropped_by_our_input(clinic):
    with clinic.rules(A, "input", "meta l4proto gre drop"):
        yield


@fault("gre-blocked-by-our-ipsec", "gre-refused-here", "IPsec policy of this host", "out")
def gre_blocked_by_our_ipsec(clinic):
    policy = f"xfrm policy %s dir out src {LOCAL} dst {REMOTE}"
    with clinic.ip(A, policy % "add" + " action block", policy % "delete"):
        yield


@fault("ipsec-policy-for-gre-alone", "ipsec", "leave unencrypted", "without a protocol", exit=DEGRADED)
def ipsec_policy_for_gre_alone(clinic):
    """Blocking stands for encrypting: the policy is not even asked."""
    policy = f"xfrm policy %s dir out src {LOCAL} dst {REMOTE} proto gre"
    with clinic.ip(A, policy % "add" + " action block", policy % "delete"):
        yield


@fault("gre-blocked-by-our-ipsec-in", "gre-dropped-here", "IPsec policy of this host", "in")
def gre_blocked_by_our_ipsec_in(clinic):
    policy = f"xfrm policy %s dir in src {REMOTE} dst {LOCAL} proto gre"
    with clinic.ip(A, policy % "add" + " action block", policy % "delete"):
        yield


def wait_obeyed(clinic):
    """A kernel lane obeys a rule about outer packets within a second."""
    ask = ["ping", "-n", "-c", 1, "-W", 1, HOST[4][B]]
    wait_for(lambda: clinic.scene.host[A].run(ask, check=False).returncode != 0, 10)


# The peer's own packets may come in meanwhile, and then it is known which direction is cut.
@fault("gre-dropped-at-the-peer", "silent", "protocol 47", REMOTE)
def gre_dropped_at_the_peer(clinic):
    with clinic.rules(B, "input", "meta l4proto gre drop"):
        wait_obeyed(clinic)
        yield


@fault("gre-dropped-by-the-peers-output", "silent", "protocol 47", "dropped in silence")
def gre_dropped_by_the_peers_output(clinic):
    with clinic.rules(B, "output", "meta l4proto gre drop"):
        wait_obeyed(clinic)
        yield


@fault("gre-rejected-at-the-peer", "filtered", f"{REMOTE} forbids GRE", "administratively prohibited")
def gre_rejected_at_the_peer(clinic):
    with clinic.rules(B, "input", "meta l4proto gre reject with icmp type admin-prohibited"):
        yield


@fault("peer-has-no-gre", "no-gre", f"{REMOTE} has nothing that takes GRE", "start its end")
def peer_has_no_gre(clinic):
    with clinic.stopped(B, clean=True):
        yield


@fault("peer-has-no-such-tunnel", "no-tunnel", f"{REMOTE} takes GRE, but has no tunnel", LOCAL)
def peer_has_no_such_tunnel(clinic):
    with clinic.edited(B, f"remote = {LOCAL}", "remote = 172.19.1.99"):
        yield


@fault("wrong-key-at-the-peer", "key", "sends key 7", "expects key 4242", "key 4242 at the peer")
def wrong_key_at_the_peer(clinic):
    with clinic.edited(B, "key = 4242", "key = 7\nkeepalive = 200ms 5"):
        wait_for(lambda: clinic.sites[A].status()["strays"], 5)
        yield


@fault("peer-expects-another-key", "no-tunnel", f"{REMOTE} takes GRE, but has no tunnel", "with key 4242")
def peer_expects_another_key(clinic):
    with clinic.edited(B, "key = 4242", "ikey = 7\nokey = 4242"):
        yield


@fault("wrong-key-here", "key", "sends key 4242", "expects key 7", "write key = 4242 at")
def wrong_key_here(clinic):
    """The peer is heard: it asks for keepalives."""
    with clinic.edited(B, "key = 4242", "key = 4242\nkeepalive = 200ms 5"), \
            clinic.edited(A, "key = 4242", "key = 7"):
        wait_for(lambda: clinic.sites[A].status()["strays"], 5)
        yield


@fault("key-missing-at-the-peer", "key", "sends no key", "expects key 4242")
def key_missing_at_the_peer(clinic):
    with clinic.edited(B, "key = 4242", "keepalive = 200ms 5"):
        wait_for(lambda: clinic.sites[A].status()["strays"], 5)
        yield


@fault("frames-instead-of-packets", "type", "sends Ethernet frames (gretap)", "mode = gretap at")
def frames_instead_of_packets(clinic):
    """The peer's TAP sends its first frames by itself: neighbour discovery."""
    with clinic.edited(B, "[tunnel My_Tunnel]", "[tunnel My_Tunnel]\nmode = gretap"):
        clinic.scene.router[B].run(["ping", "-c", 1, "-W", "0.1", "192.168.8.1"], check=False)
        wait_for(lambda: clinic.sites[A].status()["strays"], 5)
        yield


@fault("checksum-required-here", "options", "this side requires checksums", "sends none")
def checksum_required_here(clinic):
    with clinic.edited(A, "key = 4242", "key = 4242\nchecksum = receive"), \
            clinic.edited(B, "key = 4242", "key = 4242\nkeepalive = 200ms 5"):
        wait_for(lambda: clinic.sites[A].status()["strays"], 5)
        yield


@fault("checksum-required-at-the-peer", "options", "requires checksums", "write checksum = yes at")
def checksum_required_at_the_peer(clinic):
    with clinic.edited(B, "key = 4242", "key = 4242\nchecksum = require"):
        yield


@fault("sequence-required-at-the-peer", "options", "requires sequence numbers", "write sequence = yes at")
def sequence_required_at_the_peer(clinic):
    with clinic.edited(B, "key = 4242", "key = 4242\nsequence = yes"):
        yield


@fault("peer-has-another-address", "stranger", "comes from 172.19.1.77", "remote = 172.19.1.77 at")
def peer_has_another_address(clinic):
    with clinic.ip(B, "address add 172.19.1.77/24 dev bond0", "address del 172.19.1.77/24 dev bond0"), \
            clinic.edited(B, f"local = {REMOTE}", "local = 172.19.1.77\nkeepalive = 200ms 5"):
        wait_for(lambda: clinic.sites[A].status()["strays"], 5)
        yield


@fault("checksums-wrong-on-the-way", "options", "wrong checksums", "ethtool")
def checksums_wrong_on_the_way(clinic):
    with clinic.edited(B, "key = 4242", "key = 4242\nchecksum = yes\nkeepalive = 200ms 5"), \
            clinic.rules(B, "postrouting", "meta l4proto gre @th,0,1 1 @th,32,16 set 0x1234"):
        wait_for(lambda: clinic.sites[A].status()["strays"], 5)
        yield


@fault("peer-back-and-held-down", "keepalive", "is back", "answers again", "keepalive-hold = no at")
def peer_back_and_held_down(clinic):
    with clinic.edited(A, "key = 4242", "key = 4242\nkeepalive = 200ms 8"):
        with clinic.rules(B, "output", "meta l4proto gre drop"):
            wait_for(lambda: clinic.sites[A].tunnel()["state"] == "down", 8)
        wait_for(lambda: clinic.sites[A].tunnel()["keepalive"]["state"] == "hold", 5)
        yield


# Sizes. ---------------------------------------------------------------------------------------------

@fault("path-1400-black-hole", "black-hole", "above 1400 octets", "mtu = 1372 at")
def path_1400_black_hole(clinic):
    with clinic.wire(mtu=1400, icmp="no"):
        yield


@fault("path-1400-with-icmp", "path-mtu", "carries 1400 octets", "mtu = 1372 at", exit=DEGRADED)
def path_1400_with_icmp(clinic):
    try:
        with clinic.wire(mtu=1400):
            yield
    finally:
        for router in clinic.scene.router.values():
            router.ip("route flush cache")


@fault("way-back-1400", "return-mtu", "the way back", "at the peer: mtu =", exit=DEGRADED)
def way_back_1400(clinic):
    route = f"route %s {LOCAL}/32 dev bond0 src {REMOTE}"
    with clinic.ip(B, route % "add" + " mtu lock 1400", route % "del"):
        yield


@fault("mtu-too-large", "mtu", "fixes an MTU of 1500", "leaves 1472", "mtu = 1472 at", exit=DEGRADED)
def mtu_too_large(clinic):
    with clinic.edited(A, "key = 4242", "key = 4242\nmtu = 1500"):
        yield


