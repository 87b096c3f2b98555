# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual pages, the help texts, the shell completion and the tables in the source say the same."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build"))
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("gretel.8", "greteld.8")}
COMPLETION = ROOT / "packaging/gretel.bash-completion"


def source(name):
    return (ROOT / "src" / name).read_text()


def joined(c_text):
    """The value of adjacent string literals."""
    return "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', c_text)).replace('\\"', '"')


def help_of(program):
    return subprocess.run([BUILD / "src/cmd" / program, "--help"], capture_output=True, text=True,
                          check=True, timeout=20).stdout


def verbs():
    """{name: (words, help)} of gretel.c."""
    table = source("cmd/gretel.c").split("} verbs[] = {")[1].split("\n};")[0]
    row = re.compile(r'\{"(\w+)",\s*"([^"]*)",\s*((?:"(?:[^"\\]|\\.)*"\s*)+),\s*\d')
    found = {name: (words, joined(text)) for name, words, text in row.findall(table)}
    assert len(found) == table.count("verb_")
    return found


def options(program):
    """{long name: (letter or None, takes a value)}."""
    table = source(f"cmd/{program}.c").split("options[] = {")[1].split("{0}")[0]
    rows = re.findall(r'\{"([\w-]+)", (\w+)_argument, NULL, \'(\w)\'\}', table)
    letters = re.search(r'getopt_long\(argc, argv, "\+?([\w:]+)"', source(f"cmd/{program}.c")).group(1)
    return {name: (letter if letter in letters else None, need == "required") for name, need, letter in rows}


def exits():
    rows = re.findall(r'X\((\w+), (\d+), ((?:"(?:[^"\\]|\\.)*"\s*)+)\)', source("ctl/msg.h"))
    return [(int(value), joined(text)) for _, value, text in rows]


def drops():
    rows = re.findall(r'X\(\w+,\s*"([\w-]+)",[\s\\]*"([^"]*)"\)', source("proto/drop.h"))
    assert len(rows) == source("proto/drop.h").count("\tX(")
    return rows


def words_of_iptunnel():
    """[word] that `gretel add` knows, without those that it only refuses."""
    table = source("ctl/iptunnel.c").split("words_known[] = {")[1].split("\n};")[0]
    return [name for name, read in re.findall(r'\{"([\w-]+)", \w+, (\w+)\}', table) if read != "on_unsupported"]


def items(page, section):
    """[(head, text)] of the .It entries of a section or subsection."""
    text = re.search(rf"^\.S[hs] {section}\n(.*?)(?=^\.S[hs] |\Z)", page, re.M | re.S).group(1)
    found = re.findall(r"^\.It (.*)\n((?:.*\n)*?)(?=\.It|\.El)", text, re.M)
    return [(head, " ".join(line for line in body.split("\n") if line and line[0] != ".")) for head, body in found]


@pytest.mark.parametrize("name", ["gretel.8", "greteld.8", "gretel.conf.5"])
def test_lint(name):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", ROOT / "docs" / name],
                          capture_output=True, text=True, timeout=20)
    faults = [line for line in done.stdout.splitlines() if "outdated mandoc.db" not in line]
    assert not faults


def test_verbs():
    in_page = [head.split()[1] for head, _ in items(PAGES["gretel.8"], "Verbs")]
    assert in_page == list(verbs())
    in_help = re.findall(r"^  (\w+) +\S", help_of("gretel").split("options:")[0], re.M)
    assert in_help == list(verbs())


@pytest.mark.parametrize("verb", verbs())
def test_verb(verb):
    words, text = verbs()[verb]
    done = subprocess.run([BUILD / "src/cmd/gretel", "help", verb], capture_output=True, text=True, timeout=20)
    first, _, more = done.stdout.partition("\n")
    assert first == f"gretel {verb}{' ' if words else ''}{words}: {text}"
    listed = set(re.findall(r"[a-z][a-z-]+", more))
    assert set(words_of_iptunnel()) <= listed if verb in ("add", "change") else not more
    head = next(head for head, _ in items(PAGES["gretel.8"], "Verbs") if head.split()[1] == verb)
    bare = re.sub(r"\b(Cm|Ar|Op|Oo|Oc)\b", "", head.replace("Fl ", "-"))
    in_page = " ".join(bare.split()[1:]).lower()
    assert in_page == " ".join(re.sub(r"[\[\]]", "", words).split()).lower()


