"""What is typed: the arguments that a command declares in the words of typer, and `~` for the home folder."""

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
DRY_RUN = Option("dry_run", "Say what it will cost, and write nothing.", type=bool, default=False)
_OPTION = re.compile(r"(--[\w-]+=)?(~.*)", re.DOTALL)


def signature(arguments: Iterable[Argument | Option]) -> Signature:
    """That of a function from which typer would read these arguments."""
    return Signature(
        [Parameter(one.name, Parameter.KEYWORD_ONLY, default=_info(one), annotation=one.type) for one in arguments]
    )


def _info(one: Argument | Option) -> object:
    default = list(one.default) if isinstance(one.default, tuple) else one.default
    if isinstance(one, Argument):
        return typer.Argument(default, metavar=one.metavar, help=one.help)
    return typer.Option(default, one.written, metavar=one.metavar, help=one.help)


def with_home(word: str) -> str:
    """A word of the command line with the home folder for a `~` at its beginning or that of the option's value.

    The shell does so for the first but not for `--output=~/file`, nor where the word is quoted. No word that is no path
    begins so. Of `key=value` the settings know which are paths.
    """
    match = _OPTION.fullmatch(word)
    if match is None:
        return word
    from nas.core.config import expanded

    return (match[1] or "") + expanded(match[2])
