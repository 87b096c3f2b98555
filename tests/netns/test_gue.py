# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels in UDP with a header of GUE before GRE (udp = gue): the wire octet by octet, what is taken and what
is not, and how the two ends find that they do not agree. tests/vm/test_kernel_udp.py has Linux as the peer."""
import contextlib
import pathlib
import re
import socket

import pytest
from flow import tcp_transfer
from gretel import Site, both_up, ping, ping_between_lans, section, site_text
from lanes import wait_loaded
from net import wait_for
from peer import gre, octets_of, unreachable
from scapy.all import GRE, ICMP, IP, UDP, Raw
from scene import A, B, HOST, TUNNEL, UNDERLAY, other
from wire import Capture, tshark, tshark_text

PORT, KEY = 6080, 7
GUE = bytes.fromhex("002f0000")  # no flags, no fields, protocol 47
KINDS = {
    "plain": ({}, 0),
    "all": ({"key": KEY, "checksum": "require", "sequence": "yes"}, 12),
}
OVERHEAD = {4: 20 + 8 + 4 + 4, 6: 40 + 8 + 4 + 4}
FIELDS = ("ip.src", "ipv6.src", "udp.srcport", "udp.checksum.status", "udp.payload")
TSHARK = ["-o", "udp.check_checksum:TRUE"]
GOOD = "1"


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_lan_to_lan(scene, tmp_path, kind, outer):
    """Each frame on the wire has the four octets and then GRE, under a right UDP checksum; what leaves fills
    the path to the octet."""
    keys, optional = KINDS[kind]
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        sites = both_up(scene, tmp_path, outer=outer, udp="gue", **keys)
        ping_between_lans(scene)
        for inner in (4, 6):
            done = tcp_transfer(*scene.hosts(), inner, HOST[inner][B], 300_000)
            assert done, done
    source = "ip.src" if outer == 4 else "ipv6.src"
    rows = [row for row in tshark(path, FIELDS, f"udp.dstport == {PORT} and not icmp and not icmpv6", TSHARK)
            if row[source][0] in UNDERLAY[outer].values()]
    assert len(rows) > 400, tshark_text(path)[:3000]
    for row in rows:
        assert 49152 <= int(row["udp.srcport"][0]) <= 65535
        assert row["udp.checksum.status"][0] == GOOD
        payload = bytes.fromhex(row["udp.payload"][0])
        assert payload[:4] == GUE
        header = GRE(payload[4:])
        assert header.proto in (0x0800, 0x86DD) and header.key == keys.get("key"), header.summary()
        assert (header.chksum_present, header.seqnum_present) == (("checksum" in keys), ("sequence" in keys))
    for site in sites.values():
        assert not site.drops(), f"{site.namespace} dropped packets"
        wait_loaded(site)
        status = site.tunnel()
        left = 1500 - OVERHEAD[outer] - optional
        assert (status["mtu"], status["udp_port"], status["gue"]) == (left, PORT, True)
        assert (status["lane"], status["lane_reason"]) == ("user", "only the user lane has GRE in UDP")
    ping(scene.host[A], HOST[4][B], size=left - 28, df="do")


@pytest.fixture(params=(4, 6), ids=("ipv4", "ipv6"))
def one(request, make_peer, tmp_path):
    """Router A with a tunnel of GUE, and the test in the place of B."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer=request.param, key=KEY, udp="gue"))
    site.up()
    peer.family = request.param
    return scene, peer, site


def datagram(peer, before=GUE, port=PORT):
    """A question to the host in the LAN behind the router, as another encoder writes it."""
    inner = gre(key=KEY) / IP(src=HOST[4][B], dst=HOST[4][A], ttl=9) / ICMP(id=5) / b"in GUE"
    return peer.outer(peer.family) / UDP(sport=50000, dport=port) / Raw(before + octets_of(inner))


def answer_of(packet):
    """The GRE packet inside, when it holds the answer to that."""
    if UDP not in packet or packet[UDP].dport != PORT:
        return None
    payload = octets_of(packet[UDP].payload)
    inside = GRE(payload[4:])
    return inside if payload[:4] == GUE and ICMP in inside and inside[ICMP].type == 0 else None


def test_taken(one):
    scene, peer, site = one
    ping(scene.router[A], HOST[4][A])
    peer.drain()
    peer.send(datagram(peer))
    inside = answer_of(peer.receive(answer_of))
    assert inside.key == KEY and octets_of(inside[ICMP].payload) == b"in GUE"
    assert site.tunnel()["rx"]["packets"] == 1 and not site.drops() and not site.stray()


NOT_KNOWN = {
    "fields": "012f000000000000",
    "control": "202f0000",
    "variant": "402f0000",
    "remote-checksum": "032f0001800000000014002600000000",
    "cut": "002f",
}


@pytest.mark.parametrize("what", NOT_KNOWN)
def test_what_is_not_known_is_not_taken(one, what):
    _, peer, site = one
    before = bytes.fromhex(NOT_KNOWN[what])
    packet = datagram(peer, before)
    if what == "cut":
        packet = peer.outer(peer.family) / UDP(sport=50000, dport=PORT) / Raw(before)
    peer.send(packet)
    wait_for(lambda: site.stray() == {"rx-gue": 1}, what=site.stray)
    found = site.status()["strays"][0]
    assert (found["udp_port"], found["gue"], found["remote"]) == (PORT, True, UNDERLAY[peer.family][B])
    assert site.tunnel()["rx"]["packets"] == 0


