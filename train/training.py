"""Train one network, on clean images or adversarially."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel as Parallel

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.images import unit_range
from nas.core.io.checkpoint import State
from nas.core.io.records import Json
from nas.core.logits import correct
from nas.core.optimisation import distributed
from nas.core.optimisation.attack_steps import eval_mode, uniform_noise
from nas.core.optimisation.distributed import Processes
from nas.core.optimisation.lr_schedule import Schedule
from nas.core.optimisation.shards import divided
from nas.core.optimisation.task import LoopState, Metrics, Plan, Progress
from nas.core.optimisation.trainer import Loop
from nas.core.seeds import derive, seeded
from nas.search_spaces import Network
from nas.train.awp import perturbed_weights, restored_buffers
from nas.train.batches import Batches
from nas.train.batchnorm import synchronised
from nas.train.methods import METHODS
from nas.train.methods.base import FLOAT16_GAIN, Outputs
from nas.train.settings import TrainSettings
from nas.train.trained_network import TrainedNetwork

Batch = tuple[Tensor, Tensor, Tensor]  # augmented images in [0, 1], labels, starting points of the attack
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
VALIDATION_BATCH_SIZE = 500
NEW_NAME = "forward_sync_buffers"  # newer name of the option that torch 2.6 calls broadcast_buffers
UNSYNCED_BUFFERS: dict[str, Any] = {  # they are equal in all processes anyway: batch normalisation is synchronised
    NEW_NAME if NEW_NAME in inspect.signature(Parallel.__init__).parameters else "broadcast_buffers": False
}


class OutputsOfInputs(nn.Module):
    """The outputs of a network for several inputs in one call, as DistributedDataParallel and torch.compile need it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Outputs:
        return [self.network.with_auxiliary(x) for x in inputs]


