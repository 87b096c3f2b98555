# SPDX-License-Identifier: GPL-2.0-or-later
"""The table, the ratios and what is asked of them."""

# What the user lane has to reach: (section, of, to, at least).
WANTED = (("tcp", "gretel", "ovs", 1.5), ("tcp", "gretel", "loop", 3.0),
          ("packets 64 1", "gretel", "vxlan", 0.35))
# Limits: (where in the result, limit, unit).
LIMITS = (("memory one rss", 12 * 1024, "kB"), ("memory per_tunnel rss", 64, "kB"),
          ("memory transfer growth", 512, "kB"), ("startup median", 100, "ms"))
# The road without a tunnel is part of every round, and is to agree with itself.
BASELINE_SPREAD = 0.05
# Load average per core before the first trial.
BUSY = 0.25


def at(result, path):
    for word in path.split():
        result = result.get(word) if isinstance(result, dict) else None
    return result


def ratios(result):
    """Every wanted ratio, from the medians and, beside it, from the rounds one by one."""
    found = []
    for section, of, to, least in WANTED:
        rows = result["sections"].get(section, {})
        if of in rows and to in rows:
            pairs = [one / other for one, other in zip(rows[of]["all"], rows[to]["all"]) if other]
            value = rows[of]["median"] / rows[to]["median"] if rows[to]["median"] else 0
            found.append({"section": section, "of": of, "to": to, "at_least": least, "ratio": value,
                          "rounds": pairs, "reached": value >= least})
    return found


def limits(result):
    found = []
    for path, limit, unit in LIMITS:
        value = at(result, path)
        if value is not None:
            found.append({"what": path, "value": value, "limit": limit, "unit": unit,
                          "kept": value < limit})
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
    return said


def section_title(section):
    if section == "tcp":
        return "TCP, one stream, offloads on (Gbit/s)"
    _, size, flows = section.split()
    return f"packets of {size}, {flows} flow{'s' if flows != '1' else ''}, both routers on one core (kpps)"


def table(result, titles):
    lines = []
    for section, rows in result["sections"].items():
        scale = 1e9 if section == "tcp" else 1e3
        base = rows.get("vxlan", {}).get("median")
        lines += [section_title(section), f"  {'':30} {'median':>9} {'min':>9} {'max':>9} "
                  f"{'x VXLAN':>8}" + (f" {'loss<0.5%':>10}" if scale == 1e3 else "")]
        for name, row in rows.items():
            share = f"{row['median'] / base:8.2f}" if base else f"{'-':>8}"
            lines.append(f"  {titles[name]:30} {row['median'] / scale:9.2f} {row['min'] / scale:9.2f} "
                         f"{row['max'] / scale:9.2f} {share}"
                         + (f" {row['bounded'] / scale:10.2f}" if scale == 1e3 else ""))
        lines.append("")
    return lines


def verdict(result):
    lines = [f"  {'ok ' if ratio['reached'] else 'LOW'} {ratio['section']}: {ratio['of']} / {ratio['to']} "
             f"= {ratio['ratio']:.2f} (asked: {ratio['at_least']})" for ratio in result["ratios"]]
    lines += [f"  {'ok ' if one['kept'] else 'HIGH'} {one['what']}: {one['value']:.1f} {one['unit']} "
              f"(limit {one['limit']})" for one in result["limits"]]
    lines += [f"  note: {one}" for one in result["warnings"]]
    return lines + [f"  FAILED {part}: {text}" for part, text in result["failed"].items()]
