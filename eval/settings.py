"""The settings of an attack evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field

from nas.core.config import path_field
from nas.core.errors import InputError
from nas.eval.attacks.base import NORMS
from nas.eval.corruptions import check_corruptions
from nas.eval.measures import check_measures
from nas.eval.networks.wrapped import SETTINGS, WAYS, Normalisation

CHANNELS = 3  # of every image here
LARGEST_L2 = 1000.0  # beyond the diagonal of any image here: 388 of 3×224×224 pixels


@dataclass
class EvalSettings:
    """Which attacks, how strong, on how many test images. eps in units of the [0, 1] image range."""

    attacks: list[str] = field(default_factory=lambda: ["fgsm", "pgd20", "autoattack"])
    eps: float = 8 / 255
    norm: str = "Linf"  # or L2
    step_size: float | None = None  # of pgd and mifgsm; by default eps/4 and eps/steps
    restarts: int = 1  # of pgd, apgd-ce, apgd-dlr, fab and square; those of autoattack are part of its protocol
    cascade: bool = False  # each attack only on what those before it left: the worst case alone is known, but sooner
    n_test: int = 1000  # the first so many images of a fixed permutation of the test part
    batch_size: int = 250  # images attacked at once; outcomes are kept per batch
    sweep: list[float] = field(default_factory=list)  # radii of the robustness curve, as multiples of eps
    sweep_attack: list[str] = field(default_factory=lambda: ["pgd20"])  # a curve for each
    sweep_preset: str | None = None  # published attacks and radii instead: robustness-dataset
    checks: bool = False  # whether the numbers mean anything: further attacks on the first images
    checks_images: int = 100  # the first so many of the n_test images
    measures: list[str] = field(default_factory=list)  # calibration, hessian, jacobian, classes, landscape
    measure_images: int = 200  # the first so many of the n_test images are measured; classes takes them all
    measure_attack: str = "pgd20"  # under which calibration is measured
    landscape_points: int = 21  # of the grid in each direction, odd
    landscape_reach: float = 2.0  # how far the grid goes, as a multiple of eps
    corruptions: list[str] = field(default_factory=list)  # types, groups (noise, blur, weather, digital), all, extra
    severities: list[int] = field(default_factory=lambda: [1, 2, 3, 4, 5])
    corruption_data: str | None = path_field()  # folder of CIFAR-10-C or CIFAR-100-C: n_test rows of each severity
    corruption_baseline: str | None = path_field()  # result (JSON) of the network whose errors the mCE divides by
    frost: str | None = path_field()  # folder of photographs, where the imagecorruptions wheel is not installed
    model_options: list[str] = field(default_factory=list)  # key=value for the maker of a network that is not ours
    normalise: str | None = None  # library or none, of such a network; by default its library's where it has one
    mean: list[float] = field(default_factory=list)  # or by these, of images in [0, 1]: one or one per channel
    std: list[float] = field(default_factory=list)

    def check(self) -> None:
        if self.norm not in NORMS:
            raise InputError(f"Expected eval.norm of {', '.join(NORMS)} but got {self.norm!r}.")
        largest = 1.0 if self.norm == "Linf" else LARGEST_L2
        if not 0 < self.eps <= largest:
            usual = "8/255" if self.norm == "Linf" else "0.5"
            raise InputError(
                f"Expected eval.eps in (0, {largest:g}] but got {self.eps}; {usual} is the usual one for CIFAR-10."
            )
        if self.step_size is not None and not 0 < self.step_size <= largest:
            raise InputError(f"Expected eval.step_size in (0, {largest:g}] or null but got {self.step_size}.")
        for key in ("n_test", "batch_size", "restarts", "checks_images"):
            if getattr(self, key) < 1:
                raise InputError(f"Expected eval.{key} >= 1 but got {getattr(self, key)}.")
        for factor in self.sweep:
            if not 0 < factor * self.eps <= largest:
                raise InputError(
                    f"Expected eval.sweep with factor * eval.eps in (0, {largest:g}] but got factor {factor}."
                )
        if len(set(self.attacks)) != len(self.attacks):
            raise InputError(f"Expected each attack once in eval.attacks but got {', '.join(self.attacks)}.")
        self._check_normalisation()
        check_measures(self)
        check_corruptions(self)

    def _check_normalisation(self) -> None:
        if self.normalise not in (None, *WAYS):
            raise InputError(f"Expected eval.normalise of {', '.join(WAYS)} but got {self.normalise!r}.")
        if not self.mean and not self.std:
            return
        if self.normalise is not None:
            raise InputError(
                f"Expected eval.normalise or eval.mean with eval.std but got both (eval.normalise={self.normalise}); "
                "leave one out."
            )
        if not {len(self.mean), len(self.std)} <= {1, CHANNELS}:
            raise InputError(
                f"Expected eval.mean with eval.std, each of {CHANNELS} numbers (or one for all channels), but got "
                f"{len(self.mean)} and {len(self.std)}; for example eval.mean=0.5,0.5,0.5 eval.std=0.5,0.5,0.5."
            )
        if not all(0 <= value <= 1 for value in self.mean) or not all(0 < value <= 1 for value in self.std):
            given = " and ".join(", ".join(f"{value:g}" for value in one) for one in (self.mean, self.std))
            raise InputError(
                f"Expected eval.mean in [0, 1] and eval.std in (0, 1], of images in [0, 1], but got {given}; divide "
                "those of images in [0, 255] by 255."
            )

    @property
    def normalisation(self) -> Normalisation:
        """What is asked for of a network from elsewhere."""
        if self.mean:
            channels = max(len(self.mean), len(self.std))
            mean, std = ([*one * channels] if len(one) == 1 else one for one in (self.mean, self.std))
            return Normalisation(SETTINGS, tuple(mean), tuple(std))
        return Normalisation(self.normalise)
