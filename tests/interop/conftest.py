# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

import net  # noqa: E402
from gretel import BUILD  # noqa: E402
from scene import Scene  # noqa: E402
from wire import Relay  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def machine():
    """Nothing of a run that was killed is in the way."""
    net.sweep()


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def relayed(undo):
    """The scene with the relay for a wire, which can be cut: both."""
    scene = undo.enter_context(Scene(wire="open"))
    return scene, Relay(BUILD / "tests/netns/relay", scene.wire)


@pytest.fixture
def host(undo):
    """Makes single namespaces."""
    def make(label):
        made = net.Namespace(label)
        undo.callback(made.close)
        return made
    return make
