"""Names and types of the keys of results, as they are promised to those who read the JSON and CSV files.

Typed by hand and not made by the code: a key that goes, comes, or changes its type is noticed. Values are not looked
at, as floats differ between processors (`tests/same.py` compares those of two commits).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from nas.core.io.records import Record

OPEN = ("versions", "hardware", "source", "outside")  # dictionaries whose keys depend on the machine or on chance


def wrong(record: type[Record], value: Any, *texts: str) -> list[str]:
    """What in a result is not as the lines of `texts` say, one line each; and whether its type would write another.

    A line is `path: type`; `[]` stands for every element of a list, `{a b}` for one path with each word, `type|type`
    for either, and a question mark behind the path for what may be absent.
    """
    found: dict[str, set[str]] = {}
    for path, kind in _leaves(value):
        found.setdefault(path, set()).add(kind)
    allowed = {path.rstrip("?"): kinds for path, kinds in _lines(texts)}
    needed = {path for path, _ in _lines(texts) if not path.endswith("?")}
    lines = [f"missing: {path}" for path in sorted(needed - found.keys())]
    lines += [f"unknown: {path}: {'|'.join(sorted(found[path]))}" for path in sorted(found.keys() - allowed.keys())]
    for path in sorted(found.keys() & allowed.keys()):
        if not found[path] <= allowed[path]:
            lines.append(f"{path}: {'|'.join(sorted(found[path]))}, not {'|'.join(sorted(allowed[path]))}")
    if json.dumps(record.from_json(value).to_json()) != json.dumps(value):
        lines.append(f"{record.__name__} writes another")
    return lines


def _leaves(value: Any, at: str = "") -> Iterator[tuple[str, str]]:
    if at.rpartition(".")[2] in OPEN:
        yield at, "open"
    elif isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _leaves(one, f"{at}.{key}" if at else str(key))
    elif isinstance(value, list) and value:
        for one in value:
            yield from _leaves(one, f"{at}[]")
    else:
        yield at, "null" if value is None else type(value).__name__


def _lines(texts: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:
    for line in filter(None, (line.strip() for text in texts for line in text.splitlines())):
        path, _, kinds = line.rpartition(": ")
        before, brace, rest = path.partition("{")
        words, _, after = rest.partition("}")
        for word in words.split() if brace else [""]:
            yield f"{before}{word}{after}", set(kinds.split("|"))


PROVENANCE = """
    versions: open
    provenance.{hardware source}: open
    provenance.seed: int
    provenance.deterministic: bool
    provenance.earlier: list
    provenance.settings_sha256: str
    provenance.data_sha256.{train test}: str
    provenance.data_sha256.validation?: str
"""

SEARCH = """
    objective: str
    goals[].name: str
    goals[].higher_is_better: bool
    best[].{arch canonical}: str
    best[].metrics.croze: float
    {evaluated failed}: int
    exhausted: bool
"""
SEARCH_COMMAND = (SEARCH, PROVENANCE, "run: str", "seconds.{search total}: float")

_TRAINING = """
    {arch checkpoint run training}: str
    {epochs chosen_epoch}: int
    final.checkpoint: str
    seconds: float
"""
TRAINING = (
    *(_TRAINING, PROVENANCE),
    "{val_accuracy val_robust_accuracy final.val_accuracy final.val_robust_accuracy}: float",
)
TRAINING_ON_EVERYTHING = (
    *(_TRAINING, PROVENANCE),
    "{val_accuracy val_robust_accuracy final.val_accuracy final.val_robust_accuracy}: null",
)


def evaluated(attacks: str, sweep: bool, at: str = "") -> str:
    """An evaluated network's entry under `attacks`, with or without a curve at half and twice the radius .15."""
    curve = "fgsm@0.075 fgsm@0.3" if sweep else ""
    lines = f"""
        {{name architecture checkpoint training fingerprint norm}}: str
        {{params n_test}}: int
        {{eps clean}}: float
        {{attacks hrs}}.WORDS: float
        intervals.clean[]: float
        intervals.WORDS[]: float
        correct.clean: str
        correct.WORDS: str
        non_finite.clean: int
        non_finite.{{{attacks} {curve}}}: int
        outside: open
        cascade: null
        checks[].{{name ok reason}}: str
        worst_case.{{accuracy hrs}}: float
        worst_case.attacks[]: str
        worst_case.interval[]: float
        worst_case.correct: str
    """
    lines += "sweep[].attack: str\nsweep[].{eps accuracy}[]: float\nsweep[].correct[]: str" if sweep else "sweep: list"
    each = [line.replace("WORDS", word) for line in lines.splitlines() for word in attacks.split()]
    each = [line.replace("{attacks hrs}", word) for line in each for word in ("attacks", "hrs")]
    return "\n".join(dict.fromkeys(f"{at}{line.strip()}" for line in each if line.strip()))


