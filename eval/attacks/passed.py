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
from torch import Tensor, nn

from nas.core.errors import InputError
from nas.core.perturb import Walk
from nas.core.registry import suggest
from nas.eval.attacks.base import NORMS, Attack

OWN = {"CW": "L2", "PGDL2": "L2", "PGDRSL2": "L2", "DeepFool": "L2", "EADEN": "L2"}  # the norm of classes without `eps`
RADII = ("eps", "max_epsilon")  # what the radius is called
GIVEN = ("self", "model", "norm", "seed", "n_classes", "verbose", *RADII)  # by the evaluation


class FromTorchattacks(Attack):
    """Any class of torchattacks, as `torchattacks:DIFGSM(steps=20,decay=1)`; options are those of its constructor.

    It gets the radius, the norm, a seed and the number of classes where it takes them; a step size `alpha` that is not
    given keeps the library's ratio to the radius. Whatever it returns counts only inside the ball of the evaluation.
    """

    name: ClassVar[str] = "torchattacks:NAME"
    reads: ClassVar[frozenset[str] | None] = frozenset()
    norms: ClassVar[tuple[str, ...]] = NORMS
    bounded: ClassVar[bool] = False
    example: ClassVar[str | None] = "torchattacks:BIM(steps=20)"

    def __init__(self, *arguments: Any, library: str, options: dict[str, Any], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.library = library
        self.options = options
        own = OWN.get(library)
        if own is None and "norm" not in _parameters(library) and any(key in _parameters(library) for key in RADII):
            own = "Linf"
        if own not in (None, self.norm):
            raise InputError(
                f"Expected an attack that is defined for {self.norm} but torchattacks:{library} is one of "
                f"{own}; set eval.norm={own} or leave it out of eval.attacks."
            )

    @staticmethod
    def read(text: str) -> dict[str, Any]:
        """The class and options of `NAME(key=value,...)`; `InputError` where torchattacks has no such."""
        match = re.fullmatch(r"(\w+)(?:\((.*)\))?", text)
        if match is None:
            raise InputError(f"Expected torchattacks:NAME or torchattacks:NAME(key=value,...) but got {text!r}.")
        library, written = match[1], match[2] or ""
        known = {name: parameter for name, parameter in _parameters(library).items() if name not in GIVEN}
        options: dict[str, Any] = {}
        for part in filter(None, re.split(r",(?![^(\[]*[)\]])", written)):
            key, equals, value = (word.strip() for word in part.partition("="))
            if not equals or key not in known:
                raise InputError(
                    f"Expected options of torchattacks:{library} but got {part.strip()!r}{suggest(key, list(known))}; "
                    f"it takes {', '.join(known) or 'none'} (radius and norm are eval.eps and eval.norm)."
                )
            options[key] = _literal(value)
        return {"library": library, "options": options}

    def perturb(self, network: nn.Module, x: Tensor, y: Tensor, stage: str, seed: int) -> Tensor:
        import torchattacks

        arguments = self._arguments(network, x, seed)
        with _numpy_seeded(seed), contextlib.redirect_stdout(io.StringIO()):
            try:
                return getattr(torchattacks, self.library)(network, **arguments)(x, y)
            except (TypeError, ValueError) as error:  # an option's value
                raise InputError(
                    f"Expected options that torchattacks:{self.library} can use but with {self.options} it says: "
                    f"{error}; correct eval.attacks."
                ) from error

    def _arguments(self, network: nn.Module, x: Tensor, seed: int) -> dict[str, Any]:
        parameters = _parameters(self.library)
        found = self._sized()
        known = {"norm": self.norm, "seed": seed % 2**32, "n_classes": network(x[:1]).shape[1]}
        return found | {key: value for key, value in known.items() if key in parameters}

    def _sized(self) -> dict[str, Any]:
        """The options, with the radius, and with the step in the library's ratio to it where none is given."""
        parameters = _parameters(self.library)
        found = dict(self.options)
        for key in RADII:
            if key in parameters:
                found[key] = self.eps
                if "alpha" in parameters and "alpha" not in found:
                    found["alpha"] = parameters["alpha"].default * self.eps / parameters[key].default
        return found

    def passes(self) -> float:
        used = {key: parameter.default for key, parameter in _parameters(self.library).items()} | self.options
        if "n_queries" in used:
            return used["n_queries"] / 3
        return used.get("steps", used.get("num_iter_set", 1)) * max(1, used.get("eot_iter", 1))

    def walk(self) -> Walk | None:
        parameters = _parameters(self.library)
        if "alpha" not in parameters or not any(key in parameters for key in RADII):
            return None
        steps = self.options.get("steps", parameters["steps"].default if "steps" in parameters else 1)
        step = self._sized()["alpha"]
        return (steps, step) if isinstance(steps, int | float) and isinstance(step, int | float) else None


def _parameters(library: str) -> dict[str, inspect.Parameter]:
    """What the constructor takes; `InputError` where torchattacks has no such attack."""
    import torchattacks

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
    """Some of the classes draw from numpy's and Python's own global generators."""
    states = np.random.get_state(), random.getstate()
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        np.random.set_state(states[0])
        random.setstate(states[1])
