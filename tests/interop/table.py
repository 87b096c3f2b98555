#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints docs/interoperability.md, made of the list in tests/netns/matrix.py, when each of its cells has
been found to carry:

    tests/interop/table.py >docs/interoperability.md
    tests/interop/table.py --json

The tests write what they find into build/matrix (tests/interop/test_matrix.py, tests/vm/test_kernel_gre.py).
With --json that is printed instead.
"""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

import matrix  # noqa: E402: in that folder

HEAD = """\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
# Interoperability

Which peers, passengers, outer addresses and header fields go together, in which lane. Every cell is
tried on every run of the tests: 1,000 datagrams of 1 to 9,000 octets each way, longer ones fragmented by
their hosts, and 10 MB of TCP each way (200 datagrams and half a megabyte where the peer is emulated, in
`make check`; all of it in `make soak`), compared octet by octet. Nothing may be lost, dropped or counted as an error by
either end, and the packets must have gone by that lane.

This page is made by [table.py](../tests/interop/table.py) of the list in
[matrix.py](../tests/netns/matrix.py); a test fails when it is not what that says. What the peers need to be
told is in [interoperate.md](interoperate.md).

- **plain**: no optional field. **key**: `key`. **csum**: `checksum = require`. **seq**: `sequence = yes`.
  **all**: the three of them.
- A cell names the lanes that carry it; a number in brackets is the reason why another one does not.
- Ethernet is `mode = gretap`, in a bridge.

{summary}
"""
TITLES = {
    matrix.LINUX: "Linux 6.1, the kernel's gre, ip6gre, gretap and ip6gretap",
    matrix.OVS: "Open vSwitch 3.1, user-space datapath, frames and `packet_type=legacy_l3`",
    matrix.GRETEL: "gretel itself, both ends in the same lane",
}


def summary():
    count = sum(cell.reason() is None for cell in matrix.cells())
    return f"{count} of {len(matrix.cells())} cells carry; the others cannot be, for these reasons:\n\n" + "\n".join(
        f"{number}. {reason}" for number, (reason, _) in enumerate(matrix.ABSENT, 1))


def cell_text(peer, passenger, transport, options):
    cells = [matrix.Cell(peer, passenger, transport, options, lane) for lane in matrix.LANES]
    lanes = ", ".join(cell.lane for cell in cells if cell.reason() is None) or "none"
    return lanes + "".join(f" ({number})" for number in sorted({cell.reason() for cell in cells if cell.reason()}))


def section(peer):
    lines = [f"## {TITLES[peer]}", "", f"| passenger | outer | {' | '.join(matrix.OPTIONS)} |",
             "|---" * (2 + len(matrix.OPTIONS)) + "|"]
    for passenger in matrix.PACKETS + matrix.FRAMES:
        for transport in matrix.TRANSPORTS:
            found = (cell_text(peer, passenger, transport, options) for options in matrix.OPTIONS)
            lines.append(f"| {passenger} | IPv{transport} | {' | '.join(found)} |")
    return "\n".join(lines) + "\n"


def text():
    return "\n".join([HEAD.format(summary=summary()), *map(section, matrix.PEERS)])


def main():
    from crossing import FOUND
    found = matrix.read(FOUND)
    if sys.argv[1:] == ["--json"]:
        print(json.dumps([{**cell._asdict(), **what} for cell, what in found.items()], indent=1))
        return
    missing = [cell.name() for cell in matrix.cells() if cell.reason() is None and cell not in found]
    if missing:
        sys.exit(f"{FOUND}: nothing was found yet of {len(missing)} cells, as of {missing[0]}: run the tests")
    sys.stdout.write(text())


if __name__ == "__main__":
    main()
