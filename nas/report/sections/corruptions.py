"""Accuracies under common corruptions: a row per network, a curve over the severity, every type in a fold."""

from __future__ import annotations

from html import escape
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from nas.eval.corruptions import SAME
from nas.report.figures import curves
from nas.report.frame import beside, section
from nas.report.identity import Identity, legend
from nas.report.sections.tables import scrolling
from nas.report.wording import interval, listed, percent
from nas.results import CorruptionResult, EvalResult

Corrupted = list[tuple[Identity, CorruptionResult]]


def corruptions(entries: list[EvalResult], models: dict[str, Identity]) -> str:
    """The section of the networks that were evaluated under corruption; nothing where none was."""
    found = [(models[entry.name], entry.corruptions) for entry in entries if entry.corruptions]
    if not found:
        return ""
    drawn = ""
    if any(len(one.severities) > 1 for _, one in found):
        words = legend([model for model, _ in found])
        words += "<p>Mean accuracy over the types against the severity.</p>"
        drawn = beside(curve(found), words)
    body = table(found) + drawn + "".join(_by_type(model, one) for model, one in found)
    return section("Common corruptions", body, " ".join(_words([one for _, one in found])))


def table(found: Corrupted) -> str:
    """Mean accuracy with its interval, HRS, means by group, and the mCE where there was a baseline."""
    groups = list(dict.fromkeys(group for _, one in found for group in one.groups))
    compared = any(one.relative for _, one in found)
    titles = ["clean", "mean", "HRS", *groups, *(["mCE", "relative mCE"] if compared else [])]
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = []
    for model, one in found:
        cells = [
            percent(one.clean),
            f"{percent(one.mean)}<small>{interval(one.interval)}</small>",
            percent(one.hrs),
            *(percent(one.groups[group]) if group in one.groups else "" for group in groups),
        ]
        if compared:
            relative = one.relative
            cells += ["", ""] if relative is None else [_error(relative.mce), _error(relative.relative_mce)]
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        rows.append(f'<tr><th class="name">{model.swatch}{escape(model.label)}</th>{row}</tr>')
    top = f'<thead><tr><th class="name">model</th>{head}</tr></thead>'
    return scrolling(f"<table>{top}<tbody>{''.join(rows)}</tbody></table>")


def _error(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def curve(found: Corrupted) -> str:
    """Mean accuracy of the types in the mean against the severity, the clean accuracy at 0."""

    def draw(axes: Axes) -> None:
        for model, one in found:
            points = [(0, one.clean)]
            for position, severity in enumerate(one.severities):
                points.append((severity, fmean(one.accuracy[kind][position] for kind in one.mean_of)))
            at, accuracy = zip(*sorted(points))
            axes.plot(at, accuracy, color=model.colour, dashes=model.dashes, marker=model.marker, markersize=4.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("severity (0: clean)")
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f}"))
        axes.set_ylabel("mean accuracy (%)")

    return curves.figure("corruptions", "Mean accuracy against the severity of corruption", curves.WIDE, draw)


def _by_type(model: Identity, one: CorruptionResult) -> str:
    head = "".join(f"<th>{severity}</th>" for severity in one.severities)
    rows = "".join(
        f'<tr><th class="name">{escape(kind.replace("_", " "))}</th>'
        + "".join(f"<td>{percent(value)}</td>" for value in values)
        + f"<td>{percent(one.types[kind])}</td></tr>"
        for kind, values in one.accuracy.items()
    )
    titles = f'<thead><tr><th class="name">severity</th>{head}<th>mean</th></tr></thead>'
    inner = scrolling(f"<table>{titles}<tbody>{rows}</tbody></table>")
    return f"<details><summary>{model.swatch}{escape(model.label)}, by type</summary>{inner}</details>"


def _words(found: list[CorruptionResult]) -> list[str]:
    """Where the images are from, what the means are over, what was left out."""
    first = found[0]
    counts = ", ".join(f"{n:,}" for n in dict.fromkeys(one.n_test for one in found))
    sources = dict.fromkeys(escape(one.images) for one in found)
    severities = listed([str(severity) for severity in first.severities])
    words = [
        f"Accuracy on {counts} test images: {'; '.join(sources)}.",
        f"Means over {len(first.mean_of)} types, each at severity {severities}; in brackets the 95% interval of the "
        "mean, with images as the sample.",
    ]
    left_out = dict.fromkeys(kind for one in found for kind in one.left_out)
    if left_out:
        words.append(f"Left out: {escape(listed(list(left_out)))}.")
    others = [one.clean_images for one in found if one.clean_images not in ("", SAME)]
    if others:
        words.append(f"The clean accuracy is of {escape(others[0])}.")
    if any(one.relative for one in found):
        words.append("mCE: the mean error relative to that of the baseline, in percent; lower is better.")
    return words
