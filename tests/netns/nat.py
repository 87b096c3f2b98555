# SPDX-License-Identifier: GPL-2.0-or-later
"""A translator of addresses between the routers, and a stranger at its place.

    hostA ─[ A ]─bond0 ═══ a [wire] b ═══ bond0─[ B ]─ hostB
           172.19.1.1   .254  NAT  10.99.0.254  10.99.0.2
           2001:db8:19::1 ::fe     fd00:99::fe  fd00:99::2

A has no way to B's addresses. What B sends from the tunnel's port has the port of the NAT's that map() says.
"""
import json

from flow import udp
from gretel import Site, site_text
from net import packet_socket, wait_for
from peer import gre, octets_of
from scapy.all import Ether
from scene import GATEWAY, UNDERLAY, A, B

PORT, KEY, SECRET = 4754, 4242, "000102030405060708090a0b0c0d0e0f"
INSIDE = {4: "10.99.0.2", 6: "fd00:99::2"}
DOOR = {4: "10.99.0.254", 6: "fd00:99::fe"}
LENGTH = {4: 24, 6: 64}
STRANGER = "172.19.1.66"
# Like a router of a home, it takes nothing itself that nobody has asked for.
CHAIN = """table {family} nat {{
    chain in {{
        type filter hook input priority filter;
        udp dport >= 20000 drop
    }}
    chain post {{
        type nat hook postrouting priority srcnat;
        iifname "b" oifname "a" udp sport {port} masquerade to :{to}
        iifname "b" oifname "a" masquerade
    }}
}}
"""
QUESTION, PROOF = bytes.fromhex("726f3f01"), bytes.fromhex("726f2101")


class Nat:
    """Makes the wire of an open scene a NAT, with B behind it."""

    def __init__(self, scene, to=20001):
        self.scene, self.wire = scene, scene.wire
        for name in ("all", "default", "a", "b"):
            self.wire.sysctl(f"net/ipv6/conf/{name}/disable_ipv6", 0)
        for family in (4, 6):
            flag, length = " nodad" if family == 6 else "", LENGTH[family]
            self.wire.ip(f"address add {GATEWAY[family]}/{length} dev a{flag}",
                         f"address add {DOOR[family]}/{length} dev b{flag}")
            scene.router[B].ip(f"address del {UNDERLAY[family][B]}/{length} dev bond0",
                               f"address add {INSIDE[family]}/{length} dev bond0{flag}",
                               f"route add default via {DOOR[family]}")
        self.wire.ip(f"address add {STRANGER}/24 dev a")
        self.wire.sysctl("net.ipv4.ip_forward", 1)
        self.wire.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.map(to)

    def map(self, to):
        """From now on the NAT gives this port, and has forgotten the one before."""
        self.port = to
        rules = [CHAIN.format(family=family, port=PORT, to=to) for family in ("ip", "ip6")]
        self.wire.nft("flush ruleset\n" + "".join(rules))
        self.wire.run(["conntrack", "-F"])


    def inject(self, side, packet):
        """A packet to a router as the wire's port towards it would carry it, past the NAT."""
        port = {A: "a", B: "b"}[side]
        sock = packet_socket(self.wire, port)
        sock.send(bytes(Ether(src=self.wire.mac(port), dst=self.scene.router[side].mac("bond0")) / packet))
        sock.close()


class Stranger:
    """Somebody in the public network, who knows the tunnel's key or has recorded packets."""

    def __init__(self, nat):
        self.sock = udp(nat.wire, 4, STRANGER, 5000)
        self.sock.settimeout(5)

    def send(self, body, key=KEY, **fields):
        self.sock.sendto(octets_of(gre(key=key, proto=0, **fields) / body), (UNDERLAY[4][A], PORT))

    def question(self):
        """What A asks, behind its GRE header."""
        packet, source = self.sock.recvfrom(2048)
        assert source == (UNDERLAY[4][A], PORT)
        assert packet[:8] == octets_of(gre(key=KEY, proto=0)), packet.hex()
        return packet[8:]


def text(side, outer=4, keepalive="1s 3", secret=SECRET, **keys):
    """The file of one side: A learns where its peer is, B is behind the NAT."""
    keys = {"udp": "yes", "key": KEY, "nat-secret": secret, "keepalive": keepalive,
            "keepalive-form": "inside"} | keys
    written = site_text(side, outer, **keys)
    if side == A:
        return written.replace(f"remote = {UNDERLAY[outer][B]}", "remote = any")
    return written.replace(f"local = {UNDERLAY[outer][B]}", f"local = {INSIDE[outer]}")


def place(site):
    """Where the site's peer is."""
    tunnel = site.tunnel()
    return tunnel["remote"], tunnel["remote_port"]


def wait_learned(site, port, family=4):
    wait_for(lambda: place(site) == (GATEWAY[family], port) and site.tunnel()["state"] == "up", 10,
             lambda: json.dumps(site.tunnel()))


def doubted(site):
    """{reason: count} of what was dropped since forget_drops() about where the peer is."""
    return {reason: n for reason, n in site.drops().items() if reason == "rx-unproved" or "proof" in reason}


def up(nat, directory, outer=4, **keys):
    """Both sides in place, and A knows where B is; {side: Site}."""
    sites = {side: Site(nat.scene.router[side], directory / side, text(side, outer, **keys)) for side in (A, B)}
    sites[A].gretel("up", check=False)  # it waits
    sites[B].up()
    wait_learned(sites[A], nat.port, outer)
    for site in sites.values():
        wait_for(lambda site=site: site.tunnel()["keepalive"]["state"] == "up", 10, site.tunnel)
        site.forget_drops()
    return sites


