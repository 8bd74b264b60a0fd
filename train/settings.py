"""The settings of one training, which the recipes in `configs/` set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from nas.core.config import Section
from nas.core.errors import InputError
from nas.core.optimisation.lr_schedule import KINDS
from nas.core.suggestions import suggest
from nas.train.augmentation_options import AugmentationOptions
from nas.train.awp import AWPOptions
from nas.train.methods import METHODS
from nas.train.methods.base import MethodOptions

PRECISIONS = ("fp32", "bf16", "fp16")
SELECTIONS = ("best", "last")


@dataclass
class OptimiserOptions(Section):
    """The method, SGD, and the schedule of its learning rate."""

    method: str = "standard"  # clean images, or adversarial ones: pgd, trades, fgsm, free
    epochs: int = 200  # passes over the training images
    batch_size: int = 256  # images per step of the optimiser, over all processes
    accumulate: int = 1  # number of parts in which a batch goes through the network, to save memory
    schedule: str = "cosine"  # or step, exponential, onecycle
    lr: float = 0.1  # learning rate
    lr_min: float = 0.0  # no learning rate falls below it
    warmup: float = 0.0  # epochs of linear rise before the schedule
    milestones: list[int] = field(default_factory=list)  # step: epochs after which the rate is multiplied by gamma
    gamma: float = 0.1  # step: at each milestone; exponential: after each epoch
    rise: float = 0.3  # onecycle: share of the steps up to lr
    momentum: float = 0.9  # of SGD
    nesterov: bool = True  # Nesterov's momentum
    weight_decay: float = 5e-4  # of SGD, added to the gradient of every weight
    clip: float | None = None  # largest L2 norm of the gradient
    label_smoothing: float = 0.0  # share of each label that is spread over all classes
    ema: float | None = None  # decay of a moving average of the weights, which is validated and kept

    def check(self) -> None:
        super().check()
        if self.method not in METHODS.components:
            raise InputError(
                f"Expected {self.section}.method to be {' or '.join(METHODS.names())} but got {self.method!r}"
                f"{suggest(self.method, METHODS.names())}."
            )
        self.check_choices({"schedule": tuple(KINDS)})
        self.check_between(
            {
                "epochs": (1, 1_000_000),
                "batch_size": (2, 1_000_000),
                "accumulate": (1, 1_000_000),
                "lr_min": (0, 1e6),
                "warmup": (0, self.epochs),
                "rise": (0, 1),
                "momentum": (0, 1),
                "weight_decay": (0, 1e6),
                "label_smoothing": (0, 1),
                "ema": (0, 1),
            }
        )
        self.check_positive("lr", "gamma")
        if self.clip is not None and not 0 < self.clip < float("inf"):
            raise InputError(f"Expected {self.section}.clip > 0 or null but got {self.clip}.")
        if self.nesterov and self.momentum == 0:
            raise InputError(
                f"Expected {self.section}.momentum > 0 with {self.section}.nesterov=true; set "
                f"{self.section}.nesterov=false."
            )
        if self.milestones != sorted(set(self.milestones)) or any(m < 1 for m in self.milestones):
            raise InputError(f"Expected rising epochs in {self.section}.milestones but got {self.milestones}.")
        if self.warmup > 0 and self.schedule == "onecycle":
            raise InputError(
                f"Expected {self.section}.warmup=0 with {self.section}.schedule=onecycle, which rises by itself; set "
                f"{self.section}.rise."
            )


@dataclass
class NetworkOptions(Section):
    """Options for parts of a network that only some search spaces have."""

    drop_path: float = 0.0  # probability in the last epoch; rises linearly from 0 (DARTS cells)
    auxiliary_weight: float = 0.4  # of the auxiliary head's loss, where model.auxiliary is on

    def check(self) -> None:
        super().check()
        self.check_between({"drop_path": (0, 0.99), "auxiliary_weight": (0, 1e6)})


@dataclass
class TrainSettings(MethodOptions, NetworkOptions, AugmentationOptions, AWPOptions, OptimiserOptions):
    """All options of a training: those of its base classes, from the last class to the first, then its own.

    The defaults are the recipe of NAS-Bench-201.
    """

    section: ClassVar[str] = "train"

    validation_steps: int = 10  # PGD steps of the robust validation accuracy (adversarial training only)
    select: str = "best"  # the epoch that is kept: "best", of the best (robust) validation accuracy, or "last"
    precision: str = "fp32"  # or bf16, fp16 (both by autocast)
    compile: bool = False  # torch.compile
    resident: bool | None = None  # keep the training images on the device; null: if they fit in half of its memory
    save_steps: int | None = None  # steps of the optimiser between checkpoints within an epoch; null: by time only
    save_minutes: float = 10.0  # minutes between checkpoints within an epoch
    check_steps: int = 50  # batches between two checks of the loss, each of which waits for the device
    loss_limit: float = 1e3  # a mean loss above it stops the training

    def check(self) -> None:
        super().check()
        self.check_choices({"select": SELECTIONS, "precision": PRECISIONS})
        self.check_between(
            {"validation_steps": (1, 100_000), "save_steps": (1, 1_000_000_000), "check_steps": (1, 1_000_000)}
        )
        self.check_positive("save_minutes", "loss_limit")

    @property
    def passes(self) -> tuple[int, int]:
        """Passes per image and epoch: with gradients of the weights, and with gradients of the input only."""
        method = METHODS.get(self.method)
        steps, passes = method.replays(self), method.forwards * (2 if self.awp > 0 else 1)
        return steps * passes, steps * method.passes(self)
