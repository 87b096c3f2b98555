# SPDX-License-Identifier: GPL-2.0-or-later
"""The READMEs and the pages of docs/: their configurations are correct, their links lead somewhere,
the two READMEs say the same, and tables of the source are in them as they are."""
import os
import pathlib
import re
import subprocess

import pytest
from test_man import drops, joined, source, verbs

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GRETEL_BUILD", ROOT / "build")).resolve()
ENGLISH, CHINESE = "README.md", "README.zh-CN.md"
PAGES = [ENGLISH, CHINESE] + sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))

# Sections of README.md, and of README.zh-CN.md.
SECTIONS = [("gretel", "gretel"), ("The file of a site", "一个站点的文件"), ("Install", "安装"),
            ("Commands", "命令"), ("What it handles", "能做什么"), ("What it does not do", "还不能做什么"),
            ("Requirements", "运行条件"), ("How it compares", "如何比较"), ("Documentation", "文档"),
            ("Licence", "许可证")]
ONLY_CHINESE = "经典命令逐行对照"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
HEADING = re.compile(r"^#+ +(.*)$", re.M)
# Files of the repository, named anywhere in the text.
PATH = re.compile(r"\b(?:src|tests|docs|examples|scripts|packaging)/[\w./-]*\w")


def text_of(name):
    return (ROOT / name).read_text()


def blocks(text, language):
    return [body for kind, body in FENCE.findall(text) if kind == language]


def headings(text):
    return HEADING.findall(FENCE.sub("", text))


def sections(name):
    """{heading: text up to the next one}, in their order."""
    kept = []
    bare = FENCE.sub(lambda found: kept.append(found[0]) or f"\0{len(kept) - 1}\0", text_of(name))
    parts = HEADING.split(bare)[1:]
    return {title: re.sub("\0(\\d+)\0", lambda found: kept[int(found[1])], body)
            for title, body in zip(parts[::2], parts[1::2])}


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def rows(text, columns):
    """Cells of each row of the tables with so many columns, without their heads."""
    split = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in text.splitlines()
             if line.startswith("| ")]
    return [cells for cells in split if len(cells) == columns]


def configurations():
    return [pytest.param(body, id=f"{name}-{number}") for name in PAGES
            for number, body in enumerate(blocks(text_of(name), "ini"))]


@pytest.mark.parametrize("text", configurations())
def test_configuration(text, tmp_path):
    path = tmp_path / "page.conf"
    path.write_text(text)
    done = subprocess.run([BUILD / "src/cmd/greteld", "-c", path, "-r", tmp_path, "--check"],
                          capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", PAGES)
def test_links(name):
    text, folder = FENCE.sub("", text_of(name)), (ROOT / name).parent
    for target, fragment in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)", text):
        path = folder / target if target else ROOT / name
        assert path.exists(), target
        if fragment:
            assert fragment in map(anchor, headings(path.read_text())), f"{target}#{fragment}"


@pytest.mark.parametrize("name", PAGES)
def test_named_files_exist(name):
    text = re.sub(r"\]\([^)]*\)|<https://[^>]*>", "", text_of(name))
    assert not [path for path in PATH.findall(text) if not (ROOT / path).exists()]


@pytest.mark.parametrize("name", PAGES)
def test_licence(name):
    assert "SPDX-License-Identifier: GPL-2.0-or-later" in text_of(name).splitlines()[0]


def test_both_readmes_have_the_same_sections():
    assert list(sections(ENGLISH)) == [english for english, _ in SECTIONS]
    assert [title for title in sections(CHINESE) if title != ONLY_CHINESE] == \
        [chinese for _, chinese in SECTIONS]
    assert ONLY_CHINESE in sections(CHINESE)


@pytest.mark.parametrize("english, chinese", SECTIONS)
def test_section_says_the_same(english, chinese):
    """The same pictures, files, commands and links, and tables and lists of the same length."""
    here, there = sections(ENGLISH)[english], sections(CHINESE)[chinese]
    assert FENCE.findall(here) == FENCE.findall(there)
    links = [set(re.findall(r"\]\(([^)]+)\)", text)) - {ENGLISH, CHINESE} for text in (here, there)]
    assert links[0] == links[1]
    for mark in ("| ", "- "):
        counts = [sum(line.startswith(mark) for line in text.splitlines()) for text in (here, there)]
        assert counts[0] == counts[1]


@pytest.mark.parametrize("name, title", ((ENGLISH, "Commands"), (CHINESE, "命令")))
def test_commands_are_all_there(name, title):
    """The table has each verb, and each once."""
    cells = " ".join(cells[0] for cells in rows(sections(name)[title], 2))
    named = [re.sub(r"^gretel ", "", code).split()[0] for code in re.findall(r"`([^`]+)`", cells)]
    assert sorted(named) == sorted(verbs())


def test_drop_reasons():
    found = [(cells[0].strip("`"), cells[1]) for cells in rows(text_of("docs/troubleshooting.md"), 3)
             if re.match(r"`[rt]x-", cells[0])]
    assert found == drops()


def test_columns_of_status():
    table = source("cmd/table.c").split("columns[] = {")[1].split("\n};")[0]
    columns = re.findall(r'\{"([A-Z ]+)", cell_', table)
    assert len(columns) == table.count("cell_")
    text = sections("docs/troubleshooting.md")["What status says"]
    named = " ".join(cells[0] for cells in rows(text, 2))
    assert [name for name in re.findall(r"`([^`]+)`", named) if name.isupper()] == columns


def test_states():
    names = re.findall(r'\[SESSION_\w+\] = "(\w+)"', source("ctl/status.c"))
    text = sections("docs/troubleshooting.md")["What status says"]
    named = [cells[0].strip("`") for cells in rows(text, 2)]
    assert [name for name in named if name in names] == names and len(names) == 3


def test_limits_of_workers():
    """The numbers that architecture.md gives in words."""
    text = text_of("docs/architecture.md")
    limits = dict(re.findall(r"#define (WORKERS_\w+)\s+(\d+)", source("dp/dp_state.h") + source("dp/dp.c")))
    assert limits == {"WORKERS_MAX": "16", "WORKERS_AUTO_MAX": "4"}
    assert "four at\nmost" in text and "sixteen at most" in text


def test_profiles():
    """The page has each profile once, in the order of the table; the manual page names the same."""
    names = re.findall(r'\.name = "([\w-]+)"', source("ctl/conf_profile.c"))
    found = [cells[0].strip("`") for cells in rows(text_of("docs/profiles.md"), 3)]
    assert found[1:] == names
    item = text_of("docs/gretel.conf.5").split(".It Cm profile ")[1].split("\n.It ")[0]
    assert set(re.findall(r"^\.Cm ([\w-]+)(?: [,.])?$", item, re.M)) == set(names)


def test_checks_of_the_doctor():
    """docs/doctor.md has each check of the table, in its order, with its layer and flags."""
    table = re.findall(r'X\((\w+), "([\w-]+)", (\w+),\s*([\w\s|]+),\s*((?:"[^"]*"\s*)+)\)',
                       source("ctl/doctor/checks.h").replace("\\\n", " "))
    assert len(table) == source("ctl/doctor/checks.h").count("\tX(") > 0
    made = [(name, layer.lower(), ", ".join(re.findall(r"CHECK_(?!PLAIN)(\w+)", flags)).lower(), joined(finds))
            for _, name, layer, flags, finds in table]
    assert [(cells[0].strip("`"), *cells[1:4]) for cells in rows(text_of("docs/doctor.md"), 6)
            if cells[0].startswith("`")] == made
