# SPDX-License-Identifier: GPL-2.0-or-later
"""Figures of the daemon that tests bound and `make soak` prints."""
import pathlib
import re
import subprocess
import time

from gretel import BUILD, Site, section
from lanes import wait_loaded
from net import wait_for
from scapy.all import GRE
from scene import A, B, HOST, UNDERLAY


LONG = 300  # seconds: the kernel takes its time over a thousand interfaces


def resident(pid):
    """Octets of memory that the process holds (VmRSS)."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) << 10


def memory(router, directory, tunnels):
    """Resident octets of greteld with so many tunnels, at rest."""
    text = "".join(section("tunnel", f"t{i}", local=UNDERLAY[4][A], remote=UNDERLAY[4][B], key=i,
                           address=f"10.{100 + i // 250}.{i % 250}.1/30") for i in range(tunnels))
    site = Site(router, pathlib.Path(directory) / f"memory{tunnels}", text)
    site.gretel("up", timeout=LONG)
    wait_loaded(site, "t0")
    octets = resident(site.pid())
    site.gretel("down", timeout=LONG)
    return octets


def start_to_first_packet(scene, peer, site):
    """Seconds from the exec of greteld to the first passenger of the LAN on the wire. The host
    sends without pause; its router does not know where to, until the tunnel is there."""
    sender = scene.host[A].popen(["ping", "-n", "-q", "-f", "-i", "0.002", HOST[4][B]],
                                 stdout=subprocess.DEVNULL)
    seen = scene.router[A].link("eth1")["stats64"]["rx"]["packets"]
    wait_for(lambda: scene.router[A].link("eth1")["stats64"]["rx"]["packets"] > seen + 5, 5)
    peer.drain()
    begun = time.monotonic()
    scene.router[A].popen([BUILD / "src/cmd/greteld", "-c", site.file, "-r", site.run_directory, "-f"],
                          env=site.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peer.receive(lambda p: GRE in p and p[GRE].haslayer("ICMP"), 10)
    seconds = time.monotonic() - begun
    sender.kill()
    return seconds
