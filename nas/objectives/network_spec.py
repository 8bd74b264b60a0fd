"""A kind of network of one space, and what its members cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nas.search_spaces import SPACES, BuildSettings, Cost
from nas.train.trained import without_auxiliary


@dataclass(frozen=True)
class Sized:
    """A kind of network of one space: its settings, and the data it is made for."""

    space: str
    settings: BuildSettings
    num_classes: int
    image_size: int

    def connected(self, arch: Any) -> bool:
        """Whether the logits of its network depend on the image."""
        return SPACES.get(self.space)().connected(arch, **self.settings)

    def cost(self, arch: Any) -> Cost:
        """Weights and MACs, as the field counts them: without an auxiliary head."""
        settings = without_auxiliary(self.settings)
        return SPACES.get(self.space)().cost(arch, self.num_classes, image_size=self.image_size, **settings)
