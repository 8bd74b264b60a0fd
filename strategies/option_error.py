"""The error for an impossible value of an option of a strategy."""

from __future__ import annotations

from nas.core.errors import InputError


class OptionError(InputError):
    """`problem` says what was expected, without a full stop; `keys` are the options to set."""

    def __init__(self, problem: str, *keys: str) -> None:
        self.problem, self.keys = problem, keys
        super().__init__(f"{problem}; set {self.named('strategy.{}')}.")

    def named(self, notation: str) -> str:
        """The options in words, each as `notation` with its key in place of `{}`."""
        names = [notation.format(key) for key in self.keys]
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
