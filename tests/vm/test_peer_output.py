# SPDX-License-Identifier: GPL-2.0-or-later
"""What `gretel peer --for iproute2` and `--for systemd-networkd` print is executed on router B as it
is; then both LANs talk through the tunnel of A's file."""
import re
import socket

import pytest
from flow import ask, serve_peername, tcp_connect
from gretel import NAME, ROOT, Site, ping, section, site_text
from kernelpeer import LOAD
from net import wait_for
from scene import HOST, LAN, ROUTER, UNDERLAY, A, B, other
from streams import carries

KEY = 0xC0FFEE01
KEEPALIVE = "300ms 4"
SYSTEMS = ("iproute2", "systemd-networkd")
VARIANTS = {
    "plain": (4, {"keepalive": KEEPALIVE}),
    "key-seq": (4, {"key": KEY, "sequence": "yes", "ttl": 77, "keepalive": KEEPALIVE}),
    "six-mtu-mss": (6, {"ikey": 5, "okey": 6, "mtu": 1380, "mss": 1200}),
}
# systemd-networkd has no key for checksums, and our output says so.
CSUM = {"key": KEY, "checksum": "require", "sequence": "yes", "keepalive": KEEPALIVE}
CASES = [(system, *VARIANTS[name]) for system in SYSTEMS for name in VARIANTS] + [("iproute2", 4, CSUM)]
NAMES = [f"{system}-{name}" for system in SYSTEMS for name in VARIANTS] + ["iproute2-all"]


