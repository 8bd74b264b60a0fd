"""What was measured of the networks besides their accuracies: calibration, curvature, classes, loss landscapes."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path
from typing import Any

from nas.core.io.files import write_atomic
from nas.report.figures.landscapes import picture
from nas.report.frame import section
from nas.report.identity import Identity
from nas.report.sections.tables import scrolling
from nas.report.wording import attack, ball, listed, metric, percent, picture_name, value

Entries = list[dict[str, Any]]
Models = dict[str, Identity]


def _of(entry: dict[str, Any], name: str) -> Any:
    return (entry.get("measures") or {}).get(name)


def measures(entries: Entries, models: Models) -> str:
    """One row per network: calibration error clean and attacked, curvature and Jacobian norm."""
    with_ece = any(_of(entry, "calibration") for entry in entries)
    spread = [name for name in ("hessian", "jacobian") if any(_of(entry, name) for entry in entries)]
    if not with_ece and not spread:
        return ""
    titles = {"hessian": "largest eigenvalue of<br>the input Hessian", "jacobian": "norm of<br>the Jacobian"}
    head = '<th class="name">model</th><th>images</th>'
    if with_ece:
        head += "<th>ECE<br>clean</th><th>ECE<br>attacked</th>"
    head += "".join(f"<th>{titles[name]}</th>" for name in spread)
    rows = []
    for entry in entries:
        found = entry.get("measures") or {}
        if not found.keys() & {"calibration", "hessian", "jacobian"}:
            continue
        model = models[entry["name"]]
        counts = dict.fromkeys(f"{part['images']:,}" for key, part in found.items() if key != "classes")
        cells = f'<th class="name">{model.swatch}{escape(model.label)}</th><td>{", ".join(counts)}</td>'
        if with_ece:
            cells += _calibration(found.get("calibration"))
        cells += "".join(_spread(found.get(name)) for name in spread)
        rows.append(f"<tr>{cells}</tr>")
    table = scrolling(f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>")
    return section("Measured on test images", table, " ".join(_words(entries, with_ece, spread)))


def _calibration(found: dict[str, Any] | None) -> str:
    if found is None:
        return "<td></td><td></td>"
    return "".join(map(_error, (found["clean"], found["attacked"])))


def _error(found: dict[str, Any]) -> str:
    if found["ece"] is None:
        return f"<td>unknown<small>no finite logits, is {percent(found['accuracy'])}</small></td>"
    return (
        f"<td>{percent(found['ece'])}<small>says {percent(found['confidence'])}, is "
        f"{percent(found['accuracy'])}</small></td>"
    )


def _spread(found: dict[str, Any] | None) -> str:
    if found is None:
        return "<td></td>"
    low, high = found["quantiles"]["5"], found["quantiles"]["95"]
    return f"<td>{number(found['mean'])}<small>[{number(low)}, {number(high)}]</small></td>"


def number(measured: float) -> str:
    """In three digits."""
    return value(float(f"{measured:.3g}"))


def _words(entries: Entries, with_ece: bool, spread: list[str]) -> list[str]:
    words = []
    if with_ece:
        found = [_of(entry, "calibration") for entry in entries if _of(entry, "calibration")]
        names = listed(
            list(dict.fromkeys(escape(f"{attack(one['attack'])}, {ball(one['norm'], one['eps'])}") for one in found))
        )
        words.append(
            "ECE: the expected calibration error, how far confidence and accuracy lie apart (15 bins; Guo et al., "
            f"2017), of the clean images and of all images under {names}; below it the mean confidence and accuracy."
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
        rows = _of(entry, "classes")
        if not rows:
            continue
        names = list(rows[0]["accuracy"])
        head = "".join(f"<th>{escape(metric(name))}</th>" for name in names)
        worst = {name: min(row["accuracy"][name] for row in rows) for name in names}
        body = "".join(
            f'<tr><th class="name">{row["class"]}</th><td>{row["n"]:,}</td>'
            + "".join(_share(row["accuracy"][name], worst[name]) for name in names)
            + "</tr>"
            for row in rows
        )
        model = models[entry["name"]]
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
        found = _of(entry, "landscape")
        if found:
            label = models[entry["name"]].label
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
        found = _of(entry, "landscape")
        if found:
            path = folder / picture_name(entry["name"])
            content = picture(found)
            write_atomic(path, lambda file, content=content: file.write(content))  # type: ignore[misc]
            paths.append(path)
    return paths
