"""The settings of Eproxy: what the made-up task is and how it is learnt."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, TypeVar

from nas.core import config
from nas.core.errors import InputError
from nas.core.suggestions import suggest
from nas.strategies.proxies.base import BatchOptions

FEATURES = ("net", "sine_low", "sine_mid", "sine_high", "dot")
INITS = ("kaiming_normal", "kaiming_uniform", "xavier_normal", "xavier_uniform")
STAGES = 3  # the largest number of stages whose outputs are compared with features

T = TypeVar("T")


@dataclass
class EproxyOptions(BatchOptions):
    """Defaults of the release on NAS-Bench-201, except the feature; on DARTS it has stages=1, c_mid=512, c_out=32.

    The feature is the paper's, `net`. The release's own configuration for NAS-Bench-201 learns `wave_h`, here
    `sine_high`, at all three stages; those for NAS-Bench-101 and DARTS learn the untrained network.

    `transform`, `barrier`, `c_mid`, `features` and `coefficient` have one value for all stages or one for each, the
    last stage first. `settings` names a file that `nas dps` wrote (or a shipped one, such as eproxy/nb201); its values
    take the place of the defaults, and of what a recipe says. A recipe's file yields in turn to options given on their
    own.

    `use_barrier=false` takes the barrier away (the ablation of the paper's Table 1): the transform's output, after ReLU
    and normalisation, is compared with the target itself, as with the release's `EmptyBarrier`. That output then needs
    the target's channels (`c_mid` equal to `c_out`), and the options of the barrier must keep their defaults.
    """

    batch_size: int = 16  # images of the training part
    settings: str | None = config.path_field()  # a file of `nas dps` with the settings below
    iterations: int = 10  # the score is the loss at the last one
    lr: float = 1.2  # learning rate of the iterations
    momentum: float = 0.9  # of the iterations
    weight_decay: float = 4e-5  # of tensors with more than one dimension
    stages: int = STAGES  # number of stages that are compared: the last one, with 2 also the one before, ...
    transform: list[int] = field(default_factory=lambda: [1])  # kernel size
    use_barrier: bool = True  # false: the transform's output is compared with the target
    barrier: list[int] = field(default_factory=lambda: [3])  # kernel size
    c_mid: list[int] = field(default_factory=lambda: [128])  # channels from transform to barrier
    c_out: int = 128  # channels of the target
    features: list[str] = field(default_factory=lambda: ["net"])  # joined by +: net+sine_low+dot
    coefficient: list[float] = field(default_factory=lambda: [1.0])  # factor of the target
    init: str = "default"  # of network and transform; default: torch's own
    barrier_init: str = "default"  # initialisation of the barrier; choices as for init
    alpha: float = 0.0  # the loss is multiplied by 1 + alpha * FLOPs / FLOPs of the largest architecture

    def check(self) -> None:
        vars(self).update(vars(self.resolved()))
        super().check()
        _within("iterations", self.iterations, 1, 1000)
        _within("lr", self.lr, 1e-6, 100)
        _within("momentum", self.momentum, 0, 0.999)
        _within("weight_decay", self.weight_decay, 0, 1)
        _within("stages", self.stages, 1, STAGES)
        _within("c_out", self.c_out, 1, 1024)
        _within("alpha", self.alpha, -0.99, 0.99)
        for key in ("transform", "barrier", "c_mid", "features", "coefficient"):
            values = getattr(self, key)
            if len(values) not in (1, self.stages):
                raise _wrong(key, f"one value, or one for each of {self.stages} stages", values)
        for key in ("transform", "barrier"):
            for kernel in getattr(self, key):
                _within(key, kernel, 1, 31)
                if kernel % 2 == 0:
                    raise _wrong(key, "an odd kernel size", kernel)
        for channels in self.c_mid:
            _within("c_mid", channels, 1, 4096)
        for coefficient in self.coefficient:
            _within("coefficient", coefficient, 1e-6, 1e6)
        for text in self.features:
            names = text.split("+")
            if not set(names) <= set(FEATURES) or len(set(names)) != len(names):
                unknown = next((name for name in names if name not in FEATURES), "")
                wanted = f"different names of {', '.join(FEATURES)} joined by +"
                raise _wrong("features", wanted, text + suggest(unknown, list(FEATURES)))
        for key in ("init", "barrier_init"):
            if getattr(self, key) not in ("default", *INITS):
                raise _wrong(key, f"default or one of {', '.join(INITS)}", getattr(self, key))
        if not self.use_barrier:
            self._check_without_barrier()

    def _check_without_barrier(self) -> None:
        """Raises InputError if an option is set that only a barrier uses, or the channels differ from the target's."""
        for key in ("barrier", "barrier_init"):
            if getattr(self, key) != getattr(EproxyOptions(), key):
                raise InputError(
                    f"Expected no proxies.eproxy.{key} without a barrier (proxies.eproxy.use_barrier=false) but got "
                    f"{getattr(self, key)!r}; leave it out."
                )
        if set(self.c_mid) != {self.c_out}:
            raise InputError(
                f"Expected proxies.eproxy.c_mid equal to proxies.eproxy.c_out={self.c_out} without a barrier "
                f"(proxies.eproxy.use_barrier=false), which would change the number of channels, but got {self.c_mid}; "
                "set one of the two."
            )

    def resolved(self) -> EproxyOptions:
        """A copy with the values of the file that `settings` names, and without that name.

        A run keeps this copy, so it does not need the file later. Raises InputError if the file is damaged, or if an
        option is given both in the file and on its own.
        """
        if self.settings is None:
            return self
        file, keys = _read(self.settings)
        values = {key: getattr(file, key) for key in keys}
        for key, value in values.items():
            if getattr(self, key) not in (getattr(EproxyOptions(), key), value):
                raise InputError(
                    f"Expected proxies.eproxy.{key} from proxies.eproxy.settings={self.settings} or on its own but got "
                    f"both ({value} and {getattr(self, key)}); leave one out, or change the file."
                )
        return dataclasses.replace(self, **values, settings=None)

    def of_stage(self, values: list[T], stage: int) -> T:
        """The value for a stage; 0 is the last stage."""
        return values[stage] if len(values) > 1 else values[0]


def _read(name: str) -> tuple[EproxyOptions, list[str]]:
    """The checked options of a settings file, and the keys that it has."""
    try:
        values = config.compose(name)
        if "settings" in values:
            raise InputError("its key `settings` names another file; write the values themselves.")
        options = config.checked(values, EproxyOptions)
    except InputError as error:
        raise InputError(f"Expected settings of Eproxy in proxies.eproxy.settings={name} but: {error}") from error
    return options, list(values)


def _within(key: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise _wrong(key, f"between {low:g} and {high:g}", value)


def _wrong(key: str, wanted: str, got: Any) -> InputError:
    return InputError(f"Expected proxies.eproxy.{key} to be {wanted} but got {got!r}.")
