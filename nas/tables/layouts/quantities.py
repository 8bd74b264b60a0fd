"""What the name of a column and its values say of a quantity: its direction and its unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

ERRORS = frozenset({"err", "errs", "error", "errors", "misclassification", "wer", "cer"})  # in percent or fractions
LOSSES = frozenset(
    {"loss", "losses", "entropy", "crossentropy", "xent", "ce", "nll", "mse", "rmse", "mae", "mce", "ece", "fid"}
    | {"perplexity", "ppl", "regret"}
)
TIMES = frozenset({"latency", "seconds", "second", "secs", "sec", "time", "times", "ms", "minutes", "hours", "hour"})
TIMES |= {"runtime", "walltime", "duration", "delay"}
SIZES = frozenset({"weights", "mem", "memory", "size", "sizes", "epochs", "energy", "power", "queries", "cost"})
_COUNT = re.compile(r"[kmgnt]?(params?|parameters?|flops?|macs?|madds?)")  # also GFLOPs and MParams
ACCURACIES = frozenset({"acc", "accs", "accuracy", "accuracies", "iou", "miou", "ssim", "psnr", "auc", "auroc"})
ACCURACIES |= {"precision", "recall", "likelihood", "throughput", "fps"}
OPPOSITES = frozenset({"neg", "negative", "negated", "minus", "inv", "inverse", "reciprocal"})
RELATIONS = frozenset({"at", "after", "to", "for", "with", "within", "under", "until", "in", "by"})
_UNITS = {"ms": "ms", "seconds": "seconds", "second": "seconds", "sec": "seconds", "secs": "seconds"}
_UNITS |= {"hours": "hours", "hour": "hours", "minutes": "minutes"}
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")  # between the words of testErr
_CONDITION = re.compile(  # 12_epochs, epochs200, size=32: under which the quantity was measured
    r"(?<![a-z])(?:\d+[_ ]?(?:epochs?|ep)|(?:epochs?|ep|size|seeds?|resolution|batch)[_= ]?\d+)(?![a-z0-9])"
)
_RATE = re.compile(r"/(?=(?:s|sec|second|hour)\b)")  # images/sec, not val/loss
_OPPOSITE = re.compile(r"\s*(?:1|100|1\.0)?\s*-\s*[a-z]")  # -loss, 1-error


@dataclass(frozen=True)
class Quantity:
    """The direction of a column, None where its name does not say it, and its unit.

    The unit is `fraction`, `percent`, `seconds`, `ms`, `minutes`, `hours`, or empty.
    """

    higher_is_better: bool | None
    unit: str

    def __str__(self) -> str:
        direction = {
            True: "higher is better",
            False: "lower is better",
            None: "its name does not say in which direction it is better",
        }[self.higher_is_better]
        return f"{self.unit}, {direction}" if self.unit else direction


def quantity(name: str, values: np.ndarray) -> Quantity:
    """What a column holds, by its name and its values.

    Lower is better for errors, losses, times, energies and sizes, higher for accuracies and for every name without one
    of these words. `neg`, `minus` or `inverse` anywhere, `1-` and `-` at the beginning, and a cost after `per` turn the
    direction. What follows `at`, `to` and the like, and a number of epochs or a size with its number (`12_epochs`),
    says only under which conditions it was measured. Where both an accuracy and a cost are left, the name may mean
    either (`accuracy_time`), and the direction is None, unless the cost is an error or a loss that follows
    (`accuracy_loss`).

    Accuracies and errors whose finite values all lie in [0, 1] are fractions, those that all lie in [0, 100] percent.
    """
    spelt = _CAMEL.sub("_", name).lower()
    words = _words(_CONDITION.sub("_", spelt))
    if not any(map(_is_known, words)):
        words = [*_words(name.lower()), *_words(spelt)]
    higher = _direction(_head(words))
    if higher is not None and _OPPOSITE.match(spelt):
        higher = not higher
    if any(map(_is_cost, words)) and not ERRORS.intersection(words):
        return Quantity(higher, next((_UNITS[word] for word in words if word in _UNITS), ""))
    known = values[np.isfinite(values)]
    if not len(known) or known.min() < 0 or known.max() > 100:
        return Quantity(higher, "")
    return Quantity(higher, "fraction" if known.max() <= 1 else "percent")


def _words(text: str) -> list[str]:
    return re.findall("[a-z]+", _RATE.sub(" per ", text.replace("@", " at ")))


def _is_cost(word: str) -> bool:
    return word in ERRORS or word in LOSSES or word in TIMES or word in SIZES or _COUNT.fullmatch(word) is not None


def _is_known(word: str) -> bool:
    return _is_cost(word) or word in ACCURACIES


def _head(words: list[str]) -> list[str]:
    """The words before a relation, if one of them is of a known quantity; else all."""
    for place, word in enumerate(words):
        if word in RELATIONS and any(map(_is_known, words[:place])):
            return words[:place]
    return words


def _direction(words: list[str]) -> bool | None:
    """Whether higher is better, by the words of a name."""
    turned = sum(word in OPPOSITES for word in words) % 2 == 1
    if "per" in words:
        place = words.index("per")
        above, below = words[:place], words[place + 1 :]
        # images per second, accuracy per parameter; seconds per image
        higher = (
            _plain_direction(above)
            if any(map(_is_known, above))
            else not any(map(_is_known, below)) or (_plain_direction(below) is False)
        )
    else:
        higher = _plain_direction(words)
    return None if higher is None else higher != turned


def _plain_direction(words: list[str]) -> bool | None:
    accuracies = [place for place, word in enumerate(words) if word in ACCURACIES]
    costs = [place for place, word in enumerate(words) if _is_cost(word)]
    if not accuracies or not costs:
        return not costs
    last = words[costs[-1]]
    follows = costs == [accuracies[-1] + 1] and (last in ERRORS or last in LOSSES)
    return False if follows else None
