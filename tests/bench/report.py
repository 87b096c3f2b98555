# SPDX-License-Identifier: GPL-2.0-or-later
"""The table, the ratios and what is asked of them."""

USER = (("tcp 1", "gretel-user", "ovs", 1.5), ("tcp 1", "gretel-user", "loop", 3.0),
        ("packets 64 1", "gretel-user", "vxlan", 0.35))
LANES = "lanes 64 1000"
XDP = ((LANES, "gretel-xdp", "xdp-route", 1.0), (LANES, "gretel-xdp", "vxlan", 3.7),
       (LANES, "gretel-xdp", "route", 2.0), (LANES, "gretel-xdp-rules", "gretel-xdp", 0.9),
       (LANES, "gretel-xdp-rules", "route-rules", 3.4), (LANES, "gretel-xdp-rules", "vxlan-rules", 5.0))
TC = ((LANES, "gretel-tc", "vxlan", 1.6), ("tcp 1", "gretel-tc", "route", 0.97),
      ("tcp 1", "gretel-tc", "vxlan", 1.0))
MANY_FLOWS = tuple(("lanes 64 100000", row, (LANES, row), 0.75)
                   for row in ("gretel-tc", "gretel-xdp", "gretel-tc-rules", "gretel-xdp-rules"))
MANY_TUNNELS = tuple(("tunnels 64 10000 10000", row, ("tunnels 64 10000 1", row), 0.9)
                     for row in ("gretel-tc", "gretel-xdp"))
# What has to be reached: (section, of, to, at least). `to` is a row of the same section, or
# (section, row). Judged where both rows were measured.
WANTED = USER + XDP + TC + MANY_FLOWS + MANY_TUNNELS
# Limits: (where in the result, limit, unit).
LIMITS = (("memory one rss", 12 * 1024, "kB"), ("memory per_tunnel rss", 64, "kB"),
          ("memory transfer growth", 512, "kB"), ("startup median", 100, "ms"),
          ("programs gretel-xdp out median", 37, "ns"), ("programs gretel-xdp in median", 37, "ns"),
          ("many up", 15, "s"), ("many reload", 200, "ms"), ("many resident", 400 * 1024, "kB"))
# Limits of `many` are for so many tunnels.
MANY = 10_000
# The road without a tunnel is part of every round, and is to agree with itself.
BASELINE_SPREAD = 0.15
# Load average per core before the first trial.
BUSY = 0.25
# CPU seconds that the machine below kept, of a second of trials.
STOLEN = 0.05
# The share of its core that the road of one core had at least.
OWN_CORE = 0.95


def at(result, path):
    for word in path.split():
        result = result.get(word) if isinstance(result, dict) else None
    return result


def ratios(result):
    """Every wanted ratio, from the medians and, beside it, from the rounds one by one."""
    found = []
    for section, of, to, least in WANTED:
        to_section, to_row = (section, to) if isinstance(to, str) else to
        one = result["sections"].get(section, {}).get(of)
        other = result["sections"].get(to_section, {}).get(to_row)
        if one and other:
            value = one["median"] / other["median"] if other["median"] else 0
            found.append({"section": section, "of": of, "to": to_row, "to_section": to_section,
                          "at_least": least, "ratio": value, "reached": value >= least,
                          "rounds": [a / b for a, b in zip(one["all"], other["all"]) if b]})
    return found


def limits(result):
    found = []
    for path, limit, unit in LIMITS:
        value = at(result, path)
        if value is not None and (not path.startswith("many") or result["many"]["tunnels"] >= MANY):
            of = f" of {result['many']['row']}" if path.startswith("many") else ""
            found.append({"what": path + of, "value": value, "limit": limit, "unit": unit,
                          "kept": value <= limit})
    return found


def warnings(result):
    """What makes a run doubtful. It says so; it does not throw figures away."""
    said = []
    if result["load"][0] / result["cpus"] > BUSY:
        said.append(f"the machine was busy before the first trial (load {result['load'][0]:.2f})")
    for section, rows in result["sections"].items():
        route = rows.get("route")
        if route and route["spread"] is not None and route["spread"] > BASELINE_SPREAD:
            said.append(f"{section}: kernel routing differs from itself by {route['spread']:.0%}: "
                        "other work on the machine?")
        for name, row in rows.items():
            short = row.get("fallen_short", 0)
            if short > 0.02:
                said.append(f"{section}: the generator fell short by {short:.1%} under {name}")
        said += _of_cores(section, [one for row in rows.values() for one in row["trials"]])
    return said


