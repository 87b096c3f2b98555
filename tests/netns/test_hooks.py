# SPDX-License-Identifier: GPL-2.0-or-later
"""on-up and on-down: when they run, what they are told, what they may do, and that nobody waits for
them."""
import json
import pathlib
import shutil
import tempfile
import time

import pytest
from gretel import BUILD, NAME, Site, site_text, tunnel
from net import wait_for
from scene import A, B, TUNNEL, UNDERLAY

# Writes what it is told to told/STATE.N, whole: for the Nth time from 0.
RECORD = """#!/bin/sh
cd "{0}" || exit
number=$(ls | grep -c "^$GRETEL_STATE[.][0-9]")
env | grep ^GRETEL_ | sort >new.$$
mv new.$$ "$GRETEL_STATE.$number"
"""


@pytest.fixture
def site(scene, tmp_path):
    """A site whose tunnel writes each state, with all that it is told, to a file of its own."""
    directory = tmp_path / A
    made = Site(scene.router[A], directory, "")
    script = directory / "hook.sh"
    (directory / "told").mkdir()
    script.write_text(RECORD.format(directory / "told"))
    script.chmod(0o755)
    made.write(site_text(A, **{"on-up": script, "on-down": script}))
    return made


def told(site, state, number=0):
    """What the hook was told when it ran for this state for the first, second, ... time."""
    path = site.directory / "told" / f"{state}.{number}"
    wait_for(path.exists, 10, lambda: f"{path}; there are {list(path.parent.iterdir())}")
    return dict(line.split("=", 1) for line in path.read_text().splitlines())


def test_up_and_down(scene, site):
    site.up()
    first = told(site, "up")
    assert first == {"GRETEL_TUNNEL": NAME, "GRETEL_INTERFACE": NAME, "GRETEL_MODE": "gre",
                     "GRETEL_STATE": "up", "GRETEL_REASON": "", "GRETEL_LOCAL": UNDERLAY[4][A],
                     "GRETEL_REMOTE": UNDERLAY[4][B], "GRETEL_MTU": "1476",
                     "GRETEL_RUN_DIR": str(site.run_directory)}
    scene.router[A].ip(f"address del {UNDERLAY[4][A]}/24 dev bond0")
    assert told(site, "down")["GRETEL_REASON"] == f"local address {UNDERLAY[4][A]} is not on this host"
    scene.router[A].ip(f"address add {UNDERLAY[4][A]}/24 dev bond0")
    told(site, "up", 1)
    site.down()
    assert told(site, "down", 1)["GRETEL_REASON"] == "it is removed"


def test_waiting_from_the_start(scene, site):
    """The state that is found first is told, too."""
    scene.router[A].ip(f"address del {UNDERLAY[4][A]}/24 dev bond0")
    assert site.gretel("up", check=False).returncode == 1
    assert "is not on this host" in told(site, "down")["GRETEL_REASON"]


def test_keepalive(scene, site, tmp_path):
    """With a keepalive the peer's answer decides."""
    site.edit(f"[tunnel {NAME}]", f"[tunnel {NAME}]\nkeepalive = 200ms 5")
    site.gretel("up", check=False)
    assert "no answer to" in told(site, "down")["GRETEL_REASON"]
    assert not (site.directory / "told/up.0").exists()
    Site(scene.router[B], tmp_path / B, site_text(B)).up()
    told(site, "up")


def test_reload_runs_nothing_anew(site):
    site.up()
    told(site, "up")
    site.edit("[forward]", "[forward]\n# nothing new")
    site.reload()
    site.edit(f"[tunnel {NAME}]", "[tunnel other]")
    site.reload()
    assert told(site, "down")["GRETEL_TUNNEL"] == NAME
    assert told(site, "up", 1)["GRETEL_TUNNEL"] == "other"


