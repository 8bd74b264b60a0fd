"""`nas.register`: one's own parts, in this process; and the names of parts that are given as objects."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from nas.core import config
from nas.core.data import LOADERS
from nas.core.errors import InputError
from nas.core.io.records import Json
from nas.core.registry import Registry, reference_of
from nas.eval.attacks import ATTACKS
from nas.eval.corruptions import CORRUPTIONS
from nas.objectives.notation import GRAPH, LATENCY, PREDICTED
from nas.search_spaces import SPACES, SearchSpace
from nas.settings.schema import Settings, what_names_components
from nas.strategies import STRATEGIES
from nas.strategies.predictors import PREDICTORS
from nas.strategies.proxies import PROXIES
from nas.strategies.supernet import (
    MIXTURE_NOISES,
    MIXTURES,
    PENALTIES,
    PERTURBATIONS,
    REGULARISERS,
    SUPERNET_STRATEGIES,
)
from nas.train.methods import METHODS

T = TypeVar("T")

REGISTRIES: tuple[Registry[Any], ...] = (
    *(SPACES, STRATEGIES, SUPERNET_STRATEGIES, PROXIES, PREDICTORS, METHODS, ATTACKS, CORRUPTIONS, LOADERS),
    *(PERTURBATIONS, REGULARISERS, MIXTURES, MIXTURE_NOISES, PENALTIES),
)
NAME = re.compile(r"[A-Za-z_][\w.-]*")  # others have a meaning in lists, objectives or names of attacks
METRICS = (GRAPH, LATENCY, PREDICTED)  # names of metrics that no proxy can have


def register(thing: T) -> T:
    """Let this process use a part of one's own by its name, wherever a name is taken.

    Such parts are search spaces, strategies, proxies, predictors, training methods, attacks, corruptions, data sets,
    and the perturbations, regularisers, penalties and mixtures of supernets. Workers use those that stand in a module;
    a script or notebook itself cannot be imported. `nas list` and other processes do not know them.

    Args:
        thing: a class derived from `SearchSpace`, `Strategy`, `Attack`, ..., or what `@proxy(...)` makes of a function.
            A later part of the same kind and name replaces it.

    Returns:
        The thing itself, so that this is a decorator too.

    Raises:
        InputError: if it is no such part, lacks methods or a name, or has the name of an installed part.

    >>> import nas
    >>> from nas.strategies.proxies.base import proxy
    >>> @nas.register
    ... @proxy("cheapness", needs="cost", source="this example", passes=0)
    ... def cheapness(cost, options):
    ...     return -float(cost.params)
    >>> nas.score(nas.space("nasbench201").draw(1, seed=1), proxies=["cheapness"])[0].scores
    {'cheapness': -615386.0}
    """
    component = _component(thing)
    registry = _registry_for(component)
    _check_name(registry, component.name)
    registry.add(component)
    return thing


def name_of(thing: Any, *registries: Registry[Any]) -> str | None:
    """The name of a part that is given by its name or as an object, which is registered if it is not yet.

    None stays None. Raises InputError if an object is of none of these kinds or cannot be registered.
    """
    if thing is None or isinstance(thing, str):
        return thing
    component = _component(thing)
    registry = _registry_for(component)
    if registry not in registries:
        kinds = " or ".join(one.kind for one in registries)
        raise InputError(f"Expected a {kinds} but got the {registry.kind} {component.name!r}; give another object.")
    name: str = component.name
    if registry.components.get(name) is not component:
        register(component)
    return name


def names_of(things: Any, *registries: Registry[Any]) -> list[str] | str | None:
    """The names of several parts, each given as `name_of` takes it, or of a single one; a text or None stays as it is.

    Raises InputError as `name_of` does, and if two different objects have the same name.
    """
    if things is None or isinstance(things, str):
        return things
    several = isinstance(things, Iterable) and not isinstance(things, type)
    names: list[str] = []
    objects: Json = {}
    for one in things if several else [things]:
        name = str(name_of(one, *registries))
        if not isinstance(one, str) and objects.setdefault(name, one) is not one:
            raise InputError(f"Expected a name for each object but two are called {name!r}; rename one.")
        names.append(name)
    return names


def check_importable(settings: Settings, names: Iterable[str] = ()) -> None:
    """Raises InputError if other processes do the work and cannot import a registered part that it needs.

    `names` are parts that the settings do not name.
    """
    if settings.executor.in_this_process(settings.torch_device().type):
        return
    values = [what_names_components(config.plain(settings)), *names]
    for registry in REGISTRIES:
        for name, component in registry.mentioned(values).items():
            if reference_of(component) is not None:
                continue
            raise InputError(
                f"Expected the {registry.kind} {name!r} to be importable, since workers need it, but it is defined in "
                "the script or notebook itself or within a function; move it to the top level of a module (a .py file) "
                "and import it from there, or leave workers at 1."
            )


def _component(thing: Any) -> Any:
    """The thing as registries have it: a class for a search space given as an object."""
    if not isinstance(thing, SearchSpace):
        return thing
    kind = type(thing)
    if repr(sorted(vars(thing).items())) != repr(sorted(vars(_made(kind)).items())):
        raise InputError(
            f"Expected a search space without a state of its own but this object of {kind.__name__} differs from "
            f"{kind.__name__}(), which would be searched; write a subclass with a name for each variant."
        )
    return kind


def _made(kind: type[SearchSpace[Any]]) -> SearchSpace[Any]:
    try:
        return kind()
    except TypeError as error:
        raise InputError(
            f"Expected to make the search space by {kind.__name__}() but: {error}; write a subclass with a name for "
            "each variant, which needs no arguments."
        ) from error


def _registry_for(component: Any) -> Registry[Any]:
    """The registry that takes the component. Raises InputError, which says what it lacks, if there is none."""
    for registry in REGISTRIES:
        base = registry.base
        if base is None or not isinstance(component, type):
            if registry.is_component(component):
                return registry
            if base is not None and isinstance(component, base):
                raise InputError(
                    f"Expected the class of the {registry.kind}, of which objects are made when they are needed, but "
                    f"got an object; give {type(component).__name__} itself."
                )
        elif issubclass(component, base):
            if missing := _missing(component, base):
                raise InputError(f"{registry.lacking(repr(component.__name__), missing)}; write them in the class.")
            return registry
    bases = ", ".join(registry.base.__name__ for registry in REGISTRIES if registry.base is not None)
    raise InputError(
        f"Expected a part that can be registered but got {component!r:.100}; derive a class from one of {bases}, or "
        "make a proxy of a function with @proxy(...) from nas.strategies.proxies.base."
    )


def _missing(component: type, base: type) -> list[str]:
    """The methods and class variables that the base class demands and the component does not have."""
    declared = [
        name
        for kind in base.__mro__
        for name, hint in vars(kind).get("__annotations__", {}).items()
        if "ClassVar" in str(hint) and not hasattr(component, name)
    ]
    return sorted({*getattr(component, "__abstractmethods__", ()), *declared})


def _check_name(registry: Registry[Any], name: Any) -> None:
    """Raises InputError if the name has another meaning where names of this kind are written."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InputError(f"Expected a name of letters, digits, '_', '-' and '.' but got {name!r}; choose another.")
    if registry is PROXIES and (not name.isidentifier() or keyword.iskeyword(name) or name in METRICS):
        raise InputError(
            f"Expected the proxy to have the name of a Python variable, other than {', '.join(METRICS)}, but got "
            f"{name!r}; choose another."
        )
    searching = (STRATEGIES, SUPERNET_STRATEGIES)  # which share `strategy.name`
    if registry in searching and any(name in one.components for one in searching if one is not registry):
        raise InputError(f"Expected a new name for the {registry.kind} but {name!r} is another strategy; rename it.")
