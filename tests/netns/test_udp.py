# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels whose GRE goes in UDP (RFC 8086): the wire as tshark reads it, what is taken and what is not,
and what the rest of the network says about such packets."""
import socket

import pytest
from flow import tcp_transfer
from gretel import NAME, Site, both_up, ping, ping_between_lans, section, site_text, tunnel
from lanes import wait_loaded
from net import wait_for
from peer import gre, octets_of, unreachable
from scapy.all import GRE, ICMP, IP, UDP, ICMPv6DestUnreach, ICMPv6PacketTooBig, IPv6, Raw
from scene import A, B, HOST, TUNNEL, UNDERLAY, other
from wire import Capture, tshark, tshark_text

PORT, KEY = 4754, 4242
KINDS = {
    "plain": ({}, 0x0000),
    "key": ({"key": KEY}, 0x2000),
    "all": ({"key": KEY, "checksum": "require", "sequence": "yes"}, 0xB000),
}
FIELDS = ("ip.src", "ipv6.src", "udp.srcport", "udp.dstport", "udp.checksum.status", "gre.proto",
          "gre.flags_and_version", "gre.key", "gre.sequence_number", "gre.checksum.status",
          "ip.dst", "ipv6.dst", "ip.proto", "ipv6.nxt", "ipv6.flow", "icmp.type", "ip.ttl", "ip.flags.df")
TSHARK = ["-o", "udp.check_checksum:TRUE"]
GOOD = "1"
OVERHEAD = {4: 20 + 8, 6: 40 + 8}


def outer_rows(path, outer):
    """The decoded frames of the tunnel; an ICMP error that quotes one is none."""
    source, protocol = ("ip.src", "ip.proto") if outer == 4 else ("ipv6.src", "ipv6.nxt")
    return [row for row in tshark(path, FIELDS, f"udp.dstport == {PORT} and gre", TSHARK)
            if row[source][0] in UNDERLAY[outer].values() and row[protocol][0] == "17"]


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_lan_to_lan(scene, tmp_path, kind, outer):
    """Each frame on the wire is GRE in UDP with a right checksum and these GRE fields, and what leaves
    fills the path to the octet."""
    keys, flags = KINDS[kind]
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        sites = both_up(scene, tmp_path, outer=outer, udp="yes", **keys)
        ping_between_lans(scene)
        for inner in (4, 6):
            done = tcp_transfer(*scene.hosts(), inner, HOST[inner]["B"], 300_000)
            assert done, done
    rows = outer_rows(path, outer)
    assert len(rows) > 400, tshark_text(path)[:3000]
    for row in rows:
        assert 49152 <= int(row["udp.srcport"][0]) <= 65535
        assert outer == 4 or int(row["ipv6.flow"][0], 16) == int(row["udp.srcport"][0])
        assert row["udp.checksum.status"][0] == GOOD
        assert int(row["gre.flags_and_version"][0], 16) == flags
        if flags & 0x2000:
            assert int(row["gre.key"][0], 16) == KEY
        if flags & 0x8000:
            assert row["gre.checksum.status"] == [GOOD]
    assert not tshark(path, ("frame.number",), "ip.proto == 47 or ipv6.nxt == 47")
    header = OVERHEAD[outer] + 4 + 4 * bin(flags).count("1")
    for site in sites.values():
        assert not site.drops(), f"{site.namespace} dropped packets"
        wait_loaded(site)
        status = site.tunnel()
        assert (status["mtu"], status["mss4"], status["udp_port"]) == (1500 - header, 1460 - header, PORT)
        assert (status["lane"], status["lane_reason"]) == ("user", "only the user lane has GRE in UDP")
        assert status["rx"]["packets"] > 20
        site.down()
        assert site.namespace.link(NAME) is None
    # Nobody listens there any more.
    assert str(PORT) not in scene.router[A].run(["ss", "-Huln"]).stdout


def test_ethernet_frames(scene, tmp_path):
    """gretap: hosts in one network, on the two sides."""
    for side in (A, B):
        Site(scene.router[side], tmp_path / side,
             tunnel(side, udp="yes", mode="gretap", key=KEY, address=f"192.168.8.{1 if side == A else 11}/24",
                    route=None)).up()
    ping(scene.router[A], TUNNEL[4][B])
    ping(scene.router[A], TUNNEL[4][B], size=1424 - 28, df="do")


def ports_of(rows, source):
    return {row["udp.srcport"][0] for row in rows if row["ip.src"][0] == UNDERLAY[4][source]}


def test_source_ports_tell_flows_apart(scene, tmp_path):
    """One for each flow, the same for all its packets; of numbered packets one for all."""
    for sequence, expected in (("no", 20), ("send", 1)):
        sites = both_up(scene, tmp_path / sequence, udp="yes", sequence=sequence)
        ping(scene.host[A], HOST[4][B])
        path = tmp_path / f"{sequence}.pcap"
        with Capture(scene.wire, "a", path, only=f"udp and dst port {PORT}"):
            with scene.host[A].entered():
                for port in range(40000, 40020):
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    sock.bind(("", port))
                    for _ in range(5):
                        sock.sendto(b"flow", (HOST[4][B], 9))
                    sock.close()
            wait_for(lambda: sites[B].tunnel()["rx"]["packets"] >= 101)
        rows = [row for row in tshark(path, (*FIELDS, "data.len"), "data.len == 4")
                if row["ip.src"][0] == UNDERLAY[4][A]]
        assert len(rows) == 100
        flows = {(row["udp.srcport"][1], row["udp.srcport"][0]) for row in rows}
        assert len({inner for inner, _ in flows}) == len(flows) == 20
        # Two of twenty may meet by chance, hardly more.
        assert expected - 2 <= len({ours for _, ours in flows}) <= expected
        for site in sites.values():
            site.down()


@pytest.fixture(params=(4, 6), ids=("ipv4", "ipv6"))
def one(request, make_peer, tmp_path):
    """Router A with a tunnel of key 7 in UDP, and the test in the place of B."""
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer=request.param, key=7, udp="yes"))
    site.up()
    peer.family = request.param
    return scene, peer, site


def passenger():
    return IP(src=HOST[4][B], dst=HOST[4][A], ttl=9) / ICMP(id=5) / b"in UDP"


def datagram(peer, key=7, inner=None, **fields):
    """What another encoder makes of it, checksum included unless `fields` say otherwise."""
    fields = {"sport": 50000, "dport": PORT} | fields
    return peer.outer(peer.family) / UDP(**fields) / Raw(octets_of(gre(key=key) / (inner or passenger())))


def rebuilt(packet):
    """With its checksums filled in, so that one can be spoilt."""
    return type(packet)(octets_of(packet))


def carried(packet):
    """The GRE packet inside, when the router has sent it with an ICMP message as its passenger."""
    if UDP in packet and packet[UDP].dport == PORT:
        inside = GRE(octets_of(packet[UDP].payload))
        return inside if ICMP in inside else None
    return None


def delivered(site):
    return site.tunnel()["rx"]["packets"]


def test_taken(one):
    """A packet that scapy has made, with padding behind it; and the answer of the host in the LAN."""
    scene, peer, site = one
    ping(scene.router[A], HOST[4][A])
    peer.drain()
    peer.sock.send(peer.frame(datagram(peer)) + bytes(6))
    packet = peer.receive(lambda p: carried(p) or unreachable(peer.family)(p))
    inside = carried(packet)
    assert inside, packet.summary()  # and not that nobody listens at the port
    assert inside.key == 7 and inside[ICMP].type == 0 and octets_of(inside[ICMP].payload) == b"in UDP"
    assert delivered(site) == 1 and not site.drops() and not site.stray()


@pytest.mark.parametrize("reason", ("rx-udp-checksum", "rx-key-wrong", "rx-truncated"))
def test_not_taken(one, reason):
    _, peer, site = one
    packet = rebuilt(datagram(peer, key=8 if reason == "rx-key-wrong" else 7))
    if reason == "rx-udp-checksum":
        packet[UDP].chksum ^= 0x0100
    if reason == "rx-truncated":
        packet = peer.outer(peer.family) / UDP(sport=50000, dport=PORT) / Raw(b"\x20\x00")
    peer.send(packet)
    if reason == "rx-truncated":
        wait_for(lambda: site.stray() == {reason: 1}, what=site.stray)
    else:
        wait_for(lambda: site.drops() == {reason: 1}, what=site.drops)
    assert delivered(site) == 0


def test_length(one):
    """Beyond the packet's end, and less than its own header."""
    _, peer, site = one
    for count, length in ((1, 400), (2, 7)):
        packet = rebuilt(datagram(peer))
        packet[UDP].len = length
        peer.send(packet)
        wait_for(lambda count=count: site.stray() == {"rx-udp-length": count}, what=site.stray)
    assert delivered(site) == 0