def files_of(text):
    """{path: text} of what is printed for systemd-networkd."""
    parts = re.split(r"^### (\S+)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def start(guest, files):
    """What the system does at boot, or when it is told that the files are new."""
    guest.networkd(files)
    for path in files:
        if path.endswith(".netdev"):
            name, = re.findall(r"^Name=(.*)$", files[path], re.M)
            wait_for(lambda: "UP" in (guest.link(name) or {"flags": ()})["flags"], 30, guest.networkd_said)
    for path in files:
        if path.startswith("/etc/sysctl.d/"):
            guest.run(["/usr/lib/systemd/systemd-sysctl", path])  # at boot, and by udev for the device
        if path.endswith(".service"):
            command, = re.findall(r"^ExecStart=(.*)$", files[path], re.M)
            guest.run(command.split())


def execute(guest, site, system):
    """As docs/peer.md tells the administrator of B."""
    text = site.gretel("peer", NAME, "--for", system).stdout
    if system == "iproute2":
        for _ in range(2):  # "as often as you like"
            done = guest.script(text)
            assert not done.stderr, done.stderr
        return
    start(guest, files_of(text))


def routed(guest):
    """systemd-networkd works on its own; its routes come last."""
    return all(guest.run(["ip", f"-{family}", "route", "show", LAN[family][A], "dev", NAME]).stdout for family in (4, 6))


@pytest.mark.parametrize("system, outer, words", CASES, ids=NAMES)
def test_lan_to_lan(scene, tmp_path, system, outer, words):
    guest = scene.router[B]
    site = Site(scene.router[A], tmp_path / A, site_text(A, outer, **words))
    site.up()
    execute(guest, site, system)
    wait_for(lambda: routed(guest), 30)
    if "keepalive" in words:
        wait_for(lambda: site.tunnel()["keepalive"]["state"] == "up", 30, site.tunnel)
    for family in (4, 6):
        ping(scene.host[A], HOST[family][B])
    site.forget_drops()
    carries(scene, {(side, family): HOST[family][side] for side in (A, B) for family in (4, 6)}, LOAD)
    assert not site.drops()
    link = guest.link(NAME)
    assert link["mtu"] == scene.router[A].link(NAME)["mtu"]
    assert not link["stats64"]["rx"]["errors"], link


def largest_segment(scene, family, to, undo):
    """What TCP on the way to this side's host agrees on, its options left out."""
    serve_peername(scene.host[to], family, HOST[family][to], 7100 + family, undo)
    with tcp_connect(scene.host[other(to)], family, HOST[family][to], 7100 + family) as sock:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


@pytest.mark.parametrize("system", SYSTEMS)
def test_segments(scene, tmp_path, undo, system):
    """The MSS is the peer's own doing: A leaves it alone."""
    guest = scene.router[B]
    site = Site(scene.router[A], tmp_path / A, site_text(A, mss=1200))
    execute(guest, site, system)
    site.edit("mss = 1200", "mss = no")
    site.up()
    wait_for(lambda: routed(guest), 30)
    for family in (4, 6):
        ping(scene.host[A], HOST[family][B])
        for side in (A, B):
            assert 1150 < largest_segment(scene, family, side, undo) <= 1200


@pytest.mark.parametrize("system", SYSTEMS)
def test_example(scene, tmp_path, undo, system):
    """The file of README: addresses are translated at both ends, and nothing else may pass."""
    guest, host = scene.router[B], scene.host
    site = Site(scene.router[A], tmp_path / A, (ROOT / "examples/site-a.conf").read_text())
    site.up()
    execute(guest, site, system)
    wait_for(lambda: guest.run(["ip", "route", "show", LAN[4][A]]).stdout, 30)
    for side in (A, B):
        serve_peername(host[side], 4, HOST[4][side], 7003, undo)
    ping(host[A], HOST[4][B])
    assert ask(host[A], 4, HOST[4][B], 7003) == "20.10.1.1"
    assert ask(host[B], 4, HOST[4][A], 7003) == "10.10.1.1"
    # An address that no line allows: the tunnel carries it, the peer drops it.
    scene.router[A].ip(f"address add 10.99.0.1/32 dev {NAME}")
    guest.ip(f"route add 10.99.0.1 dev {NAME}")
    dropped = "counter packets 0 bytes 0 drop"
    assert dropped in guest.run(["nft", "list", "table", "inet", f"peer_{NAME}"]).stdout
    done = scene.router[A].run(["ping", "-n", "-c", 1, "-W", 1, "-I", "10.99.0.1", HOST[4][B]], check=False)
    assert done.returncode
    assert dropped not in guest.run(["nft", "list", "table", "inet", f"peer_{NAME}"]).stdout


@pytest.mark.parametrize("system", SYSTEMS)
def test_ethernet(scene, tmp_path, system):
    """A gretap that joins the bridge there is."""
    guest, router = scene.router[B], scene.router[A]
    for machine in (guest, router):
        machine.ip("address flush dev eth1", "link add br0 type bridge", "link set br0 up",
                   "link set eth1 master br0")
    for side, end in ((A, 1), (B, 2)):
        scene.host[side].ip(f"address add 10.77.0.{end}/24 dev eth0", "link set dev eth0 mtu 1400")
    site = Site(router, tmp_path / A, section("tunnel", NAME, mode="gretap", local=UNDERLAY[4][A],
                                              remote=UNDERLAY[4][B], key=7, bridge="br0"))
    site.up()
    execute(guest, site, system)
    ping(scene.host[A], "10.77.0.2")
    site.forget_drops()
    carries(scene, {(A, 4): "10.77.0.1", (B, 4): "10.77.0.2"}, LOAD)
    assert not site.drops()


@pytest.mark.parametrize("system", SYSTEMS)
def test_internet(scene, tmp_path, undo, system):
    """A is B's way to everywhere, and publishes a server of B's LAN. B's default route is one for these
    packets only."""
    guest, host = scene.router[B], scene.host
    forward = {"allow": f"{LAN[4][B]} -> 0.0.0.0/0", "masquerade": f"{LAN[4][B]} out eth1",
               "publish": f"tcp/8443 in eth1 to {HOST[4][B]}:7004"}
    site = Site(scene.router[A], tmp_path / A, site_text(A, forward=forward))
    site.up()
    execute(guest, site, system)
    for side in (A, B):
        serve_peername(host[side], 4, HOST[4][side], 7004, undo)
    ping(host[B], ROUTER[4][B])  # its own answers to that LAN stay there
    ping(host[B], HOST[4][A])
    assert ask(host[B], 4, HOST[4][A], 7004) == ROUTER[4][A]
    assert ask(host[A], 4, ROUTER[4][A], 8443) == HOST[4][A]
    assert not guest.run(["ip", "route", "show", "default"]).stdout


def golden(system):
    """{name: what is printed} of tests/peer, without those in which an address has to be filled in."""
    texts = {conf.stem: (conf.parent / f"golden/{conf.stem}.{system}").read_text()
             for conf in sorted((ROOT / "tests/peer").glob("*.conf"))}
    return {name: text for name, text in texts.items() if "PEER-ADDRESS" not in text}


def together(texts):
    """Lists of {path: text}; in each, no two tunnels have the same addresses and keys."""
    rounds = []
    for text in texts:
        header = tuple(sorted(re.findall(r"^(?:Local|Remote|InputKey)=.*$", text, re.M)))
        free = next((one for one in rounds if header not in one), None)
        if free is None:
            free = {}
            rounds.append(free)
        free[header] = files_of(text)
    return [{path: text for files in one.values() for path, text in files.items()} for one in rounds]


@pytest.fixture
def other_names(scene):
    """Router B with the devices that the files of tests/peer name."""
    scene.router[B].ip("link add eth0 type dummy", "link set eth0 up", "link add br0 type bridge", "link set br0 up")
    return scene.router[B]


def test_all_scripts(other_names):
    """Those of tests/peer run without a word, and are undone as they say."""
    for name, text in golden("iproute2").items():
        undo, = re.findall(r"^# .* To undo it:\n#   (.*)$", text, re.M)
        for script in (text, undo):
            done = other_names.script(script)
            assert not done.stdout and not done.stderr, f"{name}: {done.stdout}{done.stderr}"
    assert not other_names.run(["nft", "list", "tables"]).stdout


def test_script_leaves_the_rest_alone(other_names):
    """A device that has the tunnel's name and is none stays; advertisements are still heard by others."""
    guest, text = other_names, golden("iproute2")["dual"]
    guest.ip("link add dual type dummy")
    done = guest.script(text, check=False)
    assert done.returncode and "File exists" in done.stderr
    assert guest.run(["ip", "-o", "link", "show", "dev", "dual", "type", "dummy"]).stdout
    guest.ip("link del dual")
    guest.run(["sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra"])
    guest.script(text)
    heard = guest.run(["sh", "-c", "cat /proc/sys/net/ipv6/conf/eth0/accept_ra"]).stdout
    assert heard.strip() == "2"
    guest.ip("link del dual")


def configured(guest, names):
    """True when systemd-networkd says of all of these that they are as its files want them."""
    files = " ".join(f"/run/systemd/netif/links/$(cat /sys/class/net/{name}/ifindex)" for name in names)
    done = guest.run(["sh", "-c", f"grep -h ^ADMIN_STATE= {files}"], check=False)
    return done.stdout.split() == ["ADMIN_STATE=configured"] * len(names)


ROUNDS = together(golden("systemd-networkd").values())


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_all_files(other_names, number):
    """systemd-networkd understands every line of those of tests/peer."""
    files = ROUNDS[number]
    start(other_names, files)
    names = [re.search(r"^Name=(.*)$", files[path], re.M)[1] for path in files if path.endswith(".network")]
    wait_for(lambda: configured(other_names, names), 30, other_names.networkd_said)
    said = [line for line in other_names.networkd_said().splitlines() if "using existing" not in line]
    assert not [line for line in said if re.search(r"nknown|gnor|ailed|nvalid|not ", line)], said
