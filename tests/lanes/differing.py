# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends the same packets to routers that differ in the lane, and compares all that can be seen."""
import os

from lanes import xdp_sent
from net import wait_for

# Of a thousand packets of flows, those that may come behind a later one of their flow: the last ones that
# greteld carries before the programs begin to, in TC segments that a device has joined and that may be
# fragmented, and in XDP the packet that renews what is known of the flow: it takes the kernel's path, and
# those behind it in the same poll of the device do not wait. In a million packets one or two of any lane: the
# beginning of a packet whose other pieces are missing is completed by those of a later one with its number.
OVERTAKEN = {"user": 0.005, "tc": 5, "xdp": 5}
# What the kernel tells by a tunnel of itself (multicast groups, neighbours): so many packets more or
# fewer, of so many octets at most.
OWN_PACKETS, OWN_OCTETS = 4, 160
ODD = 300  # of a thousand packets are no regular ones of a flow


def packets():
    return int(os.environ.get("GRETEL_DIFFER_PACKETS", 20000))


def _fast_enough(router, by_user):
    """The programs must have carried most of what they can carry, or nothing was compared."""
    carried, slow = router.carried(), router.by_greteld()
    if router.lane == "user":
        assert carried == 0
        return
    assert slow < by_user * 0.3, f"{router.lane} has left {slow} packets of {by_user} to greteld"
    plain = sum(not {"mode", "checksum", "sequence"} & set(keys) for keys, _ in router.tunnels) / len(router.tunnels)
    assert carried > by_user * plain / 4, f"{router.lane} has carried {carried} packets of flows, {by_user} in all"
    if router.lane == "xdp":
        sent = xdp_sent(router.namespace)
        assert sent > carried * 0.8, f"XDP has sent {sent} of {carried}"


def _uneven(one, other):
    """What two routers have not counted alike: drops by reason, packets and octets carried."""
    a, b = one.counted(), other.counted()
    differ = {key: (a.get(key, 0), b.get(key, 0)) for key in {*a, *b} if a.get(key) != b.get(key)}
    return {key: (x, y) for key, (x, y) in differ.items()
            if key[1] != "tx" or abs(x - y) > OWN_PACKETS * (OWN_OCTETS if key[2] == "bytes" else 1)}


def check(routers, seed, count, odd=ODD):
    """One run of differ; fails with all that differs. Returns what it counted."""
    good, counted, said = routers.differ(seed, 0, count, odd, 100 + count / 1000)
    assert good, f"seed {seed}\n{said}\n{counted}"
    assert not counted["lost"], counted
    by_user = routers.all[0].by_greteld()
    limited = [seen["limited"] for seen in counted["routers"]]
    assert max(limited) - min(limited) <= 20 + max(limited) / 20, counted
    for router, seen in zip(routers.all, counted["routers"]):
        assert seen["sequences"], f"{router.lane}: sequence numbers are missing, or there twice"
        assert not seen["bad_sums"], f"{router.lane}: checksums of outer headers are wrong"
        assert seen["overtaken"] * 1000 <= OVERTAKEN[router.lane] * seen["marked"], f"{router.lane}: {seen}"
        _fast_enough(router, by_user)
    for other in routers.all[1:]:
        wait_for(lambda: not _uneven(routers.all[0], other), 5,
                 lambda: f"{routers.all[0].lane}, {other.lane}: {_uneven(routers.all[0], other)}")
    return counted