def test_what_it_may_do(scene, site, tmp_path):
    """Routes, rules and a gretel command of its own; nobody waits for it meanwhile."""
    done = tmp_path / "done"
    gretel = site.build / "src/cmd/gretel"
    (site.directory / "hook.sh").write_text(
        "#!/bin/sh -e\nexec 2>&1\n"
        f"[ $GRETEL_STATE = up ] || exit 0\n"
        f"ip route replace 10.77.0.0/16 dev $GRETEL_INTERFACE\n"
        f"nft add table inet hooked\nnft add chain inet hooked c\n"
        f"ping -c 1 -W 1 {TUNNEL[4][A]} >/dev/null\n"
        f"{gretel} --json status $GRETEL_TUNNEL >{done}.new\nmv {done}.new {done}\n")
    site.up()
    wait_for(done.exists, 10)
    assert json.loads(done.read_text())["tunnels"][0]["name"] == NAME
    assert scene.router[A].ip_json("route show 10.77.0.0/16")[0]["dev"] == NAME
    assert "hooked" in scene.router[A].run(["nft", "list", "tables"]).stdout


def test_slow_command_holds_up_nothing(scene, site):
    (site.directory / "hook.sh").write_text("#!/bin/sh\nsleep 600\n")
    begun = time.monotonic()
    site.up()
    for _ in range(3):
        scene.router[A].ip(f"link del {NAME}")
        wait_for(lambda: scene.router[A].link(NAME), 10)
    assert time.monotonic() - begun < 5


def test_output_is_logged(scene, site):
    """Lines, and how it ended, are in the log and in an event."""
    (site.directory / "hook.sh").write_text("#!/bin/sh\necho said something\nexit 3\n")
    log = open(site.directory / "log", "w+", encoding="utf-8")
    with log:
        scene.router[A].popen([site.build / "src/cmd/greteld", "-f", "-c", site.file, "-r",
                               site.run_directory], stderr=log, stdout=log)

        def lines():
            log.seek(0)
            return log.read()
        wait_for(lambda: f"tunnel {NAME}: on-up: said something" in lines(), 10, lines)
        wait_for(lambda: f"tunnel {NAME}: on-up ended with exit code 3 after" in lines(), 10, lines)
        site.down()


def test_comment_behind_a_command(site):
    site.edit("on-up = ", "on-up = true ; ")
    done = site.gretel("check", check=False)
    assert done.returncode == 3 and "ends the command" in done.stderr


def test_nothing_else_is_inherited(scene, site):
    """No descriptor, no variable, no signal mask of the daemon's."""
    script = site.directory / "hook.sh"
    out = site.directory / "told/all"
    script.write_text(f"#!/bin/sh\n{{ ls -l /proc/self/fd; grep -e ^SigBlk -e ^SigIgn -e ^CapEff "
                      f"/proc/self/status; }} >{out}.new; mv {out}.new {out}\n")
    site.up()
    wait_for(out.exists, 10)
    *fds, blocked, ignored, effective = out.read_text().splitlines()
    values = dict(line.split(":\t") for line in (blocked, ignored, effective))
    assert len(fds) == 1 + 4, fds  # the three, and the folder that ls reads
    # glibc keeps signals 32 and 33 for its threads: who started the tests decides about those.
    glibcs = 1 << 31 | 1 << 32
    assert int(values["SigBlk"], 16) == 0 and int(values["SigIgn"], 16) & ~glibcs == 0
    net_admin, net_raw, dac_override = 1 << 12, 1 << 13, 1 << 1
    assert int(values["CapEff"], 16) == net_admin | net_raw | dac_override


def test_without_root(scene, tmp_path):
    """Started by another user with two capabilities, the command has them, too."""
    router, home = scene.router[A], pathlib.Path(tempfile.mkdtemp(prefix="gretel-hooks-"))
    try:
        home.chmod(0o777)
        daemon = shutil.copy(BUILD / "src/cmd/greteld", home)
        config = home / "site.conf"
        config.write_text(tunnel(A, **{"on-up": f"ip route replace 10.77.0.0/16 dev {NAME} && id -u "
                                                f">{home}/new && mv {home}/new {home}/done"}))
        capabilities = "-all,+net_admin,+net_raw,+dac_override"
        with open(tmp_path / "log", "w", encoding="utf-8") as log:
            router.popen(["setpriv", "--reuid=65534", "--clear-groups", f"--inh-caps={capabilities}",
                          f"--ambient-caps={capabilities}", "--", daemon, "-f", "-c", config,
                          "-r", home / "run"], stdout=log, stderr=log)
        wait_for((home / "done").exists, 10, (tmp_path / "log").read_text)
        assert (home / "done").read_text().strip() == "65534"
        router.kill_all()
    finally:
        shutil.rmtree(home)
