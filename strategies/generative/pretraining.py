"""Pretraining of a generator on random architectures without labels, and the cache of what came out."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import IO, Any

import torch
from filelock import lock_descriptor
from torch import Tensor, nn

from nas.core.data.cache import folder
from nas.core.errors import InputError
from nas.core.io import checkpoint
from nas.core.io.files import DamagedError
from nas.core.seeds import derive, seeded
from nas.search_spaces import SearchSpace
from nas.search_spaces.node_graph import GraphForm
from nas.strategies.generative.generator import Generator, Marginals
from nas.strategies.generative.graphs import Targets, targets
from nas.strategies.generative.posterior import Posterior, fit

VERSION = 1  # raise it when the same settings give other weights
SEED = 0  # of the pretraining: the same generator whatever the seed of a search
BATCH = 32  # graphs per step
LR, POSTERIOR_LR = 2e-4, 2e-3
BETAS = (0.5, 0.999)  # of Adam
CHUNK = 3200  # graphs that are drawn at once
RARE = 1e-4  # the smallest probability in a product of marginals
NETWORK, MARGINALS, POSTERIOR = "network", "marginals", "posterior"
KINDS: dict[str, Callable[[GraphForm], nn.Module]] = {
    NETWORK: Generator,
    MARGINALS: Marginals,
    POSTERIOR: Posterior,
}
_FILE = "agnet generator"  # the kind of the checkpoint
log = logging.getLogger("nas")


@lru_cache(maxsize=8)
def pretrained(space: type[SearchSpace[Any]], part: str, kind: str, graphs: int) -> dict[str, Tensor]:
    """The weights of a generator pretrained on `graphs` random architectures, once per process: see `find_or_make`."""
    return find_or_make(space, part, kind, graphs)


def find_or_make(
    space: type[SearchSpace[Any]],
    part: str,
    kind: str,
    graphs: int,
    told: Callable[[int], None] = lambda done: None,
) -> dict[str, Tensor]:
    """The weights of a pretrained generator: from the cache, or made now, which is said; `told` hears of progress.

    Parts of a space whose graphs have the same form share a generator. A damaged or missing file is made again, to the
    same bits on the same machine; if the cache cannot be written, the generator lasts as long as the process.
    """
    path = cache_file(space, part, kind, graphs)
    with _locked(path):
        found = None if path is None else _read(path)
        if found is not None:
            return found
        log.warning("Pretraining the generator of agnet for %s (%s) on %s graphs.", space.name, part, f"{graphs:,}")
        weights = pretrain(space(), part, kind, graphs, told)
        if path is not None:
            _write(path, weights)
    return weights


def checksum(weights: dict[str, Tensor]) -> str:
    """SHA-256 of the weights in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + weights[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


@torch.enable_grad()
def pretrain(
    space: SearchSpace[Any], part: str, kind: str, graphs: int, told: Callable[[int], None] = lambda done: None
) -> dict[str, Tensor]:
    """Train a generator on `graphs` random architectures of the space, in one thread; `told` hears of the progress.

    Adam on the mean of `fit`. For `kind="network"` there is no teacher forcing: z is drawn anew for every graph and
    says nothing about it, so the optimum is the product of the marginals of the graphs. Those are counted for
    `kind="marginals"`.
    """
    form = space.graph_forms()[part]
    rng, draws = Random(derive(SEED, "graphs")), torch.Generator().manual_seed(derive(SEED, "latent"))
    with seeded(derive(SEED, "weights")), _one_thread():
        model = KINDS[kind](form)
        if isinstance(model, Marginals):
            return _counted(model, _random_graphs(space, part, graphs, rng))
        lr = POSTERIOR_LR if kind == POSTERIOR else LR
        adam = torch.optim.Adam(model.parameters(), lr=lr, betas=BETAS, fused=True)
        done = 0
        while done < graphs:
            wanted = _random_graphs(space, part, min(CHUNK, graphs - done), rng)
            for rows in torch.arange(len(wanted.types)).split(BATCH):
                loss = fit(model, wanted.rows(rows), form, draws)[1].mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
            done += len(wanted.types)
            told(done)
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def cache_file(space: type[SearchSpace[Any]], part: str, kind: str, graphs: int) -> Path | None:
    """Where the generator is cached; None if the system knows no cache folder."""
    try:
        return folder() / "generators" / f"{space.name}-{part}-{kind}-{graphs}-v{VERSION}.pt"
    except OSError:
        return None


def shared_part(space: SearchSpace[Any], part: str) -> str:
    """The first part of the space whose graphs have the same form: it has the same generator."""
    forms = space.graph_forms()
    return next(name for name, form in forms.items() if form == forms[part])


def _random_graphs(space: SearchSpace[Any], part: str, count: int, rng: Random) -> Targets:
    return targets([space.to_graph(space.sample(rng))[part] for _ in range(count)])


def _counted(model: Marginals, seen: Targets) -> dict[str, Tensor]:
    """The product of the marginals of these graphs, as logits."""
    share = torch.nn.functional.one_hot(seen.types, model.kinds).double().mean(0).clamp(RARE, 1 - RARE)
    edges = seen.edges.double().mean(0).clamp(RARE, 1 - RARE)
    return {"types": share.log().float(), "edges": edges.logit().float()}


@contextmanager
def _one_thread() -> Iterator[None]:
    """The bits of a sum may depend on the number of threads, and such small layers gain nothing from several."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _locked(path: Path | None) -> Any:
    """While the context lasts, other processes that want the same generator wait for it."""
    if path is None:
        return nullcontext()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file: IO[bytes] = path.with_suffix(".lock").open("ab")
        lock_descriptor(file.fileno())
    except OSError:  # no room, no rights, or a disk without locks
        return nullcontext()
    return file


def _read(path: Path) -> dict[str, Tensor] | None:
    try:
        return checkpoint.load(path, _FILE)["weights"] if path.is_file() else None
    except DamagedError:
        return None


def _write(path: Path, weights: dict[str, Tensor]) -> None:
    try:
        checkpoint.save(path, {"kind": _FILE, "weights": weights})
    except (InputError, OSError) as error:
        log.warning("The generator could not be cached (%s); set NAS_CACHE to a folder with room.", error)
