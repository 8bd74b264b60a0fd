"""The settings of one training; recipes in `configs/` set them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from nas.core.errors import InputError
from nas.core.optimisation.lr_schedule import KINDS
from nas.core.registry import suggest

PRECISIONS = ("fp32", "bf16", "fp16")
SELECTIONS = ("best", "last")


@dataclass
class TrainSettings:
    """SGD with a cosine learning rate. The defaults are NAS-Bench-201's own recipe."""

    section: ClassVar[str] = "train"  # of the configuration, for messages

    method: str = "standard"  # clean images, or adversarial ones: pgd, trades, fgsm, free
    epochs: int = 200
    batch_size: int = 256  # images per step of the optimiser, over all processes
    accumulate: int = 1  # parts that a batch goes through the network in, to save memory
    schedule: str = "cosine"  # step, exponential, onecycle
    lr: float = 0.1
    lr_min: float = 0.0  # no rate is below it
    warmup: float = 0.0  # epochs of linear rise before the schedule
    milestones: list[int] = field(default_factory=list)  # step: epochs after which the rate is multiplied by gamma
    gamma: float = 0.1  # step: at each milestone; exponential: after each epoch
    rise: float = 0.3  # onecycle: share of the steps up to lr
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-4
    clip: float | None = None  # largest L2 norm of the gradient
    label_smoothing: float = 0.0
    ema: float | None = None  # decay of a moving average of the weights, which is validated and kept
    awp: float = 0.0  # adversarial weight perturbation: its size over that of the weights; 0 for none
    awp_warmup: int = 0  # epochs without it at the beginning
    crop: int = 4  # random crop after padding by so many pixels; 0 for none
    resized_crop: int = 0  # side of a random rectangle after resizing; 0 for none
    flip: bool = True  # mirror half of the images
    jitter: list[float] = field(default_factory=list)  # of brightness, contrast, saturation and hue: [.4,.4,.4,.2]
    cutout: int = 0  # side of the square that is blanked; 0 for none
    drop_path: float = 0.0  # probability at the last epoch, rising linearly (DARTS cells)
    auxiliary_weight: float = 0.4  # of the auxiliary head's loss, where model.auxiliary is on
    eps: float = 8 / 255  # radius of the L∞ ball, images in [0, 1]
    step_size: float = 2 / 255  # pgd, trades; and the validation's PGD
    steps: int = 7  # pgd, trades
    trades_beta: float = 6.0
    fgsm_alpha: float = 1.25  # step over eps
    free_replays: int = 8
    free_alpha: float = 1.0  # step over eps
    validation_steps: int = 10  # PGD steps of the robust validation accuracy (adversarial training only)
    select: str = "best"  # "best": the epoch of the best (robust) validation accuracy; "last"
    precision: str = "fp32"  # bf16, fp16: autocast
    compile: bool = False  # torch.compile
    resident: bool | None = None  # the training images on the device; null: where they take half of its free memory
    save_steps: int | None = None  # checkpoints within an epoch: every so many steps of the optimiser,
    save_minutes: float = 10.0  # or so many minutes
    check_steps: int = 50  # batches between two looks at the loss; each waits for the device
    loss_limit: float = 1e3  # a mean loss above it stops the training

    def check(self) -> None:
        from nas.train.methods import METHODS

        if self.method not in METHODS.components:
            raise InputError(
                f"Expected {self.section}.method to be {' or '.join(METHODS.names())} but got {self.method!r}"
                f"{suggest(self.method, METHODS.names())}."
            )
        choices: dict[str, Any] = {"select": SELECTIONS, "precision": PRECISIONS, "schedule": tuple(KINDS)}
        for key, allowed in choices.items():
            if getattr(self, key) not in allowed:
                raise InputError(
                    f"Expected {self.section}.{key} to be {' or '.join(allowed)} but got {getattr(self, key)!r}."
                )
        for key, low, high in (
            ("epochs", 1, 1_000_000),
            ("batch_size", 2, 1_000_000),
            ("accumulate", 1, 1_000_000),
            ("crop", 0, 512),
            ("resized_crop", 0, 1024),
            ("cutout", 0, 512),
            ("steps", 1, 100_000),
            ("validation_steps", 1, 100_000),
            ("lr_min", 0, 1e6),
            ("warmup", 0, self.epochs),
            ("rise", 0, 1),
            ("momentum", 0, 1),
            ("weight_decay", 0, 1e6),
            ("label_smoothing", 0, 1),
            ("ema", 0, 1),
            ("awp", 0, 1),
            ("awp_warmup", 0, 1_000_000),
            ("drop_path", 0, 0.99),
            ("auxiliary_weight", 0, 1e6),
            ("eps", 0, 1),
            ("trades_beta", 0, 1e6),
            ("free_replays", 1, 1000),
            ("save_steps", 1, 1_000_000_000),
            ("check_steps", 1, 1_000_000),
        ):
            value = getattr(self, key)
            if value is not None and not low <= value <= high:
                raise InputError(f"Expected {self.section}.{key} between {low} and {high} but got {value}.")
        for key in ("lr", "step_size", "gamma", "fgsm_alpha", "free_alpha", "save_minutes", "loss_limit"):
            if not 0 < getattr(self, key) < 1e6:
                raise InputError(f"Expected {self.section}.{key} > 0 but got {getattr(self, key)}.")
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise InputError(f"Expected {self.section}.clip > 0 or null but got {self.clip}.")
        if self.nesterov and self.momentum == 0:
            raise InputError(
                f"Expected {self.section}.momentum > 0 with {self.section}.nesterov=true; set "
                f"{self.section}.nesterov=false."
            )
        if self.milestones != sorted(set(self.milestones)) or any(m < 1 for m in self.milestones):
            raise InputError(f"Expected rising epochs in {self.section}.milestones but got {self.milestones}.")
        if self.jitter and (len(self.jitter) != 4 or not all(map(_within, self.jitter, (1.0, 1.0, 1.0, 0.5)))):
            raise InputError(
                f"Expected {self.section}.jitter of four numbers, brightness, contrast and saturation up to 1 and hue "
                f"up to .5, but got {self.jitter}; leave it empty for none."
            )
        if self.warmup > 0 and self.schedule == "onecycle":
            raise InputError(
                f"Expected {self.section}.warmup=0 with {self.section}.schedule=onecycle, which rises by itself; set "
                f"{self.section}.rise."
            )


def _within(value: float, most: float) -> bool:
    return 0 <= value <= most
