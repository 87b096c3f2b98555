# SPDX-License-Identifier: GPL-2.0-or-later
"""Ten thousand mutated packets: each is carried exactly or counted under a reason, and the
sanitizers have nothing to say."""
import collections
import itertools
import socket

import mutate
import pytest
from gretel import BUILD_ASAN, NAME, Site, site_text
from net import packet_socket, wait_for
from scene import A, B, HOST

PACKETS, BATCH = 10_000, 100
FOREIGN = {4: "172.19.1.66", 6: "2001:db8:19::66"}


def sanitized(tmp_path):
    logs = tmp_path / "sanitizer"
    return logs, {"ASAN_OPTIONS": f"log_path={logs}:detect_leaks=1",
                  "UBSAN_OPTIONS": f"log_path={logs}:print_stacktrace=1"}


class Interface:
    """What the tunnel's interface hands to the host: (EtherType, octets) in order."""

    def __init__(self, namespace):
        self.sock = packet_socket(namespace, NAME, socket.SOCK_DGRAM)
        self.sock.setblocking(False)

    def read(self):
        got = []
        while True:
            try:
                data, address = self.sock.recvfrom(65536)
            except BlockingIOError:
                return got
            got.append((address[1], data))


def received(site):
    """Packets from the underlay that are accounted for: carried, and dropped by reason."""
    status = site.status()
    tunnel = status["tunnels"][0]
    drops = collections.Counter(status["stray_drops"]) + collections.Counter(tunnel["drops"])
    return tunnel["rx"]["packets"], {r: n for r, n in drops.items() if r.startswith("rx-")}


def accounted(site):
    carried, drops = received(site)
    return carried + sum(drops.values())


@pytest.mark.timeout(280)
@pytest.mark.parametrize("outer", (4, 6))
def test_carried_exactly_or_counted(make_peer, tmp_path, outer):
    scene, peer = make_peer(A)
    logs, env = sanitized(tmp_path)
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer=outer, key=mutate.KEY, mss="no"),
                build=BUILD_ASAN, env=env)
    site.up()
    interface = Interface(scene.router[A])
    pairs = [(HOST[family][B], HOST[family][A]) for family in (4, 6)]
    packets = list(itertools.islice(mutate.stream(outer, pairs), PACKETS))
    allowed = collections.Counter(filter(None, map(mutate.carried, packets)))
    delivered = collections.Counter()
    for begin in range(0, PACKETS, BATCH):
        for number, octets in enumerate(packets[begin:begin + BATCH]):
            source = {"src": FOREIGN[outer]} if number % 50 == 49 else {}
            peer.send_raw(outer, octets, **source)
        wait_for(lambda: accounted(site) >= begin + BATCH, 10,
                 lambda: f"{accounted(site)} of {begin + BATCH} accounted for: {received(site)}")
        delivered.update(interface.read())
    carried, drops = received(site)
    assert carried + sum(drops.values()) == PACKETS, (carried, drops)
    assert sum(delivered.values()) == carried - drops.get("rx-device", 0)
    wrong = delivered - allowed
    assert not wrong, f"{len(wrong)} were delivered changed, the first: {next(iter(wrong))}"
    assert carried > PACKETS / 5 and len(drops) >= 8, drops
    site.down()
    reports = [path.read_text() for path in tmp_path.glob("sanitizer*")]
    assert not reports, reports[0][:4000]
