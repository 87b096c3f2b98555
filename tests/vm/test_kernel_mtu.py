# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU of every kind of tunnel is the kernel's for the same options, whatever the underlay's; but the
kernel's tunnels over IPv6 never have less than 1280, ours if no IPv6 is inside."""
import itertools

from gretel import Site, section
from net import wait_for
from scene import UNDERLAY, A, B

IPV6_LEAST = 1280  # RFC 8200
KINDS = {("gre", 4): "gre", ("gre", 6): "ip6gre", ("gretap", 4): "gretap", ("gretap", 6): "ip6gretap"}
FIELDS = tuple(fields for count in range(4) for fields in itertools.combinations(("key", "csum", "seq"), count))
OURS = {"key": {"key": 7}, "csum": {"checksum": "require"}, "seq": {"sequence": "yes"}}
THEIRS = {"key": "key 7", "csum": "csum", "seq": "seq"}


def every_kind():
    """(name, mode, outer family, fields, a peer of its own)"""
    for number, ((mode, outer), fields) in enumerate(itertools.product(KINDS, FIELDS)):
        peer = f"172.19.1.{100 + number}" if outer == 4 else f"2001:db8:19::{100 + number}"
        yield f"t{number}", mode, outer, fields, peer


def ours():
    return "".join(section("tunnel", name, mode=mode, local=UNDERLAY[outer][A], remote=peer,
                           **{key: value for field in fields for key, value in OURS[field].items()})
                   for name, mode, outer, fields, peer in every_kind())


def theirs():
    return [f"link add {name} type {KINDS[mode, outer]} local {UNDERLAY[outer][B]} remote {peer} "
            + " ".join(THEIRS[field] for field in fields) + (" encaplimit none" if outer == 6 else "")
            for name, mode, outer, fields, peer in every_kind()]


def mtus(router):
    found = {link["ifname"]: link["mtu"] for link in router.ip_json("link")}
    return {(mode, outer, fields): found[name] for name, mode, outer, fields, _ in every_kind()}


def test_mtu(scene, tmp_path):
    """The kernel's tunnels are made anew for each underlay, whose changes they do not follow; ours do."""
    site = Site(scene.router[A], tmp_path, ours())
    site.up()
    for underlay in (1280, 1400, 1476, 1500, 9000):
        for side in (A, B):
            scene.router[side].ip(f"link set dev bond0 mtu {underlay}")
        scene.router[B].ip(*theirs())
        there = mtus(scene.router[B])
        assert len(there) == 32

        def agree():
            here = mtus(scene.router[A])
            return there == {kind: max(mtu, IPV6_LEAST) if kind[1] == 6 else mtu for kind, mtu in here.items()}
        wait_for(agree, 10, lambda: (underlay, mtus(scene.router[A]), there))
        scene.router[B].ip(*(f"link del {name}" for name, *_ in every_kind()))
