# SPDX-License-Identifier: GPL-2.0-or-later
"""The same packets by each lane: what comes out is the same, in the same order, and what is dropped
is dropped for the same reason. soak.py has the long form."""
import pytest
from differing import check, packets
from routers import EVERYTHING, FRAMES, TRANSLATED, Routers


@pytest.mark.parametrize("seed, tunnels", ((1, EVERYTHING), (2, FRAMES), (3, TRANSLATED)),
                         ids=("packets", "frames", "translated"))
def test_lanes_agree(tmp_path, seed, tunnels):
    with Routers(tmp_path, tunnels=tunnels) as routers:
        routers.up()
        check(routers, seed, packets())


def test_joined_segments(tmp_path):
    """What a device has joined comes out as the packets that came in. greteld has to see the first such
    packets to know how long they were; those are not compared."""
    with Routers(tmp_path) as routers:
        for router in routers.all:
            router.join()
        routers.up()
        routers.differ(4, 0, 500, "warm")
        for router in routers.all:
            router.forget_counts()
        check(routers, 5, packets() // 2)


def test_a_difference_is_found(tmp_path):
    """One router of two writes another TTL, and differ tells by which packets."""
    changed = (({"ttl": 63}, "4"), *EVERYTHING[1:])
    with Routers(tmp_path, ("tc", "tc"), last=changed) as routers:
        routers.up()
        good, counted, said = routers.differ(3, 0, 96, 300)
    assert not good and counted["differences"] > 0
    assert "from the LAN:" in said and "to the wire, by each router: 1 0" in said
