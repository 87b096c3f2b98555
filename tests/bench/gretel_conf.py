# SPDX-License-Identifier: GPL-2.0-or-later
"""The file of greteld for one side of a road."""
from lab import INSIDE, LANS, WIRE


def spread_subnet(number, side):
    """The network behind router `side` that tunnel `number` leads to: halves of a /24 (traffic.h)."""
    return f"100.{64 + number // 256}.{number % 256}.{0 if side else 128}/25"


def _tunnel(lab, side, gretel, number):
    name = lab.tunnel if number == 0 else f"{lab.tunnel[-5:]}x{number}"
    lines = [f"[tunnel {name}]", f"local = {WIRE[side]}", f"remote = {WIRE[1 - side]}"]
    if number:
        lines += [f"key = {number}", f"route = {spread_subnet(number, 1 - side)}"]
    else:
        lines += [f"address = {INSIDE[side]} peer {INSIDE[1 - side]}", f"route = {LANS[1 - side]}"]
    if gretel.lane:
        lines.append(f"lane = {gretel.lane}")
    if not gretel.rules:
        lines.append("notrack = no")  # no table of ours, as the others have none
    return "\n".join(lines) + "\n" + gretel.more


def _forward(lab, side):
    return "\n".join(["[forward]", "enable = yes", f"allow = {LANS[side]} <-> {LANS[1 - side]}",
                      f"masquerade = {LANS[side]} out {lab.tunnel}",
                      f"masquerade = {INSIDE[1 - side]} out {lab.lan_devices[side]}"]) + "\n"


def conf_text(lab, side, gretel):
    """Tunnels after the first differ by their key, and each leads to a subnet of its own."""
    parts = [_tunnel(lab, side, gretel, number) for number in range(gretel.tunnels)]
    if gretel.rules:
        parts.append(_forward(lab, side))
    daemon = ["workers = 1"] if gretel.tunnels > 1000 else []  # a tunnel takes a descriptor for each worker
    if gretel.spread:
        daemon.append(f"spread = {gretel.spread}")
    parts.append("\n".join(["[daemon]", *daemon]) + "\n")
    return "\n".join(parts)
