"""What may be given as a network: a checkpoint, an exported folder, a model of timm or torchvision, Python code."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from nas.eval.networks.libraries import LIBRARIES, ImageOptions, stated
from nas.eval.networks.making import keywords

CODE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class ModelSource:
    """A network as it was named, classified once.

    `text` is the path of a checkpoint or an exported folder, or the name of a foreign network, one that is not ours:
    `timm:NAME[@WEIGHTS]`, `torchvision:NAME[@WEIGHTS]`, `package.module:factory`. `importable` is the folder whose
    modules a foreign network may import; a network of ours has none.
    """

    text: str
    importable: str | None = None

    @property
    def foreign(self) -> bool:
        return self.importable is not None

    @property
    def library(self) -> str | None:
        """`timm` or `torchvision`; None for any other source."""
        library = self.text.partition(":")[0]
        return library if self.foreign and library in LIBRARIES else None

    @property
    def model(self) -> str:
        """What stands behind the colon: the library's name of the model, or the factory."""
        name = self.text.partition(":")[2]
        return name.partition("@")[0] if self.library else name

    @property
    def weights(self) -> Path | None:
        """The file of weights that was given for a library's model."""
        _, at, path = self.text.partition("@")
        return Path(path) if self.library and at else None

    @property
    def label(self) -> str:
        """A short name for a foreign network: that of the model, or of the factory with its module."""
        name = self.model if self.library else f"{self.text.partition(':')[0].rpartition('.')[2]}.{self.model}"
        return re.sub(r"[^\w.-]+", "-", name).strip(".-")[:80] or "network"

    def native_images(self, options: list[str]) -> ImageOptions:
        """How the library wants images for its model: `size`, `resize`, `crop_share`, `interpolation` of the data.

        Empty for other sources. `options` are those of the model: they may choose other weights of torchvision.
        """
        if self.library is None:
            return {}
        chosen = keywords(options).get("weights") if self.library == "torchvision" else None
        return stated(self.library, self.model, chosen).images

    def within(self, folder: Path) -> ModelSource:
        """The same, where a path is one from `folder`."""
        return self if self.foreign else replace(self, text=str(folder / self.text))

    def seen_from(self, folder: Path) -> str:
        """The text for a file in `folder`, which may move together with the network."""
        return self.text if self.foreign else os.path.relpath(self.text, folder)

    def to_json(self) -> dict[str, str]:
        """As a run keeps it."""
        return {"checkpoint": self.text, **({} if self.importable is None else {"importable": self.importable})}

    @classmethod
    def from_json(cls, value: Mapping[str, str]) -> ModelSource:
        return cls(value["checkpoint"], value.get("importable"))


def classify(text: str, importable: str | Path | None = None) -> ModelSource:
    """What the text names; code is imported from the folder `importable`, by default the current one.

    The path of a library's weights becomes absolute, so that it means the same from another folder.
    """
    if not _is_foreign(text):
        return ModelSource(text)
    library, _, rest = text.partition(":")
    name, at, path = rest.partition("@")
    if at and library in LIBRARIES and "\0" not in path:  # no path, and told as such where it is opened
        text = f"{library}:{name}@{os.path.abspath(os.path.expanduser(path))}"
    return ModelSource(text, str(importable or Path.cwd()))


def _is_foreign(text: str) -> bool:
    if text.partition(":")[0] not in LIBRARIES and CODE.fullmatch(text) is None:
        return False
    try:
        return not Path(text).exists()
    except (OSError, ValueError):  # no file can have such a name
        return True