def test_no_checksum(one):
    """Over IPv4 a sender may do without; over IPv6 only where the file allows it."""
    _, peer, site = one
    peer.send(datagram(peer, chksum=0))
    if peer.family == 6:
        wait_for(lambda: site.drops() == {"rx-udp-checksum-missing": 1}, what=site.drops)
        site.edit("udp = yes", "udp = yes\nudp-checksum = no")
        site.reload()
        peer.send(datagram(peer, chksum=0))
    wait_for(lambda: delivered(site) == 1, what=site.drops)


def test_checksum_not_sent(one):
    scene, peer, site = one
    site.edit("udp = yes", "udp = yes\nudp-checksum = no")
    site.reload()
    peer.drain()
    peer.send(datagram(peer))
    sent = peer.receive(carried)
    assert sent[UDP].chksum == 0 and sent[UDP].len == len(octets_of(sent[UDP]))
    assert carried(sent)[ICMP].type == 0
    assert scene.router[A].run(["ip", "link", "show", NAME]).stdout.count("udp 4754 udp-csum no") == 1


def test_plain_gre_is_not_taken(one):
    """And a tunnel without UDP takes none in UDP. Both senders are told, once each."""
    _, peer, site = one
    sent = octets_of(gre(key=7) / passenger())
    peer.send_raw(peer.family, sent)
    answer = octets_of(peer.receive(unreachable(peer.family)))
    assert answer.endswith(sent)
    wait_for(lambda: site.drops() == {"rx-udp-missing": 1}, what=site.drops)
    other_one = section("tunnel", "other", local=UNDERLAY[peer.family][A],
                        remote=UNDERLAY[peer.family][A].replace("1.1", "1.9").replace("::1", "::9"))
    site.write(site.file.read_text() + other_one)
    site.reload()
    peer.send(peer.outer(peer.family, src=UNDERLAY[peer.family][A].replace("1.1", "1.9").replace("::1", "::9"))
              / UDP(sport=50000, dport=PORT) / Raw(octets_of(gre() / passenger())))
    wait_for(lambda: site.drops("other") == {"rx-udp-unexpected": 1},
             what=lambda: (site.drops("other"), site.stray()))
    found = next(s for s in site.status()["strays"] if s["reason"] == "rx-udp-unexpected")
    assert found["udp_port"] == PORT
    assert delivered(site) == 0


