# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of conformance: its document is what it says, its tests exist, its deviations have reasons."""
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/conformance"))

import document  # noqa: E402

TESTED = 60  # at least


def named(suffix):
    return sorted({test for point in document.points() for test in point["tests"]
                   if test.split("::")[0].endswith(suffix)})


@pytest.fixture(scope="module")
def collected():
    """What pytest finds in the folders that are named, without parameters, from tests/ on."""
    folders = sorted({f"tests/{test.split('/')[0]}" for test in named(".py")})
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *folders],
                          cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return {line.split("[")[0].removeprefix("tests/") for line in done.stdout.splitlines() if "::" in line}


def test_document():
    """When this fails: tests/conformance/document.py >docs/conformance.md"""
    assert (ROOT / "docs/conformance.md").read_text() == document.text()


def test_system_tests_exist(collected):
    assert not set(named(".py")) - collected


@pytest.mark.parametrize("name", named(".c"))
def test_unit_test_exists(name):
    """The function is there, and is run."""
    path, function = name.split("::")
    text = (ROOT / "tests" / path).read_text()
    assert re.search(rf"^static void {function}\(void \*\*\w+\)", text, re.M)
    assert re.search(rf"cmocka_unit_test\w*\({function}\b", text)


def test_each_test_is_of_a_known_kind():
    assert all(test.split("::")[0].endswith((".c", ".py")) for point in document.points() for test in point["tests"])


def test_many_points_are_tested():
    rows = [point for point in document.points() if point["tests"]]
    assert len(rows) >= TESTED


def test_verdicts_have_reasons():
    for point in document.points():
        assert point["verdict"] in document.VERDICTS and point["level"] in document.LEVELS, point
        assert (point["verdict"] == "holds") == ("reason" not in point), point
        assert point["tests"] or point["verdict"] != "holds", point
        assert set(point) <= {"section", "level", "says", "tests", "verdict", "reason"}, point


def test_points_are_told_once():
    seen = [(point["section"], point["says"]) for point in document.points()]
    assert len(seen) == len(set(seen))
