"""What a run found, in plain sentences: the first paragraph of the report."""

from __future__ import annotations

from html import escape

from nas.report.facts import Facts
from nas.report.identity import TRAININGS
from nas.report.wording import (
    attack,
    listed,
    norm,
    percent,
    points,
    probability,
    radius,
    value,
    with_interval,
)
from nas.results import CLEAN, Difference, EvalResult
from nas.runs.difference_wording import disagreement, verdict


def summary(facts: Facts) -> str:
    """One paragraph on what was done, and one on what came out."""
    done = [sentence for sentence in (_searched(facts), _trained(facts), _attacked(facts)) if sentence]
    found = _findings(facts)
    text = f"<p>{' '.join(done)}</p>" if done else ""
    return text + (f'<p class="finding">{" ".join(found)}</p>' if found else "")


def strongest(entries: list[EvalResult]) -> str:
    """The attack that leaves the models the least accuracy on average; of equals the one listed last."""

    def left(name: str) -> float:
        return sum(entry.attacks[name].accuracy if name in entry.attacks else 1.0 for entry in entries)

    return min(reversed(list(entries[0].attacks)), key=left)


def _searched(facts: Facts) -> str:
    found, goal = facts.search, facts.goal
    if not found or goal is None:
        return ""
    if found.supernet is not None:
        return (
            f"A supernet of {escape(facts.space)} was trained by {escape(found.objective)} for "
            f"{found.evaluated:,} epochs; the architecture is that of epoch {found.supernet.chosen_epoch}."
        )
    goals = " and ".join(
        f"{escape(one.name)} ({'higher' if one.higher_is_better else 'lower'} is better)" for one in found.goals
    )
    text = f"The search scored {found.evaluated:,} different cells of {escape(facts.space)} by {goals}"
    if found.failed:
        text += f", of which {found.failed:,} failed"
    if found.exhausted:
        text += ", and found no further ones within its limits"
    by = f"by {escape(goal.name)} " if len(found.goals) > 1 else ""
    best = found.best.metrics[goal.name]
    return f"{text}." if best is None else f"{text}; the best {by}reached {value(best)}."


def _trained(facts: Facts) -> str:
    models = [facts.models[name] for name in facts.training]
    if not models:
        return ""
    cells = list(dict.fromkeys(model.cell for model in models))
    used = {model.training for model in models}
    ways = [word for training, word in TRAININGS.items() if training in used]
    names = {"best": "the best cell", "random": "a random cell of about the same size"}
    subject = escape(listed([names.get(cell, cell) for cell in cells]))
    return (
        f"{subject[0].upper()}{subject[1:]} {'was' if len(cells) == 1 else 'were'} trained on "
        f"{escape(facts.data)} by "
        f"{listed(ways)} training{_without_validation(facts)}."
    )


def _without_validation(facts: Facts) -> str:
    if facts.settings["data"].get("validation") != 0:  # runs of before have no such setting and withheld a tenth
        return ""
    return " on all training images, none withheld for validation; the weights are those of the last epoch"


def _attacked(facts: Facts) -> str:
    if not facts.entries:
        return ""
    first = facts.entries[0]
    names = listed([escape(attack(name)) for name in first.attacks])
    return (
        f"{'Each network' if len(facts.entries) > 1 else 'The network'} was attacked by {names} within "
        f"\u03b5 = "
        f"{radius(first.eps)} ({escape(norm(first.norm))}) on {first.n_test:,} test images."
    )


def _findings(facts: Facts) -> list[str]:
    if not facts.entries:
        return []
    attacked = strongest(facts.entries)
    name = escape(attack(attacked))
    robust = [entry for entry in facts.entries if facts.models[entry.name].training != "standard"] or facts.entries
    top = robust[0]
    rank = ", the strongest attack here" if len(top.attacks) > 1 else ""
    label = escape(facts.models[top.name].label)
    sentences = [
        f"Under {name}{rank}, <b>{label}</b> keeps <b>"
        f"{_whole(with_interval(*top.accuracy(attacked)))}</b> robust "
        f"accuracy, at {_whole(with_interval(*top.accuracy(CLEAN)))} clean accuracy and an HRS of "
        f"{percent(top.attacks[attacked].hrs)}."
    ]
    for row in facts.differences:
        if row.first != top.name or row.metric != attacked or row.second not in facts.models:
            continue
        other = facts.models[row.second]
        if other.cell != facts.models[top.name].cell:
            sentences.append(f"{_against(row, escape(other.cell))} ({_figure(row)}).")
        else:
            sentences.append(f"{_trainings(row)} ({_figure(row)}).")
    return sentences


def _figure(row: Difference) -> str:
    text = f"{_whole(points(row))} on the same images, interval uncorrected"
    if row.corrected is None:
        return text
    p = probability(row.corrected)
    return f"{text}, corrected p {escape(p if p.startswith('<') else f'= {p}')}"


def _whole(text: str) -> str:
    """A number with its interval, not to be broken over two lines."""
    return f'<span class="whole">{escape(text)}</span>'


def _against(row: Difference, cell: str) -> str:
    subject = (
        f"Against the {cell} cell, adversarially trained too,"
        if not row.first.endswith("standard")
        else f"Against the {cell} cell"
    )
    if not row.shown:
        return f"{subject} {_unshown(row)}"
    return f"{subject} it is <b>{'more' if row.difference > 0 else 'less'} robust</b>{_although(row)}"


def _trainings(row: Difference) -> str:
    if not row.shown:
        return f"Between adversarial and standard training of this cell {_unshown(row)}"
    way = "raises" if row.difference > 0 else "lowers"
    return f"Adversarial training of this cell <b>{way}</b> it{_although(row)}"


def _unshown(row: Difference) -> str:
    return f"{'the difference is ' if row.corrected is None else ''}<b>{escape(verdict(row, ''))}</b>"


def _although(row: Difference) -> str:
    return f", {disagreement(row)}" if disagreement(row) else ""
