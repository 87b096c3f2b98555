# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may include what. The arrows go down only: cmd, ctl, dp, os, base, and proto under all."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# A folder of src, and the folders that it may include from.
LAYERS = {
    "proto": {"proto"},
    "base": {"base", "proto"},
    "bpf": {"bpf", "proto"},
    "os": {"os", "bpf", "base", "proto"},
    "dp": {"dp", "os", "bpf", "base", "proto"},
    "ctl": {"ctl", "dp", "os", "base", "proto"},
    "cmd": {"cmd", "ctl", "dp", "os", "base", "proto"},
}

# Tighter than the folder's row: file, and all that it may include of the project.
CLIENT = {"base/", "cmd/client.h", "ctl/msg.h", "proto/addr.h"}
FILES = {"cmd/gretel.c": CLIENT, "cmd/client.c": CLIENT, "cmd/client.h": CLIENT,
         "cmd/monitor.c": CLIENT, "cmd/table.c": CLIENT}

# A header that is nobody's business outside these folders (or files).
HEADERS = {
    "libmnl/": {"os"},
    "nftables/libnftables.h": {"os"},
    "linux/netlink.h": {"os"},
    "linux/if_tun.h": {"os"},
    "ini.h": {"ctl"},
    "ares.h": {"ctl"},
    "uv.h": {"dp", "ctl", "cmd"},
    "jansson.h": {"ctl", "cmd"},
    "libsmartcols/": {"cmd"},
    "systemd/": {"ctl", "cmd"},
    "cap-ng.h": {"os"},
    "bpf/bpf.h": {"os"},
    "bpf/libbpf.h": {"os"},
    "bpf/bpf_helpers.h": {"bpf"},
    "base/log.h": {"base", "ctl", "cmd"},
}

# What a freestanding C has, and what proto adds for the host compiler alone.
PURE = {"stdbool.h", "stddef.h", "stdint.h", "limits.h", "string.h"}

# Pure functions of the C library that a file of proto stands on; not for BPF.
PURE_FILES = {"proto/addr.c": {"arpa/inet.h"}}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def files():
    return sorted(path.relative_to(SRC).as_posix() for path in SRC.rglob("*.[ch]"))


def includes(name):
    return INCLUDE.findall((SRC / name).read_text())


def faults(name, found):
    """Why `name` may not have the includes `found`; pairs of the opening mark and the path."""
    folder, wrong = name.split("/")[0], []
    for mark, path in found:
        if mark == '"':
            if folder == "os" and path.endswith(".skel.h"):
                continue  # made of what is in bpf
            if path.split("/")[0] not in LAYERS[folder]:
                wrong.append(f"{folder} must not include {path}")
            if name in FILES and not any(path.startswith(allowed) for allowed in FILES[name]):
                wrong.append(f"{name} must not include {path}")
        elif folder == "proto" and path not in PURE | PURE_FILES.get(name, set()):
            wrong.append(f"proto is pure and must not include <{path}>")
        for header, allowed in HEADERS.items():
            if path.startswith(header) and folder not in allowed:
                wrong.append(f"{path} belongs to {', '.join(sorted(allowed))}, not to {folder}")
    return wrong


@pytest.mark.parametrize("name", files())
def test_includes(name):
    assert name.split("/")[0] in LAYERS, f"{name}: a folder that the table does not know"
    assert not faults(name, includes(name))


@pytest.mark.parametrize("name, include", [
    ("proto/gre.c", ("<", "stdio.h")), ("proto/gre.c", ('"', "base/log.h")),
    ("os/link.c", ('"', "dp/dp.h")), ("os/link.c", ('"', "base/log.h")),
    ("dp/in.c", ('"', "ctl/conf.h")), ("ctl/plan.c", ("<", "libmnl/libmnl.h")),
    ("cmd/gretel.c", ('"', "ctl/conf.h")), ("base/file.c", ("<", "uv.h"))])
def test_the_table_refuses(name, include):
    assert faults(name, [include])


@pytest.mark.parametrize("name, include", [
    ("proto/gre.c", ("<", "stdint.h")), ("ctl/plan.c", ('"', "os/route.h")),
    ("cmd/gretel.c", ('"', "ctl/msg.h")), ("os/link.c", ("<", "libmnl/libmnl.h"))])
def test_the_table_allows(name, include):
    assert not faults(name, [include])
