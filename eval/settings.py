"""The settings of an evaluation: the options of all its parts in one section."""

from __future__ import annotations

from dataclasses import dataclass

from nas.eval.checks import CheckOptions
from nas.eval.corruptions import CorruptionOptions
from nas.eval.measures import MeasureOptions
from nas.eval.networks.wrapped import NetworkOptions


@dataclass
class EvalSettings(NetworkOptions, CorruptionOptions, MeasureOptions, CheckOptions):
    """The options of the attacks, then those of the base classes, from the last class to the first."""
