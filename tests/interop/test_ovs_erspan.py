# SPDX-License-Identifier: GPL-2.0-or-later
"""Mirror sessions between greteld on A and Open vSwitch's user-space datapath on B, types II and III."""
import os
import subprocess

import pytest
from gretel import NAME, Site
from net import wait_for
from scene import A, B, UNDERLAY, Scene
from test_erspan import FIELDS, FRAME, TAGGED, Copies, mirror
from test_tunnels import send_frame

OPTIONS = {2: {"erspan_ver": 1, "erspan_idx": "0x12345"}, 3: {"erspan_ver": 2, "erspan_dir": 1, "erspan_hwid": "0x9"}}


class OpenVSwitch:
    """On a router: `outer` is its underlay, `inner` its LAN and the mirror port."""

    def __init__(self, router, directory, undo):
        self.router, self.directory, self.undo = router, directory, undo
        self.socket = f"unix:{directory}/db.sock"
        self.env = {**os.environ, **{f"OVS_{name}DIR": str(directory) for name in ("RUN", "LOG", "DB", "SYSCONF")}}
        router.run(["ovsdb-tool", "create", directory / "conf.db", "/usr/share/openvswitch/vswitch.ovsschema"],
                   env=self.env)
        self._daemon("db.sock", "ovsdb-server", directory / "conf.db", f"--remote=p{self.socket}",
                     f"--unixctl={directory}/ovsdb.ctl")
        self.vsctl("--no-wait", "init")
        self._daemon("vswitchd.ctl", "ovs-vswitchd", self.socket, f"--unixctl={directory}/vswitchd.ctl",
                     "--disable-system")

    def _daemon(self, made, *words):
        log = open(self.directory / f"{words[0]}.log", "w", encoding="utf-8")
        process = self.router.popen([*words, "--no-chdir"], env=self.env, stdout=log, stderr=subprocess.STDOUT)
        self.undo.callback(log.close)
        self.undo.callback(process.wait, 20)
        self.undo.callback(process.terminate)
        wait_for((self.directory / made).exists, 30, f"{words[0]} answers")

    def vsctl(self, *words):
        self.router.run(["ovs-vsctl", f"--db={self.socket}", "--timeout=30", *words], env=self.env)

    def tell(self, *words):
        self.router.run(["ovs-appctl", "-t", f"{self.directory}/vswitchd.ctl", *words], env=self.env)


def mirror_port(scene, ovs, kind):
    router, local, remote = scene.router[B], UNDERLAY[4][B], UNDERLAY[4][A]
    router.ip("address flush dev bond0", "address flush dev eth1")
    ovs.vsctl("add-br", "outer", "--", "set", "bridge", "outer", "datapath_type=netdev",
              f"other_config:hwaddr={router.mac('bond0')}", "--", "add-port", "outer", "bond0")
    options = [f"options:{name}={value}" for name, value in OPTIONS[kind].items()]
    ovs.vsctl("add-br", "inner", "--", "set", "bridge", "inner", "datapath_type=netdev",
              "--", "add-port", "inner", "eth1", "--", "add-port", "inner", "mirror0", "--", "set", "interface",
              "mirror0", "type=erspan", f"options:remote_ip={remote}", f"options:key={FIELDS[kind]['session']}", *options)
    router.ip("link set dev outer up", f"address add {local}/24 dev outer")
    ovs.tell("tnl/arp/set", "outer", remote, scene.router[A].mac("bond0"))


@pytest.mark.parametrize("kind", (2, 3))
def test_mirror_port(undo, tmp_path, kind):
    scene = undo.enter_context(Scene())
    directory = tmp_path / "ovs"
    directory.mkdir()
    mirror_port(scene, OpenVSwitch(scene.router[B], directory, undo), kind)
    site = Site(scene.router[A], tmp_path / A, mirror(A, kind))
    site.up()
    there, here = Copies(scene.host[B], "eth0"), Copies(scene.router[A])
    for copies in (there, here):
        undo.callback(copies.sock.close)
    for frame in (FRAME, TAGGED):
        # A frame that came before Open vSwitch had its ports is lost.
        wait_for(lambda: send_frame(scene.router[A], NAME, frame) or there.next(1) == frame, 30)
    wait_for(lambda: send_frame(scene.host[B], "eth0", FRAME) or here.next(1) == FRAME, 30)
    assert not site.drops()
