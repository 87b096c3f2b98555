# SPDX-License-Identifier: GPL-2.0-or-later
import contextlib
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

import net  # noqa: E402
import pytest  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def machine():
    assert os.geteuid() == 0, "the tests make network namespaces: run them as root"
    net.sweep()


@pytest.fixture
def undo():
    with contextlib.ExitStack() as stack:
        yield stack
