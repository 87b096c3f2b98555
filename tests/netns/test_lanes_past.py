# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel lane leaves to the kernel and to the user lane, while it carries the rest of the same
flow: the packets here bear the addresses and ports of a flow that is fast."""
import select
import time

import lanes
import pytest
from gretel import NAME, both_up, ping
from net import Failed, packet_socket, wait_for
from scapy.all import ICMP, IP, UDP, Ether, ICMPv6PacketTooBig, ICMPv6TimeExceeded, IPOption_RR, IPv6, Raw, fragment
from scene import A, B, HOST, ROUTER, TUNNEL
from ticker import Flow
from wire import Capture, tshark

LANES = pytest.mark.parametrize("lane", lanes.LANES)
FAMILIES = pytest.mark.parametrize("family", (4, 6))
MTU = 1476
MARK = b"not one of the numbered ones"


class Fast:
    """A flow from A's host to B's that the lane carries, and raw sockets at both ends."""

    def __init__(self, scene, tmp_path, undo, lane, family=4, **keys):
        self.scene, self.lane, self.family = scene, lane, family
        self.sites = lanes.up(scene, tmp_path, lane, families=(family, ), **keys)
        self.flow = Flow(scene, family=family)
        undo.callback(self.flow.close)
        self.eyes = {side: lanes.Eyes(scene.router[side], undo) for side in (A, B)}
        self.wait_fast()
        self.socks = {side: packet_socket(scene.host[side], "eth0") for side in (A, B)}
        for sock in self.socks.values():
            undo.callback(sock.close)

    def wait_fast(self):
        for eyes in self.eyes.values():
            lanes.wait_fast(self.lane, eyes, self.flow)

    def ip(self, **fields):
        layer = IP if self.family == 4 else IPv6
        return layer(src=HOST[self.family][A], dst=HOST[self.family][B], **fields)

    def udp(self, size=0):
        return UDP(sport=self.flow.near.port, dport=6000) / Raw(MARK + bytes(size))

    def send(self, packet):
        frame = Ether(src=self.scene.host[A].mac("eth0"), dst=self.scene.router[A].mac("eth1")) / packet
        self.socks[A].send(bytes(frame))

    def receive(self, side, wanted, deadline=5):
        """The next packet at a host for which wanted(packet) is true; other datagrams are passed by."""
        end = time.monotonic() + deadline
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socks[side]], [], [], left)[0]:
                break
            octets = self.socks[side].recv(65535)
            if MARK not in octets:
                continue  # a numbered one
            packet = Ether(octets).payload
            if wanted(packet):
                return packet
        raise Failed(f"no such packet at {side}")

    def still_fast(self):
        self.flow.wait_answered(300)
        self.wait_fast()
        far, near, said = self.flow.lost()
        assert (far, near) == (0, 0), said


@LANES
@FAMILIES
def test_ttl_that_ends(scene, tmp_path, undo, lane, family):
    """At either router; the next one arrives with nothing left."""
    fast = Fast(scene, tmp_path, undo, lane, family)
    name = "ttl" if family == 4 else "hlim"
    for ttl, answers in ((1, ROUTER[family][A]), (2, TUNNEL[family][B])):
        fast.send(fast.ip(**{name: ttl}) / fast.udp())
        said = fast.receive(A, lambda p: ICMP in p and p[ICMP].type == 11 or ICMPv6TimeExceeded in p)
        assert said.src == answers
    fast.send(fast.ip(**{name: 3}) / fast.udp())
    arrived = fast.receive(B, lambda p: UDP in p)
    assert getattr(arrived, name) == 1
    fast.still_fast()


@LANES
@FAMILIES
def test_too_big(scene, tmp_path, undo, lane, family):
    fast = Fast(scene, tmp_path, undo, lane, family)
    headers = 28 if family == 4 else 48
    flags = {"flags": "DF"} if family == 4 else {}
    fast.send(fast.ip(**flags) / fast.udp(MTU + 1 - headers - len(MARK)))
    said = fast.receive(A, lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (3, 4) or ICMPv6PacketTooBig in p)
    assert said.src == ROUTER[family][A]
    assert (said[ICMP].nexthopmtu if family == 4 else said[ICMPv6PacketTooBig].mtu) == MTU
    fast.send(fast.ip(**flags) / fast.udp(MTU - headers - len(MARK)))
    arrived = fast.receive(B, lambda p: UDP in p)
    assert len(arrived[UDP]) == MTU - headers + 8
    fast.still_fast()


@LANES
def test_too_big_without_df(scene, tmp_path, undo, lane):
    """The kernel cuts it in two."""
    fast = Fast(scene, tmp_path, undo, lane)
    fast.send(fast.ip(id=77) / fast.udp(1472 - len(MARK)))
    first = fast.receive(B, lambda p: IP in p and p.id == 77)
    assert first.flags == "MF" and first.ttl == 62 and len(first) <= MTU
    fast.still_fast()


@LANES
def test_fragments(scene, tmp_path, undo, lane):
    """Each for itself; and hosts make one packet of them again."""
    fast = Fast(scene, tmp_path, undo, lane)
    for piece in fragment(fast.ip(id=99) / fast.udp(1000), 400):
        fast.send(piece)
    first = fast.receive(B, lambda p: IP in p and p.id == 99)
    assert first.flags == "MF" and first.frag == 0 and first.ttl == 62
    ping(scene.host[A], HOST[4][B], size=4000)
    fast.still_fast()


@LANES
def test_options(scene, tmp_path, undo, lane):
    """Every router writes its address into the option."""
    fast = Fast(scene, tmp_path, undo, lane)
    fast.send(fast.ip(options=IPOption_RR(routers=["0.0.0.0"] * 4)) / fast.udp())
    arrived = fast.receive(B, lambda p: IP in p and p.options)
    assert arrived.options[0].routers[:2] == [TUNNEL[4][A], ROUTER[4][B]] and arrived.ttl == 62
    fast.still_fast()


@LANES
def test_bad_checksum_of_the_header(scene, tmp_path, undo, lane):
    """It is the kernel that drops it, and counts."""
    fast = Fast(scene, tmp_path, undo, lane)

    def errors():
        text = scene.router[A].run(["nstat", "-asz", "IpExtInCsumErrors"]).stdout
        return int(text.split("IpExtInCsumErrors")[1].split()[0])
    before = errors()
    fast.send(fast.ip(chksum=0x1234) / fast.udp())
    wait_for(lambda: errors() == before + 1, 5)
    fast.send(fast.ip(id=55) / fast.udp())
    assert fast.receive(B, lambda p: UDP in p).id == 55, "the bad one has passed"
    fast.still_fast()


@LANES
@pytest.mark.parametrize("side", (A, B))
def test_rule_that_changes_packets(scene, tmp_path, undo, lane, side):
    """A class that is set in the forward hook is set on every packet, and the flow is none to keep."""
    fast = Fast(scene, tmp_path, undo, lane)
    scene.router[side].nft("table inet fw { chain f { type filter hook forward priority 0\n"
                           " udp dport 6000 ip dscp set cs5\n }\n }")
    wait_for(lambda: fast.flow.far.source()["tos"] == 0xA0, 5)
    seen = lanes.carried(fast.eyes[side], fast.flow)
    assert seen["forward"] > seen["flow"] * 0.35  # this way all of them; answers stay fast
    assert fast.flow.far.source()["tos"] == 0xA0
    scene.router[side].nft("delete table inet fw")
    wait_for(lambda: fast.flow.far.source()["tos"] == 0, 5)
    fast.still_fast()


@LANES
def test_frames_by_tc(scene, tmp_path, undo, lane):
    sites = both_up(scene, tmp_path, lane=lane, mode="gretap", route=[])
    lanes.settle(scene, sites, "tc", families=())
    if lane == "xdp":
        assert lanes.lane_of(sites[A])[1] == "only the TC lane has Ethernet frames"
    for side, number in ((A, 1), (B, 2)):
        scene.router[side].ip(f"address add 192.168.50.{number}/24 dev {NAME}")
    ping(scene.router[A], "192.168.50.2", count=15)
    ping(scene.router[B], "192.168.50.1", count=15)
    before, link = sites[A].tunnel(), scene.router[A].link(NAME)["stats64"]
    with lanes.alone(sites):
        ping(scene.router[A], "192.168.50.2", size=1300, count=20)
    after = sites[A].tunnel()
    for way in ("rx", "tx"):
        assert after[way]["packets"] - before[way]["packets"] >= 20
        assert after[way]["bytes"] - before[way]["bytes"] >= 20 * (1300 + 28 + 14)
    assert scene.router[A].link(NAME)["stats64"]["tx"]["packets"] - link["tx"]["packets"] < 20


@LANES
@pytest.mark.parametrize("checksum", ("yes", "require"))
def test_checksum_is_the_user_lanes(scene, tmp_path, lane, checksum):
    sites = both_up(scene, tmp_path, lane=lane, checksum=checksum)
    ping(scene.host[A], HOST[4][B])
    for site in sites.values():
        wait_for(lambda: lanes.lane_of(site) == ("user", "only the user lane has checksums"), lanes.LOAD,
                 lambda: lanes.lane_of(site))
    before = scene.router[A].link(NAME)["stats64"]["tx"]["packets"]
    ping(scene.host[A], HOST[4][B], count=20)
    assert scene.router[A].link(NAME)["stats64"]["tx"]["packets"] >= before + 20


@pytest.mark.parametrize("lane", ("auto", *lanes.LANES))
def test_numbers_leave_in_order(scene, tmp_path, undo, lane):
    """Programs on two processors would overtake each other."""
    why = "numbered packets are kept in order by one sender"
    scene.take_frames()
    sites = both_up(scene, tmp_path, lane=lane, sequence="send")
    wait_for(lambda: lanes.lane_of(sites[A]) == ("user", why), lanes.LOAD, lambda: lanes.lane_of(sites[A]))
    flows = [Flow(scene, family=family, rate=10000) for family in (4, 6)]
    path = tmp_path / "wire.pcap"
    # Where they leave: between two namespaces each processor has a queue of its own, and the sender may
    # come to run on another one.
    with Capture(scene.router[A], "bond0", path, "ip proto 47 and src host 172.19.1.1"):
        for flow in flows:
            undo.callback(flow.close)
            flow.wait_answered(10000)
    numbers = [int(frame["gre.sequence_number"][0])
               for frame in tshark(path, ["gre.sequence_number"], "gre.flags.sequence_number == 1")]
    assert numbers == sorted(numbers)
    assert len(set(numbers)) == len(numbers) > 10000


def test_user_lane_when_asked(scene, tmp_path):
    """Nothing is on the devices then."""
    sites = both_up(scene, tmp_path, lane="user")
    wait_for(lambda: lanes.lane_of(sites[A]) == ("user", "the file says lane = user"), lanes.LOAD)
    assert "xdp" not in str(scene.router[A].ip_json("-d link show"))
    assert "clsact" not in scene.router[A].run(["tc", "qdisc", "show", "dev", "bond0"]).stdout
