"""Tell a training that diverges from one that goes on, without waiting for the device at every step."""

from __future__ import annotations

import math
from pathlib import Path

from torch import nn

from nas.core.errors import NasError


class DivergenceCheck:
    """Looks at the running loss of an epoch now and then, and at the weights before they are saved.

    `last` is the checkpoint that the message of a divergence points to where it exists; `limit` the largest mean loss
    that still counts as training.
    """

    def __init__(self, last: Path, limit: float) -> None:
        self.last = last
        self.limit = limit
        self._seen = (0.0, 0)

    def begin(self, total: float, steps: int) -> None:
        """An epoch begins, or goes on: `total` is the sum of the losses of its first `steps` steps."""
        self._seen = (total, steps)

    def mean(self, total: float, steps: int, epoch: int) -> float:
        """The mean loss so far; `NasError` where it is no number, or beyond the limit since the last look."""
        before, seen = self._seen
        recent = (total - before) / max(1, steps - seen)
        self._seen = (total, steps)
        if not math.isfinite(total) or recent > self.limit:
            raise self._diverged(f"the loss became {recent:.4g}", epoch)
        return total / steps

    def check(self, model: nn.Module, epoch: int) -> None:
        """`NasError` where the last step has ruined weights or statistics, which no loss shows yet."""
        values = [value for value in model.state_dict().values() if value.is_floating_point()]
        if not nn.utils.get_total_norm(values).isfinite().item():
            raise self._diverged("weights or running statistics are no finite numbers any more", epoch)

    def _diverged(self, what: str, epoch: int) -> NasError:
        kept = f"the last good checkpoint is {self.last}" if self.last.is_file() else "there is no good checkpoint yet"
        return NasError(f"Training diverged: {what} in epoch {epoch + 1}; {kept}. Lower train.lr or set train.clip.")
