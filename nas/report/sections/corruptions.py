"""Accuracies under common corruptions: a row per network, a curve over the severity, every type in a fold."""

from __future__ import annotations

from html import escape
from statistics import fmean
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.eval.corruptions import SAME
from nas.report.figures import curves
from nas.report.frame import beside, section
from nas.report.identity import Identity, legend
from nas.report.sections.tables import scrolling
from nas.report.wording import interval, listed, percent

Entries = list[dict[str, Any]]
Models = dict[str, Identity]


def corruptions(entries: Entries, models: Models) -> str:
    """The section of the networks that were evaluated under corruption; nothing where none was."""
    found = [entry for entry in entries if entry.get("corruptions")]
    if not found:
        return ""
    drawn = ""
    if any(len(entry["corruptions"]["severities"]) > 1 for entry in found):
        words = legend([models[entry["name"]] for entry in found])
        words += "<p>Mean accuracy over the types against the severity.</p>"
        drawn = beside(curve(found, models), words)
    body = table(found, models) + drawn + "".join(_by_type(entry, models) for entry in found)
    return section("Common corruptions", body, " ".join(_words(found)))


def table(entries: Entries, models: Models) -> str:
    """Mean accuracy with its interval, HRS, means by group, and the mCE where there was a baseline."""
    groups = list(dict.fromkeys(group for entry in entries for group in entry["corruptions"]["groups"]))
    compared = any("mce" in entry["corruptions"] for entry in entries)
    titles = ["clean", "mean", "HRS", *groups, *(["mCE", "relative mCE"] if compared else [])]
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = []
    for entry in entries:
        one, model = entry["corruptions"], models[entry["name"]]
        cells = [
            percent(one["clean"]),
            f"{percent(one['mean'])}<small>{interval(one['interval'])}</small>",
            percent(one["hrs"]),
            *(percent(one["groups"][group]) if group in one["groups"] else "" for group in groups),
        ]
        cells += [_error(one.get("mce")), _error(one.get("relative_mce"))] if compared else []
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th class="name">{model.swatch}{escape(model.label)}</th>{row}</tr>')
    top = f'<thead><tr><th class="name">model</th>{head}</tr></thead>'
    return scrolling(f"<table>{top}<tbody>{''.join(rows)}</tbody></table>")


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def curve(entries: Entries, models: Models) -> str:
    """Mean accuracy of the types in the mean against the severity, the clean accuracy at 0."""

    def draw(axes: Axes) -> None:
        for entry in entries:
            one, model = entry["corruptions"], models[entry["name"]]
            points = [(0, one["clean"])]
            for position, severity in enumerate(one["severities"]):
                points.append((severity, fmean(one["accuracy"][kind][position] for kind in one["mean_of"])))
            at, accuracy = zip(*sorted(points))
            axes.plot(at, accuracy, color=model.colour, dashes=model.dashes, marker=model.marker, markersize=4.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("severity (0: clean)")
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        axes.set_ylabel("mean accuracy (%)")

    return curves.figure("corruptions", "Mean accuracy against the severity of corruption", curves.WIDE, draw)


def _by_type(entry: dict[str, Any], models: Models) -> str:
    one, model = entry["corruptions"], models[entry["name"]]
    head = "".join(f"<th>{severity}</th>" for severity in one["severities"])
    rows = "".join(
        f'<tr><th class="name">{escape(kind.replace("_", " "))}</th>'
        + "".join(f"<td>{percent(value)}</td>" for value in values)
        + f"<td>{percent(one['types'][kind])}</td></tr>"
        for kind, values in one["accuracy"].items()
    )
    titles = f'<thead><tr><th class="name">severity</th>{head}<th>mean</th></tr></thead>'
    inner = scrolling(f"<table>{titles}<tbody>{rows}</tbody></table>")
    return f"<details><summary>{model.swatch}{escape(model.label)}, by type</summary>{inner}</details>"


def _words(entries: Entries) -> list[str]:
    """Where the images are from, what the means are over, what was left out."""
    first = entries[0]["corruptions"]
    counts = ", ".join(f"{n:,}" for n in dict.fromkeys(entry["corruptions"]["n_test"] for entry in entries))
    sources = dict.fromkeys(escape(entry["corruptions"]["images"]) for entry in entries)
    severities = listed([str(severity) for severity in first["severities"]])
    words = [
        f"Accuracy on {counts} test images: {'; '.join(sources)}.",
        f"Means over {len(first['mean_of'])} types, each at severity {severities}; in brackets the 95% interval of the "
        "mean, with images as the sample.",
    ]
    left_out = dict.fromkeys(kind for entry in entries for kind in entry["corruptions"]["left_out"])
    if left_out:
        words.append(f"Left out: {escape(listed(list(left_out)))}.")
    others = [entry for entry in entries if entry["corruptions"]["clean_images"] != SAME]
    if others:
        words.append(f"The clean accuracy is of {escape(others[0]['corruptions']['clean_images'])}.")
    if any("mce" in entry["corruptions"] for entry in entries):
        words.append("mCE: the mean error relative to that of the baseline, in percent; lower is better.")
    return words
