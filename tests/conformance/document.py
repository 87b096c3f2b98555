#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Prints docs/conformance.md, made of the tables in tests/conformance/points/:

    tests/conformance/document.py >docs/conformance.md
"""
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
VERDICTS = ("holds", "deviates", "not offered")
LEVELS = ("MUST", "MUST NOT", "SHOULD", "SHOULD NOT", "MAY")

HEAD = """\
<!-- SPDX-License-Identifier: GPL-2.0-or-later -->
# Conformance

What the standards ask of a GRE tunnel, point by point, in our own words, and which test shows what
gretel does. This page is made by [document.py](../tests/conformance/document.py) of the tables in
[points](../tests/conformance/points); a test fails when it is not what they say, or when a test that
they name does not exist.

- **holds**: as the standard says.
- **deviates**: not, or not entirely, with the reason. The tests show what happens instead.
- **not offered**: the standard leaves it open, and gretel does not have it.

"Unit" are tests of single functions, in C; "system" are tests with routers in network namespaces,
which look at octets on the wire. What is not gretel's but the kernel's work (reassembly, forwarding,
path MTU) is tested just the same, since the two together are the tunnel's end.

{summary}
"""


def documents():
    """The tables in their order: {name, title, point: [{section, level, says, tests, verdict, reason}]}"""
    for path in sorted((HERE / "points").glob("*.toml")):
        with open(path, "rb") as file:
            yield from tomllib.load(file)["document"]


def points():
    return [point for document in documents() for point in document["point"]]


def kinds(point):
    """Which kinds of tests it has."""
    unit = [test.startswith("unit/") for test in point["tests"]]
    return " and ".join(word for word, found in (("unit", any(unit)), ("system", not all(unit))) if found)


def summary(rows):
    count = {verdict: sum(point["verdict"] == verdict for point in rows) for verdict in VERDICTS}
    tested = sum(bool(point["tests"]) for point in rows)
    system = sum("system" in kinds(point) for point in rows if point["tests"])
    return (f"{len(rows)} points: {count['holds']} hold, {count['deviates']} deviate, {count['not offered']} "
            f"are not offered. {tested} are tested, {system} of them by a system test.")


def tests_of(point):
    names = []
    for test in point["tests"]:
        path, function = test.split("::")
        names.append(f"[{function}](../tests/{path})")
    return kinds(point) + ": " + ", ".join(names) if names else "none"


def section(document):
    lines = [f"## {document['name']}: {document['title']}", "", "| | | point | verdict | tests |", "|---|---|---|---|---|"]
    reasons = []
    for point in document["point"]:
        verdict = point["verdict"]
        if "reason" in point:
            reasons.append(f"{len(reasons) + 1}. {point['reason']}")
            verdict += f" ({len(reasons)})"
        lines.append(f"| {point['section']} | {point['level']} | {point['says']} | {verdict} | {tests_of(point)} |")
    return "\n".join(lines + ([""] + reasons if reasons else [])) + "\n"


def text():
    rows = points()
    return "\n".join([HEAD.format(summary=summary(rows)), *map(section, documents())])


if __name__ == "__main__":
    sys.stdout.write(text())
