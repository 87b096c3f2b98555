# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

import net  # noqa: E402
import pytest  # noqa: E402
from kernelpeer import KernelScene  # noqa: E402
from machine import Machine  # noqa: E402


@pytest.fixture(scope="session")
def machine():
    """The emulated machine, booted once. One that does not boot fails every test."""
    assert os.geteuid() == 0, "the tests make network namespaces and taps: run them as root"
    net.sweep()
    with Machine() as made:
        yield made


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def make_scene(machine):
    with contextlib.ExitStack() as stack:
        def make(**options):
            return stack.enter_context(KernelScene(machine, **options))
        yield make


@pytest.fixture
def scene(make_scene):
    return make_scene()
