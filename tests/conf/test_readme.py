# SPDX-License-Identifier: GPL-2.0-or-later
"""The READMEs say what the programs do: the file that they show is accepted as it is, the verbs and
targets that they name exist, their links lead somewhere, and the two open alike."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build")).resolve() / "src/cmd"
READMES = ("README.md", "README.zh-CN.md")
TOP = 60  # lines: what a visitor sees first
RECIPE = ("modprobe", "ip tunnel add", "ip link set", "ip addr add", "ip route add", "ip_forward",
          "MASQUERADE", "FORWARD")


def text_of(name):
    return (ROOT / name).read_text()


def blocks(name, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(name), re.S | re.M)


@pytest.mark.parametrize("name", READMES)
def test_opens_with_a_picture_and_the_two_commands(name):
    top = "\n".join(text_of(name).splitlines()[:TOP])
    assert "172.19.1.1" in top.split("```")[1], "the first block is the picture"
    assert "sudo make demo" in top and "sudo make check" in top


@pytest.mark.parametrize("name", READMES)
def test_the_file_that_is_shown_is_accepted(name, tmp_path):
    shown = [block for block in blocks(name, "ini") if "[tunnel" in block]
    assert shown
    for number, block in enumerate(shown):
        path = tmp_path / f"{number}.conf"
        path.write_text(block)
        done = subprocess.run([PROGRAMS / "greteld", "-c", path, "-r", tmp_path, "--check"],
                              capture_output=True, text=True, timeout=20)
        assert (done.returncode, done.stderr) == (0, "")


def test_both_show_the_same_file():
    assert blocks(READMES[0], "ini") == blocks(READMES[1], "ini")


@pytest.mark.parametrize("name", READMES)
def test_links_lead_somewhere(name):
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text_of(name))
    missing = [link for link in links if "://" not in link and not (ROOT / link).exists()]
    assert links and not missing


@pytest.mark.parametrize("name", READMES)
def test_commands_exist(name):
    """Every `gretel VERB` and `make TARGET` in a block of commands."""
    listed = subprocess.run([PROGRAMS / "gretel", "help"], capture_output=True, text=True, timeout=20)
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    for block in blocks(name, "sh"):
        for verb in re.findall(r"^(?:sudo )?gretel (?:-\S+ \S+ )*([a-z]+)", block, re.M):
            assert re.search(rf"^  {verb} ", listed.stdout, re.M), verb
        for target in re.findall(r"^(?:sudo )?make ([a-z]+)", block, re.M):
            assert target in targets


def test_the_classic_recipe_is_walked_through():
    """README.zh-CN.md has each command of the recipe as it is typed, and again in the table of what
    replaces it."""
    text = text_of("README.zh-CN.md")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for word in RECIPE:
        assert any(word in block for block in blocks("README.zh-CN.md", "sh")), word
        assert any(word in row.split("|")[1] for row in rows), word
