"""Make a network by calling a function of a library or of the user, with options from the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn

from nas.core.config.yaml_errors import explained
from nas.core.config.yaml_size import check_size
from nas.core.errors import InputError
from nas.core.importing import import_named
from nas.core.reasons import reason
from nas.core.seeds import seeded

Keywords = dict[str, object]


def make_network(source: str, make: Callable[[], Any], seed: int) -> nn.Module:
    """The network that `make` returns, with random weights drawn by the seed.

    Raises `InputError`, which names the `source`, if `make` fails or returns something else.
    """
    try:
        with seeded(seed):
            network = make()
    except Exception as error:  # a download that fails, an unknown option, ...
        raise InputError(
            f"Expected {source} to make a network but: {reason(error)}; check eval.model_options, the weights and the "
            "connection."
        ) from error
    if not isinstance(network, nn.Module):
        raise InputError(f"Expected {source} to make an nn.Module but got {type(network).__name__}{_hint(network)}.")
    return network


def from_code(text: str, keywords: Keywords, importable: str | None, seed: int) -> nn.Module:
    """The network that the user's own factory returns; importing its module runs the user's code.

    Raises `InputError` if it cannot be imported or makes no network.
    """
    module_name, _, path = text.partition(":")
    try:
        factory = import_named(module_name, path, importable)
    except Exception as error:  # whatever the user's module may raise
        raise InputError(
            f"Expected to import {text} but: {reason(error)}; run in the folder that holds the module, or install it."
        ) from error
    if not callable(factory):
        raise InputError(f"Expected {text} to be a function that makes a network but it is a {type(factory).__name__}.")
    if isinstance(factory, nn.Module):
        raise InputError(
            f"Expected {text} to be a function that makes a network but it is a network; write a function that returns "
            "it."
        )
    return make_network(text, lambda: factory(**keywords), seed)


def _hint(thing: Any) -> str:
    return "; return its .module()" if isinstance(thing, torch.export.ExportedProgram) else "; return the network"


def keywords(options: list[str]) -> Keywords:
    """`["num_classes=10", "pretrained=false"]` as values, each read as YAML. Raises `InputError` for another form."""
    values: Keywords = {}
    for text in options:
        key, equals, value = str(text).partition("=")
        if not equals or not key.isidentifier():
            raise InputError(f"Expected eval.model_options as key=value,key=value but got {text!r}.")
        try:
            check_size(value)
            values[key] = OmegaConf.to_container(OmegaConf.from_dotlist([text]))[key]  # type: ignore[index,call-overload]
        except Exception as error:  # whatever the YAML library may raise
            raise InputError(
                f"Expected a YAML value in eval.model_options but got {text!r}: {explained(error)}."
            ) from error
    return values
