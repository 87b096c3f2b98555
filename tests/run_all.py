#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make check: runs every step, counts every test, ends with one line "N passed, N failed".

A step that cannot run is a failure, never a skip. Logs are in build/check/.
"""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import xml.etree.ElementTree
from concurrent.futures import ThreadPoolExecutor

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD, ASAN, FUZZ = ROOT / "build", ROOT / "build-asan", ROOT / "build-fuzz"
LOGS = BUILD / "check"
ENV = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8",
       "GRETEL_BUILD": str(BUILD), "GRETEL_BUILD_ASAN": str(ASAN)}
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout=150",
          "--durations=5"]
FUZZ_TARGETS = ("fuzz_gre", "fuzz_conf", "fuzz_cmdline", "fuzz_netdev", "fuzz_peer")
SYSTEM_WORKERS = 3  # the system tests wait more than they compute


class Step:
    """One line of the report: how many passed, how many failed, and the log of it."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0
        self.log = LOGS / f"{name}.log"
        self.begun = time.monotonic()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")

    def run(self, *argv, env=None, limit=1800):
        """Appends the command's output to the log; True when it ended with 0."""
        with open(self.log, "ab") as out:
            out.write(f"$ {' '.join(map(str, argv))}\n".encode())
            out.flush()
            try:
                done = subprocess.run([str(word) for word in argv], cwd=ROOT, stdout=out,
                                      stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                      env=env or ENV, timeout=limit)
            except (OSError, subprocess.TimeoutExpired) as error:
                out.write(f"{error}\n".encode())
                return False
        return done.returncode == 0

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()

    def count(self, good):
        self.passed += bool(good)
        self.failed += not good

    def report(self):
        seconds = time.monotonic() - self.begun
        word = "FAILED" if self.failed or not self.passed else "ok"
        print(f"{word:6} {self.name:12} {self.passed:4} passed {self.failed:3} failed {seconds:6.1f} s",
              flush=True)
        if word != "ok":
            self.failed = max(self.failed, 1)
            print("\n".join("       | " + line[:400] for line in self.lines()[-120:]), flush=True)


def build(step, directory, *options, env=None):
    """Sets a build directory up, or brings its options up to date, and builds."""
    again = ["--reconfigure"] if (directory / "build.ninja").exists() else ["--prefix=/usr"]
    step.count(step.run("meson", "setup", directory, *again, *options, env=env) and
               step.run("ninja", "-C", directory, env=env))


def build_plain(step):
    build(step, BUILD, "-Dtests=true", "-Dwerror=true")


def build_asan(step):
    build(step, ASAN, "-Dtests=true", "-Dwerror=true", "-Db_sanitize=address,undefined",
          "-Db_lundef=false", "-Doptimization=1")


def build_fuzz(step):
    build(step, FUZZ, "-Dtests=true", "-Dfuzz=true", "-Dwerror=true", "-Db_lundef=false",
          env={**ENV, "CC": "clang"})


def meson_tests(step, directory, env=None):
    step.run("meson", "test", "-C", directory, "--no-rebuild", "--print-errorlogs",
             env={**ENV, **(env or {})})
    results = directory / "meson-logs/testlog.json"
    lines = results.read_text().splitlines() if results.exists() else []
    for line in lines:
        step.count(json.loads(line)["result"] == "OK")


def unit(step):
    meson_tests(step, BUILD)


def unit_asan(step):
    meson_tests(step, ASAN, {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99",
                             "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99"})


def pytest(step, *argv, env=None):
    report = LOGS / f"{step.name}.xml"
    report.unlink(missing_ok=True)
    ended_well = step.run(*PYTEST, f"--junitxml={report}", *argv, env=env)
    if not report.exists():
        step.count(False)
        return
    suites = list(xml.etree.ElementTree.parse(report).iter("testsuite"))
    total = sum(int(suite.get("tests")) for suite in suites)
    # A skipped test did not show what it is there to show.
    bad = sum(int(suite.get(kind)) for suite in suites for kind in ("failures", "errors", "skipped"))
    step.failed += bad or int(not ended_well)
    step.passed += total - bad


def style(step):
    pytest(step, "tests/style")


def conf(step):
    pytest(step, "tests/conf", "tests/peer")


def system(step):
    pytest(step, "-n", SYSTEM_WORKERS, "tests/netns", "tests/lanes", "tests/interop", "tests/conformance")


# What every lane has to do alike; the step `system` has the default, which there is the TC lane.
LANE_TESTS = ("carry", "tunnels", "path", "forward")


def system_lane(lane):
    def run(step):
        pytest(step, "-n", SYSTEM_WORKERS, *(f"tests/netns/test_{name}.py" for name in LANE_TESTS),
               env={**ENV, "GRETEL_LANE": lane})
    return run


# What speaks with the emulated kernel over the wire; the others run gretel on that kernel.
PEER_TESTS = {ROOT / f"tests/vm/test_kernel_{name}.py"
              for name in ("gre", "udp", "erspan", "mtu", "multipoint", "keepalive")}


