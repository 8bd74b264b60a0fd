"""The report of a study: mean ± standard deviation over its seeds, and the tests of best against random."""

from __future__ import annotations

from html import escape

from nas.core.statistics.repetitions import TTest
from nas.report.facts import Facts
from nas.report.sections.tables import pairs, scrolling, seconds
from nas.report.style import CSS
from nas.report.wording import attack, minus, origin, probability_of_few, radius
from nas.results import Repeated, RepeatedDifference, StudyResult
from nas.runs.repetitions import SCORE


def study_page(facts: Facts) -> str:
    name, result = escape(str(facts.settings["name"])), facts.result
    assert isinstance(result, StudyResult)
    terms = {"space": facts.space, "data": facts.data, "seeds": ", ".join(map(str, result.seeds))}
    items = "".join(f"<div><dt>{key}</dt><dd>{escape(str(item))}</dd></div>" for key, item in terms.items())
    about = (
        f"Mean ± standard deviation (n − 1) over {len(result.seeds)} seeds, in percent. A seed is a whole run: its "
        f"search, its random cell, its trainings. {result.n_test:,} test images, the same for all; "
        f"{escape(str(result.norm))} attacks of ε = {radius(result.eps)}."
    )
    line, needs_file = facts.repeated
    save = f'<p class="note">Save the settings of a run as <code>{name}.yaml</code>, then:</p>' if needs_file else ""
    sections = [
        _section("Results", about, _results(result)),
        _section("Best minus random cell of the same size", reading(result), _tests(result)) if result.tests else "",
        _section("The runs", "Each has a report of its own.", _runs(result)),
        _section("Time per stage", "Wall time, summed over the seeds.", seconds(facts)),
        _section("Versions", "", pairs(result.versions)),
        _section("Where it was computed", "", pairs(origin(result.provenance))) if result.provenance else "",
        _section("How to repeat it", "", f'{save}<pre class="command">{escape(line)}</pre>'),
    ]
    body = "\n".join(filter(None, sections))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}: {len(result.seeds)} seeds</title>\n<style>{CSS}</style>\n</head>\n<body>\n<main>\n"
        f"<header><p>Robust architecture search, repeated</p><h1>{name}</h1><dl>{items}</dl></header>\n{body}\n"
        "</main>\n</body>\n</html>\n"
    )


def reading(result: StudyResult) -> str:
    """What the p-values can and cannot say, in words."""
    count, least = len(result.seeds), result.smallest_p_flip
    text = (
        "Differences are in points. Over seeds: a paired t-test (it assumes normal differences) and the exact "
        f"sign-flip permutation test (it assumes nothing), whose smallest possible p with {count} seeds is {least:.3g}"
    )
    text += ": it cannot reach .05, whatever the difference; six seeds can. " if least > 0.05 else ". "
    return text + (
        "Over images: a t-test of each image's difference, averaged over the seeds; it says what other test images "
        "would change for these very networks, nothing of other seeds. No p-value and no "
        "interval is corrected for their number."
    )


def metric_title(metric: str) -> str:
    """`clean`, `PGD-20`, `HRS PGD-20`."""
    return f"HRS {attack(metric.removeprefix(SCORE))}" if metric.startswith(SCORE) else attack(metric)


def spread(row: Repeated | RepeatedDifference) -> str:
    """Mean ± standard deviation of fractions, in percent."""
    return f"{100 * row.mean:.1f}" + (f" ± {100 * row.sd:.1f}" if row.sd is not None else "")


def points(value: float | None) -> str:
    return "–" if value is None else minus(f"{100 * value:+.1f}")


def bounds(test: TTest) -> str:
    """A 95 % interval in points."""
    return "" if test.low is None else f"[{points(test.low)}, {points(test.high)}]"


def _section(title: str, note: str, body: str) -> str:
    note = f'<p class="note">{note}</p>' if note else ""
    return f"<section><h2>{title}</h2>{note}{body}</section>"


def _results(result: StudyResult) -> str:
    metrics = list(result.models[0].metrics)
    head = "".join(f"<th>{escape(metric_title(metric))}</th>" for metric in metrics)
    rows = "".join(
        f'<tr><th class="name">{escape(model.name)}</th>'
        + "".join(f"<td>{spread(model.metrics[metric])}</td>" for metric in metrics)
        + "</tr>"
        for model in result.models
    )
    return scrolling(f'<table><thead><tr><th class="name">model</th>{head}</tr></thead><tbody>{rows}</tbody></table>')


def _tests(result: StudyResult) -> str:
    titles = ["pair", "accuracy or score", "each seed", "mean ± sd", "95% interval over seeds, uncorrected", "p (t)"]
    titles += ["p (sign flip)", "95% interval over images, uncorrected", "p (images)"]
    head = "".join(f"<th>{title}</th>" for title in titles)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(row))}</tr>" for row in result.tests)
    return scrolling(f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")


def _cells(row: RepeatedDifference) -> list[str]:
    images = row.images
    return [
        f"{escape(row.first)} minus {escape(row.second)}",
        escape(metric_title(row.metric)),
        ", ".join(points(value) for value in row.values),
        minus(spread(row)),
        bounds(row.seeds),
        probability_of_few(row.seeds.p),
        probability_of_few(row.p_flip),
        "" if images is None else bounds(images),
        "" if images is None else probability_of_few(images.p),
    ]


def _runs(result: StudyResult) -> str:
    best = next((model for model in result.models if model.name.startswith("best")), result.models[0])
    rows = "".join(
        f'<tr><th class="name"><a href="./{escape(run)}/report.html">{escape(run)}</a></th>'
        f'<td class="name"><code>{escape(arch)}</code></td></tr>'
        for run, arch in zip(result.runs, best.archs)
    )
    head = '<thead><tr><th class="name">run</th><th class="name">best cell</th></tr></thead>'
    return scrolling(f"<table>{head}<tbody>{rows}</tbody></table>")