class Classification:
    """Training by any method on augmented batches: the `TrainingTask` of the training loop.

    All random numbers are drawn for the whole batch, and this process takes its shard of them. The mean loss of a batch
    is over all of its images, in whichever process they are.
    """

    def __init__(
        self,
        network: Network,
        dataset: Dataset,
        settings: TrainSettings,
        trained: TrainedNetwork,
        device: torch.device,
        seed: int,
        processes: Processes | None = None,
    ) -> None:
        self.processes = processes or Processes()
        network = network.to(device).to(memory_format=torch.channels_last)
        self.model: Network = synchronised(network, device) if self.processes.count > 1 else network  # type: ignore[assignment]
        self.settings = settings
        self.trained = trained
        self.device = device
        self.seed = seed
        self.batch_size = min(settings.batch_size, len(dataset.train))
        self.steps_per_epoch = len(dataset.train) // self.batch_size  # the incomplete last batch is left out
        shard, self.sizes = divided(self.batch_size, settings.accumulate, self.processes.rank, self.processes.count)
        self.shard = shard if shard is None else shard.on(device)
        self.train_part = Batches(dataset.train, device, settings.resident, self.shard)
        self.validation_part = dataset.validation
        self.outputs: nn.Module = OutputsOfInputs(self.model)
        self.logits: Callable[[Tensor], Tensor] = self.model
        if settings.compile:
            self.outputs, self.logits = torch.compile(self.outputs), torch.compile(self.model)  # type: ignore[assignment]
        self.synchronised_outputs: nn.Module = self.outputs
        if self.processes.count > 1:
            self.synchronised_outputs = Parallel(
                self.outputs,
                device_ids=[torch.cuda.current_device()] if device.type == "cuda" else None,
                **UNSYNCED_BUFFERS,
                find_unused_parameters=self._has_unused_weights(dataset.image_size),
            )
        self.method = METHODS.get(settings.method)(settings, self.model, self._logits)
        if settings.precision == "fp16":
            self.method.gain = FLOAT16_GAIN
        self.replays = self.method.replays(settings)
        self.epoch = 0

    def _has_unused_weights(self, size: int) -> bool:
        """Whether the network has weights on which no output depends; some cells have convolutions of that kind."""
        weights = list(self.model.parameters())
        with restored_buffers(self.model):
            ((logits, auxiliary),) = self.outputs(torch.zeros(2, 3, size, size, device=self.device))
            total = logits.sum() + (0 if auxiliary is None else auxiliary.sum())
            gradients = torch.autograd.grad(total, weights, allow_unused=True)
        return any(gradient is None for gradient in gradients)

    # batches

    def begin_epoch(self, epoch: int, generator: torch.Generator) -> None:
        self.epoch, self.generator = epoch, generator
        if self.settings.drop_path > 0:
            progress = epoch / max(1, self.settings.epochs - 1)
            self.model.body.drop_path = self.settings.drop_path * progress  # type: ignore[assignment]
        self.order = torch.randperm(len(self.train_part), generator=generator, device=self.device)

    def batches(self, start: int) -> Iterator[Batch]:
        for images, labels in self.train_part.of(self.order, self.batch_size, start):
            x = self.settings.augmented(images, self.model.mean, self.generator, self.shard)
            yield x, labels, self.method.draw(x, self.generator, self.shard)

    # a step

    def gradients(self, batch: Batch, scale: Callable[[Tensor], Tensor]) -> Tensor:
        """Backward passes of all parts of the batch, with AWP at perturbed weights: see `TrainingTask.gradients`."""
        pieces = zip(*(values.split(self.sizes) for values in batch))
        parts = [(x, y, self.method.examples(x, y, start)) for x, y, start in pieces]
        total = torch.zeros((), device=self.device)
        with ExitStack() as stack:
            if self.settings.awp > 0 and self.epoch >= self.settings.awp_warmup:
                losses = (scale(self._loss(self.outputs, *part)) for part in parts)
                stack.enter_context(perturbed_weights(self.model, losses, self.settings.awp, self.processes))
            for number, part in enumerate(parts, start=1):
                with self._exchange_if(number == len(parts)):
                    loss = self._loss(self.synchronised_outputs, *part)
                    scale(loss * self.processes.count).backward()  # the processes' gradients are averaged
                total += loss.detach()
        self.method.after()
        return total

    def _loss(self, outputs: nn.Module, x: Tensor, y: Tensor, examples: Tensor) -> Tensor:
        """The contribution of a part to the mean loss of the batch."""
        with self._autocast():
            predictions = outputs(*self.method.inputs(x, examples))
        return self.method.loss(predictions, y, self._criterion) * (len(y) / self.batch_size)

    def _criterion(self, outputs: tuple[Tensor, Tensor | None], y: Tensor) -> Tensor:
        logits, auxiliary = outputs
        smoothing = self.settings.label_smoothing
        loss = F.cross_entropy(logits.float(), y, label_smoothing=smoothing)
        if auxiliary is not None:
            weight = self.settings.auxiliary_weight
            loss = loss + weight * F.cross_entropy(auxiliary.float(), y, label_smoothing=smoothing)
        return loss

    def _logits(self, x: Tensor) -> Tensor:
        with self._autocast():
            return self.logits(x)

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = DTYPES.get(self.settings.precision)
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype)

    def _exchange_if(self, is_last: bool) -> AbstractContextManager[Any]:
        """Only the last part of a batch exchanges the sum of its gradients with other processes."""
        outputs = self.synchronised_outputs
        return nullcontext() if is_last or not isinstance(outputs, Parallel) else outputs.no_sync()

    # validation

    def validate(self, epoch: int) -> Metrics:
        """Clean accuracy and, if training is adversarial, accuracy under PGD; all epochs have the same random starts.

        Each process evaluates some of the batches; all return the same numbers. None if no image is withheld for
        validation.
        """
        settings, adversarial = self.settings, self.method.adversarial
        names = ["val_accuracy", *(["val_robust_accuracy"] if adversarial else [])]
        count = len(self.validation_part)
        if count == 0:
            return dict.fromkeys(names)
        counts = torch.zeros(2, device=self.device)  # correct: clean, and also under attack
        with eval_mode(self.model):
            for number, start in enumerate(range(0, count, VALIDATION_BATCH_SIZE)):
                if number % self.processes.count != self.processes.rank:
                    continue
                chunk = self.validation_part.select(torch.arange(start, min(start + VALIDATION_BATCH_SIZE, count)))
                x, y = unit_range(chunk.images.to(self.device)), chunk.labels.to(self.device)
                with torch.no_grad():
                    clean = correct(self._logits(x), y)
                    counts[0] += clean.sum()
                if adversarial:
                    seed = derive(self.seed, "validation", number)
                    noise = uniform_noise(x, settings.eps, torch.Generator(self.device).manual_seed(seed))
                    objective = self.method.cross_entropy(y)
                    x_adv = self.method.attacked(objective, x, noise, settings.step_size, settings.validation_steps)
                    with torch.no_grad():
                        counts[1] += (clean & correct(self._logits(x_adv), y)).sum()
        return {name: number / count for name, number in zip(names, self.processes.sum(counts).tolist())}

    def selection(self, metrics: Metrics) -> float | None:
        return metrics.get("val_robust_accuracy", metrics["val_accuracy"])

    # checkpoints

    def export(self) -> State:
        return self.trained.export({name: value.cpu() for name, value in self.model.state_dict().items()})

    def state_dict(self) -> State:
        return self.method.state_dict()

    def load_state_dict(self, state: State) -> None:
        self.method.load_state_dict(state)


