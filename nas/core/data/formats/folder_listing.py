"""A folder of images by class: its parts, its classes, their files, and the files that are skipped."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from nas.core.data.formats.base import Source
from nas.core.data.formats.class_order import TEXT, composed, ordered, other_order
from nas.core.data.formats.image_types import SUFFIXES
from nas.core.errors import InputError

TRAIN = "train"
TEST = "test"
UNUSED = ("val", "valid", "validation")
ARCHIVER = "__MACOSX"  # added to a .zip by macOS; its files look like images but are not
MAX_NAMED = 5  # classes or suffixes named in one sentence

Listing = dict[str, list[Source]]  # class -> its files sorted by name; classes in the order of their labels


@dataclass
class SkippedFiles:
    """Numbers of files in the folder that are not read."""

    suffixes: Counter[str] = field(default_factory=Counter)  # in class folders, by suffix
    folders: int = 0  # inside class folders
    inside: int = 0  # files in those folders
    beside: int = 0  # images beside class folders

    def sentence(self, root: Path) -> str | None:
        """How many files are skipped, by kind, in a sentence; `None` if there are none."""
        others = sum(self.suffixes.values())
        if not others and not self.inside and not self.beside:
            return None
        most_frequent = sorted(self.suffixes.items(), key=lambda item: (-item[1], item[0]))[:MAX_NAMED]
        named = [f"{name} {count:,}" for name, count in most_frequent]
        more = ", ..." if len(self.suffixes) > MAX_NAMED else ""
        kinds = {
            f"in {self.folders:,} folders inside class folders": self.inside,
            f"with other suffixes ({', '.join(named)}{more})": others,
            "beside class folders": self.beside,
        }
        counts = ", ".join(f"{count:,} {where}" for where, count in kinds.items() if count)
        return (
            f"{others + self.inside + self.beside:,} files in {root} are skipped: {counts}. Only files directly in "
            f"class folders are read, with names that end in {', '.join(SUFFIXES)}."
        )


@dataclass(frozen=True)
class Layout:
    """The training part and the test part, if there is one; of a folder of test images, only the test part."""

    parts: list[Listing]
    notes: list[str]  # sentences for the user

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.parts[0])


def layout(root: Path, order: str, only_tests: bool) -> Layout:
    """The layout of the folder `root`. Raises `InputError` if it is not a folder of images by class.

    `train` and `test` are parts, unless they contain images themselves and lie beside class folders: then they are
    classes with these names.
    """
    if not root.is_dir():
        raise InputError(f"Expected data.root to be a folder of images but {root} is a file.")
    skipped = SkippedFiles()
    try:
        parts, notes = _tests(root, order, skipped) if only_tests else _parts(root, order, skipped)
    except OSError as error:
        raise InputError(f"Expected to read {error.filename or root} but: {error.strerror}.") from error
    if (sentence := skipped.sentence(root)) is not None:
        notes.append(sentence)
    notes += _order_notes(root, tuple(parts[0]))
    return Layout(parts, notes)


def _parts(root: Path, order: str, skipped: SkippedFiles) -> tuple[list[Listing], list[str]]:
    if not _is_part(root, TRAIN):
        if _is_part(root, TEST):
            raise InputError(
                f"Expected a folder {root / TRAIN} beside {root / TEST} but it is missing; to evaluate on test images "
                "alone, set data.test=all."
            )
        return [_listing(root, order, skipped)], _classes_called_parts(root)
    train = _listing(root / TRAIN, order, skipped)
    has_test = (root / TEST).is_dir()
    unused = [path for path in _folders(root) if path.name not in (TRAIN, TEST)]
    notes = [f"{path} is not used." for path in unused if has_test or path.name not in UNUSED]
    notes += [
        f"{path} is not used; name it `{TEST}` to use it as the test part."
        for path in unused
        if not has_test and path.name in UNUSED
    ]
    if not has_test:
        return [train], notes
    test = _listing(root / TEST, order, skipped)
    if train.keys() != test.keys():
        odd = sorted(train.keys() ^ test.keys())
        raise InputError(
            f"Expected the same classes in {root / TRAIN} and {root / TEST} but only one of them has "
            f"{', '.join(map(repr, odd[:MAX_NAMED]))}{' and others' if len(odd) > MAX_NAMED else ''}; add or remove "
            "it."
        )
    return [train, {name: test[name] for name in train}], notes


def _tests(root: Path, order: str, skipped: SkippedFiles) -> tuple[list[Listing], list[str]]:
    if _is_part(root, TRAIN):
        raise InputError(
            f"Expected only test images in data.root for data.test=all but {root} has a training part; set data.root "
            "to the folder of the test images, or leave data.test out."
        )
    if _is_part(root, TEST):
        return [_listing(root / TEST, order, skipped)], []
    return [_listing(root, order, skipped)], _classes_called_parts(root)


def _is_part(root: Path, name: str) -> bool:
    """Whether `root` has a folder with this name that is a part, not a class."""
    folder = root / name
    if not folder.is_dir():
        return False
    if not _has_image(folder) or sum(map(_has_image, _folders(folder))) > 1:
        return True
    return not any(_has_image(other) for other in _folders(root) if other.name not in (TRAIN, TEST, *UNUSED))


def _classes_called_parts(root: Path) -> list[str]:
    return [
        f"{root / name} holds images and lies beside class folders: it is read as a class, not as the {name} part."
        for name in (TRAIN, TEST)
        if (root / name).is_dir()
    ]


def _order_notes(root: Path, classes: tuple[str, ...]) -> list[str]:
    """A note on the order of classes if they are whole numbers, which can be sorted in two ways."""
    other = other_order(classes)
    if other is None:
        return []
    order, moved = other
    first = next(label for label, elsewhere in enumerate(moved) if label != elsewhere)
    other_class = classes[moved.index(first)]
    how = "sorted as text" if order != TEXT else "sorted as numbers"
    why = " (as in versions before 0.3.0)" if order == TEXT else ""
    return [
        f"The classes of {root} are whole numbers and are {how}: class {first} is {classes[first]!r}. With "
        f"data.order={order}{why}, class {first} would be {other_class!r}."
    ]


def _listing(folder: Path, order: str, skipped: SkippedFiles) -> Listing:
    """The images of every class folder; folders whose names differ only in the form of accents are one class."""
    with os.scandir(folder) as entries:
        here = [entry for entry in entries if not _hidden(entry.name)]
        raw = [entry.name for entry in here if entry.is_dir()]
        skipped.beside += sum(entry.name.lower().endswith(SUFFIXES) for entry in here if not entry.is_dir())
    names = ordered(raw, order)
    listing: Listing = {}
    below: dict[str, int] = {}
    for name in names:
        files, inside = _images(folder.absolute() / name, skipped)
        listing[composed(name)] = sorted([*listing.get(composed(name), []), *files])
        below[composed(name)] = below.get(composed(name), 0) + inside
    if len(listing) < 2:
        got = f"only {names[0]!r}" if names else "none"
        raise InputError(
            f"Expected at least two class folders in {folder} but got {got}; make one folder for each class."
        )
    for name, files in listing.items():
        if not files:
            why = f"; files in inner folders ({below[name]:,}) are not read: move them up" if below[name] else ""
            raise InputError(
                f"Expected images ({', '.join(SUFFIXES)}) in {folder / name} but got none{why or '; add some'}, or "
                "remove the folder."
            )
    return listing


def _images(folder: Path, skipped: SkippedFiles) -> tuple[list[Source], int]:
    """The images in a class folder, and the number of files in folders inside it."""
    images, inside = [], 0
    with os.scandir(folder) as entries:
        for entry in entries:
            if _hidden(entry.name):
                continue
            if entry.is_dir():
                skipped.folders += 1
                inside += sum(not _hidden(name) for _, _, names in os.walk(entry.path) for name in names)
            elif entry.name.lower().endswith(SUFFIXES) and entry.is_file():
                images.append(Source.listed(entry.path, entry.stat()))
            else:
                skipped.suffixes[Path(entry.name).suffix.lower() or "none"] += 1
    skipped.inside += inside
    return sorted(images), inside


def _hidden(name: str) -> bool:
    """Whether this is the name of a hidden file, such as .DS_Store, or of one that macOS adds to archives."""
    return name.startswith(".") or name == ARCHIVER


def _folders(folder: Path) -> list[Path]:
    """The folders in `folder` that are not hidden."""
    with os.scandir(folder) as entries:
        return sorted(Path(entry.path) for entry in entries if entry.is_dir() and not _hidden(entry.name))


def _has_image(folder: Path) -> bool:
    """Whether there is an image directly in the folder."""
    with os.scandir(folder) as entries:
        return any(entry.name.lower().endswith(SUFFIXES) and not _hidden(entry.name) for entry in entries)
