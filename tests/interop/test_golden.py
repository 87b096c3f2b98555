# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures decoded by our decoder and by tshark must read the same; and encoded anew from what was
read, with the settings that the sender had, they must come out octet for octet.

The captures are some made here by scapy or by hand, always; and those of a Linux kernel's own GRE, where they
lie beside the project or GRETEL_CAPTURES says where.
"""
import itertools
import json
import os
import pathlib

import pytest
from net import run
from gretel import BUILD, ROOT
from scapy.all import (GRE, ICMP, IP, UDP, Ether, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, Raw,
                       wrpcap)
from scapy.contrib.mpls import MPLS
from wire import tshark

CAPTURES = pathlib.Path(os.environ.get("GRETEL_CAPTURES", ROOT.parent / "shared/golden"))

# Name of the capture, and the settings of the tunnels that sent it. Captures whose packets were
# partly made by hand to provoke are only decoded.
SETTINGS = {
    "linux612_gre_none": "tos=0 df=set", "linux612_gre_csum": "tos=0 df=set",
    "linux612_gre_key": "tos=0 df=set", "linux612_gre_seq": "tos=0 df=set",
    "linux612_gre_csum_key_seq": "tos=0 df=set", "linux612_gretap_none": "tos=0 df=set",
    "linux612_gretap_csum_key_seq": "tos=0 df=set", "linux612_mpls_over_gre_none": "tos=0 df=set",
    "linux612_mssclamp_gre": "tos=0 df=set", "linux612_tcp_over_gre_key": "tos=0 df=set",
    "linux612_gre_pmtud_v4": "tos=0 df=set", "linux612_gre_inner_fragments": "tos=0 df=copy",
    "linux612_gre_tos_ttl_inherit": "tos=inherit df=copy",
}

FIELDS = ("frame.number", "ip.src", "ipv6.src", "ip.proto", "ip.frag_offset", "gre.proto",
          "gre.flags_and_version", "gre.key", "gre.sequence_number", "gre.checksum.status")
GOOD = "1"  # of gre.checksum.status


def gredump(path, *settings):
    lines = run([BUILD / "tests/interop/gredump", path, *settings]).stdout.splitlines()
    return {line["frame"]: line for line in map(json.loads, lines)}


def gre_frames(path):
    """tshark's view of the frames whose outermost packet is GRE, by frame number."""
    rows = tshark(path, FIELDS, "gre", ["-o", "ip.defragment:FALSE"])
    return {int(row["frame.number"][0]): row for row in rows
            if not row["ip.proto"] or row["ip.proto"][0] == "47" or row["ipv6.src"]
            and not row["ip.src"]}


def number(texts):
    return int(texts[0], 0) if texts else None


def refusal(flags):
    """What RFC 2784 says of these flags, told again without our code."""
    if flags & 7:
        return "rx-version"
    if flags & 0x4000:
        return "rx-routing"
    return "rx-reserved" if flags & 0x0C00 else "none"


def compare(path):
    ours, theirs = gredump(path), gre_frames(path)
    for frame, row in theirs.items():
        assert frame in ours, f"frame {frame} is GRE for tshark and not for us"
        mine, flags = ours[frame], number(row["gre.flags_and_version"])
        if mine["drop"] == "rx-truncated":
            continue
        assert mine["drop"] == refusal(flags), f"frame {frame}"
        if mine["drop"] != "none":
            continue
        assert mine["protocol"] == number(row["gre.proto"]), f"frame {frame}"
        assert mine["key"] == number(row["gre.key"]), f"frame {frame}"
        assert mine["sequence"] == number(row["gre.sequence_number"]), f"frame {frame}"
        assert mine["checksum"] == bool(flags & 0x8000), f"frame {frame}"
        if mine["checksum"] and not mine["outer"]["fragment"]:
            assert mine["checksum_good"] == (row["gre.checksum.status"][0] == GOOD), f"frame {frame}"
        assert mine["outer"]["src"] in row["ip.src"] + row["ipv6.src"], f"frame {frame}"
    return ours


def passengers():
    for size in (0, 1, 56, 57, 1300):
        payload = Raw(bytes(i % 251 for i in range(size)))
        yield IP(src="10.99.0.1", dst="10.99.0.2") / ICMP() / payload
        yield IPv6(src="fd99::1", dst="fd99::2") / ICMPv6EchoRequest(data=payload.load)


def made_here(family):
    """All eight flag sets around passengers of each kind, none marked, no settings to inherit."""
    outer = (lambda: IP(src="192.0.2.1", dst="192.0.2.2", flags="DF", id=7)) if family == 4 else \
        (lambda: IPv6(src="2001:db8::1", dst="2001:db8::2"))
    for c, k, s in itertools.product((0, 1), repeat=3):
        gre = {"chksum_present": c, "key_present": k, "seqnum_present": s}
        gre |= {"key": 0xC0FFEE01} if k else {}
        gre |= {"sequence_number": 0xFFFFFFFE} if s else {}
        for passenger in passengers():
            yield outer() / GRE(**gre) / passenger
        yield outer() / GRE(proto=0x6558, **gre) / Ether() / IP() / UDP() / b"odd"
        yield outer() / GRE(proto=0x8847, **gre) / MPLS(label=100, s=0) / MPLS(label=200, s=1) / IP()


