"""Detect a training that diverges, without waiting for the device at every step."""

from __future__ import annotations

import math
from pathlib import Path

from torch import nn

from nas.core.errors import NasError


class DivergenceCheck:
    """Checks the loss of an epoch from time to time, and the weights before they are saved.

    `last` is the checkpoint that the error names if it exists; a mean loss above `limit` counts as divergence.
    """

    def __init__(self, last: Path, limit: float) -> None:
        self.last = last
        self.limit = limit
        self._checked = (0.0, 0)  # sum of the losses and number of steps at the last check

    def begin(self, total: float, steps: int) -> None:
        """Begin or resume an epoch: `total` is the sum of the losses of its first `steps` steps."""
        self._checked = (total, steps)

    def mean(self, total: float, steps: int, epoch: int) -> float:
        """The mean loss so far. Raises `NasError` if it is not finite, or above `limit` since the last check."""
        earlier_total, earlier_steps = self._checked
        recent = (total - earlier_total) / max(1, steps - earlier_steps)
        self._checked = (total, steps)
        if not math.isfinite(total) or recent > self.limit:
            raise self._diverged(f"the loss became {recent:.4g}", epoch)
        return total / steps

    def check(self, model: nn.Module, epoch: int) -> None:
        """Raises `NasError` if weights or running statistics are not finite, which the loss may not show yet."""
        values = [value for value in model.state_dict().values() if value.is_floating_point()]
        if not nn.utils.get_total_norm(values).isfinite().item():
            raise self._diverged("weights or running statistics are not finite any more", epoch)

    def _diverged(self, what: str, epoch: int) -> NasError:
        saved = f"the last good checkpoint is {self.last}" if self.last.is_file() else "there is no good checkpoint yet"
        return NasError(f"Training diverged: {what} in epoch {epoch + 1}; {saved}. Lower train.lr or set train.clip.")
