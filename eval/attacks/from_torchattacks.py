"""Any class of torchattacks by its name, with its own options."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import random
import re
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.core.optimisation.attack_steps import Walk
from nas.core.seeds import seeded
from nas.core.suggestions import suggest
from nas.eval.attacks.auto import check_square_fits
from nas.eval.attacks.base import NORMS, Attack, Options
from nas.eval.attacks.library import required
from nas.eval.attacks.library import torchattacks as module

NORM_OF = {"CW": "L2", "PGDL2": "L2", "PGDRSL2": "L2", "DeepFool": "L2", "EADEN": "L2"}  # classes without option `norm`
RADII = ("eps", "max_epsilon")  # options that set the radius
GIVEN = ("self", "model", "norm", "seed", "n_classes", "verbose", *RADII)  # set by the evaluation
MIN_CLASSES = {"APGDT": 4, "AutoAttack": 4, "JSMA": 10}  # targeted DLR ranks 4 logits; JSMA targets the next of ten
DLR = {("APGD", "loss", "dlr"), ("AutoAttack", "version", "rand")}  # options with the DLR loss, which ranks 3 logits
COSTS = {"steps", "n_queries", "nb_iter", "num_iter_set", "max_iterations", "binary_search_steps"}  # decide the time
COSTS |= {"n_restarts", "restarts"}
BLACK_BOX = ("GN", "OnePixel", "Pixle", "SPSA", "Square", "VANILA")  # need only logits, or not even those
MAX_COST = 10  # largest value of each of `COSTS` in a trial; some classes divide by a tenth of the value
SLOW = ("AutoAttack", "JSMA", "SPSA", "SparseFool")  # slow on large images even in a trial: only made, not tried


class FromTorchattacks(Attack):
    """Any class of torchattacks, as `torchattacks:DIFGSM(steps=20,decay=1)`; options are those of its constructor.

    The class gets the radius, the norm, a seed and the number of classes if it has such options. If the step size
    `alpha` is not given, its ratio to the radius is the library's. A perturbed image counts only inside the
    evaluation's ball.
    """

    name: ClassVar[str] = "torchattacks:NAME"
    references: ClassVar[tuple[str, ...]] = ("kim2020torchattacks",)
    reads: ClassVar[frozenset[str] | None] = frozenset()
    norms: ClassVar[tuple[str, ...]] = NORMS
    bounded: ClassVar[bool] = False
    example: ClassVar[str | None] = "torchattacks:BIM(steps=20)"

    def __init__(self, *arguments: Any, library: str, options: Options, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.library = library
        self.needs_gradient = library not in BLACK_BOX
        self.options = options
        own, parameters = NORM_OF.get(library), _parameters(library)
        if own is None and "norm" not in parameters and any(key in parameters for key in RADII):
            own = "Linf"
        if own not in (None, self.norm):
            raise InputError(
                f"Expected an attack that is defined for {self.norm} but torchattacks:{library} is defined for "
                f"{own}; set eval.norm={own} or leave it out of eval.attacks."
            )

    @staticmethod
    def read(text: str) -> Options:
        """The class and options of `NAME(key=value,...)`. Raises `InputError` if torchattacks does not have them.

        If torchattacks is not installed, every name and option is accepted here, and refused by `check`.
        """
        match = re.fullmatch(r"(\w+)(?:\((.*)\))?", text)
        if match is None:
            raise InputError(f"Expected torchattacks:NAME or torchattacks:NAME(key=value,...) but got {text!r}.")
        library, written = match[1], match[2] or ""
        parameters = _parameters(library)
        known = {name: parameter for name, parameter in parameters.items() if name not in GIVEN}
        options: Options = {}
        for part in filter(None, re.split(r",(?![^(\[]*[)\]])", written)):
            key, equals, value = (word.strip() for word in part.partition("="))
            if not equals or (parameters and key not in known):
                raise InputError(
                    f"Expected options of torchattacks:{library} but got {part.strip()!r}{suggest(key, list(known))}; "
                    f"it takes {', '.join(known) or 'none'} (radius and norm are eval.eps and eval.norm)."
                )
            options[key] = _literal(value)
        return {"library": library, "options": options}

    def check(self, num_classes: int, image_size: int) -> None:
        required()
        used = self._all_options()
        dlr = any(self.library == name and used.get(key) == value for name, key, value in DLR)
        smallest = 3 if dlr else MIN_CLASSES.get(self.library, 2)
        if num_classes < smallest:
            raise InputError(
                f"Expected at least {smallest} classes for torchattacks:{self.library} with {self._as_text()} "
                f"but the data has {num_classes}; leave this attack out."
            )
        if self.norm == "L2" and (self.library == "Square" or (self.library == "AutoAttack" and not dlr)):
            check_square_fits(f"torchattacks:{self.library}", image_size)
        self._try(num_classes, image_size)

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        torchattacks = required()
        arguments = self._arguments(network, x, seed)
        with _numpy_seeded(seed), contextlib.redirect_stdout(io.StringIO()):
            try:
                return getattr(torchattacks, self.library)(network, **arguments)(x, y)
            except (TypeError, ValueError) as error:  # the value of an option
                raise InputError(
                    f"Expected options that torchattacks:{self.library} can use but with {self.options} it says: "
                    f"{error}; correct eval.attacks."
                ) from error

    def _try(self, num_classes: int, image_size: int) -> None:
        """Attack two images of noise under a small network in few steps. Raises `InputError` if that fails."""
        short = dict(self.options)
        for key in COSTS & _parameters(self.library).keys():
            if isinstance(self._all_options()[key], int):  # a value of another type stays, and makes the trial fail
                short[key] = min(self._all_options()[key], MAX_COST)
        trial = FromTorchattacks(self.eps, norm=self.norm, library=self.library, options=short)
        try:
            with seeded(0), torch.enable_grad():
                network = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(12, num_classes))
                network.eval().requires_grad_(False)
                x = torch.rand(2, 3, image_size, image_size)
                y = network(x).argmax(1)
                if self.library in SLOW:
                    getattr(required(), self.library)(network, **trial._arguments(network, x, 0))
                else:
                    trial.perturb(network, x, y, self.name, 0)
        except Exception as error:  # whatever a class of the library may raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                f"Expected torchattacks:{self.library} with {self._as_text()} to attack images of {image_size} pixels "
                f"and {num_classes} classes but a trial on noise failed: {reason:.300}; correct or omit this attack."
            ) from error

    def _as_text(self) -> str:
        return ", ".join(f"{key}={value}" for key, value in self.options.items()) or "its defaults"

    def _all_options(self) -> Options:
        """The value of every option: the given one, else the library's default."""
        return {key: parameter.default for key, parameter in _parameters(self.library).items()} | self.options

    def _arguments(self, network: nn.Module, x: Tensor, seed: int) -> Options:
        parameters = _parameters(self.library)
        known = {"norm": self.norm, "seed": seed % 2**32, "n_classes": network(x[:1]).shape[1]}
        return self._options_with_radius() | {key: value for key, value in known.items() if key in parameters}

    def _options_with_radius(self) -> Options:
        """The options with the radius and, if no step size is given, one in the library's ratio to the radius."""
        parameters = _parameters(self.library)
        options = dict(self.options)
        for key in RADII:
            if key in parameters:
                options[key] = self.eps
                if "alpha" in parameters and "alpha" not in options:
                    options["alpha"] = parameters["alpha"].default * self.eps / parameters[key].default
        return options

    def passes(self) -> float:
        used = self._all_options()
        if "n_queries" in used:
            return used["n_queries"] / 3
        return used.get("steps", used.get("num_iter_set", 1)) * max(1, used.get("eot_iter", 1))

    def walk(self) -> Walk | None:
        parameters = _parameters(self.library)
        if "alpha" not in parameters or not any(key in parameters for key in RADII):
            return None
        steps = self.options.get("steps", parameters["steps"].default if "steps" in parameters else 1)
        step = self._options_with_radius()["alpha"]
        return (steps, step) if isinstance(steps, int | float) and isinstance(step, int | float) else None


def _parameters(library: str) -> dict[str, inspect.Parameter]:
    """The parameters of the constructor; none if torchattacks is not installed.

    Raises `InputError` if torchattacks has no such attack.
    """
    torchattacks = module()
    if torchattacks is None:
        return {}
    wrappers = torchattacks.__wrapper__
    known = [name for name in torchattacks.__all__ if name not in wrappers]
    if library not in known:
        raise InputError(
            f"Expected an attack of torchattacks but got {library!r}{suggest(library, known)}; it has "
            f"{', '.join(known)}."
        )
    return dict(inspect.signature(getattr(torchattacks, library).__init__).parameters)


def _literal(text: str) -> Any:
    """A number, truth value or tuple as Python writes it, a fraction such as 2/255, or the text itself."""
    top, slash, bottom = text.partition("/")
    try:
        return float(top) / float(bottom) if slash else ast.literal_eval(text)
    except (ValueError, SyntaxError, ZeroDivisionError):
        return {"true": True, "false": False}.get(text.lower(), text)


@contextlib.contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Seed the global generators of numpy and Python, from which some classes draw, and restore them afterwards."""
    states = np.random.get_state(), random.getstate()
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(states[0])
        random.setstate(states[1])
