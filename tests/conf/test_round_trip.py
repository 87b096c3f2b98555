# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of systemd-networkd that `gretel peer` prints, imported again, are the tunnel that
`gretel peer --for gretel` prints, as far as networkd can say it."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build")).resolve() / "src/cmd"
# What networkd has words for; the MTU is compared where it is written on both sides.
KEYS = ("mode", "local", "remote", "bridge", "address", "route", "key", "ikey", "okey", "sequence",
        "ttl", "tos", "df")

# Where networkd has `return-path = same-tunnel`: routes of a table that marked answers are led to.
RETURNS = re.compile(r"(0\.0\.0\.0|::)/0 table 7[2-6]\d{3}")


def gretel(*words, check=True):
    done = subprocess.run([PROGRAMS / "gretel", *words], capture_output=True, text=True, timeout=90,
                          stdin=subprocess.DEVNULL, env={**os.environ, "GRETEL_RUN_DIR": "/nonexistent"})
    assert not check or done.returncode == 0, done.stderr
    return done


def tunnels():
    for path in sorted([*(ROOT / "tests/peer").glob("*.conf"), *(ROOT / "examples").glob("*.conf")]):
        for name in re.findall(r"^\[tunnel (\S+)\]", path.read_text(), re.M):
            yield pytest.param(path, name, id=f"{path.stem}-{name}")


def values(path, name):
    """{key: [values]} of the tunnel, every default written out."""
    text = gretel("-c", path, "config").stdout.partition(f"[tunnel {name}]\n")[2].partition("\n[")[0]
    found = {}
    for key, value in re.findall(r"^([\w-]+) = (.*)$", text, re.M):
        found.setdefault(key, []).append(value)
    return found


def comparable(theirs, wanted):
    """Without what the networkd of Debian 12 cannot set, as `gretel peer` says then."""
    lacks = {"df": "clear", "tos": "inherit", "sequence": ("send", "receive")}
    theirs = {**theirs, "route": [route for route in theirs.get("route", [])
                                  if wanted["return-path"] == ["no"] or not RETURNS.fullmatch(route)]}
    return {key: sorted(theirs.get(key, [])) for key in KEYS
            if key not in lacks or wanted[key][0] not in lacks[key]}


@pytest.mark.parametrize("path, name", tunnels())
def test_same_tunnel(path, name, tmp_path):
    ours = gretel("-c", path, "peer", name, "--for", "gretel", check=False)
    units = gretel("-c", path, "peer", name, "--for", "systemd-networkd", check=False)
    if "is printed for gretel only" in units.stderr:
        found = values(path, name)
        assert ours.returncode == 0 and (found["mode"] in (["nvgre"], ["erspan"]) or "nat-secret" in found)
        return
    assert ours.returncode == units.returncode
    if ours.returncode:  # a tunnel that has no other end in these words; tests of peer say which
        assert ours.stderr and units.stderr
        return
    if "cannot be made there" in units.stderr:
        assert "[NetDev]" not in units.stdout and "cannot be made there" in units.stdout
        return
    if "-ADDRESS" in units.stdout:  # ends that the file does not know are placeholders
        assert "instead of" in ours.stderr and "instead of" in units.stderr
        return
    (tmp_path / "peer.conf").write_text(ours.stdout)
    parts = re.split(r"^### (\S+)$", units.stdout, flags=re.M)
    files = [tmp_path / pathlib.Path(there).name for there in parts[1::2]
             if there.endswith((f"-{name}.netdev", f"-{name}.network"))]
    for there, text in zip(parts[1::2], parts[2::2]):
        (tmp_path / pathlib.Path(there).name).write_text(text)
    done = gretel("import", *files)
    assert "refused" not in done.stderr, done.stdout
    (tmp_path / "import.conf").write_text(done.stdout)
    wanted, got = values(tmp_path / "peer.conf", name), values(tmp_path / "import.conf", name)
    assert comparable(got, wanted) == comparable(wanted, wanted), done.stdout
    if wanted["mtu"] != ["auto"]:
        assert got["mtu"] == wanted["mtu"]
