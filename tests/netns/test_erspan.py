# SPDX-License-Identifier: GPL-2.0-or-later
"""ERSPAN: mirror sessions of the three types, both ways, with scapy and tshark as the other end."""
import json
import select
import struct
import time

import pytest
from flow import tcp_transfer
from gretel import NAME, Site, ping, section
from net import packet_socket, wait_for
from peer import gre
from scapy.all import ARP, GRE, ICMP, IP, TCP, UDP, Dot1Q, Ether, load_contrib, raw
from scene import A, B, HOST, UNDERLAY, other
from test_tunnels import send_frame
from wire import Capture, tshark

load_contrib("erspan")
from scapy.contrib.erspan import ERSPAN_II, ERSPAN_III, ERSPAN_PlatformSpecific  # noqa: E402

FRAME = raw(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="198.51.100.1", dst="198.51.100.2")
            / UDP(sport=1, dport=2) / b"a copy of this")
TAGGED = raw(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(vlan=0x123, prio=5)
             / IP(src="198.51.100.1", dst="198.51.100.2") / UDP(sport=1, dport=2) / b"tagged")
FIELDS = {1: {}, 2: {"session": 5, "index": 0x12345},
          3: {"session": 5, "direction": "egress", "hardware": 9}}


def mirror(side, kind, name=NAME, outer=4, fields=None, **keys):
    """The section of a session; its fields as FIELDS has them."""
    own = {f"erspan-{key}": value for key, value in (FIELDS[kind] if fields is None else fields).items()}
    return section("tunnel", name, mode="erspan", local=UNDERLAY[outer][side],
                   remote=UNDERLAY[outer][other(side)], **{"erspan-type": kind}, **own, **keys)


class Copies:
    """Frames that come in on a device. The kernel takes a tag out of the frame, and tells it beside."""
    SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 0x10

    def __init__(self, namespace, device=NAME):
        self.sock = packet_socket(namespace, device)
        self.sock.setsockopt(self.SOL_PACKET, self.PACKET_AUXDATA, 1)

    def next(self, deadline=10.0):
        """The next one, or None."""
        if not select.select([self.sock], [], [], deadline)[0]:
            return None
        frame, ((_, _, data),), *_ = self.sock.recvmsg(65535, 100)
        status, _, _, _, _, control, kind = struct.unpack("IIIHHHH", data)
        return frame[:12] + struct.pack("!HH", kind, control) + frame[12:] if status & self.VLAN_VALID else frame

    def wait_for(self, frame, deadline=10.0):
        end, seen = time.monotonic() + deadline, []
        while (left := end - time.monotonic()) > 0:
            got = self.next(left)
            if got == frame:
                return
            seen.append(got)
        raise AssertionError(f"{frame.hex()} did not come, but: {[one.hex() for one in seen if one][-5:]}")


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("kind", (1, 2, 3))
def test_both_ways(scene, tmp_path, undo, kind, outer):
    """What is put into the interface of one router comes out of the other's, octet for octet; and tshark
    reads the header as the file has it."""
    sites = {side: Site(scene.router[side], tmp_path / side, mirror(side, kind, outer=outer)) for side in (A, B)}
    for site in sites.values():
        site.up()
    copies = Copies(scene.router[B])
    undo.callback(copies.sock.close)
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        for frame in (FRAME, TAGGED):
            send_frame(scene.router[A], NAME, frame)
            copies.wait_for(frame)
    words = ("gre.proto", "gre.flags_and_version", "gre.sequence_number", "erspan.version", "erspan.vlan", "erspan.cos",
             "erspan.encap", "erspan.truncated", "erspan.spanid", "erspan.index", "erspan.direction",
             "erspan.hw", "erspan.p", "erspan.ft", "erspan.gra", "erspan.o", "erspan.bso", "erspan.timestamp",
             "udp.dstport", "_ws.malformed", "_ws.expert.severity")
    rows = tshark(path, words, "gre")
    assert len(rows) == 2, rows
    for row, tagged, number in zip(rows, (False, True), (0, 1)):
        got = {word: int(values[0], 0) for word, values in row.items() if values and word != "_ws.malformed"}
        assert not row["_ws.malformed"] and got["udp.dstport"] == 2, row
        assert got["gre.proto"] == (0x22EB if kind == 3 else 0x88BE)
        assert got["gre.flags_and_version"] == (0 if kind == 1 else 0x1000)
        if kind == 1:
            continue
        assert got["gre.sequence_number"] == number
        assert (got["erspan.version"], got["erspan.spanid"]) == (kind - 1, 5)
        assert (got["erspan.vlan"], got["erspan.cos"]) == ((0x123, 5) if tagged else (0, 0))
        assert got["erspan.truncated"] == 0
        if kind == 2:
            assert (got["erspan.encap"], got["erspan.index"]) == (3 if tagged else 0, 0x12345)
        else:
            assert [got[f"erspan.{word}"] for word in ("direction", "hw", "p", "ft", "gra", "o", "bso")] == \
                [1, 9, 1, 0, 0, 0, 0]
            assert abs((int(time.time() * 10000) & 0xFFFFFFFF) - got["erspan.timestamp"]) < 10000 * 120
    wait_for(lambda: "ERSPAN" in sites[A].tunnel()["lane_reason"], 30, "the lane says why")
    status = sites[A].tunnel()
    assert (status["mode"], status["lane"]) == ("erspan", "user")
    overhead = {4: 20, 6: 40}[outer] + {1: 4, 2: 16, 3: 20}[kind] + 14
    assert scene.router[A].link(NAME)["mtu"] == 1500 - overhead
    for site in sites.values():
        assert not site.drops()


