"""The search stage of strategies that train a supernet; it can be resumed after each epoch."""

from __future__ import annotations

import resource
import sys
from dataclasses import asdict

import torch

from nas.core.errors import InputError, NasError
from nas.core.goal import Goal
from nas.core.io import checkpoint
from nas.core.io.files import os_errors_as_input_errors
from nas.core.reproducibility import nondeterminism_as_errors
from nas.core.seeds import derive
from nas.objectives import constant_logits
from nas.results import FoundArchitecture, SearchResult, SupernetEpoch, SupernetTraining
from nas.runs.stages.context import RunContext, Worker
from nas.search_spaces import SPACES, SearchSpace
from nas.searches.percentile_ranks import percentile_ranks
from nas.settings.schema import SearchSettings, Settings
from nas.strategies.supernet import SUPERNET_STRATEGIES, SupernetStrategy

METRIC = "val_robust_accuracy"  # the metric of an epoch that reports show


def check(settings: Settings) -> None:
    """Raises InputError for a space without a supernet, and for settings of other searches, which would be ignored."""
    space, name = SPACES.get(settings.space), settings.strategy.name
    if space.supernet is SearchSpace.supernet:
        raise InputError(
            f"Expected a space with a supernet for strategy.name={name} but got {settings.space}, which has none; "
            "take another strategy, such as strategy.name=evolution."
        )
    default = vars(SearchSettings())
    changed = [f"search.{key}" for key, value in vars(settings.search).items() if value != default[key]]
    if changed:
        raise InputError(
            f"Expected no {', '.join(changed)} with strategy.name={settings.strategy.name}, which has epochs instead "
            "of a budget, and has no constraints; leave it out."
        )


def new_strategy(worker: Worker) -> SupernetStrategy:
    """The strategy of the settings at its start, with its supernet. Raises InputError if the data cannot be halved."""
    settings = worker.settings
    return SUPERNET_STRATEGIES.get(settings.strategy.name)(
        SPACES.get(settings.space)(),
        worker.dataset,
        derive(settings.seed, "strategy"),
        settings.strategy,
        vars(settings.supernet),
        settings.torch_device(),
    )


def search_supernet(context: RunContext) -> SearchResult:
    """Train the supernet to the end of its epochs, in this process with `executor.threads` threads.

    The result holds the peak memory of this process, or of the GPU. Raises NasError if the logits of the network that
    was found do not depend on the image.
    """
    from torch.utils.tensorboard import SummaryWriter

    run, settings = context.run, context.run.settings
    path = run.folder / "supernet" / "last.pt"
    device = settings.torch_device()
    torch.set_num_threads(settings.executor.threads)
    strategy = new_strategy(context.worker)
    newest = next(checkpoint.load_newest_valid(path, "supernet"), None)
    if newest is not None:
        strategy.load_state_dict(newest["state"])
    context.watcher.stage("search", strategy.total_epochs, strategy.epochs_done)
    with (
        run.stage("search") as stage,
        SummaryWriter(str(path.parent / "tensorboard"), purge_step=strategy.epochs_done) as writer,
    ):
        while not strategy.done:
            with nondeterminism_as_errors():
                epoch = strategy.step()
            with os_errors_as_input_errors(run.folder):
                for name, value in epoch.to_json().items():
                    if isinstance(value, (int, float)) and not isinstance(value, bool):
                        writer.add_scalar(name, value, epoch.epoch)
                writer.add_text("architecture", epoch.arch, epoch.epoch)
                writer.flush()
            checkpoint.save_rotating(path, {"kind": "supernet", "state": strategy.state_dict()})
            context.watcher.update(epoch.epoch, _note(epoch))
            stage.flush()
    space = SPACES.get(settings.space)()
    derived = strategy.result()
    arch = space.parse(derived.arch)
    if not space.connected(arch, **asdict(settings.model)):
        raise NasError(
            f"The search ended with {arch}. {constant_logits.REASON} Start a new run with supernet.allow_none=false, "
            "or with another seed or other epochs."
        )
    metrics = strategy.history[derived.epoch - 1].validation
    tables = context.worker.tables
    ranks = None if tables is None else percentile_ranks(tables, str(arch))
    return SearchResult(
        objective=settings.strategy.name,
        goals=[Goal(METRIC)],
        top=[FoundArchitecture(str(arch), str(space.canonical(arch)), metrics, ranks)],
        evaluated=len(strategy.history),
        failed=0,
        exhausted=False,
        supernet=SupernetTraining(
            chosen_epoch=derived.epoch,
            stopped=derived.stopped,
            epochs=strategy.history,
            memory_mb=_memory(device),
        ),
    )


def _note(epoch: SupernetEpoch) -> str:
    """The note of an epoch beside the progress bar."""
    parts = [f"{name} {value:.3f}" for name, value in epoch.validation.items() if value is not None]
    parts += [f"{name.replace('_', ' ')} {count}" for name, count in epoch.skips.items()]
    return ", ".join([*parts, *([epoch.warning] if epoch.warning else [])])


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 2**20)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1024 if sys.platform != "darwin" else 1024**2))
