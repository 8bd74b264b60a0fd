"""The page of a report, from its title to how to read it; sections without content are left out."""

from __future__ import annotations

from html import escape

from omegaconf import OmegaConf

from nas.report.facts import Facts
from nas.report.figures import cells, curves
from nas.report.frame import beside, document, section
from nas.report.identity import legend
from nas.report.sections import corruptions, measured, tables
from nas.report.sections.summary import summary
from nas.report.wording import attack, non_finite, norm, origin, radius, remarks, taken
from nas.results import RunResult, TransferResult
from nas.runs.difference_wording import correction

ROOMY = 600  # a cell wider than this gets a row of its own


def page(facts: Facts) -> str:
    name = escape(str(facts.settings["name"]))
    sections = (
        _results, _differences, _transfer, _robustness, _corruptions, _checks, _measured, _classes, _landscapes,
        _search, _training, _cells, _times, _settings, _repeat, _reading,
    )  # fmt: skip
    body = "\n".join(filter(None, (part(facts) for part in sections)))
    title = f"{facts.settings['name']}: robust architecture search"
    return document(title, _header(facts, name), body)


def _header(facts: Facts, name: str) -> str:
    terms = {"space": facts.space, "data": facts.data, "run seed": facts.settings["seed"]}
    if facts.goal is not None:
        terms = {
            "space": facts.space,
            "data": facts.data,
            "objective": facts.goal.name,
            "run seed": facts.settings["seed"],
        }
    items = "".join(f"<div><dt>{key}</dt><dd>{escape(str(item))}</dd></div>" for key, item in terms.items())
    return f"<header><p>Robust architecture search</p><h1>{name}</h1><dl>{items}</dl>{summary(facts)}</header>"


def _results(facts: Facts) -> str:
    if not facts.entries:
        return ""
    images = ", ".join(f"{n:,}" for n in dict.fromkeys(entry.n_test for entry in facts.entries))
    note = f"Accuracy on {images} test images; in brackets its uncorrected 95% Wilson interval in percent."
    several = len(facts.entries) > 1
    for entry in facts.entries:
        for line in (*taken(entry), *remarks(entry)):
            note += f" {escape(facts.models[entry.name].label)}: {escape(line)}" if several else f" {escape(line)}"
    return section("Results", tables.results(facts) + _non_finite(facts), note)


def _non_finite(facts: Facts) -> str:
    told = {facts.models[entry.name].label: " ".join(non_finite(entry)) for entry in facts.entries}
    return "".join(f'<p class="note">{escape(name)}: {escape(text)}</p>' for name, text in told.items() if text)


def _differences(facts: Facts) -> str:
    if not facts.differences:
        return ""
    note = "Both networks see the same images, so the difference is known better than each accuracy. " + correction(
        len(facts.differences), "of this table"
    )
    return section("Paired differences", tables.differences(facts), note)


def _robustness(facts: Facts) -> str:
    entries = [entry for entry in facts.entries if entry.sweep]
    if not entries:
        return ""
    found = list(dict.fromkeys(curve.attack for entry in entries for curve in entry.sweep))
    names = " or ".join(map(attack, found))
    images = ", ".join(f"{n:,}" for n in dict.fromkeys(entry.n_test for entry in entries))
    words = legend([facts.models[entry.name] for entry in entries]) + (
        f"<p>Share of the images that are classified rightly before and after {escape(names)} of radius "
        f"\u03b5. Bands: 95% "
        f"Wilson intervals of {images} images. At \u03b5 = 0 stands the clean accuracy; the dotted line is "
        f"the radius of the "
        "table above.</p>"
    )
    drawn = "".join(curves.robustness(entries, facts.models, name) for name in found)
    return section("Robustness against the attack radius", beside(drawn, words))


def _checks(facts: Facts) -> str:
    entries = [entry for entry in facts.entries if entry.checks]
    note = "Checks on a few images. A warning is a sign of an attack that fails, not of a robust network. "
    if any(entry.attacked_further for entry in entries):
        note += "Two attacks are compared by the uncorrected 95% interval of their difference."
    else:
        note += "They look at outputs and gradients; eval.checks=true attacks further."
    return section("Do these numbers mean anything?", tables.checks(entries, facts.models), note)


def _transfer(facts: Facts) -> str:
    note = "Rows: the network that was attacked; columns: the network that was shown the images. White-box in bold."
    body = tables.transfer(facts.result) if isinstance(facts.result, TransferResult) else ""
    return section("Transfer", body, note)


def _corruptions(facts: Facts) -> str:
    return corruptions.corruptions(facts.entries, facts.models)


def _measured(facts: Facts) -> str:
    return measured.measures(facts.entries, facts.models)


def _classes(facts: Facts) -> str:
    return measured.classes(facts.entries, facts.models)


def _landscapes(facts: Facts) -> str:
    return measured.landscapes(facts.entries, facts.models)


