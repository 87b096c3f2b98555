# SPDX-License-Identifier: GPL-2.0-or-later
"""The medians of a run as bars, with the least and the most of the trials as whiskers. The generator's
own share is no contender."""
import report

LANE_COLOURS = {"gretel-user": "#8fb8de", "gretel-full": "#8fb8de", "gretel-tc": "#3d85c6",
                "gretel-xdp": "#0b5394"}
OTHERS = "#b7b7b7"


def colour(row):
    return LANE_COLOURS.get(row.removesuffix("-rules"), OTHERS)


def _panel(axes, section, rows, titles):
    factor, names = report.scale(section), list(rows)
    values = [rows[name]["median"] / factor for name in names]
    whiskers = [[(rows[name]["median"] - rows[name]["min"]) / factor for name in names],
                [(rows[name]["max"] - rows[name]["median"]) / factor for name in names]]
    bars = axes.barh(range(len(names)), values, xerr=whiskers, color=[colour(name) for name in names],
                     error_kw={"ecolor": "#555555", "capsize": 2, "elinewidth": 0.8})
    axes.bar_label(bars, [f"{value:,.2f}" if factor > 1e6 else f"{value:,.0f}" for value in values],
                   padding=8, fontsize=7)
    axes.set_yticks(range(len(names)), [titles[name] for name in names], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_title(report.section_title(section), fontsize=9, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def draw(result, titles, path):
    """Returns what was written."""
    sections = {section: {name: row for name, row in rows.items() if name != "sender"}
                for section, rows in result["sections"].items()}
    sections = {section: rows for section, rows in sections.items() if rows}
    if not sections:
        return []
    import matplotlib  # pylint: disable=import-outside-toplevel
    matplotlib.use("svg")
    # The same figures make the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "gretel", "svg.fonttype": "none"})
    from matplotlib.figure import Figure  # pylint: disable=import-outside-toplevel
    heights = [len(rows) + 1.5 for rows in sections.values()]
    figure = Figure(figsize=(9, 0.27 * sum(heights) + 0.5), layout="constrained")
    panels = figure.subplots(len(sections), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for (section, rows), (axes,) in zip(sections.items(), panels):
        _panel(axes, section, rows, titles)
    figure.savefig(path, format="svg", metadata={"Date": None})
    return [str(path)]