def test_stranger_is_told(one):
    """Port unreachable, quoting the whole datagram."""
    _, peer, site = one
    stranger = UNDERLAY[peer.family][B].replace("1.2", "1.8").replace("::2", "::8")
    peer.router.ip(f"neigh replace {stranger} lladdr 02:00:00:00:00:99 dev bond0")
    packet = rebuilt(datagram(peer))
    packet.src = stranger
    packet = rebuilt(type(packet)(octets_of(packet.__class__(src=stranger, dst=packet.dst) /
                                            UDP(sport=50000, dport=PORT) / packet[UDP].payload)))
    peer.send(packet)
    answer = octets_of(peer.receive(unreachable(peer.family)))
    assert answer.endswith(octets_of(packet[UDP]))
    assert site.stray() == {"rx-source": 1}


def test_other_udp_is_left_alone(one):
    """A program of this host has its own port, and hears of its own errors only; a port that nobody has is
    answered by the kernel."""
    scene, peer, site = one
    family = socket.AF_INET if peer.family == 4 else socket.AF_INET6
    with scene.router[A].entered():
        sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(("", 5353))
    sock.settimeout(5)
    peer.send(peer.outer(peer.family) / UDP(sport=1, dport=5353) / b"hello")
    assert sock.recv(100) == b"hello"
    sock.close()
    peer.send(peer.outer(peer.family) / UDP(sport=1, dport=5354) / b"hello")
    peer.receive(unreachable(peer.family))
    assert not site.stray() and not site.drops()