def emulated(files):
    """Each worker boots one emulated machine for all its tests, whichever they are."""
    def run(step):
        pytest(step, "-n", SYSTEM_WORKERS, *sorted(files))
    return run


def sources():
    return sorted(path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.[ch]"))


def clang_format(step):
    step.count(step.run("clang-format", "--dry-run", "--Werror", *sources()))


def cppcheck(step):
    step.count(step.run("cppcheck", "--quiet", "--error-exitcode=1", "--inline-suppr", "-j2",
                        "--std=c11", "--enable=warning,performance,portability",
                        "--suppressions-list=tests/style/cppcheck.txt",
                        "-Isrc", "-D_GNU_SOURCE", '-DGRETEL_VERSION="x"', "-DSEC(x)=",
                        "-DLIBBPF_OPTS(type,name,...)=struct type name = {__VA_ARGS__}", "src"))


def fuzz_one(step, target, seconds):
    """New inputs go to the build directory; the kept corpus is only read."""
    found, kept = FUZZ / "corpus" / target, ROOT / "tests/fuzz/corpus" / target.removeprefix("fuzz_")
    found.mkdir(parents=True, exist_ok=True)
    own = Step(f"fuzz-{target}")
    return own, kept.is_dir() and own.run(
        FUZZ / "tests/fuzz" / target, f"-max_total_time={seconds}", "-timeout=10",
        "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={LOGS}/{target}-",
        found, kept, limit=seconds + 120)


# Of libFuzzer's output: what is wrong, where, and with which input.
FUZZ_WRONG = re.compile(r"ERROR|ALARM|SUMMARY|Base64|Test unit written|runtime error|timed out|^ +#\d+ ")


def fuzz(step):
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(fuzz_one, step, target, OPTIONS.fuzz_seconds) for target in FUZZ_TARGETS]
        with open(step.log, "a", encoding="utf-8") as log:
            for job in jobs:
                own, good = job.result()
                step.count(good)
                lines = own.lines()
                if good:
                    kept = [line for line in lines if line.startswith("stat::")]
                else:
                    kept = [line for line in lines if FUZZ_WRONG.search(line)][:25] or lines[-25:]
                    kept = [f"FAILED {own.name}: {' | '.join(kept[:2])}", *kept]
                log.write("\n".join([own.name, *kept, ""]))


def nothing_left(step):
    """No namespace of a test that ended, no build product beside build*/."""
    folder = pathlib.Path("/run/netns")
    left = [path.name for path in folder.glob("g[0-9]*x*-*")
            if not pathlib.Path(f"/proc/{path.name[1:].split('x')[0]}").exists()] \
        if folder.is_dir() else []
    products = [str(path) for folder in ("src", "tests", "scripts", "docs")
                for kind in ("__pycache__", "*.o", "*.pyc", ".pytest_cache", "crash-*")
                for path in (ROOT / folder).rglob(kind)]
    step.log.write_text("\n".join(left + products))
    step.count(not left and not products)


STEPS = (("build", build_plain), ("build-asan", build_asan), ("build-fuzz", build_fuzz),
         ("style", style), ("clang-format", clang_format), ("cppcheck", cppcheck),
         ("unit", unit), ("unit-asan", unit_asan), ("conf", conf), ("fuzz", fuzz), ("system", system),
         ("system-user", system_lane("user")), ("system-xdp", system_lane("xdp")),
         ("kernel-peer", emulated(PEER_TESTS)),
         ("kernel-61", emulated(set((ROOT / "tests/vm").glob("test_*.py")) - PEER_TESTS)), ("nothing-left", nothing_left))


# What a step runs comes from another one; without it there would only be old programs to test.
NEEDS = {"unit": {"build"}, "unit-asan": {"build-asan"}, "conf": {"build"}, "fuzz": {"build-fuzz"},
         "system": {"build", "build-asan"}, "system-user": {"build", "build-asan"},
         "system-xdp": {"build", "build-asan"}, "kernel-peer": {"build"}, "kernel-61": {"build"}}


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="names of steps, with commas: "
                        + ",".join(name for name, _ in STEPS))
    parser.add_argument("--fuzz-seconds", type=int, default=30)
    return parser.parse_args()


OPTIONS = options()


def main():
    wanted = OPTIONS.only.split(",") if OPTIONS.only else [name for name, _ in STEPS]
    unknown = set(wanted) - {name for name, _ in STEPS}
    if unknown:
        sys.exit(f"no such step: {' '.join(unknown)}")
    done = []
    for name, action in STEPS:
        if name in wanted:
            step = Step(name)
            if NEEDS.get(name, set()) & {before.name for before in done if before.failed}:
                step.log.write_text("not run: what it runs was not built\n")
            else:
                action(step)
            step.report()
            done.append(step)
    bad = [(step, line) for step in done if step.failed for line in step.lines()
           if line.startswith(("FAILED ", "ERROR "))]
    for step, line in bad:
        print(f"{step.name}: {line}")
    # Once more without the reasons: where only the last lines are kept, all names are among them.
    if bad:
        print(*(line.split()[1] for _, line in bad))
    passed, failed = sum(step.passed for step in done), sum(step.failed for step in done)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
