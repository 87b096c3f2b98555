# SPDX-License-Identifier: GPL-2.0-or-later
"""Many tunnels between the same two addresses, Ethernet tunnels in a bridge, multicast."""
import socket
import struct

from crossing import one_ethernet
from flow import Sink, Stream, numbers_complete, tcp_transfer, udp
from gretel import NAME, Site, both_up, ping, section, tunnel
from lanes import wait_loaded
from net import veth, wait_for
from scapy.all import IP, UDP, Dot1Q, Ether
from scene import A, B, TUNNEL, UNDERLAY, other
from wire import Capture, assert_clean, tshark

OSPF, ALL_SPF_ROUTERS, GROUP = 89, "224.0.0.5", "239.1.2.3"
EXPERIMENT = 253  # RFC 3692: a protocol of nobody


def keyed_tunnels(side, keys):
    """One tunnel for each key, all between the same outer addresses."""
    ends = {A: 1, B: 2}
    return "".join(section("tunnel", f"t{key}", local=UNDERLAY[4][side], remote=UNDERLAY[4][other(side)],
                           key=key, address=f"10.200.{key}.{ends[side]}/30") for key in keys)


def test_ten_tunnels_with_ten_keys(scene, tmp_path, undo):
    keys = range(1, 11)
    sites = {side: Site(scene.router[side], tmp_path / side, keyed_tunnels(side, keys))
             for side in (A, B)}
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        for site in sites.values():
            site.up()
        for key in keys:
            ping(scene.router[A], f"10.200.{key}.2", count=3)
    seen = {}
    for row in tshark(path, ("gre.key", "ip.src", "ip.dst"), "gre and icmp"):
        key = int(row["gre.key"][0], 16)
        seen[key] = seen.get(key, 0) + 1
        assert {row["ip.src"][1], row["ip.dst"][1]} == {f"10.200.{key}.1", f"10.200.{key}.2"}
    assert sorted(seen) == list(keys) and all(count >= 6 for count in seen.values())
    for key in keys:
        assert sites[B].tunnel(f"t{key}")["rx"]["packets"] >= 3
    assert not sites[B].stray()


def test_same_keyless_and_keyed(scene, tmp_path):
    """No key, key 0 and key 1 are three tunnels (RFC 2890 2.1)."""
    sites = {}
    for side, end in ((A, 1), (B, 2)):
        text = "".join(section("tunnel", f"t{i}", local=UNDERLAY[4][side], key=key,
                               remote=UNDERLAY[4][other(side)], address=f"10.200.{i}.{end}/30")
                       for i, key in enumerate((None, 0, 1)))
        sites[side] = Site(scene.router[side], tmp_path / side, text)
        sites[side].up()
    for i in range(3):
        ping(scene.router[A], f"10.200.{i}.2")
        assert sites[B].tunnel(f"t{i}")["rx"]["packets"] > 0


def bridged_site(scene, side, directory):
    """A LAN of Ethernet frames: the tunnel's TAP and the LAN's device in one bridge."""
    router = scene.router[side]
    router.ip("address flush dev eth1", "link add br0 type bridge", "link set dev br0 up",
              "link set dev eth1 master br0")
    text = section("tunnel", "tap0", mode="gretap", local=UNDERLAY[4][side],
                   remote=UNDERLAY[4][other(side)], key=7, bridge="br0")
    site = Site(router, directory / side, text)
    site.up()
    site.forget_drops()
    return site


def send_frame(namespace, device, frame):
    with namespace.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((device, 0))
        sock.send(frame)


