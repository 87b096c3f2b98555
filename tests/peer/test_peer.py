# SPDX-License-Identifier: GPL-2.0-or-later
"""gretel peer: what it prints for each configuration and system is what is kept here (golden.py writes
it again), the mirrored file is correct and mirrors back, scripts are good sh(1) and good nft(8)."""
import json
import pathlib
import re
import subprocess

import pytest
from golden import CONFS, HERE, ROOT, SYSTEMS, first_tunnel, golden_file, peer, run

USAGE, CONFIG = 2, 3
BOTH = [pytest.param(conf, system, id=f"{conf.stem}-{system}") for conf in CONFS for system in SYSTEMS]


def output(conf, system):
    done = peer(conf, system)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("conf, system", BOTH)
def test_golden(conf, system):
    assert output(conf, system).stdout == golden_file(conf, system).read_text()


@pytest.mark.parametrize("conf, system", BOTH)
def test_notes_are_on_both_streams(conf, system):
    done = output(conf, system)
    notes = re.findall(r"^\S+ NOTE: (.*)$", done.stdout, re.M)
    assert [f"note: {note}" for note in notes] == done.stderr.splitlines()


def test_no_golden_file_is_left_over():
    made = {golden_file(conf, system) for conf in CONFS for system in SYSTEMS}
    assert made == set((HERE / "golden").iterdir())


@pytest.mark.parametrize("conf", CONFS, ids=lambda conf: conf.stem)
def test_mirrored_file_is_correct(conf, tmp_path):
    mirrored = tmp_path / "peer.conf"
    mirrored.write_text(output(conf, "gretel").stdout)
    done = run("check", mirrored)
    assert (done.returncode, done.stderr) == (0, "")


# What the first mirror has to leave out cannot come back: the source of a route, other tunnels, what
# is published or translated beyond the tunnel, and a table that only this side has.
@pytest.mark.parametrize("name", ["site", "plain", "both", "six", "wire"])
def test_mirror_of_the_mirror(name, tmp_path):
    conf, mirrored, again = HERE / f"{name}.conf", tmp_path / "peer.conf", tmp_path / "again.conf"
    mirrored.write_text(output(conf, "gretel").stdout)
    again.write_text(output(mirrored, "gretel").stdout)
    assert run("-c", again, "config").stdout == run("-c", conf, "config").stdout


def test_examples_mirror_each_other(tmp_path):
    done = peer(ROOT / "examples/site-a.conf", "gretel")
    mirrored = tmp_path / "peer.conf"
    mirrored.write_text(done.stdout)
    assert run("-c", mirrored, "config").stdout == run("-c", ROOT / "examples/site-b.conf", "config").stdout


@pytest.mark.parametrize("conf", CONFS, ids=lambda conf: conf.stem)
def test_script_is_posix(conf):
    script = output(conf, "iproute2").stdout
    done = subprocess.run(["shellcheck", "-s", "sh", "-"], input=script, capture_output=True, text=True,
                          timeout=30)
    assert done.stdout == ""
    assert script.startswith("#!/bin/sh\n") and "\nset -eu\n" in script


def tables_of(text):
    return re.findall(r"^add table inet .*?^}\n", text, re.M | re.S)


