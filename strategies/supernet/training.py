"""What a supernet search trains: the supernet with its optimisers, on batches of both halves of the images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch

from nas.core.data import Dataset
from nas.core.errors import InputError
from nas.core.optimisation.lr_schedule import cosine
from nas.core.seeds import derive, seeded
from nas.search_spaces.base import BuildSettings, SearchSpace
from nas.search_spaces.supernet import Supernet
from nas.strategies.supernet.building import check_arguments, optimizers
from nas.strategies.supernet.compilation import compile_passes
from nas.strategies.supernet.halves import Batch, half_batches, halves, on_device
from nas.strategies.supernet.options import PRECISIONS, BilevelOptions
from nas.strategies.supernet.perturbations import Budget


class SupernetTraining:
    """A supernet, the optimisers of its weights and of α, and the images of both.

    An epoch goes once over the weights' half of `dataset.train`. Batches of both halves are augmented, as in the
    release of DARTS.

    All randomness of an epoch comes from generators derived from (seed, epoch): one for the batches of each half, one
    for the perturbations. So with the same seed all strategies and options see the same images in the same order.
    """

    name: ClassVar[str]
    Options: ClassVar[type[BilevelOptions]]

    def __init__(
        self,
        space: SearchSpace[Any],
        dataset: Dataset,
        seed: int,
        options: BilevelOptions | None = None,
        settings: BuildSettings | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """`settings`: keyword arguments of `space.supernet` (fields of `space.SupernetSettings`).

        Raises InputError if an option is impossible or the training images are too few or too large to be halved.
        """
        self.options = options = options if options is not None else self.Options()
        options.check()
        self.space, self.settings, self.seed = space, dict(settings or {}), seed
        self.device = torch.device(device)
        self.num_classes, self.normalisation = dataset.num_classes, (dataset.mean, dataset.std)
        self.install(self.new_supernet())
        self.weight_half, self.alpha_half = (
            on_device(half, self.device) for half in halves(dataset.train, dataset.num_classes)
        )
        if len(self.alpha_half) < 2:
            raise InputError(f"Expected at least 4 training images to halve but got {len(dataset.train)}; add images.")
        self.held_out = on_device(dataset.validation, self.device)
        self.batch_size = min(options.batch_size, len(self.weight_half), len(self.alpha_half))
        self.steps_per_epoch = len(self.weight_half) // self.batch_size  # the incomplete last batch is left out
        self.budget = Budget(options.eps, options.step_size, options.steps)

    def new_supernet(self, *labels: object, **changes: Any) -> Supernet:
        """A supernet with fresh weights, drawn from a seed derived from `labels`; `changes` are arguments of it.

        Raises InputError if the supernet of the space does not take what the strategy needs of it.
        """
        (mean, std), settings = self.normalisation, {**self.settings, **changes}
        check_arguments(self.space, changes, self.name)
        with seeded(derive(self.seed, "supernet", *labels)):
            supernet = self.space.supernet(self.num_classes, mean=mean, std=std, **settings)
        return supernet.to(self.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]

    def install(self, supernet: Supernet) -> None:
        """Search in this supernet from now on, with new optimisers."""
        options, self.supernet = self.options, supernet
        supernet.precision = PRECISIONS[options.precision]
        if options.compile is not None:
            compile_passes(supernet, options.compile)
        self.weights, self.alphas = supernet.weights(), supernet.architecture_parameters()
        self.weight_optimizer, self.alpha_optimizer = optimizers(self.weights, self.alphas, options)

    def generator(self, *labels: object) -> torch.Generator:
        """A random generator derived from the seed, one for each purpose (and epoch)."""
        return torch.Generator(self.device).manual_seed(derive(self.seed, "supernet", *labels))

    def batches(self, epoch: int) -> Iterator[tuple[Batch, Batch]]:
        """Pairs of a batch of the weights' half and one of α's half, each half in a random order."""
        weights, alphas = (
            half_batches(
                half,
                self.steps_per_epoch,
                self.batch_size,
                self.options.crop,
                self.options.flip,
                self.generator(label, epoch),
            )
            for half, label in ((self.weight_half, "weights"), (self.alpha_half, "alphas"))
        )
        return zip(weights, alphas)

    def set_learning_rate(self, step: int) -> None:
        """Set the weights' learning rate for a step, counted from 0 over the whole search."""
        total = self.options.epochs * self.steps_per_epoch
        for group in self.weight_optimizer.param_groups:
            group["lr"] = cosine(step, total, self.options.lr, self.options.lr_min)
