"""How the passes of a supernet are compiled: as CUDA graphs, or by torch's compiler as well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from nas.core.config.conditions import Condition
from nas.core.io.records import Json
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.mixing.mixtures import MIXTURES

COMPILERS: dict[str, Json] = {  # by the name of the option: the arguments of `torch.compile`
    "cuda-graphs": {"backend": "cudagraphs"},
    "reduce-overhead": {"mode": "reduce-overhead"},
}


def _is_compilable(options: Any, *_: Any) -> bool:
    return options.skip_dropout == 0 and not MIXTURES.get(options.mixture).draws_operations


def _why_not(options: Any) -> str:
    if options.skip_dropout:
        return f"with {options.section}.skip_dropout, which draws new numbers in each pass"
    return f"with {options.section}.mixture={options.mixture}, whose operations change from step to step"


COMPILABLE = Condition(_is_compilable, _why_not)  # of the option


def compile_passes(supernet: Supernet, compiler: str) -> None:
    """Compile the logits of a supernet when they are first computed, once for each kind of pass.

    Kinds of passes differ in what requires gradients, in whether there are gradients at all and in the size of the
    batch. On a GPU the kernels of a pass are then started as one CUDA graph; `reduce-overhead` also fuses kernels.
    On a CPU `cuda-graphs` computes what it would without, to the same bits, and is not faster. torch compiles eight
    kinds; passes of others are not compiled.

    The kind is an argument because torch does not always look whether parameters still require gradients: it then
    takes a graph that was made without them.
    """

    def logits(x: Tensor, probabilities: dict[str, Tensor], kind: str) -> Tensor:
        return supernet.logits(x, probabilities) if kind else x  # an argument that is not read is not compared

    supernet.compiled = torch.compile(logits, dynamic=False, **COMPILERS[compiler])


def begin_graphs() -> None:
    """Say that what earlier compiled passes and their gradients returned is not needed any more.

    Until the next call the results of all passes stay in memory, so that a loss may compare several passes. The graphs
    of a GPU are recorded anew for each place in such a sequence of passes.
    """
    torch.compiler.cudagraph_mark_step_begin()


@contextmanager
def uncompiled(supernet: Supernet) -> Iterator[None]:
    """Within this block passes are not compiled: their gradients are differentiated, or their operations change."""
    before, supernet.compiled = supernet.compiled, None
    try:
        yield
    finally:
        supernet.compiled = before
