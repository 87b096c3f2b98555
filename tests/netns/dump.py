# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything that a router's kernel holds and that a tunnel program may touch, as comparable text."""
import difflib
import json
import os
import re

from net import run

# Counters of the machine under the name of settings; they move by themselves.
NOT_SETTINGS = re.compile(r"nf_conntrack_count$|/ipv4/tcp_mem$|/ipv6/icmp/.*msgs")


def sysctls(namespace):
    """Every readable net.* setting: path and value."""
    found = {}
    with namespace.entered():
        for folder, _, files in os.walk("/proc/sys/net"):
            for name in files:
                path = f"{folder}/{name}"
                try:
                    with open(path, encoding="ascii", errors="replace") as file:
                        found[path] = file.read()
                except OSError:
                    continue  # write-only, or a secret that is not set
    return {path: value for path, value in found.items() if not NOT_SETTINGS.search(path)}


def listing(namespace, words):
    """The JSON of an ip command as sorted lines. Times that run are no state."""
    text = run(["ip", "-n", namespace.name, "-d", "-j", *words.split()]).stdout
    rows = json.loads(text) if text.strip() else []
    return sorted(json.dumps(without_times(row), sort_keys=True) for row in rows)


def without_times(value):
    if isinstance(value, list):
        return [without_times(one) for one in value]
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items()
                if key not in ("age", "expires", "used") and not key.endswith("_timer")}
    return value


def dump(namespace):
    """Links, addresses, routes of all tables, rules, nftables and sysctls of one namespace."""
    lines = []
    for words in ("link show", "address show", "-4 route show table all", "-6 route show table all",
                  "-4 rule show", "-6 rule show"):
        lines += [f"{words}: {row}" for row in listing(namespace, words)]
    lines += namespace.run(["nft", "list", "ruleset"]).stdout.splitlines()
    lines += [f"{path}: {value.strip()}" for path, value in sorted(sysctls(namespace).items())]
    return lines


def assert_same(before, after):
    changed = [line for line in difflib.unified_diff(before, after, "before", "after", "", n=0)]
    assert not changed, "\n".join(changed)
