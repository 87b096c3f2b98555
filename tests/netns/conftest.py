# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib
import os

import net
import pytest
from gretel import BUILD
from peer import Peer
from scene import Scene
from wire import Relay


@pytest.fixture(scope="session", autouse=True)
def machine():
    """What every system test needs. A machine without it fails, it does not skip."""
    assert os.geteuid() == 0, "the system tests make network namespaces: run them as root"
    for program in ("greteld", "gretel"):
        assert (BUILD / "src/cmd" / program).exists(), f"{program} is not built in {BUILD}"
    net.sweep()


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def make_scene(undo):
    def make(**options):
        return undo.enter_context(Scene(**options))
    return make


@pytest.fixture
def scene(make_scene):
    return make_scene()


@pytest.fixture
def make_relay():
    """A scene over the relay: returns both."""
    with contextlib.ExitStack() as stack:
        def make(seed=1, mtu=1500, **settings):
            scene = stack.enter_context(Scene(wire="open", mtu=mtu))
            return scene, Relay(BUILD / "tests/netns/relay", scene.wire, seed, **settings)
        yield make


@pytest.fixture
def make_peer(make_scene):
    """A scene in which only `side` is a router; the test itself is the other one."""
    def make(side="A", **options):
        scene = make_scene(wire="open", **options)
        return scene, Peer(scene, side)
    return make


@pytest.fixture
def host():
    """Makes single namespaces."""
    with contextlib.ExitStack() as stack:
        def make(label):
            made = net.Namespace(label)
            stack.callback(made.close)
            return made
        yield make