def check_recipe(settings: TrainSettings, network: Network) -> None:
    """Raises InputError if the recipe needs something that the network does not have."""
    if settings.drop_path > 0 and not hasattr(network.body, "drop_path"):
        raise InputError(
            f"Expected {settings.section}.drop_path=0 for networks without drop-path but got {settings.drop_path}; "
            "set it to 0."
        )


def check_selection(settings: TrainSettings, withheld: float) -> None:
    """Raises InputError if validation images are to choose the best epoch but none are `withheld`."""
    if settings.select == "best" and withheld == 0:
        raise InputError(
            f"Expected {settings.section}.select=last with data.validation=0, which withholds no images to choose the "
            f"best epoch by, but got {settings.section}.select=best; set {settings.section}.select=last, or "
            "data.validation above 0."
        )


def check_parts(settings: TrainSettings, images: int, processes: int = 1) -> None:
    """Raises InputError if `accumulate` leaves parts of a batch too small for batch normalisation or the processes.

    `images` is the size of the training part. Every batch is complete (an incomplete last one is left out), and the
    sizes of its parts, in all `processes`, differ by at most one image.
    """
    batch = min(settings.batch_size, images)
    smallest = max(2, processes)  # a single image has no variance
    if settings.accumulate > 1 and batch // settings.accumulate < smallest:
        fits = max(1, batch // smallest)
        larger = f", or raise {settings.section}.batch_size" if batch < images else ""
        raise InputError(
            f"Expected parts of at least {smallest} images (two for batch normalisation, one per process) but "
            f"{settings.section}.accumulate={settings.accumulate} makes smaller ones of a batch of {batch}; set "
            f"{settings.section}.accumulate to at most {fits}{larger}."
        )


def large_batch_note(section: str, batch_size: int, images: int) -> str | None:
    """A note for the user that a batch is larger than the number of training `images`; None if it is not."""
    if batch_size <= images:
        return None
    return (
        f"{section}.batch_size={batch_size} is more than the {images} images that are trained on: each batch holds "
        "them all, and an epoch is one step."
    )


def loop_plan(settings: TrainSettings) -> Plan:
    """The settings of the training loop."""
    schedule = Schedule(
        epochs=settings.epochs,
        lr=settings.lr,
        lr_min=settings.lr_min,
        kind=settings.schedule,
        warmup=settings.warmup,
        milestones=settings.milestones,
        gamma=settings.gamma,
        rise=settings.rise,
    )
    return Plan(
        schedule=schedule,
        momentum=settings.momentum,
        nesterov=settings.nesterov,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
        select=settings.select,
        ema=settings.ema,
        scaled=settings.precision == "fp16",
        loss_limit=settings.loss_limit,
        check_steps=settings.check_steps,
        save_steps=settings.save_steps,
        save_minutes=settings.save_minutes,
    )


def train(
    trained: TrainedNetwork,
    dataset: Dataset,
    settings: TrainSettings,
    folder: Path,
    seed: int,
    device: torch.device,
    progress: Progress = lambda done, total, note: None,
    about: Json | None = None,
) -> tuple[Path, LoopState]:
    """Train, or continue to train, the network that `trained` describes; returns the chosen checkpoint and the history.

    `about`: plain values that all checkpoints carry, such as the run that the training belongs to.

    The weights are initialised from `seed`; the same seed on the same machine gives the same weights, also after an
    interruption. If `torch.distributed` is initialised, all of its processes call this function and train one network.
    Raises InputError if the recipe does not fit the network or the data, NasError if the training diverges.
    """
    check_selection(settings, len(dataset.validation))
    with seeded(derive(seed, "weights")):
        network = trained.build()
    check_recipe(settings, network)
    processes = distributed.current()
    task = Classification(network, dataset, settings, trained, device, seed, processes)
    loop = Loop(task, loop_plan(settings), folder, seed, processes, about)
    with seeded(seed):
        state = loop.run(progress)
    return loop.best, state
