# SPDX-License-Identifier: GPL-2.0-or-later
"""The scene with every kind of header: what is on the wire, as tshark reads it, and that LANs talk."""
import pytest
from flow import tcp_transfer
from gretel import NAME, both_up, ping_between_lans
from scene import HOST, UNDERLAY, other
from wire import Capture, assert_clean, tshark, tshark_text

KEY = 4242
KINDS = {
    "plain": ({}, 0x0000),
    "key": ({"key": KEY}, 0x2000),
    "checksum": ({"checksum": "require"}, 0x8000),
    "sequence": ({"sequence": "yes"}, 0x1000),
    "all": ({"key": KEY, "checksum": "require", "sequence": "yes"}, 0xB000),
}
FIELDS = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "gre.proto",
          "gre.flags_and_version", "gre.key", "gre.sequence_number", "gre.checksum.status",
          "ip.checksum.status", "tcp.checksum.status", "ip.proto", "ipv6.nxt")
TSHARK = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE",
          "-o", "tcp.desegment_tcp_streams:FALSE"]
GOOD = "1"


def addresses(row):
    """(outer source, outer destination), (inner source, inner destination) or None."""
    four, six = list(zip(row["ip.src"], row["ip.dst"])), list(zip(row["ipv6.src"], row["ipv6.dst"]))
    outside = [pair for pair in four + six if pair[0] in UNDERLAY[4].values() or
               pair[0] in UNDERLAY[6].values()]
    inside = [pair for pair in four + six if pair not in outside]
    return outside[0], inside[0] if inside else None


def assert_header(row, flags):
    assert int(row["gre.flags_and_version"][0], 16) == flags
    if flags & 0x2000:
        assert int(row["gre.key"][0], 16) == KEY
    if flags & 0x8000:
        assert row["gre.checksum.status"] == [GOOD]
    assert set(row["ip.checksum.status"] + row["tcp.checksum.status"]) <= {GOOD}


def assert_wire(path, outer, flags):
    """Every GRE frame has just these fields, and both LANs were seen to talk, in both families."""
    # Not those that an ICMP error of the side that was up later quotes.
    rows = [row for row in tshark(path, FIELDS, "gre", TSHARK)
            if row["ip.proto" if outer == 4 else "ipv6.nxt"][0] == "47"]
    pairs, numbers = set(), {}
    for row in rows:
        outside, inside = addresses(row)
        assert_header(row, flags)
        assert set(outside) == set(UNDERLAY[outer].values())
        pairs.add((int(row["gre.proto"][0], 16), inside))
        numbers.setdefault(outside[0], []).extend(int(n) for n in row["gre.sequence_number"])
    for inner, protocol in ((4, 0x0800), (6, 0x86DD)):
        for side in ("A", "B"):
            assert (protocol, (HOST[inner][side], HOST[inner][other(side)])) in pairs
    if flags & 0x1000:
        for seen in numbers.values():
            assert seen == list(range(seen[0], seen[0] + len(seen)))
    return rows


@pytest.mark.parametrize("outer", (4, 6))
@pytest.mark.parametrize("kind", KINDS)
def test_lan_to_lan(scene, tmp_path, kind, outer):
    keys, flags = KINDS[kind]
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        sites = both_up(scene, tmp_path, outer=outer, **keys)
        ping_between_lans(scene)
        for inner in (4, 6):
            done = tcp_transfer(*scene.hosts(), inner, HOST[inner]["B"], 1_000_000)
            assert done, done
    assert len(assert_wire(path, outer, flags)) > 700, tshark_text(path)[:3000]
    assert_clean(path)
    for site in sites.values():
        assert not site.drops(), f"{site.namespace} dropped packets"
        assert site.tunnel()["rx"]["packets"] > 20
        site.down()
        assert site.namespace.link(NAME) is None


def test_first_sequence_number_is_zero(scene, tmp_path):
    """RFC 2890 2.2"""
    path = tmp_path / "wire.pcap"
    with Capture(scene.wire, "a", path):
        both_up(scene, tmp_path, sequence="yes")
        ping_between_lans(scene)
    first = {}
    for row in tshark(path, ("ip.src", "gre.sequence_number"), "gre and not icmp.type == 3"):
        first.setdefault(row["ip.src"][0], int(row["gre.sequence_number"][0]))
    assert first == {UNDERLAY[4]["A"]: 0, UNDERLAY[4]["B"]: 0}