def quoting(peer, packet):
    """ICMP from the peer: port unreachable about our packet."""
    if peer.family == 4:
        return peer.outer(4) / ICMP(type=3, code=3) / Raw(octets_of(packet)[:200])
    return peer.outer(6) / ICMPv6DestUnreach(code=4) / Raw(octets_of(packet)[:200])


def too_big(peer, packet, mtu):
    if peer.family == 4:
        return peer.outer(4) / ICMP(type=3, code=4, nexthopmtu=mtu) / Raw(octets_of(packet)[:200])
    return peer.outer(6) / ICMPv6PacketTooBig(mtu=mtu) / Raw(octets_of(packet)[:1000])


def our_packet(scene, peer):
    peer.drain()
    scene.host[A].run(["ping", "-n", "-c", 1, "-W", 1, "-s", 1000, HOST[4][B]], check=False)
    return peer.receive(carried)


def test_errors_about_our_packets(one):
    """Port unreachable is remembered for the doctor; a smaller path becomes the tunnel's."""
    scene, peer, site = one
    packet = our_packet(scene, peer)
    peer.send(quoting(peer, packet))
    wait_for(lambda: site.status()["refusals"], what=site.status)
    refusal = site.status()["refusals"][0]
    assert (refusal["remote"], refusal["from"]) == (UNDERLAY[peer.family][B],) * 2
    assert (refusal["type"], refusal["code"]) == ((3, 3) if peer.family == 4 else (1, 4))
    peer.send(too_big(peer, packet, 1400))
    expected = 1400 - OVERHEAD[peer.family] - 8
    wait_for(lambda: site.tunnel()["mtu"] == expected, what=lambda: site.tunnel()["mtu"])


def test_errors_about_other_packets(one):
    """A datagram of another program to another port is nobody's business here."""
    scene, peer, site = one
    other_packet = rebuilt(type(peer.outer(peer.family))(
        src=UNDERLAY[peer.family][A], dst=UNDERLAY[peer.family][B]) / UDP(sport=999, dport=53) / bytes(64))
    peer.send(quoting(peer, other_packet))
    peer.send(quoting(peer, our_packet(scene, peer)))
    wait_for(lambda: site.status()["refusals"], what=site.status)
    assert [one["packets"] for one in site.status()["refusals"]] == [1]


@pytest.mark.parametrize("outer", (4, 6))
def test_outer_fragments(make_scene, tmp_path, outer):
    """df = clear over a path that is narrower than the file says: pieces, put together by the peer."""
    scene = make_scene(mtu=1400)
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        sites = both_up(scene, tmp_path, outer=outer, udp="yes", df="clear", mtu=1400)
        ping(scene.host[A], HOST[4][B], size=1372, df="do")
    field = "ip.fragment" if outer == 4 else "ipv6.fragment"
    assert tshark(path, ("frame.number",), field)
    assert not any(reason.startswith("rx") for site in sites.values() for reason in site.drops())


@pytest.mark.parametrize("words", ({"keepalive_form": "inside"}, {"probe": f"icmp {{}}"}),
                         ids=("inside", "icmp"))