def provoking():
    """Flags that must be refused or ignored, and headers cut short."""
    for bit in range(1, 16):
        header = (0x8000 >> bit).to_bytes(2, "big") + b"\x08\x00" + bytes(8)
        yield IP(src="192.0.2.1", dst="192.0.2.2", proto=47) / Raw(header + bytes(IP() / ICMP()))
    for flags, size in itertools.product((0x0000, 0x8000, 0xA000, 0xB000), range(16)):
        yield IP(src="192.0.2.1", dst="192.0.2.2", proto=47) / Raw(
            (flags.to_bytes(2, "big") + b"\x08\x00" + bytes(12))[:size])
    yield (IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrDestOpt(nh=47)
           / GRE() / IP() / ICMP())


def write(path, packets):
    wrpcap(str(path), [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / p for p in packets])
    return path


@pytest.mark.parametrize("family", (4, 6))
def test_scapy_decoded_and_encoded_anew(tmp_path, family):
    packets = list(made_here(family))
    path = write(tmp_path / "made.pcap", packets)
    compare(path)
    again = gredump(path, "tos=0", "df=set")
    assert len(again) == len(packets) == 8 * 12
    assert {line["reencoded"] for line in again.values()} == {-1}
    assert all(line["checksum_good"] is not False for line in again.values())


def test_scapy_refused_and_ignored(tmp_path):
    packets = list(provoking())
    lines = compare(write(tmp_path / "provoking.pcap", packets))
    assert len(lines) == len(packets)
    reasons = [lines[frame]["drop"] for frame in range(1, 16)]
    assert reasons[0] == "rx-routing" and reasons[1:3] == ["none"] * 2
    assert reasons[3:5] == ["rx-reserved"] * 2 and reasons[5:12] == ["none"] * 7
    assert reasons[12:] == ["rx-version"] * 3
    needed = {0x0000: 4, 0x8000: 8, 0xA000: 12, 0xB000: 16}
    for frame, (flags, size) in enumerate(itertools.product(needed, range(16)), 16):
        expected = "rx-truncated" if size < needed[flags] else "none"
        assert lines[frame]["drop"] == expected, f"flags {flags:#x}, {size} octets"


def outer4(octets):
    return bytes(IP(src="192.0.2.1", dst="192.0.2.2", tos=0xC0, ttl=255, id=164, proto=47) / Raw(octets))


def back4(gre):
    """The packet inside a keepalive of a router: from the one who answers to the one who asks."""
    return bytes(IP(src="192.0.2.2", dst="192.0.2.1", tos=0xC0, ttl=255, id=163, proto=47) / Raw(bytes.fromhex(gre)))


# What other makes send, written by hand: the GRE header with what is between it and the passenger, the
# passenger, and what has to be read.
ROUTERS = {
    "cisco": ("00000800", back4("00000000"), {"protocol": 0x0800, "key": None, "sequence": None}),
    "cisco-key": ("2000080000000028", back4("2000000000000028"), {"protocol": 0x0800, "key": 40, "sequence": None}),
    "cisco-trustsec": ("2000890900000028" "0800010100010000", back4("2000000000000028"),
                       {"protocol": 0x8909, "key": 40, "sequence": None}),
    "huawei": ("00000004", back4("00000000"), {"protocol": 0x0004, "key": None, "sequence": None}),
    "openbsd": ("00000800", back4("00000000") + bytes(range(16)), {"protocol": 0x0800, "key": None, "sequence": None}),
    "isis": ("000000fe", bytes.fromhex("831b010010010000"), {"protocol": 0x00FE, "key": None, "sequence": None}),
    "ppp of RFC 2637": ("3001880b0004002a00000001", b"\xff\x03\xc0\x21", {"drop": "rx-version"}),
    "eoip of mikrotik": ("2001640000002a00", b"", {"drop": "rx-version"}),
    "source route of RFC 1701": ("40000800" "00000000" "00000000", b"", {"drop": "rx-routing"}),
    "sum before the number": ("90000800" "b5c30000" "00000007", back4("00000000"),
                              {"sequence": 7, "checksum_good": False}),
}


@pytest.mark.parametrize("name", ROUTERS)
def test_router(tmp_path, name):
    header, passenger, expected = ROUTERS[name]
    path = tmp_path / "router.pcap"
    wrpcap(str(path), [Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", type=0x0800)
                       / Raw(outer4(bytes.fromhex(header) + passenger))])
    line, = compare(path).values()
    expected = {"drop": "none"} | expected
    assert {field: line.get(field) for field in expected} == expected


def kernel_captures():
    """Those with packets in them; the file header alone has 24 octets."""
    return sorted(p for p in CAPTURES.glob("*.pcap") if p.stat().st_size > 24)


if kernel_captures():  # nothing to test elsewhere, and then no test that would be skipped
    @pytest.mark.parametrize("path", kernel_captures(), ids=lambda path: path.stem)
    def test_kernel_capture(path):
        assert compare(path), "no GRE in the capture"
        if path.stem not in SETTINGS:
            return
        for frame, line in gredump(path, *SETTINGS[path.stem].split()).items():
            if line["reencoded"] == 1:
                # RFC 6040 copies a congestion mark that the passenger brings; that kernel follows the
                # older RFC 3168 and sends ECT(0) instead. Nothing else may differ in this octet.
                outer, inner = line["outer"]["tos"], line["inner"]["tos"]
                assert inner & 3 == 3 and outer & 3 == 2 and outer >> 2 == inner >> 2, f"frame {frame}"
            else:
                assert line["reencoded"] == -1, f"frame {frame}"