EVALUATION = (evaluated("fgsm", sweep=False), PROVENANCE, "seconds.{eval report total}: float")

RUN = (
    *(evaluated("fgsm pgd3 autoattack", sweep=True, at="models[]."), PROVENANCE),
    "\n".join(f"search.{line.strip()}" for line in SEARCH.splitlines() if line.strip()),
    """
    {architecture random_architecture space data}: str
    seeds.{run best-standard best-pgd random-standard random-pgd}: int
    seconds.{search train eval report total}: float
    differences[].{first second metric text}: str
    differences[].{difference p corrected}: float
    differences[].interval[]: float
    differences[].shown: bool
    """,
)

MEASURES = """
    calibration.{attack norm}: str
    calibration.eps: float
    calibration.images: int
    calibration.clean.{accuracy confidence ece}: float
    calibration.clean.non_finite: int
    calibration.clean.bins[].{accuracy confidence}: float|null
    calibration.clean.bins[].count: int
    calibration.attacked.{accuracy confidence ece}: float
    calibration.attacked.non_finite: int
    calibration.attacked.bins[].{accuracy confidence}: float|null
    calibration.attacked.bins[].count: int
    classes[].{class n}: int
    classes[].accuracy.{clean fgsm pgd3}: float|null
    hessian.{mean largest_error}: float
    hessian.{images steps}: int
    hessian.quantiles.{5 25 50 75 95}: float
    jacobian.mean: float
    jacobian.images: int
    jacobian.quantiles.{5 25 50 75 95}: float
    landscape.norm: str
    landscape.{images non_finite}: int
    landscape.eps: float
    landscape.axis[]: float
    landscape.{loss accuracy}[][]: float|null
    landscape.examples[][][]: float|null
"""

STUDY = (
    PROVENANCE,
    """
    {space data norm}: str
    n_test: int
    {eps smallest_p_flip}: float
    seeds[]: int
    runs[]: str
    models[].{name training}: str
    models[].architectures[]: str
    models[].params[]: int
    models[].metrics.{clean fgsm pgd2 hrs:fgsm hrs:pgd2}.mean: float
    models[].metrics.{clean fgsm pgd2 hrs:fgsm hrs:pgd2}.sd: float
    models[].metrics.{clean fgsm pgd2 hrs:fgsm hrs:pgd2}.values[]: float
    tests[].{first second metric}: str
    tests[].{mean sd p_flip}: float
    tests[].values[]: float
    tests[].seeds.{mean low high t p}: float|null
    tests[].images.{mean low high t p}?: float|null
    tests[].images?: null
    seconds.{search train eval report total}: float
    """,
)

SUPERNET_SEARCH = (
    PROVENANCE,
    """
    {objective run}: str
    goals[].name: str
    goals[].higher_is_better: bool
    best[].{arch canonical}: str
    best[].metrics.{val_accuracy val_robust_accuracy}: float
    {evaluated failed chosen_epoch memory_mb}: int
    exhausted: bool
    stopped: null
    epochs[].{epoch skips_cell}: int
    epochs[].{weight_loss weight_cross_entropy weight_disagreement weight_accuracy}: float
    epochs[].{alpha_loss alpha_cross_entropy alpha_disagreement alpha_accuracy}: float|null
    epochs[].{entropy_cell lr seconds val_accuracy val_robust_accuracy}: float
    epochs[].architecture: str
    epochs[].warm_up: bool
    epochs[].warning: null|str
    seconds.{search total}: float
    """,
)

DPS = (
    PROVENANCE,
    """
    {run file setting}: str
    evaluated: int
    {labels held_out}.count: int
    labels.{spearman spearman_plain}: float|null
    held_out.{dps plain}.failed: int
    held_out.{dps plain}.spearman: float|null
    held_out.{dps plain}.top10: float
    held_out.difference.{value low high}: float|null
    options.{alpha lr momentum weight_decay}: float
    options.{batch_size iterations stages c_out}: int
    options.{init barrier_init}: str
    options.{barrier c_mid transform}[]: int|float|bool
    options.coefficient[]: float
    options.features[]: str
    options.settings: null
    options.use_barrier: bool
    seconds.{dps held-out total}: float
    """,
)

TRANSFER = (
    PROVENANCE,
    """
    {data images norm}: str
    n_test: int
    eps: float
    networks[].{name architecture checkpoint training}: str
    networks[].params: int
    clean.accuracy.{networks0 networks1}: float
    clean.intervals.{networks0 networks1}[]: float
    clean.correct.{networks0 networks1}: str
    clean.non_finite.{networks0 networks1}: int
    transfer.{fgsm pgd2}.accuracy[][]: float
    transfer.{fgsm pgd2}.intervals[][][]: float
    transfer.{fgsm pgd2}.correct[][]: str
    transfer.{fgsm pgd2}.non_finite[][]: int
    checks[].{name ok reason}: str
    seconds.{transfer total}: float
    """,
)
