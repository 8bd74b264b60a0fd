"""What was measured of the networks besides their accuracies: calibration, curvature, classes, loss landscapes."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path

from nas.core.io.files import write_atomic
from nas.report.figures.landscapes import picture
from nas.report.frame import section
from nas.report.identity import Identity
from nas.report.sections.tables import scrolling
from nas.report.wording import attack, ball, listed, metric, percent, picture_name, value
from nas.results import Calibration, EvalResult, Reliability, Spread

Entries = list[EvalResult]
Models = dict[str, Identity]
SPREADS = {"hessian": "largest eigenvalue of<br>the input Hessian", "jacobian": "norm of<br>the Jacobian"}


def measures(entries: Entries, models: Models) -> str:
    """One row per network: calibration error clean and attacked, curvature and Jacobian norm."""
    calibrations = [entry.measures.calibration for entry in entries if entry.measures.calibration]
    spread = [name for name in SPREADS if any(getattr(entry.measures, name) for entry in entries)]
    if not calibrations and not spread:
        return ""
    head = '<th class="name">model</th><th>images</th>'
    if calibrations:
        head += "<th>ECE<br>clean</th><th>ECE<br>attacked</th>"
    head += "".join(f"<th>{SPREADS[name]}</th>" for name in spread)
    rows = []
    for entry in entries:
        found = entry.measures
        measured = [part for part in (found.calibration, found.hessian, found.jacobian) if part is not None]
        if not measured:
            continue
        model = models[entry.name]
        counts = dict.fromkeys(f"{part.images:,}" for part in measured)
        cells = f'<th class="name">{model.swatch}{escape(model.label)}</th><td>{", ".join(counts)}</td>'
        if calibrations:
            cells += _calibration(found.calibration)
        cells += "".join(_spread(getattr(found, name)) for name in spread)
        rows.append(f"<tr>{cells}</tr>")
    table = scrolling(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>")
    return section("Measured on test images", table, " ".join(_words(calibrations, bool(spread))))


def _calibration(found: Calibration | None) -> str:
    return "<td></td><td></td>" if found is None else _error(found.clean) + _error(found.attacked)


def _error(found: Reliability) -> str:
    if found.ece is None or found.confidence is None:
        return f"<td>unknown<small>no finite logits, is {percent(found.accuracy)}</small></td>"
    says = f"says {percent(found.confidence)}, is {percent(found.accuracy)}"
    return f"<td>{percent(found.ece)}<small>{says}</small></td>"


def _spread(found: Spread | None) -> str:
    if found is None:
        return "<td></td>"
    low, high = found.quantiles["5"], found.quantiles["95"]
    return f"<td>{number(found.mean)}<small>[{number(low)}, {number(high)}]</small></td>"


def number(measured: float) -> str:
    """In three digits."""
    return value(float(f"{measured:.3g}"))


def _words(calibrations: list[Calibration], spread: bool) -> list[str]:
    words = []
    if calibrations:
        names = [escape(f"{attack(one.attack)}, {ball(one.norm, one.eps)}") for one in calibrations]
        words.append(
            "ECE: the expected calibration error, how far confidence and accuracy lie apart (15 bins; Guo et al., "
            f"2017), of the clean images and of all images under {listed(list(dict.fromkeys(names)))}; below it the "
            "mean confidence and accuracy."
        )
    if spread:
        words.append(
            "Curvature of the cross-entropy and change of the logits with the pixels, per image: mean, and the range "
            "from the 5th to the 95th percentile of the images. Lower is smoother, for logits of one scale."
        )
    return words


def classes(entries: Entries, models: Models) -> str:
    """Accuracies class by class, a table for each network."""
    parts = []
    for entry in entries:
        rows = entry.measures.classes
        if not rows:
            continue
        names = list(rows[0].accuracy)
        head = "".join(f"<th>{escape(metric(name))}</th>" for name in names)
        worst = {name: min(row.accuracy[name] for row in rows) for name in names}
        body = "".join(
            f'<tr><th class="name">{row.label}</th><td>{row.n:,}</td>'
            + "".join(_share(row.accuracy[name], worst[name]) for name in names)
            + "</tr>"
            for row in rows
        )
        model = models[entry.name]
        titles = f'<tr><th class="name">class</th><th>images</th>{head}</tr>'
        table = scrolling(f"<table><thead>{titles}</thead><tbody>{body}</tbody></table>")
        parts.append(f"<details><summary>{model.swatch}{escape(model.label)}</summary>{table}</details>")
    return section("Accuracy by class", "".join(parts), "The lowest of each column is in bold.")


def _share(fraction: float, lowest: float) -> str:
    text = percent(fraction)
    return f"<td>{f'<b>{text}</b>' if fraction == lowest else text}</td>"


def landscapes(entries: Entries, models: Models) -> str:
    """The loss landscape of each network, as a picture inside the page."""
    parts = []
    for entry in entries:
        found = entry.measures.landscape
        if found:
            label = models[entry.name].label
            data = base64.b64encode(picture(found)).decode()
            parts.append(
                f'<figure><h3>{escape(label)}</h3><img class="plot" alt="Loss landscape of {escape(label)}" '
                f'src="data:image/png;base64,{data}"></figure>'
            )
    note = (
        "The loss and the accuracy over the plane of the sign of its gradient and a random sign, around test images; "
        "the dotted line bounds the attack's ball. A smooth rise along the gradient is what an honest defence looks "
        "like; a jagged surface around single images hides the gradient from attacks."
    )
    return section("Loss landscape", "".join(parts), note)


def write_landscapes(folder: Path, entries: Entries) -> list[Path]:
    """Write the loss landscape of each network that has one as a PNG file into the run's folder."""
    paths = []
    for entry in entries:
        found = entry.measures.landscape
        if found:
            path = folder / picture_name(entry.name)
            content = picture(found)
            write_atomic(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
            paths.append(path)
    return paths