@pytest.mark.parametrize("conf", CONFS, ids=lambda conf: conf.stem)
@pytest.mark.parametrize("system", ["iproute2", "systemd-networkd"])
def test_rules_load(conf, system):
    """In a network namespace of their own, as the script would load them."""
    text = output(conf, system).stdout.replace("PEER-ADDRESS", "192.0.2.2").replace("OUR-ADDRESS", "192.0.2.1")
    assert ("nft" in text) == bool(tables_of(text))
    for table in tables_of(text):
        done = subprocess.run(["unshare", "-n", "nft", "-f", "-"], input=table, capture_output=True,
                              text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")


REFUSED = [
    (["My_Tunnel"], USAGE, f"peer needs --for SYSTEM: the systems are {', '.join(SYSTEMS)}\n"),
    (["My_Tunnel", "--for", "ios"], USAGE,
     f'unknown system "ios": the systems are {", ".join(SYSTEMS)}\n'),
    (["My", "--for", "gretel"], USAGE, 'no tunnel "My": the tunnels are My_Tunnel\n'),
    (["--for", "gretel"], USAGE, '"peer" needs more words: gretel peer TUNNEL --for SYSTEM\n'),
    (["My_Tunnel", "other", "--for", "gretel"], USAGE, '"other" is too much'),
]


@pytest.mark.parametrize("words, code, said", REFUSED)
def test_refused(words, code, said):
    done = run("-c", HERE / "site.conf", "peer", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    answer = json.loads(run("--json", "-c", HERE / "site.conf", "peer", *words).stdout)
    assert answer["exit"] == code and said.strip() in answer["error"]


def test_for_belongs_to_peer():
    done = run("-c", HERE / "site.conf", "check", "--for", "gretel")
    assert done.returncode == USAGE and '--for belongs to "peer"' in done.stderr


def test_faulty_file(tmp_path):
    faulty = tmp_path / "faulty.conf"
    faulty.write_text("[tunnel a]\nlocal = x\n")
    done = run("-c", faulty, "peer", "a", "--for", "gretel")
    assert done.returncode == CONFIG and "faulty.conf:2: " in done.stderr


def test_json():
    answer = json.loads(run("--json", "-c", HERE / "wire.conf", "peer", "wire", "--for", "gretel").stdout)
    assert answer["exit"] == 0 and "[tunnel wire]" in answer["lines"]
    assert answer["error"].startswith("note: ")


def test_first_tunnels():
    assert first_tunnel(HERE / "hub.conf") == "customer1"


def test_systems_of_the_manual():
    page = (ROOT / "docs/gretel.8").read_text().split(".Sh PEER\n")[1].split("\n.Sh ")[0]
    assert re.findall(r"^\.It Cm ([\w-]+)$", page, re.M) == SYSTEMS
    completion = (ROOT / "packaging/gretel.bash-completion").read_text()
    assert f'compgen -W "{" ".join(SYSTEMS)}"' in completion


# The sections of docs/peer.md that explain the lines of a system.
RULES, BESIDE = "Rules for nftables", "Files beside them"
EXPLAINED = {"iproute2": ["iproute2", RULES], "systemd-networkd": ["systemd-networkd", RULES, BESIDE],
             "netplan": ["netplan", RULES, BESIDE], "cisco-ios": ["Cisco IOS"], "mikrotik": ["MikroTik RouterOS"],
             "vyos": ["VyOS"], "junos": ["Juniper Junos"], "huawei": ["Huawei VRP"], "openbsd": ["OpenBSD"],
             "fortios": ["FortiOS"]}


def patterns(section):
    """{line of the page: compiled} of the first cells of a section's tables."""
    text = (ROOT / "docs/peer.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| ((?:[^|\\]|\\.)*) \|", text, re.M)
    found = [span.replace("\\|", "|") for cell in cells[1:] for span in re.findall(r"`([^`]+)`", cell)]
    assert found, section
    made = {}
    for line in found:
        parts = re.split(r"(<[a-z]+>|…)", line)
        made[line] = re.compile("".join({"…": ".*"}.get(part, r'[^\s"]+' if re.fullmatch("<[a-z]+>", part)
                                                         else re.escape(part)) for part in parts))
    return made


def directives(system):
    """Lines of all golden files of a system that are no comments."""
    comment = r"!" if system == "cisco-ios" else r"#(?!##|!)"
    lines = {line.strip() for conf in CONFS for line in golden_file(conf, system).read_text().splitlines()}
    return {line for line in lines if line and not re.match(comment, line)}


@pytest.mark.parametrize("system", EXPLAINED)
def test_every_line_is_explained(system):
    known = [one for section in EXPLAINED[system] for one in patterns(section).values()]
    assert not [line for line in directives(system) if not any(one.fullmatch(line) for one in known)]


@pytest.mark.parametrize("section", sorted({name for names in EXPLAINED.values() for name in names}))
def test_no_line_of_the_page_is_idle(section):
    printed = {line for system, names in EXPLAINED.items() if section in names for line in directives(system)}
    assert not [line for line, one in patterns(section).items() if not any(map(one.fullmatch, printed))]


def test_all_systems_are_explained():
    assert list(EXPLAINED) == SYSTEMS[1:]


def test_keys_of_the_file_are_in_the_manual():
    page = (ROOT / "docs/gretel.conf.5").read_text()
    keys = {line.split(" = ")[0] for line in directives("gretel") if " = " in line}
    assert not [key for key in keys if f".It Cm {key} No = " not in page] and len(keys) > 15
