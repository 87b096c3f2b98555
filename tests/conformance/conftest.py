# SPDX-License-Identifier: GPL-2.0-or-later
"""One router with all the tunnels of bench.py serves the tests of a file."""
import contextlib
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

import net  # noqa: E402: in that folder, as are the imports of the next one
from bench import Bench  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def machine():
    """Nothing of a run that was killed is in the way."""
    net.sweep()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    with contextlib.ExitStack() as stack:
        yield Bench(stack, tmp_path_factory.mktemp("bench"))


@pytest.fixture
def bench(shared):
    """The router of this file, with what earlier tests left behind forgotten."""
    shared.begin()
    return shared


@pytest.fixture(params=(4, 6), ids=("outer4", "outer6"))
def outer(request):
    return request.param


@pytest.fixture(params=(4, 6), ids=("inner4", "inner6"))
def inner(request):
    return request.param
