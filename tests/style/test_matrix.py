# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of interoperability is what the list of cells says."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/interop"))

import table  # noqa: E402
from matrix import ABSENT, GRETEL, PEERS, Cell, cells, roads  # noqa: E402


def test_document():
    """When this fails: the tests of the matrix, then tests/interop/table.py >docs/interoperability.md"""
    assert (ROOT / "docs/interoperability.md").read_text() == table.text()


def test_each_cell_is_of_a_road():
    """Roads share no cell, leave none out, and have no lane with a cell that cannot be."""
    found = [cell for peer in PEERS for road in roads(peer) for lane in road.lanes() for cell in road.cells(lane)]
    assert sorted(found) == sorted(cell for cell in cells() if cell.reason() is None)


def test_reasons_are_of_use():
    assert {cell.reason() for cell in cells()} == {None, *range(1, len(ABSENT) + 1)}
    assert Cell(GRETEL, "IPv4", 4, "key", "xdp").reason() is None
