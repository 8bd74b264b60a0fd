"""`nas score`: proxy values of given architectures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import Signals

import typer

from nas.cli.arguments import sorted_words
from nas.cli.output import Json, output
from nas.core.errors import Terminated


def command(
    words: list[str] = typer.Argument(
        None, metavar="ARCH|KEY=VALUE", help="Architectures (docs/architectures.md), and settings."
    ),
    file: str = typer.Option(
        None,
        metavar="FILE",
        help="More of them: one a line, a CSV with a column arch or arch_str, a .jsonl; - is stdin.",
    ),
    sample: int = typer.Option(None, metavar="N", help="More of them: N different ones, drawn uniformly."),
    seed: int = typer.Option(
        None, metavar="S", help="Of the sample alone (0); weights and batch are drawn by the setting seed=S."
    ),
    everything: bool = typer.Option(False, "--all", help="All of the space."),
    unique: bool = typer.Option(False, "--unique", help="Of each class of isomorphic ones only its representative."),
    space: str = typer.Option("nasbench201", help="The search space they belong to."),
    proxies: str = typer.Option(
        "croze,params,flops", help="Names from `nas list proxies`, separated by commas; or all."
    ),
    to: Path = typer.Option(
        None, "--output", metavar="FILE", help="A .csv or .jsonl for the rows; the same command goes on with it."
    ),
    as_json: bool = Json,
) -> None:
    """Score architectures by zero-cost proxies, on digits unless data.name says otherwise.

    Each is scored once; rows come in the order of the sources (arguments, file, sample, all of the space). A proxy
    without a value leaves its cell empty and says why in `reason`. With --output, rows go to the file, those that are
    there are not scored again, and --json prints what was added.

    `params` and `flops` are those of the network that would be trained on the data: for its classes and image size
    (digits: 10 classes, 16x16), as in `nas search`. Examples:
    `nas score '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|'`;
    `nas score --all --unique --proxies all --output scores.csv`; `nas score --space darts --sample 100 seed=1`.
    """
    with _interruptible(to):
        from nas.cli.counting import counting
        from nas.core.errors import InputError
        from nas.scoring.loop import Work, counted_for, default_values, described, score
        from nas.scoring.rows import JsonArray, Row, RowFile, line_of, write_all
        from nas.search_spaces import SPACES
        from nas.search_spaces.sources import Candidates
        from nas.settings.effects import Reader
        from nas.settings.typed import from_values
        from nas.strategies.proxies import PROXIES

        overrides, texts = sorted_words(words)
        names = list(dict.fromkeys(name.strip() for name in proxies.split(",") if name.strip()))
        names = PROXIES.names() if names == ["all"] else names
        if not names:
            raise InputError("Expected names of proxies but got none; `nas list proxies` shows them.")
        for name in names:
            PROXIES.get(name)
        if seed is not None and sample is None:
            raise InputError("Expected --sample with --seed, which is the sample's; seed=S draws weights and batch.")
        settings = from_values(Reader("score", tuple(names)), {"space": space, "name": "score"}, overrides)
        settings.once("score")
        candidates = Candidates(SPACES.get(settings.space)(), texts, file, sample, seed or 0, everything, unique)
        with ExitStack() as stack:
            rows = None
            if to is not None:
                values, defaults = described(settings, names), default_values(settings, names)
                rows = stack.enter_context(RowFile(to, names, values, defaults))
            out = stack.enter_context(output(as_json))
            counter = stack.enter_context(counting("score", candidates.total))

            def write(text: str) -> None:
                if counter.shares(out.descriptor):
                    counter.above(text)
                else:
                    write_all(out.descriptor, text)

            show: Callable[[Row], None] | None = None
            if as_json:
                show = stack.enter_context(JsonArray(write)).add
            elif rows is None:
                show = lambda row: write(line_of(row))  # noqa: E731
            counts = score(candidates, Work(settings, names), rows, show, counter.update)
        print(f"score: {counts}{counted_for(settings, names)}", file=sys.stderr, flush=True)


@contextmanager
def _interruptible(to: Path | None) -> Iterator[None]:
    """What an interruption leaves is no run: the command itself goes on with its file."""
    try:
        yield
        return
    except KeyboardInterrupt:
        word, code = "interrupted", 130
    except Terminated as error:
        word, code = f"stopped by {Signals(error.number).name}", 128 + error.number
    hint = f"the same command continues with {to}" if to is not None else "with --output FILE it could be continued"
    print(f"nas: {word}; {hint}.", file=sys.stderr)
    raise typer.Exit(code)