def test_keepalive(scene, tmp_path, words):
    """Questions and answers are passengers, so all is in UDP; a peer that is gone is noticed."""
    sites, path = {}, tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        for side in (A, B):
            keys = {key.replace("_", "-"): value.format(TUNNEL[4][other(side)]) for key, value in words.items()}
            sites[side] = Site(scene.router[side], tmp_path / side,
                               site_text(side, udp="yes", keepalive="100ms 3", **keys))
            sites[side].up()
        for site in sites.values():
            wait_for(lambda site=site: site.tunnel()["keepalive"]["state"] == "up", 20)
    assert not tshark(path, ("frame.number",), "ip.proto == 47 and not udp and not icmp.type == 3")
    sites[B].down()
    wait_for(lambda: sites[A].tunnel()["keepalive"]["state"] == "down", 20)


def test_port_in_use(scene, tmp_path):
    """Another program has the port: the tunnel says so, and comes when it is free."""
    with scene.router[A].entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("", 5000))
    site = Site(scene.router[A], tmp_path / A, site_text(A, udp=5000))
    done = site.gretel("up", check=False)
    assert done.returncode != 0 and "UDP port 5000" in done.stderr + done.stdout, (done.stdout, done.stderr)
    sock.close()
    site.up()
    Site(scene.router[B], tmp_path / B, site_text(B, udp=5000)).up()
    ping_between_lans(scene)


def test_reload_in_and_out_of_udp(scene, tmp_path):
    """The tunnel goes from IP to UDP, to another port, and back, without going down."""
    sites = both_up(scene, tmp_path)
    before = None
    for words in ("", "udp = yes\n", "udp = 5000\n", ""):
        for side, site in sites.items():
            site.write(site_text(side).replace("[forward]", f"{words}[forward]"))
            site.reload()
        ping_between_lans(scene)
        indices = [site.namespace.link(NAME)["ifindex"] for site in sites.values()]
        before = before or indices
        assert indices == before


def test_outer_packets_are_not_tracked(scene, tmp_path):
    both_up(scene, tmp_path, udp="yes")
    ping_between_lans(scene)
    for router in scene.router.values():
        assert f"dport={PORT}" not in router.run(["cat", "/proc/net/nf_conntrack"], check=False).stdout
        assert "udp dport @outer_udp4 notrack" in router.run(["nft", "list", "table", "inet", "gretel"]).stdout


def examined(site):
    """What gretel doctor says, line by line."""
    return site.gretel("doctor", check=False, timeout=90).stdout.splitlines()


def test_doctor(scene, tmp_path):
    """A tunnel in good health is said to be; each thing that does not agree is named; nothing is said of
    GRE probes, which there are none of."""
    sites = both_up(scene, tmp_path, udp="yes", key=KEY)
    ping_between_lans(scene)
    assert "healthy" in examined(sites[A])[0]
    faults = ({"udp": "no"}, "sends plain GRE, but this side expects it in UDP"), \
             ({"udp": 5000}, "takes no GRE in UDP from 172.19.1.1 at port 4754"), \
             ({"udp": "yes", "key": 9}, "sends key 9, but this side expects key 4242")
    for keys, said in faults:
        sites[B].write(site_text(B, **({"key": KEY} | keys)))
        sites[B].reload()

        def found():
            for side in (A, B):
                scene.router[side].run(["ping", "-c", 1, "-W", 1, TUNNEL[4][other(side)]], check=False)
            return said in examined(sites[A])[0]
        wait_for(found, 60, lambda: examined(sites[A]))


def test_doctor_without_the_other_end(scene, tmp_path):
    sites = both_up(scene, tmp_path, udp="yes")
    ping_between_lans(scene)
    sites[B].down()

    def found():
        scene.router[A].run(["ping", "-c", 1, "-W", 1, TUNNEL[4][B]], check=False)
        return "takes no GRE in UDP from 172.19.1.1 at port 4754" in examined(sites[A])[0]
    wait_for(found, 60, lambda: examined(sites[A]))