def test_sessions_between_two_addresses(make_peer, tmp_path, undo):
    """Of two types, one number in both, one type without numbers, and a tunnel of IP packets."""
    scene, peer = make_peer(A)
    text = "".join((mirror(A, 1, "one"), mirror(A, 2, "two5"), mirror(A, 2, "two6", fields={"session": 6}),
                    mirror(A, 3, "three5"),
                    section("tunnel", "plain", local=UNDERLAY[4][A], remote=UNDERLAY[4][B],
                            address="10.200.3.1 peer 10.200.3.2")))
    site = Site(scene.router[A], tmp_path / A, text)
    site.up()
    headers = {"one": gre(proto=0x88BE), "two5": gre(proto=0x88BE, seq=7) / ERSPAN_II(ver=1, session_id=5),
               "two6": gre(proto=0x88BE, seq=7) / ERSPAN_II(ver=1, session_id=6, t=1, vlan=9, en=2, cos=7),
               "three5": gre(proto=0x22EB, seq=7) / ERSPAN_III(session_id=5, p=1, d=1, hw=3, gra=2)}
    copies = {name: Copies(scene.router[A], name) for name in headers}
    for one in copies.values():
        undo.callback(one.sock.close)
    for name, header in headers.items():
        peer.send(peer.outer() / header / FRAME)
        copies[name].wait_for(FRAME)
    for name in headers:
        wait_for(lambda: site.tunnel(name)["rx"]["packets"] == 1, 10)
        assert not site.drops(name)
    peer.send(peer.outer() / gre() / IP(src="10.200.3.2", dst="10.200.3.1") / ICMP(id=9) / b"plain")
    assert peer.receive(lambda p: GRE in p and ICMP in p[GRE] and p[GRE][ICMP].type == 0)


