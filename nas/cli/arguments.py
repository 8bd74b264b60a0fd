"""Turn the declared arguments of a command into those of typer, and a leading `~` into the home folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from inspect import Parameter, Signature

import typer

from nas.commands.base import Argument, Option

JSON = Option(
    "as_json",
    "Print the result as JSON on standard output, and nothing else there.",
    type=bool,
    default=False,
    flag="--json",
)
DRY_RUN = Option("dry_run", "Forecast the cost, and write nothing.", type=bool, default=False)
_OPTION = re.compile(r"(--[\w-]+=)?(~.*)", re.DOTALL)


def signature(arguments: Iterable[Argument | Option]) -> Signature:
    """The signature of a function from which typer reads these arguments."""
    return Signature(
        [Parameter(one.name, Parameter.KEYWORD_ONLY, default=_info(one), annotation=one.type) for one in arguments]
    )


def _info(one: Argument | Option) -> object:
    default = list(one.default) if isinstance(one.default, tuple) else one.default
    if isinstance(one, Argument):
        return typer.Argument(default, metavar=one.metavar, help=one.help)
    return typer.Option(default, one.written, metavar=one.metavar, help=one.help)


def with_home(word: str) -> str:
    """A word of the command line with the home folder in place of the `~` that begins it, or begins its option's value.

    A shell expands `~/file`, but neither `--output=~/file` nor a quoted word. Only paths begin with `~`. Values of
    `key=value` are left to the settings, which know the keys that are paths.
    """
    match = _OPTION.fullmatch(word)
    if match is None:
        return word
    from nas.core.config import expanded

    return (match[1] or "") + expanded(match[2])
