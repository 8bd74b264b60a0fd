"""`nas pretrain`: make the generator of a strategy ready, once for all searches."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from nas.commands.base import DEFAULT_SPACE, Argument, Command, Counter, Option, Output
from nas.core.errors import InputError

if TYPE_CHECKING:
    from nas.search_spaces import SearchSpace
    from nas.strategies.generative.report import Sampled


class Pretrain(Command):
    """Train the generator of agnet on random architectures, without labels, and keep it in the cache folder.

    A search that needs it does the same at its first use. The weights depend on the space, the number of graphs and the
    version alone. With --report the generator is compared with uniform drawing and with a product of marginals.
    Example: `nas pretrain agnet --space nasbench201 --report 10000`.
    """

    name, place = "pretrain", 16
    arguments = (
        Argument("strategy", "The strategy whose generator is made: agnet or agnet-posterior."),
        Option("space", "The search space, from `nas list spaces`.", "NAME", default=DEFAULT_SPACE),
        Option("graphs", "Random graphs to learn from; by default as many as the strategy takes.", "N", int),
        Option("report", "Draw N samples and say how many are valid, different, and due to z.", "N", int),
        Option(
            "seed", "Seed of the samples of the report; the pretraining has a seed of its own.", type=int, default=0
        ),
    )

    def call(
        self, output: Output, strategy: str, space: str, graphs: int | None, report: int | None, seed: int
    ) -> None:
        from nas.search_spaces import SPACES
        from nas.strategies import STRATEGIES
        from nas.strategies.generative.agnet import AGNet
        from nas.strategies.generative.pretraining import cache_file, checksum, find_or_make, shared_part

        kind = STRATEGIES.get(strategy)
        if not issubclass(kind, AGNet):
            raise InputError(f"Expected a strategy with a generator but got {strategy}; take agnet.")
        of_space = SPACES.get(space)
        made: SearchSpace[Any] = of_space()
        if not made.graph_forms():
            raise InputError(
                f"Expected a space whose architectures are graphs of operations but {space} has none; take another "
                "space, such as nasbench201."
            )
        of_kind = kind.Options().generator
        count = kind.Options().pretraining if graphs is None else graphs
        for key, value in (("graphs", count), ("report", report)):
            if value is not None and value < 1:
                raise InputError(f"Expected --{key} >= 1 but got {value}; give a larger number.")
        rows, lines = [], []
        for part in dict.fromkeys(shared_part(made, part) for part in made.graph_forms()):
            with output.counting("pretrain", count) as counter:
                weights = find_or_make(of_space, part, of_kind, count, partial(_update, counter))
            path = cache_file(of_space, part, of_kind, count)
            samples = [] if report is None else _samples(made, part, of_kind, count, report, seed)
            rows.append(
                {
                    "part": part,
                    "graphs": count,
                    "checksum": checksum(weights),
                    "file": str(path),
                    "samples": [one.to_json() for one in samples],
                }
            )
            lines += [f"{space} {part}: {count:,} graphs, checksum {checksum(weights)[:12]}, {path}"]
            lines += [_text(one) for one in samples]
        output.emit({"space": space, "strategy": strategy, "parts": rows}, "\n".join(lines))


def _update(counter: Counter, done: int) -> None:
    counter.update(done, 0)


def _samples(space: SearchSpace[Any], part: str, generator: str, graphs: int, count: int, seed: int) -> list[Sampled]:
    """The samples of uniform drawing, of the product of marginals, and of the generator."""
    from nas.strategies.generative.pretraining import MARGINALS, pretrained
    from nas.strategies.generative.report import of_generator, uniform
    from nas.strategies.generative.training import as_module

    form = space.graph_forms()[part]
    found = [uniform(space, part, count, seed)]
    for kind, words in ((MARGINALS, "product of marginals"), (generator, "generator")):
        module = as_module(kind, form, pretrained(type(space), part, kind, graphs))
        found.append(of_generator(words, module, space, part, count, seed))
    return found


def _text(one: Sampled) -> str:
    due = "" if one.due_to_z is None else f", {one.due_to_z:.2%} of the variance due to z"
    return (
        f"  {one.source:<21} {one.valid:.1%} of {one.samples:,} valid, {one.different:,} different, "
        f"{one.classes:,} classes{due}"
    )
