# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad command lines: each is refused with the right exit code and says what to write instead, and
nothing is begun. No daemon runs; none of this needs root."""
import json
import os
import pathlib
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build")).resolve() / "src/cmd"

FAILED, USAGE, CONFIG, NOT_RUNNING = 1, 2, 3, 4
ENDS = "remote 192.0.2.2 local 192.0.2.1"
GOOD_FILE = "[tunnel main]\nlocal = 192.0.2.1\nremote = 192.0.2.2\n"

# the words after `gretel`, the exit code, what is said
GRETEL = [
    ("", USAGE, "usage: gretel [-c FILE] [-r DIR] [--json] VERB ..."),
    ("--nonsense", USAGE, "unrecognized option '--nonsense'"),
    ("-x", USAGE, "invalid option -- 'x'"),
    ("up -c", USAGE, "option requires an argument -- 'c'"),
    ("upp", USAGE, 'unknown verb "upp": the verbs are check, plan, up, down'),
    ("UP", USAGE, 'unknown verb "UP"'),
    ("help nonsense", USAGE, 'unknown verb "nonsense"'),
    ("help up down", USAGE, '"down" is too much: gretel help [VERB]'),
    ("up now", USAGE, '"now" is too much: gretel up'),
    ("down now", USAGE, '"now" is too much: gretel down'),
    ("reload FILE", USAGE, '"FILE" is too much: gretel reload'),
    ("plan FILE", USAGE, '"FILE" is too much: gretel plan'),
    ("config FILE", USAGE, '"FILE" is too much: gretel config'),
    ("check one two", USAGE, '"two" is too much: gretel check [FILE]'),
    ("status one two", USAGE, '"two" is too much: gretel status [TUNNEL]'),
    ("show one two", USAGE, '"two" is too much: gretel show [NAME]'),
    ("version now", USAGE, '"now" is too much: gretel version'),
    ("add", USAGE, '"add" needs more words: gretel add NAME mode MODE remote ADDRESS local ADDRESS'),
    ("del", USAGE, '"del" needs more words: gretel del NAME'),
    ("change", USAGE, '"change" needs more words: gretel change NAME WORD ...'),
    ("change g1", USAGE, '"change" needs more words'),
    ("add " + "x " * 65, USAGE, '"x" is too much'),
    ("add " + "x" * 300, USAGE, "word 1 is not UTF-8 text of at most 255 octets"),
    ("status", NOT_RUNNING, 'greteld is not running (no answer on'),
    ("reload", NOT_RUNNING, 'start it with "gretel up"'),
    ("show", NOT_RUNNING, 'start it with "gretel up"'),
    ("change g1 ttl 9", NOT_RUNNING, 'start it with "gretel up"'),
    ("del g1", NOT_RUNNING, 'start it with "gretel up"'),
    ("check /nonexistent/file", CONFIG, "/nonexistent/file: the file cannot be read"),
    ("-c /nonexistent/file plan", CONFIG, "/nonexistent/file: the file cannot be read"),
    ("-c /nonexistent/file config", CONFIG, "/nonexistent/file: the file cannot be read"),
    ("-c /nonexistent/file up", CONFIG, "/nonexistent/file: the file cannot be read"),
    ("-r " + "/x" * 60 + " status", FAILED, "File name too long"),
    ("import g1 g2", USAGE, '"g2" is too much: name one interface, or all'),
    ("import x.network", USAGE, "there is no .netdev file among the words: name the one of the tunnel"),
    ("import x.netdev g1", USAGE, '"g1" is no file: name .netdev and .network files'),
    ("import nosuchif", FAILED, "there is no interface nosuchif"),
    ("import lo", FAILED, "lo is not a GRE interface of the kernel but a device"),
    ("import /nonexistent/x.netdev", CONFIG, "/nonexistent/x.netdev: the file cannot be read (No such file or directory)"),
    # gretel add, refused by greteld before it begins
    ("add main " + ENDS, FAILED, "tunnel main exists, from "),
    ("add g1", USAGE, '"remote" is missing: write remote ADDRESS, the outer address of the peer'),
    ("add g1 remote 192.0.2.2", USAGE,
     '"local" is missing: write local ADDRESS, the outer address of this host'),
    ("add mode gre " + ENDS, USAGE, "the tunnel has no name: write NAME first"),
    ("add g1 g2 " + ENDS, USAGE, 'unknown word "g2": the words are mode, remote, local'),
    ("add verylongtunnelname " + ENDS, USAGE, "is longer than 15 characters"),
    ("add g/1 " + ENDS, USAGE, 'interface name "g/1"'),
    ("add g1 mode ipip " + ENDS, USAGE, '"mode ipip" is wrong: modes are gre, ip6gre, gretap'),
    ("add g1 mode gre mode gretap " + ENDS, USAGE, 'two modes, "gre" and "gretap": write one'),
    ("add g1 mode ip6gre " + ENDS, USAGE,
     "this mode runs over IPv6, but the addresses are IPv4: change one of them"),
    ("add g1 remote any local 192.0.2.1", USAGE, "a tunnel has one address at each end"),
    ("add g1 remote 2001:db8::1 local 192.0.2.1", USAGE, "are of different families"),
    ("add g1 remote 192.0.2.256 local 192.0.2.1", USAGE,
     '"remote 192.0.2.256" is wrong: write an IPv4 or IPv6 address'),
    ("add g1 remote 192.0.2.1 local 192.0.2.1", CONFIG, "192.0.2.1"),
    ("add g1 remote 224.0.0.5 local 192.0.2.1", CONFIG, "224.0.0.5"),
    (f"add g1 {ENDS} ttl 256", USAGE, '"ttl 256" is wrong: write 1 to 255, or inherit'),
    (f"add g1 {ENDS} ttl", USAGE, '"ttl" is the last word: write a value after it'),
    (f"add g1 {ENDS} ttl 1 ttl 2", USAGE, '"ttl" is written twice: write it once'),
    (f"add g1 {ENDS} tos 3", USAGE, '"tos 3" is wrong: write inherit, two hexadecimal digits'),
    (f"add g1 {ENDS} key 4294967296", USAGE,
     '"key 4294967296" is wrong: write a number of 0 to 4294967295, or a dotted quad'),
    (f"add g1 {ENDS} i 1", USAGE, '"i" can be "ikey" or "icsum": write it out'),
    (f"add g1 {ENDS} encap fou", USAGE, '"encap" is not supported: leave it out'),
    (f"add g1 {ENDS} pmtudisc ignore-df", USAGE, "contradict each other: write one"),
    (f"add g1 {ENDS} dev a/b", USAGE, '"dev a/b" is wrong'),
]

# the words after `greteld`
GRETELD = [
    ("--nonsense", USAGE, "unrecognized option '--nonsense'"),
    ("up", USAGE, "too many words: up"),
    ("--check --plan", USAGE, "more than one thing to do"),
    ("--check --add g1", USAGE, "more than one thing to do"),
    ("--add", USAGE, "the tunnel has no name"),
    ("-c /nonexistent/file -f", CONFIG, "/nonexistent/file: the file cannot be read"),
    ("-c /nonexistent/file", CONFIG, "/nonexistent/file: the file cannot be read"),
]


@pytest.fixture
def run_dir(tmp_path):
    (tmp_path / "gretel.conf").write_text(GOOD_FILE)
    yield tmp_path / "run"
    assert not (tmp_path / "run").exists(), "something was begun"


def run(program, words, run_dir):
    """The command with a run directory and a file of its own, which `words` may overrule."""
    options = ["-r", run_dir, "-c", run_dir.parent / "gretel.conf"]
    return subprocess.run([PROGRAMS / program, *options, *words.split()], capture_output=True,
                          text=True, timeout=20, env={**os.environ, "LC_ALL": "C"})


@pytest.mark.parametrize("words, code, said", GRETEL)
def test_gretel(words, code, said, run_dir):
    done = run("gretel", words, run_dir)
    assert said in done.stderr
    assert done.returncode == code
    assert done.stdout == ""


@pytest.mark.parametrize("words, code, said", GRETELD)
def test_greteld(words, code, said, run_dir):
    done = run("greteld", words, run_dir)
    assert said in done.stderr
    assert done.returncode == code


@pytest.mark.parametrize("words, code, said", [row for row in GRETEL if row[1] in (CONFIG, NOT_RUNNING)])
def test_json(words, code, said, run_dir):
    """The same answers for programs: an object with the exit code and the error."""
    done = run("gretel", "--json " + words, run_dir)
    answer = json.loads(done.stdout)
    assert said in answer["error"] and answer["exit"] == code == done.returncode
    assert done.stderr == ""


def test_help():
    for program in "gretel", "greteld":
        done = subprocess.run([PROGRAMS / program, "--help"], capture_output=True, text=True, timeout=20)
        assert done.returncode == 0 and "usage: " + program in done.stdout and done.stderr == ""


def test_there_are_enough():
    assert len(GRETEL) + len(GRETELD) >= 60
