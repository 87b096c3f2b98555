# SPDX-License-Identifier: GPL-2.0-or-later
"""greteld --check says of each bad file what its .err says, and exits with 3; it says nothing of a
good file or an example; greteld --config prints a good file as its .ok."""
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
GRETELD = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build")).resolve() / "src/cmd/greteld"
BAD = sorted((ROOT / "tests/conf/bad").glob("*.conf"))
GOOD = sorted((ROOT / "tests/conf/good").glob("*.conf"))
EXAMPLES = sorted((ROOT / "examples").glob("*.conf"))


def greteld(path, run_dir, mode):
    return subprocess.run([GRETELD, "-c", path, "-r", run_dir, mode],
                          capture_output=True, text=True, timeout=20)


def faults_of(path):
    """An .err file names the .conf without its folder."""
    text = path.with_suffix(".err").read_text()
    return text.replace(f"{path.name}:", f"{path}:")


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad(path, tmp_path):
    done = greteld(path, tmp_path, "--check")
    assert done.stderr == faults_of(path)
    assert done.returncode == 3


@pytest.mark.parametrize("path", GOOD + EXAMPLES, ids=lambda path: path.stem)
def test_accepted(path, tmp_path):
    done = greteld(path, tmp_path, "--check")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.stem)
def test_printed(path, tmp_path):
    done = greteld(path, tmp_path, "--config")
    assert done.stdout == path.with_suffix(".ok").read_text()
    assert (done.stderr, done.returncode) == ("", 0)


def test_profile_is_explained(tmp_path):
    """docs/profiles.md shows a file and what check says of it."""
    page = (ROOT / "docs/profiles.md").read_text()
    path = tmp_path / "cloudflare.conf"
    path.write_text(page.split("```ini\n")[1].split("```")[0])
    shown = [line.strip() for line in page.splitlines() if line.startswith("    ")][1:]
    done = greteld(path, tmp_path, "--check")
    assert done.stdout.replace(f"{tmp_path}/", "").splitlines() == shown


def test_unreadable(tmp_path):
    path = tmp_path / "none.conf"
    done = greteld(path, tmp_path, "--check")
    assert done.stderr.startswith(f"{path}: the file cannot be read (No such file or directory): ")
    assert done.returncode == 3


def test_there_are_enough():
    assert len(BAD) >= 60 and len(GOOD) >= 10 and len(EXAMPLES) >= 6