def _search(facts: Facts) -> str:
    found, goal = facts.search, facts.goal
    if not found or goal is None:
        return ""
    if found.supernet is not None:
        epochs = found.supernet.epochs
        warning = epochs[-1].warning
        note = f"<p>{escape(warning)}: a sign of collapse.</p>" if warning else ""
        return section("Search", note + tables.epochs(epochs) + tables.best(facts))
    plot = ""
    if facts.evaluations:
        words = (
            '<ul class="legend"><li><i class="dot"></i>one evaluation</li><li><i class="line"></i>best so '
            "far</li>"
            + ('<li><b class="cross">\u00d7</b>failed evaluation</li>' if found.failed else "")
            + f"</ul><p>{found.evaluated:,} classes of isomorphic cells were scored, {found.failed:,} failed."
        )
        if found.exhausted:
            words += " The budget was not used up: the search found no further cells within its limits."
        words += f"</p>{tables.failures(facts)}"
        plot = beside(curves.search(facts.evaluations, goal, found.exhausted), words)
    return section("Search", plot + tables.best(facts))


def _training(facts: Facts) -> str:
    records = {name: record for name, record in facts.training.items() if record.history}
    plots = []
    for key in curves.CURVES:
        holding = {name: r for name, r in records.items() if r.curve(key)}
        if holding:
            plots.append(f"<figure>{curves.training(key, holding, facts.models)}</figure>")
    if not plots:
        return ""
    body = legend([facts.models[name] for name in records]) + f'<div class="plots">{"".join(plots)}</div>'
    return section("Training", body, "The marked epoch is the one whose weights were kept and attacked.")


def _cells(facts: Facts) -> str:
    architectures = facts.cells()
    graphs = {name: facts.edges(arch) for name, arch in architectures.items()}
    everything = [edge for graph in graphs.values() for edges in graph.values() for edge in edges]
    roomy = any(edges and cells.width(edges) > ROOMY for graph in graphs.values() for edges in graph.values())
    cards = []
    for name, arch in architectures.items():
        drawings = []
        for title, edges in graphs[name].items():
            label = f"{name}, {title}" if len(graphs[name]) > 1 else name
            drawn = cells.drawing(edges, f"{label} cell") if edges else "<p>No operation: every edge is none.</p>"
            drawings.append(f'<h3>{escape(label)}</h3><div class="scroll">{drawn}</div>')
        title = "" if drawings else f"<h3>{escape(name)}</h3>"
        cards.append(
            f'<article>{title}{"".join(drawings)}<p class="arch"><code>{_breakable(arch)}</code></p></article>'
        )
    if not cards:
        return ""
    operations = cells.legend(list({name for _, _, name in everything})) if everything else ""
    body = f'<div class="cards{" roomy" if roomy else ""}">{"".join(cards)}</div>{operations}'
    return section("Cells", body, "From left to right; an edge that does nothing (none) is left out.")


def _breakable(arch: str) -> str:
    """An architecture string that may be wrapped after each of its parts."""
    return escape(arch).replace("|", "|<wbr>")


def _times(facts: Facts) -> str:
    return section("Time per stage", tables.seconds(facts), "Wall time, over all sessions of the run.")


def _settings(facts: Facts) -> str:
    dump = escape(OmegaConf.to_yaml(OmegaConf.create(facts.settings)))
    parts = [f"<details><summary>All settings</summary><pre>{dump}</pre></details>"]
    sides = []
    if isinstance(facts.result, RunResult):
        sides.append(f"<div><h3>Seeds</h3>{tables.pairs(facts.result.seeds)}</div>")
    if facts.result.versions:
        sides.append(f"<div><h3>Versions</h3>{tables.pairs(facts.result.versions)}</div>")
    if facts.result.provenance:
        sides.append(f"<div><h3>Where it was computed</h3>{tables.pairs(origin(facts.result.provenance))}</div>")
    if sides:
        parts.append(f'<div class="sides">{"".join(sides)}</div>')
    return section("Settings, seeds and versions", "".join(parts))


def _repeat(facts: Facts) -> str:
    line, needs_file = facts.repeated
    name = escape(str(facts.settings["name"]))
    note = f"Save the settings above as <code>{name}.yaml</code>, then:" if needs_file else ""
    after = "With the versions above and the same kind of device, the same seed gives the same numbers."
    body = f'<pre class="command">{escape(line)}</pre><p class="note">{after}</p>'
    return section("How to repeat it", body, note)


def _reading(facts: Facts) -> str:
    if not facts.entries:
        return ""
    eps = ", ".join(dict.fromkeys(radius(entry.eps) for entry in facts.entries))
    norms = " and ".join(dict.fromkeys(norm(entry.norm) for entry in facts.entries))
    terms = {
        "Robust accuracy": "the share of test images that are classified rightly before <em>and</em> after "
        "the attack, which "
        f"may change the image by at most \u03b5 = {eps} ({escape(norms)}, images in [0, 1]).",
        "HRS": "the harmonic robustness score 2\u00b7A\u00b7R / (A + R) of clean accuracy A and robust "
        "accuracy R "
        "(Devaguptapu et al., 2021); 0 where both are 0.",
        "Intervals": "95%, uncorrected. Of an accuracy: Wilson's score interval. Of a difference: Newcombe's interval "
        "for paired "
        "proportions (1998, method 10). They tell what another sample of test images would change; each "
        "network was "
        "trained once, so what another training seed would change is not in them.",
        "p, verdict": "McNemar's test: of the images on which only one of the two networks is right, how unlikely so "
        "uneven a split is where both are equally good. The verdict needs this p after correction, not the interval, "
        "which would leave out 0 by chance in 1 of 20 comparisons; without it the two could be equal.",
    }
    items = "".join(f"<dt>{key}</dt><dd>{text}</dd>" for key, text in terms.items())
    return section("How to read the numbers", f'<dl class="terms">{items}</dl>')
