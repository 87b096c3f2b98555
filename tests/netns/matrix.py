# SPDX-License-Identifier: GPL-2.0-or-later
"""The matrix of peers, passengers, outer addresses, header fields and lanes: which cells there are, and
why others are not. Only the list; crossing.py carries something through a cell, tests/interop/table.py
prints it."""
import json
from typing import NamedTuple

KEY = 0xC0FFEE01
LINUX, OVS, GRETEL = "Linux 6.1", "Open vSwitch 3.1", "gretel"
PEERS = (LINUX, OVS, GRETEL)
PACKETS, FRAMES = ("IPv4", "IPv6"), ("Ethernet",)
TRANSPORTS = (4, 6)
# What our file says of each kind of header.
OPTIONS = {
    "plain": {},
    "key": {"key": KEY},
    "csum": {"checksum": "require"},
    "seq": {"sequence": "yes"},
    "all": {"key": KEY, "checksum": "require", "sequence": "yes"},
}
LANES = ("user", "tc", "xdp")

# Why a cell cannot be: the first that is true of it.
ABSENT = (
    ("Open vSwitch 3.1 takes frames only from its tunnels over IPv6 (`ip6gre`).",
     lambda c: c.peer == OVS and c.transport == 6 and c.passenger in PACKETS),
    ("Open vSwitch 3.1 computes the checksum before it writes the sequence number, so all its packets but the "
     "first are wrong, and are dropped here (`rx-checksum`).",
     lambda c: c.peer == OVS and c.options == "all"),
    ("Checksums are computed in the user lane only.", lambda c: c.lane != "user" and c.options in ("csum", "all")),
    ("Sequence numbers have one sender, greteld: programs on several processors would overtake each other, and "
     "the peer would drop what is late.",
     lambda c: c.lane != "user" and c.options == "seq"),
    ("There are no flows of frames for XDP; they have the TC lane.",
     lambda c: c.lane == "xdp" and c.passenger in FRAMES),
)


class Cell(NamedTuple):
    peer: str
    passenger: str
    transport: int
    options: str
    lane: str

    def reason(self):
        """The number of the reason why it cannot be, from 1 on; None if it can."""
        return next((number for number, (_, true_of) in enumerate(ABSENT, 1) if true_of(self)), None)

    def name(self):
        return f"{self.peer}-{self.passenger}-{self.transport}-{self.options}-{self.lane}".replace(" ", "_")


class Road(NamedTuple):
    """Cells that share a scene: the lanes take turns on it, and packets of both families pass at once."""
    peer: str
    passengers: tuple
    transport: int
    options: str

    def cells(self, lane):
        return [Cell(self.peer, passenger, self.transport, self.options, lane) for passenger in self.passengers]

    def lanes(self):
        return [lane for lane in LANES if not any(cell.reason() for cell in self.cells(lane))]

    def frames(self):
        return self.passengers == FRAMES

    def __str__(self):
        return f"{self.options}-{self.transport}-{'frames' if self.frames() else 'packets'}"


def cells():
    return [Cell(peer, passenger, transport, options, lane) for peer in PEERS for passenger in PACKETS + FRAMES
            for transport in TRANSPORTS for options in OPTIONS for lane in LANES]


def roads(peer):
    """Those that some lane has."""
    found = [Road(peer, passengers, transport, options) for passengers in (PACKETS, FRAMES)
             for transport in TRANSPORTS for options in OPTIONS]
    return [road for road in found if road.lanes()]


def write(folder, cell, **found):
    """What was found in a cell, for table.py."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{cell.name()}.json").write_text(json.dumps({**cell._asdict(), **found}) + "\n")


def read(folder):
    """{cell: what was found in it}"""
    found = map(json.loads, (path.read_text() for path in sorted(folder.glob("*.json"))))
    return {Cell(*(one.pop(field) for field in Cell._fields)): one for one in found}