def test_each_end_has_the_header_or_none(one):
    """Without it nothing is taken where it is expected, and with it nothing where it is not; whoever sends so
    is told, and gets an answer once the file agrees."""
    scene, peer, site = one
    ping(scene.router[A], HOST[4][A])
    peer.drain()
    peer.send(datagram(peer, b""))
    peer.receive(unreachable(peer.family))
    wait_for(lambda: site.drops() == {"rx-gue-missing": 1}, what=site.drops)
    site.edit("udp = gue", f"udp = {PORT}")
    site.reload()
    peer.drain()
    peer.send(datagram(peer))
    peer.receive(unreachable(peer.family))
    wait_for(lambda: site.drops() == {"rx-gue-missing": 1, "rx-gue-unexpected": 1}, what=site.drops)
    assert site.tunnel()["gue"] is False and site.tunnel()["rx"]["packets"] == 0
    site.edit(f"udp = {PORT}", "udp = gue")
    site.reload()
    peer.drain()
    peer.send(datagram(peer))
    assert answer_of(peer.receive(answer_of))


def wakes(site):
    """{thread of greteld: how often it has waited}"""
    found = {}
    for task in pathlib.Path(f"/proc/{site.pid()}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the one that loads programs ends
            found[task.name] = int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(),
                                             re.M)[1])
    return found


def test_flows_share_the_workers(scene, tmp_path):
    """The filter that divides packets between workers looks behind the header: each packet is taken once, and
    those of one flow wake a thread that those of another do not."""
    sites = {side: Site(scene.router[side], tmp_path / side,
                        site_text(side, udp="gue") + section("daemon", workers=4)) for side in (A, B)}
    for site in sites.values():
        site.up()
    ping(scene.host[A], HOST[4][B])
    sources, count = [f"10.10.1.{n}" for n in range(100, 116)], 50
    scene.host[A].ip(*(f"addr add {source}/24 dev eth0" for source in sources))
    with scene.host[B].entered():
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind((HOST[4][B], 6100))
    sink.settimeout(5)
    main, busiest = str(sites[B].pid()), set()
    for source in sources:
        before = wakes(sites[B])
        with scene.host[A].entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((source, 0))
        for number in range(count):
            sock.sendto(b"%d" % number, (HOST[4][B], 6100))
            assert sink.recvfrom(16) == (b"%d" % number, sock.getsockname())
        sock.close()
        after = wakes(sites[B])
        busiest.add(max(after.keys() & before.keys() - {main}, key=lambda t: after[t] - before[t]))
    sink.setblocking(False)
    with pytest.raises(BlockingIOError):
        sink.recv(16)
    sink.close()
    assert len(busiest) > 1, busiest
    assert not sites[B].drops() and not sites[B].stray()


def test_keepalive(scene, tmp_path):
    """Questions and answers are passengers, so all has the header; a peer that is gone is noticed."""
    sites = {}
    for side in (A, B):
        sites[side] = Site(scene.router[side], tmp_path / side,
                           site_text(side, udp="gue", keepalive="100ms 3", **{"keepalive-form": "inside"}))
        sites[side].up()
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        for site in sites.values():
            before = site.tunnel()["keepalive"]["received"]
            wait_for(lambda site=site, before=before: site.tunnel()["keepalive"]["received"] > before + 1, 20)
            assert site.tunnel()["keepalive"]["state"] == "up"
    sent = tshark(path, ("udp.payload",), f"udp.dstport == {PORT} and not icmp")
    assert sent and all(bytes.fromhex(row["udp.payload"][0])[:4] == GUE for row in sent)
    assert not tshark(path, ("frame.number",), "ip.proto == 47 and not icmp.type == 3")
    sites[B].down()
    wait_for(lambda: sites[A].tunnel()["keepalive"]["state"] == "down", 20)


def examined(site):
    return site.gretel("doctor", check=False, timeout=90).stdout.splitlines()


def test_doctor_of_fields(one):
    """Some packets of the peer have a field, and others pass: as of Linux, which adds it to TCP alone."""
    scene, peer, site = one
    ping(scene.router[A], HOST[4][A])
    peer.send(datagram(peer, bytes.fromhex(NOT_KNOWN["remote-checksum"])))
    wait_for(lambda: site.stray() == {"rx-gue": 1}, what=site.stray)
    peer.send(datagram(peer))
    wait_for(lambda: site.tunnel()["rx"]["packets"] == 1, what=site.tunnel)
    text = "\n".join(examined(site))
    assert f"the peer {UNDERLAY[peer.family][B]} sends GUE headers with flags or fields" in text, text
    assert "noencap-remcsum" in text


def test_doctor(scene, tmp_path):
    """Health is said to be; a peer without the header, or with one where there should be none, is named."""
    sites = both_up(scene, tmp_path, udp="gue")
    ping_between_lans(scene)
    assert "healthy" in examined(sites[A])[0]
    ends = ((B, PORT, A, f"sends GRE in UDP without a GUE header to port {PORT}", f"write udp = {PORT}"),
            (B, "gue", A, "healthy", ""),
            (A, PORT, A, f"sends GRE in UDP with a GUE header to port {PORT}", "write udp = gue"))
    for changed, word, asked, said, mend in ends:
        sites[changed].write(site_text(changed, udp=word))
        sites[changed].reload()

        def found():
            for side in (A, B):
                scene.router[side].run(["ping", "-c", 1, "-W", 1, TUNNEL[4][other(side)]], check=False)
            text = examined(sites[asked])
            return said in text[0] and mend in "\n".join(text)
        wait_for(found, 60, lambda: examined(sites[asked]))
