"""Which mutations a seed draws from the folders of a checkout."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mutating.operators import OPERATORS, Place, changes_program, places

FOLDERS = ("strategies", "search_spaces", "train", "eval", "nas/tables", "nas/core")  # drawn from by default


@dataclass(frozen=True)
class Mutation:
    """A mutation of one file, whose path is relative to the checkout."""

    folder: str
    file: str
    place: Place
    before: str  # the span as it was
    diff: str

    @property
    def key(self) -> str:
        """A name that no other mutation of the same commit has."""
        return f"{self.file}:{self.place.start}-{self.place.end}:{self.place.operator}:{self.place.after}"


def draw(root: Path, seed: int, number: int, folders: Sequence[str] = FOLDERS) -> list[Mutation]:
    """`number` mutations of files in these folders of a checkout, or fewer if there are not so many.

    The folders take turns. Within a folder the operators take turns, in an order that is drawn anew for every round.
    An operator draws one of the files that it can mutate, with equal chances, and then a place in that file: a long
    table of constants counts no more than a short file. No span is drawn twice for one operator. The mutations of a
    folder depend only on the seed and its files, and a smaller number gives the first of a larger one. A folder may
    also be a single file. Raises `ValueError` if a folder holds no code.
    """
    texts = [
        {path.relative_to(root).as_posix(): path.read_bytes() for path in files_of(root, name)} for name in folders
    ]
    turns = [_draws(found, folder, Random(f"{seed} {folder}")) for folder, found in zip(folders, texts)]
    drawn: list[Mutation] = []
    while turns and len(drawn) < number:
        for turn in list(turns):
            mutation = next(turn, None)
            if mutation is None:
                turns.remove(turn)
            elif len(drawn) < number:
                drawn.append(mutation)
    return drawn


def files_of(root: Path, folder: str) -> list[Path]:
    """The files of code in a folder, or `folder` itself if it is a file. Raises `ValueError` if there are none."""
    place = root / folder
    found = [place] if place.is_file() else sorted(place.rglob("*.py"))
    found = [path for path in found if "__pycache__" not in path.parts]
    if not found or any(path.suffix != ".py" for path in found):
        raise ValueError(f"Expected a folder or file of Python code but got {folder!r}.")
    return found


def _draws(texts: dict[str, bytes], folder: str, rng: Random) -> Iterator[Mutation]:
    left: dict[str, dict[str, list[Place]]] = {operator: {} for operator in OPERATORS}
    for file, text in texts.items():
        for place in places(text):
            left[place.operator].setdefault(file, []).append(place)
    while any(left.values()):
        for operator in rng.sample(OPERATORS, len(OPERATORS)):
            if (found := _taken(left[operator], texts, rng)) is not None:
                file, place = found
                yield mutation_of(folder, file, texts[file], place)


def _taken(files: dict[str, list[Place]], texts: dict[str, bytes], rng: Random) -> tuple[str, Place] | None:
    """A place drawn from those of an operator, which then loses that span; None if no place is left."""
    while files:
        file = rng.choice(sorted(files))
        place = rng.choice(files[file])
        files[file] = [other for other in files[file] if (other.start, other.end) != (place.start, place.end)]
        if not files[file]:
            del files[file]
        if changes_program(texts[file], place):
            return file, place
    return None


def mutation_of(folder: str, file: str, text: bytes, place: Place) -> Mutation:
    """The mutation of a file at a place, with its diff: the lines that change and one around them."""
    old, new = (part.decode().splitlines() for part in (text, place.apply(text)))
    lines = itertools.islice(difflib.unified_diff(old, new, n=1, lineterm=""), 2, None)
    return Mutation(folder, file, place, text[place.start : place.end].decode(), "\n".join(lines))