@pytest.mark.parametrize("program", ["gretel", "greteld"])
def test_options(program):
    in_page = {}
    for head, _ in items(PAGES[program + ".8"], "DESCRIPTION"):
        found = re.findall(r"Fl (-?)([\w-]+)( Ar)?", head)
        long = next(name for dash, name, _ in found if dash)
        in_page[long] = (next((name for dash, name, _ in found if not dash), None), bool(found[0][2]))
    expected = {name: (letter, value or name == "add") for name, (letter, value) in options(program).items()}
    assert in_page == expected
    in_help = {long: (letter or None) for letter, long in
               re.findall(r"^  (?:-(\w),|   ) --([\w-]+)", help_of(program), re.M)}
    assert in_help == {name: letter for name, (letter, _) in options(program).items()}


@pytest.mark.parametrize("program", ["gretel", "greteld"])
def test_exit_codes(program):
    in_page = [(int(head), text) for head, text in items(PAGES[program + ".8"], "EXIT STATUS")]
    assert in_page == exits() and len(exits()) == 8
    in_help = [(int(value), text) for value, text in
               re.findall(r"^  (\d)  (.*)$", help_of(program).split("exit codes:")[1], re.M)]
    assert in_help == exits()


def test_drop_reasons():
    in_page = [(head.split()[1], text) for head, text in items(PAGES["gretel.8"], "STATUS")
               if re.match(r"Cm [rt]x-", head)]
    assert in_page == drops()


def test_events():
    rows = re.findall(r'X\(\w+, "([\w-]+)", "([^"]*)"\)', source("ctl/event.h"))
    assert len(rows) == source("ctl/event.h").count("\tX(")
    in_page = [(head.split()[1], text) for head, text in items(PAGES["gretel.8"], "EVENTS")]
    assert in_page == rows


def test_words():
    in_page = [word for head, _ in items(PAGES["gretel.8"], "WORDS")
               for word in re.sub(r"Ar \w+|Cm|,", "", head).split()]
    assert sorted(in_page) == sorted(set(words_of_iptunnel()) - {"name"})


def test_status_keys():
    """Every key of the status is named in the manual."""
    made = set(re.findall(r'json_object_set_new\(object, "(\w+)"', source("ctl/status.c")))
    for packed in re.findall(r"json_pack\((.*?)\);", source("ctl/status.c"), re.S):
        made |= set(re.findall(r'"(\w+)",', packed))
    assert variables("STATUS") - {"packets"} == made - {"packets", "bytes", "user", "gre", "gretap"}


def variables(section):
    """The .Va words of a section of gretel(8)."""
    text = PAGES["gretel.8"].split(f".Sh {section}\n")[1].split("\n.Sh ")[0]
    return set(re.findall(r"^\.Va (\w+)", text, re.M))


def test_doctor_keys():
    """Every key of the doctor's answer is named in the manual."""
    made = set()
    for name in ("report", "run"):
        for packed in re.findall(r"json_pack\((.*?)\);", source(f"ctl/doctor/{name}.c"), re.S):
            made |= set(re.findall(r'"(\w+)",?', packed))
    assert variables("DOCTOR") == made - {"broken"}


def complete(line, run_dir="/nonexistent"):
    """What bash offers for the line with the cursor at its end."""
    words = line.split(" ")
    quoted = " ".join(f"'{word}'" for word in words)
    script = f"source '{COMPLETION}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; " \
             f"_{words[0].split('/')[-1]}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=20, check=True,
                          env={**os.environ, "GRETEL_RUN_DIR": run_dir})
    assert done.stderr == ""
    return set(done.stdout.split())


def test_completion():
    flags = {flag for name, (letter, _) in options("gretel").items() for flag in (f"--{name}", f"-{letter}")
             if flag != "-None"}
    assert complete("gretel ") == set(verbs()) | flags
    assert complete("gretel -r /tmp re") == {"reload"}
    assert complete("gretel --") == {flag for flag in flags if flag.startswith("--")}
    assert complete("gretel help ") == set(verbs())
    assert complete("gretel add g1 ") == set(words_of_iptunnel())
    assert complete("gretel add g1 mode ") == {"gre", "ip6gre", "gretap", "ip6gretap"}
    assert complete("gretel change g1 nopm") == {"nopmtudisc"}
    assert complete("gretel up ") == set()
    assert complete("gretel up -") == flags and complete("gretel add g1 --j") == {"--json"}
    assert complete("gretel peer My_Tunnel --for ip") == {"iproute2"}


def test_completion_of_the_daemon():
    flags = {flag for name, (letter, _) in options("greteld").items()
             for flag in ([f"--{name}"] + ([f"-{letter}"] if letter else []))}
    assert complete("greteld -") == flags
