"""The command line, built from what the commands declare."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import typer

from nas.cli.arguments import DRY_RUN, JSON, signature
from nas.cli.output import output
from nas.commands import COMMANDS
from nas.commands.base import Command, RunCommand
from nas.core.errors import InputError
from nas.version import __version__


def _print_versions(requested: bool) -> None:
    if requested:
        import torch  # takes seconds

        print(f"nas {__version__}, torch {torch.__version__}")
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", is_eager=True, callback=_print_versions, help="Print the versions of nas and of torch."
    ),
) -> None:
    """The options that may stand before the name of a command."""


def _function_of(command: type[Command]) -> Callable[..., None]:
    """The function that typer runs for a command."""
    arguments = [*command.arguments, JSON]
    if issubclass(command, RunCommand) and command.has_forecast():
        arguments.append(DRY_RUN)

    def callback(as_json: bool, **given: Any) -> None:
        with output(as_json) as printed:
            command().call(printed, **given)

    callback.__signature__ = signature(arguments)  # type: ignore[attr-defined]
    callback.__annotations__ = {one.name: one.type for one in arguments}
    return callback


def _refusal(reason: str) -> Callable[..., None]:
    """The function that typer runs instead of a command that cannot be used."""

    def callback() -> None:
        raise InputError(reason)

    return callback


def _group(help: str) -> typer.Typer:
    return typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help=help,
    )


def build_app() -> typer.Typer:
    """The whole command line; commands are in the order of their `place`."""
    app = _group(
        "From a search space to a robustness number.\n\nStart with `nas run quickstart`; `nas list configs` shows the "
        "recipes. Every setting can be overridden as key=value; every command has --help and --json."
    )
    app.callback()(_options)
    groups = {"": app}
    for command in sorted(COMMANDS.components.values(), key=lambda command: command.place):
        if command.cli_name() != command.name:
            continue
        group, _, name = command.name.rpartition(" ")
        if group not in groups:
            package = sys.modules[command.__module__.rpartition(".")[0]]
            groups[group] = _group(inspect.getdoc(package) or "")
            app.add_typer(groups[group], name=group)
        groups[group].command(name, help=inspect.getdoc(command))(_function_of(command))
    for name, reason in COMMANDS.unusable.items():
        if name not in COMMANDS.components:
            any_words = {"ignore_unknown_options": True, "allow_extra_args": True}
            app.command(name, short_help=reason, help=reason, context_settings=any_words)(_refusal(reason))
    return app