def test_bridged_taps(scene, tmp_path):
    """Both hosts in one Ethernet: ARP, frames with VLAN tags, broadcast, TCP."""
    path = tmp_path / "wire.pcap"
    host = scene.host
    one_ethernet(scene)
    tagged = bytes(Ether(src=host[A].mac("eth0"), dst=host[B].mac("eth0")) / Dot1Q(vlan=5) / IP(proto=EXPERIMENT) / b"tagged")
    with Capture(scene.wire, "a", path), Capture(host[B], "eth0", tmp_path / "lan.pcap", "vlan 5"):
        sites = {side: bridged_site(scene, side, tmp_path) for side in (A, B)}
        ping(host[A], "10.77.0.2", count=3)
        ping(host[B], "10.77.0.1", count=3)
        send_frame(host[A], "eth0", tagged)
        done = tcp_transfer(host[A], host[B], 4, "10.77.0.2", 1_000_000)
    assert done, done
    rows = tshark(path, ("gre.proto", "gre.key", "eth.src", "eth.dst", "arp.opcode", "vlan.id"), "gre")
    macs = {host[A].mac("eth0"), host[B].mac("eth0")}
    assert all(int(row["gre.proto"][0], 16) == 0x6558 for row in rows)
    assert all(int(row["gre.key"][0], 16) == 7 for row in rows)
    assert any({row["eth.src"][1], row["eth.dst"][1]} == macs for row in rows)
    assert any(row["arp.opcode"] == ["1"] and row["eth.dst"][1] == "ff:ff:ff:ff:ff:ff" for row in rows)
    assert any(row["vlan.id"] == ["5"] for row in rows)
    assert_clean(path)
    assert tagged in (tmp_path / "lan.pcap").read_bytes()
    assert sites[A].namespace.link("tap0")["master"] == "br0"
    assert not sites[A].drops("tap0") and not sites[B].drops("tap0")


def test_vlans_over_taps(scene, tmp_path):
    """A tag, which the kernel keeps beside the packet on its way through the bridge, is inside the tunnel in
    whichever lane, and the outer frame has none."""
    sites = {side: bridged_site(scene, side, tmp_path) for side in (A, B)}
    one_ethernet(scene)
    for site in sites.values():
        wait_loaded(site, "tap0")
    ping(scene.host[A], "10.77.0.2", count=3)
    count, path = 20, tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path, "ip or vlan"), Capture(scene.host[B], "eth0", tmp_path / "lan.pcap", "vlan 5"):
        for number in range(count):
            send_frame(scene.host[A], "eth0", bytes(
                Ether(src=scene.host[A].mac("eth0"), dst=scene.host[B].mac("eth0")) / Dot1Q(vlan=5, prio=3) /
                IP(src="10.77.0.1", dst="10.77.0.2") / UDP(sport=5000 + number, dport=9) / b"tagged"))
        ping(scene.host[A], "10.77.0.2")
    rows = tshark(path, ("eth.type", "gre.proto", "vlan.id", "vlan.priority"), "gre and udp.dstport == 9")
    assert len(rows) == count
    for row in rows:
        assert (row["eth.type"][0], row["vlan.id"], row["vlan.priority"]) == ("0x0800", ["5"], ["3"]), row
    arrived = tshark(tmp_path / "lan.pcap", ("vlan.id", "udp.srcport"), "udp.dstport == 9")
    assert sorted(int(row["udp.srcport"][0]) for row in arrived) == [5000 + number for number in range(count)]
    assert not any(site.drops("tap0") for site in sites.values())


def join(sock, namespace, group):
    index = namespace.link(NAME)["ifindex"]
    membership = struct.pack("4s4si", socket.inet_aton(group), bytes(4), index)
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)


def by_tunnel(sock, namespace):
    index = namespace.link(NAME)["ifindex"]
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", bytes(4), bytes(4), index))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)


def test_multicast_stream(scene, tmp_path, undo):
    both_up(scene, tmp_path)
    sink = Sink(scene.router[B], 4, 5000)
    undo.callback(sink.close)
    join(sink.sock, scene.router[B], GROUP)
    sender = udp(scene.router[A], 4)
    undo.callback(sender.close)
    by_tunnel(sender, scene.router[A])
    sender.connect((GROUP, 5000))
    stream = Stream([sender], rate=2000)
    wait_for(lambda: stream.sent >= 1000, 10)
    sent = stream.stop()
    assert not numbers_complete(sink, TUNNEL[4][A], sent)


