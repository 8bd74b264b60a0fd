"""Which changes mend rnas-max: each change alone with cheap searches, then the best two at full cost on other seeds.

Variants, settings, seeds and the rule that chooses the best two were written down before the first run. Every variant
differs from rnas-max in one thing; the four groups are the explanations that they test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nas.studies.supernets.plan import EPOCHS, Option, Plan, Planned, Variant

SEEDS, FRESH_SEEDS = range(3), range(100, 105)
CHEAP: Mapping[str, Option] = {"steps": 3, "step_size": 0.01}  # of PGD; the published ones are 10 and .003
BASE = Variant("rnas-max", {"epochs": EPOCHS, "warm_up": 5}, label="base")


def changed(label: str, strategy: str = "rnas-max", **options: Option) -> Variant:
    return Variant(strategy, {**BASE.options, **options}, label=label)


EXPLANATIONS: Mapping[str, tuple[Variant, ...]] = {
    "what f compares: the correlation does not see how large the logits are": (
        changed("margin", regulariser="margin"),
        changed("kl-4", regulariser="kl", regulariser_temperature=4.0),
        changed("features", regulariser="features"),
    ),
    "when and where f acts: α sees it before the weights are any good": (
        changed("late", alpha_coefficient_after=10),
        changed("long-warm-up", warm_up=10),
        changed("plain-warm-up", warm_up_regularised=False),
        changed("weights-only", alpha_coefficient=0.0),
        changed("alpha-only", coefficient=0.0, alpha_coefficient=1.0),
    ),
    "α favours skip connections in any case": (
        changed("skip-dropout", skip_dropout=0.5),
        changed("sigmoid", mixture="sigmoid"),
        changed("removal", strategy="darts-pt", coefficient=1.0, tune_epochs=1),
    ),
    "α moves too little": (
        changed("fast-alpha", alpha_lr=3e-2),
        changed("long", epochs=2 * EPOCHS, warm_up=10),
    ),
}
CHANGED = tuple(variant for group in EXPLANATIONS.values() for variant in group)
SCREENED = tuple(one._replace(options={**one.options, **CHEAP}) for one in (BASE, *CHANGED))


def screened() -> Iterator[Planned]:
    """Seed by seed, so that every variant has as many seeds as the others wherever the searches end."""
    return (Planned(variant, SCREENING.name, seed) for seed in SEEDS for variant in SCREENED)


def fresh() -> Iterator[Planned]:
    """All variants; only the best two of the screening are made, unless others are named."""
    return (Planned(variant, FRESH.name, seed) for seed in FRESH_SEEDS for variant in CHANGED)


SCREENING = Plan("screening", SCREENED, screened, "screening", "screening-cells-by-epoch", half=True)
FRESH = Plan("fresh", CHANGED, fresh, "fresh", "fresh-cells-by-epoch")
