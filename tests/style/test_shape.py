# SPDX-License-Identifier: GPL-2.0-or-later
"""Lengths, licence lines, and words that do not belong into a finished file."""
import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE_LINES = 600
FUNCTION_LINES = 60

TEXT = {".c", ".h", ".py", ".sh", ".build", ".md", ".conf", ".1", ".5", ".8", ""}
UNFINISHED = re.compile(r"\b(" + "|".join(("TO" "DO", "FIX" "ME", "X" "XX", "HA" "CK")) + r")\b")
LICENCE = "SPDX-License-Identifier: GPL-2.0-or-later"
FOLDERS = ("src", "tests", "scripts", "packaging", "examples", "docs")


def files(*suffixes):
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found
                  if path.is_file() and path.suffix in suffixes and "__pycache__" not in path.parts
                  and "corpus" not in path.parts)


def lines(name):
    return (ROOT / name).read_text().splitlines()


def without_tables(name):
    """(line number, line) without those of initializers inside functions."""
    inside = False
    for number, line in enumerate(lines(name), 1):
        if inside:
            inside = not re.match(r"\t+};$", line)
        else:
            inside = line.startswith("\t") and line.endswith("= {")
            yield number, line


def c_functions(name):
    """(first line, length) of each function: from its signature to the brace that closes it, tables
    inside it not counted. clang-format puts both braces of a function, and only of a function, at
    the line's start."""
    text, begin = list(without_tables(name)), None
    for at, (_, line) in enumerate(text):
        if line == "{":
            begin = at
            while begin and text[begin - 1][1] and not ends_before_signature(text[begin - 1][1]):
                begin -= 1
        elif line == "}" and begin is not None:
            yield text[begin][0], at - begin + 1
            begin = None


def ends_before_signature(line):
    return line.startswith(("}", "#", " */")) or line.endswith(("*/", ";"))


def python_functions(name):
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("name", files(".c", ".h", ".py"))
def test_file_length(name):
    assert len(lines(name)) <= FILE_LINES


@pytest.mark.parametrize("name", files(".c", ".h", ".py"))
def test_function_length(name):
    functions = python_functions(name) if name.endswith(".py") else c_functions(name)
    assert not [f"{name}:{at}: {length} lines" for at, length in functions if length > FUNCTION_LINES]


@pytest.mark.parametrize("name", files(".c", ".h", ".py", ".sh"))
def test_licence_line(name):
    assert any(LICENCE in line for line in lines(name)[:2])


@pytest.mark.parametrize("name", files(*TEXT))
def test_finished(name):
    found = [f"{name}:{at}: {line}" for at, line in enumerate(lines(name), 1) if UNFINISHED.search(line)]
    assert not found


@pytest.mark.parametrize("name", files(*TEXT))
def test_merged(name):
    """Nothing is left of two versions that git could not join."""
    assert not [line for line in lines(name) if re.match(r"(<{7}|>{7}|\|{7}) |={7}$", line)]


@pytest.mark.parametrize("name", files(".py"))
def test_waits_for_conditions(name):
    """A test that sleeps is slow when all is well and wrong when the machine is slow."""
    calls = re.findall(r"\btime\.sleep\(", (ROOT / name).read_text())
    assert len(calls) == (1 if name == "tests/netns/net.py" else 0)


def test_c_functions_are_seen():
    """The parser above sees the functions of a file that has some."""
    found = dict(c_functions("tests/netns/relay.c"))
    assert len(found) > 15 and all(length > 2 for length in found.values())