@pytest.fixture
def collector(make_peer, tmp_path, undo):
    """Router A collects session 5 of type III, and the test mirrors."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, mirror(A, 3))
    site.up()
    copies = Copies(scene.router[A])
    undo.callback(copies.sock.close)
    return scene, peer, site, copies


def test_what_a_switch_may_add(collector):
    """The platform's own header, any clock, a frame that is cut or padded, sequence numbers that go
    back."""
    _, peer, site, copies = collector
    own = ERSPAN_III(session_id=5, o=1, gra=3, bso=3, t=1, vlan=7, cos=1) / ERSPAN_PlatformSpecific(platf_id=5)
    for number, copy in ((9, FRAME), (9, FRAME + b"padding"), (9, FRAME[:40]), (2, FRAME[:14])):
        peer.send(peer.outer() / gre(proto=0x22EB, seq=number) / raw(own) / copy)
        copies.wait_for(copy)
    peer.send(peer.outer() / gre(proto=0x22EB, seq=3, csum=True) / ERSPAN_III(session_id=5) / FRAME)
    copies.wait_for(FRAME)
    assert not site.drops()


def test_what_is_refused(collector):
    """Another session, another type, headers that are cut or not of this type, no frame, IP packets. The
    sender of what has no session is told so."""
    _, peer, site, _ = collector
    header = raw(ERSPAN_III(session_id=5))
    cases = (
        ("rx-session", gre(proto=0x22EB, seq=1) / ERSPAN_III(session_id=6) / FRAME),
        ("rx-session", gre(proto=0x88BE, seq=1) / ERSPAN_II(ver=1, session_id=5) / FRAME),
        ("rx-session", gre(proto=0x88BE) / FRAME),
        ("rx-erspan", gre(proto=0x22EB, seq=1) / header[:11]),
        ("rx-erspan", gre(proto=0x22EB, seq=1) / ERSPAN_III(ver=1, session_id=5) / FRAME),
        ("rx-erspan", gre(proto=0x22EB, seq=1) / ERSPAN_III(session_id=5, ft=2) / FRAME[14:]),
        ("rx-erspan", gre(proto=0x22EB, seq=1) / raw(ERSPAN_III(session_id=5, o=1)) / b"short"),
        ("rx-inner-malformed", gre(proto=0x22EB, seq=1) / header / FRAME[:13]),
        ("rx-protocol", gre() / IP(src="10.1.1.1", dst="10.1.1.2") / b"packet"),
        ("rx-checksum", gre(proto=0x22EB, seq=1, csum=True, chksum=1) / header / FRAME),
    )
    site.forget_drops()
    count = {}
    peer.drain()
    for reason, packet in cases:
        peer.send(peer.outer() / packet)
        count[reason] = count.get(reason, 0) + 1
        wait_for(lambda: site.drops() == count, 10, f"{reason}: {site.drops()}")
    assert peer.receive(lambda p: ICMP in p and (p[ICMP].type, p[ICMP].code) == (3, 3))
    assert site.tunnel()["rx"]["packets"] == 0


def test_copies_are_left_as_they_are(collector):
    """No mark of congestion is carried in, no MSS lowered, either way; a TOS is not taken over."""
    scene, peer, site, copies = collector
    syn = raw(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="198.51.100.1", dst="198.51.100.2", tos=0xBA)
              / TCP(flags="S", options=[("MSS", 9000)]))
    for frame in (syn, FRAME):  # which may be marked, and which may not
        peer.send(peer.outer(tos=3) / gre(proto=0x22EB, seq=1) / ERSPAN_III(session_id=5) / frame)
        copies.wait_for(frame)
    send_frame(scene.router[A], NAME, syn)
    sent = peer.receive_gre(ERSPAN_III)
    assert raw(sent[ERSPAN_III].payload) == syn and sent.tos == 0
    assert not site.drops()


def test_host_leaves_copies_alone(collector):
    """Copies of frames that would be for this host: it takes none, answers none, and says nothing of its
    own on the interface."""
    scene, peer, site, copies = collector
    router = scene.router[A]
    mine, station = HOST[4][A].replace(".10", ".1"), "02:00:00:00:00:02"
    mac = router.mac(NAME)
    asked = (Ether(src=station, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=station, psrc="10.10.1.77", pdst=mine),
             Ether(src=station, dst=mac) / IP(src="10.10.1.10", dst=mine) / ICMP() / b"for the router",
             Ether(src=station, dst=mac) / IP(src="10.10.1.10", dst=UNDERLAY[4][A]) / UDP(dport=4000) / b"x")
    for frame in asked:
        peer.send(peer.outer() / gre(proto=0x22EB, seq=1) / ERSPAN_III(session_id=5) / raw(frame))
        copies.wait_for(raw(frame))
    # What comes afterwards has passed through the host after these.
    wait_for(lambda: "counter packets 2" in router.run(["nft", "list", "chain", "inet", "gretel", "copies"]).stdout, 10)
    assert router.link(NAME)["stats64"]["tx"]["packets"] == 0
    assert site.tunnel()["tx"]["packets"] == 0
    flags = router.link(NAME)["flags"]
    assert "NOARP" in flags and not router.ip_json(f"-6 address show dev {NAME}")


def test_reload(scene, tmp_path):
    """Another session leaves the interface as it is; another mode makes it anew, and only that of copies is
    silent."""
    router = scene.router[A]
    site = Site(router, tmp_path / A, mirror(A, 2))
    site.up()
    before = router.link(NAME)
    site.edit("erspan-session = 5", "erspan-session = 6")
    site.reload()
    after = router.link(NAME)
    assert before["ifindex"] == after["ifindex"] and "session 6" in after["ifalias"]
    site.write(section("tunnel", NAME, mode="gretap", local=UNDERLAY[4][A], remote=UNDERLAY[4][B]))
    site.reload()
    assert router.link(NAME)["ifindex"] != after["ifindex"] and "NOARP" not in router.link(NAME)["flags"]
    site.write(mirror(A, 3))
    site.reload()
    assert "NOARP" in router.link(NAME)["flags"]
    assert router.run(["nft", "list", "chain", "inet", "gretel", "copies"]).stdout
    site.down()
    assert router.link(NAME) is None


@pytest.mark.parametrize("kind", (1, 2, 3))
def test_long_frames_are_cut(scene, tmp_path, undo, kind):
    """A whole frame of the LAN does not fit into the path: its beginning comes, and T says so."""
    sites = {side: Site(scene.router[side], tmp_path / side, mirror(side, kind, mtu=1500)) for side in (A, B)}
    for site in sites.values():
        site.up()
    copies = Copies(scene.router[B])
    undo.callback(copies.sock.close)
    frame = FRAME[:14] + raw(IP(src="198.51.100.1", dst="198.51.100.2") / UDP() / bytes(1472))
    fits = 1500 - 20 - {1: 4, 2: 16, 3: 20}[kind]
    assert len(frame) == 1514 > fits
    with Capture(scene.wire, "a", tmp_path / "wire.pcap"):
        send_frame(scene.router[A], NAME, frame)
        copies.wait_for(frame[:fits])
        send_frame(scene.router[A], NAME, FRAME)
        copies.wait_for(FRAME)
    if kind > 1:
        rows = tshark(tmp_path / "wire.pcap", ("erspan.truncated", "ip.len"), "erspan")
        assert [int(row["erspan.truncated"][0], 0) for row in rows] == [1, 0]
        assert rows[0]["ip.len"][0] == "1500"
    assert sites[A].tunnel()["tx_cut"] == 1
    assert not sites[A].drops() and not sites[B].drops()


def test_fragments_if_the_file_says_so(scene, tmp_path, undo):
    """`df = clear`: whole copies, in outer fragments."""
    keys = {"mtu": 1500, "df": "clear"}
    sites = {side: Site(scene.router[side], tmp_path / side, mirror(side, 2, **keys)) for side in (A, B)}
    for site in sites.values():
        site.up()
    copies = Copies(scene.router[B])
    undo.callback(copies.sock.close)
    frame = FRAME[:14] + raw(IP(src="198.51.100.1", dst="198.51.100.2") / UDP() / bytes(1472))
    send_frame(scene.router[A], NAME, frame)
    copies.wait_for(frame)


def test_mirror_of_a_port(scene, tmp_path, undo):
    """What docs/mirror.md says: tc mirrors A's LAN device into the session; B sees the LAN's frames, both
    ways; and what is mirrored goes its own way as before."""
    router, host = scene.router[A], scene.host[A]
    sites = {side: Site(scene.router[side], tmp_path / side, mirror(side, 2)) for side in (A, B)}
    for site in sites.values():
        site.up()
    router.run(["tc", "qdisc", "replace", "dev", "eth1", "clsact"])
    for direction in ("ingress", "egress"):
        router.run(f"tc filter add dev eth1 {direction} u32 match u32 0 0 "
                   f"action mirred egress mirror dev {NAME}".split())
    with Capture(scene.router[B], NAME, tmp_path / "copies.pcap", "icmp"):
        assert ping(host, "10.10.1.1", count=3)
        wait_for(lambda: sites[B].tunnel()["rx"]["packets"] >= 6, 10)
    rows = tshark(tmp_path / "copies.pcap", ("eth.src", "eth.dst", "icmp.type"), "icmp")
    macs = (host.mac("eth0"), router.mac("eth1"))
    seen = {(row["eth.src"][0], row["eth.dst"][0], row["icmp.type"][0]) for row in rows}
    assert seen == {(*macs, "8"), (*macs[::-1], "0")}, seen
    # A full frame of the LAN is more than the path carries, and a piece of TCP is one segment.
    with Capture(scene.router[B], NAME, tmp_path / "long.pcap", "icmp or tcp"):
        assert ping(host, "10.10.1.1", size=1472)
        assert tcp_transfer(host, router, 4, "10.10.1.1", 200_000)
        wait_for(lambda: sites[B].tunnel()["rx"]["packets"] >= 150, 10)
    rows = tshark(tmp_path / "long.pcap", ("frame.len", "ip.len", "icmp.type"))
    assert {row["frame.len"][0] for row in rows if row["ip.len"][0] == "1500"} == {"1464"}
    assert max(int(row["ip.len"][0]) for row in rows) == 1500 and ["8"] in [row["icmp.type"] for row in rows]
    assert not sites[A].drops() and not sites[B].drops()
    for site in sites.values():
        wait_for(lambda: doctor(site) == (0, {}), 60, lambda: doctor(site))


def doctor(site):
    """Exit code and the findings of the tunnel, what is healthy apart."""
    done = site.gretel("--json", "doctor", NAME, check=False, timeout=60)
    findings = json.loads(done.stdout)["tunnels"][0]["findings"]
    return done.returncode, {one["check"]: one["cause"] for one in findings if one["verdict"] != "healthy"}


def test_doctor(collector):
    """What it says of another session, another type, no ERSPAN; nothing of these while copies come."""
    _, peer, site, copies = collector
    header = gre(proto=0x22EB, seq=1)
    for packet, check, words in (
            (header / ERSPAN_III(session_id=6) / FRAME, "key", "another session than 5"),
            (gre(proto=0x88BE) / FRAME, "key", "of type 1, but this side expects type 3"),
            (gre() / IP(src="10.1.1.1", dst="10.1.1.2") / b"packet", "type", "mirrored frames (mode = erspan)")):
        peer.send(peer.outer() / header / ERSPAN_III(session_id=5) / FRAME)
        copies.wait_for(FRAME)
        assert not {"key", "type", "no-gre", "silent"} & set(doctor(site)[1])
        peer.send(peer.outer() / packet)
        assert wait_for(lambda: words in doctor(site)[1].get(check, ""), 30, words)
