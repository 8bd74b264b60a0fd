"""The settings of one training; recipes in `configs/` set them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.core.errors import InputError


@dataclass
class TrainSettings:
    """SGD with a cosine learning rate. The defaults are NAS-Bench-201's own recipe."""

    section: ClassVar[str] = "train"  # of the configuration, for messages

    method: str = "standard"  # "standard": clean images; "pgd": adversarial training (Madry et al. 2018)
    epochs: int = 200
    batch_size: int = 256
    lr: float = 0.1
    lr_min: float = 0.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    clip: float | None = None  # largest L2 norm of the gradient
    crop: int = 4  # random crop after padding by so many pixels; 0 for none
    flip: bool = True  # mirror half of the images
    cutout: int = 0  # side of the square that is blanked; 0 for none
    drop_path: float = 0.0  # probability at the last epoch, rising linearly (DARTS cells)
    auxiliary_weight: float = 0.4  # of the auxiliary head's loss, where model.auxiliary is on
    eps: float = 8 / 255  # radius of the L∞ ball, images in [0, 1]
    step_size: float = 2 / 255
    steps: int = 7
    validation_steps: int = 10  # PGD steps of the robust validation accuracy (adversarial training only)
    select: str = "best"  # "best": the epoch of the best (robust) validation accuracy; "last"

    def check(self) -> None:
        for key, allowed in (("method", ("standard", "pgd")), ("select", ("best", "last"))):
            if getattr(self, key) not in allowed:
                raise InputError(
                    f"Expected {self.section}.{key} to be {' or '.join(allowed)} but got {getattr(self, key)!r}."
                )
        for key, low, high in (
            ("epochs", 1, 1_000_000),
            ("batch_size", 2, 1_000_000),
            ("crop", 0, 512),
            ("cutout", 0, 512),
            ("steps", 1, 100_000),
            ("validation_steps", 1, 100_000),
            ("lr_min", 0, 1e6),
            ("momentum", 0, 1),
            ("weight_decay", 0, 1e6),
            ("drop_path", 0, 0.99),
            ("auxiliary_weight", 0, 1e6),
            ("eps", 0, 1),
        ):
            value = getattr(self, key)
            if not low <= value <= high:
                raise InputError(f"Expected {self.section}.{key} between {low} and {high} but got {value}.")
        for key in ("lr", "step_size"):
            if not 0 < getattr(self, key) < 1e6:
                raise InputError(f"Expected {self.section}.{key} > 0 but got {getattr(self, key)}.")
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise InputError(f"Expected {self.section}.clip > 0 or null but got {self.clip}.")
        if self.nesterov and self.momentum == 0:
            raise InputError(
                f"Expected {self.section}.momentum > 0 with {self.section}.nesterov=true; set "
                f"{self.section}.nesterov=false."
            )