def raw_ospf(namespace):
    with namespace.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, OSPF)
    sock.settimeout(0.2)
    return sock


def hello(side):
    """The size and the address of an OSPF hello; its content is nobody's business but OSPF's."""
    return b"\x02\x01\x00\x2c" + socket.inet_aton(TUNNEL[4][side]) + bytes(36)


def test_ospf_hellos(scene, tmp_path, undo):
    """224.0.0.5 with TTL 1, both ways: what a routing daemon needs of a tunnel."""
    path = tmp_path / "wire.pcap"
    both_up(scene, tmp_path)
    with Capture(scene.wire, "a", path):
        socks = {side: raw_ospf(scene.router[side]) for side in (A, B)}
        for side, sock in socks.items():
            undo.callback(sock.close)
            join(sock, scene.router[side], ALL_SPF_ROUTERS)
            by_tunnel(sock, scene.router[side])
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        for side, sock in socks.items():
            sock.sendto(hello(side), (ALL_SPF_ROUTERS, 0))
            wait_for(lambda: heard(socks[other(side)], hello(side)), 5, f"a hello from {side}")
    rows = tshark(path, ("ip.src", "ip.dst", "ip.ttl", "ip.proto"), "gre and ospf")
    assert [(row["ip.dst"][1], row["ip.ttl"][1], row["ip.proto"][1]) for row in rows] == \
        [(ALL_SPF_ROUTERS, "1", str(OSPF))] * 2


def heard(sock, expected):
    try:
        return sock.recv(2000)[20:] == expected
    except TimeoutError:
        return False


def test_bound_to_a_device(host, tmp_path):
    """A tunnel over a single cable, no bridge: the underlay device named by `bind`."""
    one, two = host("one"), host("two")
    veth(one, "up0", two, "up0")
    for namespace, end in ((one, 1), (two, 2)):
        namespace.ip(f"address add 192.0.2.{end}/24 dev up0")
    for namespace, end in ((one, 1), (two, 2)):
        text = section("tunnel", "t0", local=f"192.0.2.{end}", remote=f"192.0.2.{3 - end}", bind="up0",
                       address=f"10.9.9.{end}/30")
        Site(namespace, tmp_path / namespace.label, text).up()
    ping(one, "10.9.9.2")


def test_bound_to_another_device(host, tmp_path):
    """What comes in by a second cable is not the bound tunnel's, and is counted as that."""
    one, two = host("one"), host("two")
    sites = {}
    for name in ("up0", "up1"):
        veth(one, name, two, name)
    for namespace, end, device, words in ((one, 1, "up0", {"bind": "up0"}), (two, 2, "up1", {})):
        namespace.ip(f"address add 192.0.2.{end}/24 dev {device}")
        text = section("tunnel", "t0", local=f"192.0.2.{end}", remote=f"192.0.2.{3 - end}",
                       address=f"10.9.9.{end}/30", **words)
        sites[end] = Site(namespace, tmp_path / namespace.label, text)
        sites[end].up()

    def counted():
        two.run(["ping", "-c", 3, "-i", "0.05", "-W", "0.1", "10.9.9.1"], check=False)
        return sites[1].drops("t0").get("rx-bind", 0) >= 3
    wait_for(counted, 5, lambda: (sites[1].drops("t0"), sites[1].stray()))
    assert set(sites[1].drops("t0")) == {"rx-bind"} and not sites[1].stray()


def test_the_way_to_the_peer_is_there(scene, tmp_path):
    """The kernel adds the route to the peer of an IPv6 address behind the address, and once it forgot
    every fifth."""
    router = scene.router[A]
    site = Site(router, tmp_path, tunnel(A))
    for _ in range(12):
        site.up()
        wait_for(lambda: f"{TUNNEL[6][B]} dev {NAME}" in router.run(["ip", "-6", "route"]).stdout, 2,
                 lambda: router.run(["ip", "-6", "route"]).stdout)
        site.down()
