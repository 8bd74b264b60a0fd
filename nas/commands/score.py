"""`nas score`: proxy values of given architectures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING, ClassVar

from nas.commands.base import DEFAULT_SPACE, Argument, Command, Option, Output
from nas.core.errors import InputError, Interrupted, Terminated

if TYPE_CHECKING:
    from nas.results import ScoreRow


class Score(Command):
    """Score architectures by zero-cost proxies, on digits unless data.name says otherwise.

    Each architecture is scored once; rows come in the order of the sources (arguments, file, sample, all of the space).
    A proxy without a value has an empty entry, and `reason` says why. With --output, rows go to the file, architectures
    in the file are not scored again, and --json prints the new rows.

    `params` and `flops` are those of the network that would be trained on the data: for their classes and image size
    (digits: 10 classes, 16x16), as in `nas search`. Examples:
    `nas score '|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|'`;
    `nas score --all --unique --proxies all --output scores.csv`; `nas score --space darts --sample 100 seed=1`.
    """

    name, place = "score", 5
    one_worker = " with executor.workers=1"
    arguments = (
        Argument(
            "words",
            "Architectures (docs/topics/architectures.md), and settings.",
            "ARCH|KEY=VALUE",
            list[str],
            default=None,
        ),
        Option(
            "file", "More architectures: one per line, CSV with a column arch or arch_str, .jsonl; - is stdin.", "FILE"
        ),
        Option("sample", "N more architectures, all different, drawn uniformly.", "N", int),
        Option("seed", "Seed of --sample only (default 0); the setting seed=S draws weights and batch.", "S", int),
        Option("everything", "All architectures of the space.", type=bool, default=False, flag="--all"),
        Option("unique", "Only the representative of each isomorphism class.", type=bool, default=False),
        Option("space", "The search space of the architectures.", default=DEFAULT_SPACE),
        Option(
            "proxies",
            "Names from `nas list proxies`, separated by commas; or all.",
            default="croze,params,flops",
        ),
        Option("to", "A .csv or .jsonl file for rows; the same command continues it.", "FILE", Path, flag="--output"),
    )
    takes = ("model.*", "scoring.*", "proxies.*")
    instead: ClassVar[dict[str, str]] = {"arch": "give it without arch="}

    def call(
        self,
        output: Output,
        words: list[str],
        file: str | None,
        sample: int | None,
        seed: int | None,
        everything: bool,
        unique: bool,
        space: str,
        proxies: str,
        to: Path | None,
    ) -> None:
        with _interruptible(to):
            from nas.scoring.loop import ScoreWorker, counted_for, default_row_settings, row_settings, score
            from nas.scoring.rows import JsonArray, RowFile, line_of
            from nas.search_spaces import SPACES
            from nas.search_spaces.architecture_source import ArchitectureSource, hint_of_other_space
            from nas.settings.command_line import from_values, sorted_words
            from nas.strategies.proxies import PROXIES

            overrides, texts = sorted_words(words)
            names = list(dict.fromkeys(name.strip() for name in proxies.split(",") if name.strip()))
            names = PROXIES.names() if names == ["all"] else names
            if not names:
                raise InputError("Expected names of proxies but got none; `nas list proxies` shows them.")
            for name in names:
                PROXIES.get(name)
            if seed is not None and sample is None:
                raise InputError(
                    "Expected --sample with --seed, the seed of the sample; for weights and batch give seed=S."
                )
            settings = from_values(self.reader(tuple(names)), {"space": space, "name": "score"}, overrides)
            settings.check_single_seed(self.name)
            given_space = SPACES.get(settings.space)()
            try:
                candidates = ArchitectureSource(given_space, texts, file, sample, seed or 0, everything, unique)
            except InputError as error:
                raise InputError(f"{error}{hint_of_other_space(texts, given_space, '--space ')}") from error
            with ExitStack() as stack:
                rows = None
                if to is not None:
                    values, defaults = row_settings(settings, names), default_row_settings(settings, names)
                    rows = stack.enter_context(RowFile(to, names, values, defaults))
                counter = stack.enter_context(output.counting("score", candidates.total))
                show: Callable[[ScoreRow], None] | None = None
                if output.as_json:
                    show = stack.enter_context(JsonArray(output.write)).add
                elif rows is None:
                    show = lambda row: output.write(line_of(row))  # noqa: E731
                counts = score(candidates, ScoreWorker(settings, names), rows, show, counter.update)
            output.note(f"score: {counts}{counted_for(settings, names)}")


@contextmanager
def _interruptible(to: Path | None) -> Iterator[None]:
    """Turn an interruption into a message on how to continue: by the same command, as there is no run to resume."""
    hint = f"the same command continues with {to}" if to is not None else "with --output FILE it could be continued"
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; {hint}.", 130) from None
    except Terminated as error:
        raise Interrupted(f"stopped by {Signals(error.number).name}; {hint}.", 128 + error.number) from None
