# SPDX-License-Identifier: GPL-2.0-or-later
"""How soon the first packet is carried, and what the daemon weighs. The figures are printed by
`make soak`; here they only have to be sane, because the machine may be busy."""
import figures
from gretel import Site, site_text
from scene import A


def test_first_packet_comes_soon(make_peer, tmp_path):
    scene, peer = make_peer(A)
    site = Site(scene.router[A], tmp_path / A, site_text(A))
    assert figures.start_to_first_packet(scene, peer, site) < 2.0


def test_memory_with_many_tunnels(scene, tmp_path):
    one, many = figures.memory(scene.router[A], tmp_path, 1), figures.memory(scene.router[A], tmp_path, 101)
    # 4 MiB of it are the kernel's map of all tunnels there can be, which greteld has as memory.
    assert one < 24 << 20, f"{one >> 10} KiB with one tunnel"
    assert (many - one) / 100 < 64 << 10, f"{(many - one) / 102400:.0f} KiB for each further tunnel"
