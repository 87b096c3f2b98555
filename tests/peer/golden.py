#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `gretel peer` prints for the configurations of this folder, in golden/. Run as a program it
writes the files again; read the difference before you commit it."""
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build")).resolve()
CONFS = sorted(HERE.glob("*.conf"))


def systems():
    """The names of the table in print.c, in its order."""
    table = (ROOT / "src/ctl/peer/print.c").read_text().split("systems[] = {")[1].split("};")[0]
    return re.findall(r'\{"([\w-]+)"', table)


SYSTEMS = systems()


def run(*words):
    """gretel, with a run directory that does not exist, so that no daemon answers."""
    return subprocess.run([BUILD / "src/cmd/gretel", "-r", "/nonexistent/run", *words],
                          capture_output=True, text=True, timeout=30)


def first_tunnel(conf):
    return re.search(r"^\[tunnel (.*)\]", conf.read_text(), re.M).group(1)


def peer(conf, system):
    return run("-c", conf, "peer", first_tunnel(conf), "--for", system)


def golden_file(conf, system):
    return HERE / "golden" / f"{conf.stem}.{system}"


if __name__ == "__main__":
    (HERE / "golden").mkdir(exist_ok=True)
    for old in (HERE / "golden").iterdir():
        old.unlink()
    for one in CONFS:
        for name in SYSTEMS:
            golden_file(one, name).write_text(peer(one, name).stdout)