def _of_cores(section, trials):
    """How much of them the trials had."""
    said, timed = [], [one for one in trials if "stolen" in one]
    share = sum(one["stolen"] for one in timed) / (sum(one["seconds"] for one in timed) or 1)
    if share > STOLEN:
        said.append(f"{section}: the machine below kept {share:.0%} of the time for itself")
    least = min((one["cpu"] / one["seconds"] for one in timed), default=1)
    if least < OWN_CORE and section.startswith("lanes"):
        said.append(f"{section}: other processes had up to {1 - least:.0%} of the core")
    return said


def judge(result):
    result["ratios"], result["limits"] = ratios(result), limits(result)
    result["warnings"] = warnings(result)


def good(result):
    return not result["failed"] and all(one["reached"] for one in result["ratios"]) and \
        all(one["kept"] for one in result["limits"])


def plural(number, word):
    return f"{number} {word}{'s' if number != '1' else ''}"


def section_title(section):
    kind, *words = section.split()
    if kind == "tcp":
        return f"TCP, {plural(words[0], 'stream')}, offloads on (Gbit/s)"
    where = {"packets": "both routers on one core, the generator on the other",
             "lanes": "generator and both routers on one core",
             "tunnels": "generator and both routers on one core"}[kind]
    more = f" over {plural(words[2], 'tunnel')} in turn" if len(words) > 2 else ""
    return f"packets of {words[0]}, {plural(words[1], 'flow')}{more}, {where} (kpps)"


def scale(section):
    return 1e9 if section.startswith("tcp") else 1e3


def _line(section, rows, name, title):
    row, base = rows[name], rows.get("vxlan", {}).get("median")
    cells = [f"{row[key] / scale(section):9.2f}" for key in ("median", "min", "max")]
    cells.append(f"{row['median'] / base:8.2f}" if base else f"{'-':>8}")
    if section.startswith("packets"):
        cells.append(f"{row['bounded'] / scale(section):10.2f}")
    elif not section.startswith("tcp"):
        cells.append(f"{1e9 / row['median'] if row['median'] else 0:10.0f}")
    return f"  {title:30} {' '.join(cells)}"


def table(result, titles):
    lines = []
    for section, rows in result["sections"].items():
        last = {"packets": "loss<0.5%", "tcp": ""}.get(section.split()[0], "ns/packet")
        lines += [section_title(section), f"  {'':30} {'median':>9} {'min':>9} {'max':>9} "
                  f"{'x VXLAN':>8} {last:>10}".rstrip()]
        lines += [_line(section, rows, name, titles[name]) for name in rows]
        lines.append("")
    return lines + _alone(result.get("programs", {}), titles) + _access(result.get("access", {}))


def _alone(programs, titles):
    """What the programs take by themselves, each way: LAN to tunnel, wire to LAN."""
    lines = [f"  {titles[name]:30}" + "".join(
        f" {ways[way]['median']:9.0f} {ways[way]['least']:9.0f} {ways[way]['lookup']:9.0f} {ways[way]['clock']:9.2f}"
        for way in ("out", "in")) for name, ways in programs.items()]
    head = ["XDP programs alone, a packet of a known flow (ns; the least that moves a header and sends on, ns; one",
            "LRU lookup, ns; additions a ns of the core)",
            f"  {'':30}" + "".join(f" {way:>9} {'least':>9} {'lookup':>9} {'adds/ns':>9}" for way in ("LAN", "wire"))]
    return [*head, *lines, ""] if lines else []


def _access(access):
    lines = [f"  {flows:>30} {one['median']:9.1f} {one['min']:9.1f} {one['max']:9.1f}"
             for flows, one in access.items()]
    head = ["One access to one of so many entries of 128 octets that nothing foretells (ns)",
            f"  {'':30} {'median':>9} {'min':>9} {'max':>9}"]
    return [*head, *lines, ""] if lines else []


def verdict(result):
    lines = [f"  {'ok ' if one['reached'] else 'LOW'} {one['section']}: {one['of']} / {one['to']}"
             f"{' of ' + one['to_section'] if one['to_section'] != one['section'] else ''} "
             f"= {one['ratio']:.2f} (asked: {one['at_least']})" for one in result["ratios"]]
    lines += [f"  {'ok ' if one['kept'] else 'HIGH'} {one['what']}: {one['value']:.1f} {one['unit']} "
              f"(limit {one['limit']})" for one in result["limits"]]
    lines += [f"  note: {one}" for one in result["warnings"]]
    return lines + [f"  FAILED {part}: {text}" for part, text in result["failed"].items()]
