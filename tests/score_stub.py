"""Architectures to score without networks, and a file for their rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from nas.scoring.loop import Counts, Scored, ScoreWorker, score
from nas.scoring.rows import RowFile
from nas.search_spaces import NASBench201, SearchSpace
from nas.search_spaces.architecture_source import ArchitectureSource
from nas.settings.schema import from_values

SPACE = NASBench201()
CELL = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|"
OTHER = "|avg_pool_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
NAMES = ["params", "croze"]
SETTINGS = {"space": "nasbench201", "seed": 0, "data": {"name": "digits", "size": 8}, "proxies": NAMES}


@dataclass(frozen=True)
class Number:
    """An architecture of `Numbers`."""

    value: int

    def __str__(self) -> str:
        return f"number {self.value}"


class Numbers:
    """A large space of which nothing is stored: numbers, those of a hundred isomorphic; counts what is taken."""

    name = "numbers"

    draws = SearchSpace.draws

    def __init__(self, size: int = 10**7) -> None:
        self.size = size
        self.taken = 0

    def parse(self, text: str) -> Number:
        return Number(int(text.removeprefix("number ")))

    def sample(self, rng: Random) -> Number:
        return Number(rng.randrange(self.size))

    def canonical(self, arch: Number) -> Number:
        return Number(arch.value // 100 * 100)

    def __iter__(self) -> Iterator[Number]:
        for value in range(self.size):
            self.taken += 1
            yield Number(value)

    def __len__(self) -> int:
        return self.size


def candidates(*texts: str, space: Any = SPACE, **sources: Any) -> ArchitectureSource:
    return ArchitectureSource(space, texts, **sources)


def texts_of(*texts: str, seen: set[bytes] | None = None, **sources: Any) -> list[str]:
    return [candidate.text for candidate in candidates(*texts, **sources).new(set() if seen is None else seen)]


class Stub(ScoreWorker):
    """Values without networks; `fail` are architectures whose croze has no value, `broken` those that raise."""

    def __init__(
        self,
        workers: int = 1,
        fail: str = "?",
        broken: str = "?",
        stop_after: int | None = None,
        space: str = "nasbench201",
    ) -> None:
        super().__init__(from_values({"executor": {"workers": workers}, "space": space}, []), NAMES)
        self.fail, self.broken, self.stop_after = fail, broken, stop_after
        self.asked: list[str] = []
        self.scorer: Any = None

    def __call__(self, arch: str) -> Scored:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise KeyboardInterrupt
        self.asked.append(arch)
        if self.broken in arch:
            raise ValueError("a broken\nbuild")
        scores = {"params": float(len(arch)), "croze": arch.count("conv") / 3}
        if self.fail in arch:
            del scores["croze"]
            return Scored(scores, {"croze": "no path,\n at all"}, 0.25)
        return Scored(scores, {}, 0.25)


def row_file(path: Path, **different: Any) -> RowFile:
    return RowFile(path, different.get("proxies", NAMES), {**SETTINGS, **different})


def score_to(path: Path, work: Stub | None = None, **sources: Any) -> Counts:
    sources = sources or {"sample": 12}
    with row_file(path) as file:
        return score(candidates(**sources), work or Stub(), file)
