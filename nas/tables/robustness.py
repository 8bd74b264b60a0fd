"""The robustness dataset: accuracies of NAS-Bench-201's 6,466 classes, clean, attacked and corrupted.

Source: Jung, Lukasik and Keuper, ICLR 2023 (arXiv:2306.06712), in the layout of its release.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from nas.core.errors import InputError
from nas.tables.base import DIGITS, Table
from nas.tables.files import Origin

ORIGIN = Origin("the robustness dataset", "get it (meta.zip, <dataset>-accuracies.zip) from http://robustness.vision")
ATTACKS = {"fgsm": "fgsm@Linf", "pgd": "pgd@Linf", "apgd": "aa_apgd-ce@Linf", "square": "aa_square@Linf"}
GROUPS = {  # those of the release of CRoZe, without elastic_transform and pixelate
    "weather": ("snow", "fog", "frost"),
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "digital": ("contrast", "brightness", "jpeg_compression"),
}
CORRUPTIONS = tuple(sorted({kind for group in GROUPS.values() for kind in group} | {"elastic_transform", "pixelate"}))
SEVERITIES = 5
OPTIONAL = "brightness"  # left out of its group if the folder does not have it


class RobustnessDataset(Table):
    """One data set of the release: `meta.json` in the folder, `<key>_accuracy.json` files in its subfolder.

    Columns: `clean`; an attack and its epsilon in 1/255 (`fgsm@8`, `pgd@1`, `apgd@0.5`, `square@2`); a corruption
    type (`fog`) or the mean of a group of types (`weather`, `noise`, `blur`, `digital`, or types joined by + such as
    `fog+snow`), with one level per severity; one severity of these (`fog@3`, `weather@5`); `each:GROUP`, with one level
    per type and severity; `corruptions`, the mean over all 15 types and severities. Only the files that a column needs
    are read. Raises InputError for a folder that is missing or damaged.
    """

    def __init__(self, folder: Path, dataset: str) -> None:
        self.meta = folder / "meta.json"
        meta = ORIGIN.json(self.meta)
        self.folder = _subfolder(folder, dataset)
        try:
            ids = {key: (entry["nb201-string"], entry["isomorph"]) for key, entry in meta["ids"].items()}
            if not all(isinstance(text, str) for entry in ids.values() for text in entry):
                raise TypeError("an id that is not text")
            self.epsilons = {
                name: [float(eps) for eps in meta["epsilons"][key]]
                for name, key in ATTACKS.items()
                if key in meta["epsilons"]
            }
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise ORIGIN.damaged(self.meta, f"it does not have the expected ids and epsilons ({error!r})") from error
        self._ids = [key for key, (_, measured) in ids.items() if key == measured]
        row = {key: number for number, key in enumerate(self._ids)}
        if any(measured not in row for _, measured in ids.values()):
            raise ORIGIN.damaged(self.meta, "an id's representative is missing")
        self._members = {text: row[measured] for text, measured in ids.values()}
        self._read: dict[str, np.ndarray] = {}
        super().__init__(str(self.folder), [ids[key][0] for key in self._ids])

    def names(self) -> list[str]:
        names = ["clean"] if self._exists("clean") else []
        for attack, epsilons in self.epsilons.items():
            names += [f"{attack}@{eps:g}" for eps in epsilons if self._exists(ATTACKS[attack])]
        names += ["corruptions"] if all(map(self._exists, CORRUPTIONS)) else []
        names += [name for name in GROUPS if all(map(self._exists, self._types(name)))]
        return names + [kind for kind in CORRUPTIONS if self._exists(kind)]

    def is_fraction(self, name: str) -> bool:
        return True

    def _levels(self, name: str) -> np.ndarray:
        if name.startswith("each:"):
            return np.concatenate([self._mean((kind,)) for kind in self._types(name.removeprefix("each:"))], axis=1)
        base, _, level = name.partition("@")
        if base in self.epsilons and level:
            return self._accuracies(ATTACKS[base], len(self.epsilons[base]))[:, [self._epsilon(base, level)]]
        if name == "clean":
            return self._accuracies("clean", None)
        if name == "corruptions":
            return self._mean(CORRUPTIONS).mean(axis=1, keepdims=True).round(DIGITS)
        if base in GROUPS or set(base.split("+")) <= set(CORRUPTIONS):
            severities = self._mean(self._types(base))
            if not level:
                return severities
            if re.fullmatch(f"[1-{SEVERITIES}]", level):
                return severities[:, [int(level) - 1]]
        raise self.unknown(name)

    def _row(self, text: str) -> int:
        row = self._members.get(text)
        return row if row is not None else super()._row(text)

    def _exists(self, key: str) -> bool:
        return self._path(key).exists()

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}_accuracy.json"

    def _types(self, name: str) -> tuple[str, ...]:
        """The types of a group or of types joined by +."""
        if name in GROUPS:
            return tuple(kind for kind in GROUPS[name] if kind != OPTIONAL or self._exists(kind))
        kinds = CORRUPTIONS if name == "corruptions" else tuple(name.split("+"))
        if not set(kinds) <= set(CORRUPTIONS):
            raise self.unknown(name)
        return kinds

    def _epsilon(self, attack: str, text: str) -> int:
        try:
            return self.epsilons[attack].index(float(text))
        except ValueError as error:
            known = ", ".join(f"{eps:g}" for eps in self.epsilons[attack])
            raise InputError(
                f"Expected an epsilon of {attack} in 1/255 but got {text!r}; there are {known}."
            ) from error

    def _mean(self, kinds: tuple[str, ...]) -> np.ndarray:
        """(rows, severities): the mean over types of corruption."""
        return np.round(sum(self._accuracies(kind, SEVERITIES) for kind in kinds) / len(kinds), DIGITS)

    def _accuracies(self, key: str, width: int | None) -> np.ndarray:
        """(rows, levels) of one file, in which an architecture has a list of `width` numbers, or one number (None)."""
        if key not in self._read:
            self._read[key] = self._from_file(key, width)
        return self._read[key]

    def _from_file(self, key: str, width: int | None) -> np.ndarray:
        path = self._path(key)
        value = ORIGIN.json(path)
        try:
            (by_key,) = value.values()  # its key is the data set
            accuracy_of = by_key[key]["accuracy"]
            rows = [row for row, name in enumerate(self._ids) if name in accuracy_of]
            measured = np.array([accuracy_of[self._ids[row]] for row in rows], dtype=np.float64)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise ORIGIN.damaged(path, f"it does not have the expected accuracies of {key} ({error!r})") from error
        if not rows or measured.shape != ((len(rows),) if width is None else (len(rows), width)):
            raise ORIGIN.damaged(path, f"the number of accuracies per architecture is not {width or 1}")
        if not ((measured >= 0) & (measured <= 1)).all():
            raise ORIGIN.damaged(path, "accuracies outside [0, 1]")
        accuracies = np.full((len(self._ids), width or 1), np.nan)
        accuracies[rows] = measured.reshape(len(rows), -1)
        return accuracies


def _subfolder(folder: Path, dataset: str) -> Path:
    """The folder of a data set, with its name in any case."""
    return folder / ORIGIN.dataset(dataset, (path.name for path in folder.iterdir() if path.is_dir()), folder)
