# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand tunnels with keepalives at once. (soak.py many: ten thousand for minutes, and what they cost.)"""
from many import Many
from net import wait_for


def test_a_thousand(tmp_path):
    """All are heard, none is ever lost while the peer answers, all are lost when it stops."""
    with Many(tmp_path, 1000, "1s 3") as many:
        many.wait_until_all_up(20)
        asked = min(one["sent"] for one in many.keepalives())
        wait_for(lambda: min(one["sent"] for one in many.keepalives()) >= asked + 4, 20, interval=0.3)
        for one in many.keepalives():
            assert one["state"] == "up" and one["form"] == "openbsd" and one["rtt_us"]
        assert not many.site.stray()
        said, _ = many.reflector.communicate("")
        seen, answered = map(int, said.split())
        assert seen == answered
        wait_for(lambda: {one["state"] for one in many.keepalives()} == {"down"}, 10, interval=0.3)
        many.down()
        assert not [link for link in many.router.ip_json("link") if link["ifname"].startswith("t")]
