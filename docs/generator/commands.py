"""The pages of the commands and of the recipes."""

from __future__ import annotations

from importlib import resources

import yaml

from generator.markdown import code, codes, doc, first_line, prose, table
from nas.cli.arguments import DRY_RUN, JSON
from nas.commands import COMMANDS
from nas.commands.base import Argument, Command, Option, RunCommand
from nas.core.config import shipped

EXIT_CODES = """\
## Exit codes

| code | meaning |
|---|---|
| 0 | the command did what was asked |
| 1 | a stage failed; what is finished is kept |
| 2 | an error that you can correct, explained in one line on standard error |
| 130, 143, 138 | stopped by Ctrl-C, SIGTERM or SIGUSR1 (as SLURM sends it); the run can be resumed |"""


def commands() -> str:
    listed = [
        one for one in sorted(COMMANDS.components.values(), key=lambda one: one.place) if one.cli_name() == one.name
    ]
    summary = [(f"[{code('nas ' + one.name)}](#{anchor(one.name)})", first_line(doc(one))) for one in listed]
    parts = [
        "# Commands",
        "Every command with its arguments. `nas COMMAND --help` prints the same text. How to add one: "
        "docs/develop/commands.md.",
        table(("command", "what it does"), summary),
        *map(_command, listed),
        EXIT_CODES,
    ]
    return "\n\n".join(parts) + "\n"


def anchor(name: str) -> str:
    return f"nas-{name}".replace(" ", "-")


def _command(command: type[Command]) -> str:
    given = [*command.arguments, JSON]
    if issubclass(command, RunCommand) and command.has_forecast():
        given.append(DRY_RUN)
    words = [one.metavar or one.name.upper() for one in given if isinstance(one, Argument)]
    usage = " ".join(["nas", command.name, "[OPTIONS]", *words])
    rows = [(code(_written(one)), _default(one), prose(one.help)) for one in given]
    takes = f"Settings that it reads: {codes(command.takes)} ([Settings](settings.md))." if command.takes else ""
    parts = [f"## nas {command.name}", doc(command), f"```console\n{usage}\n```"]
    return "\n\n".join(filter(None, [*parts, table(("argument", "default", "meaning"), rows), takes]))


def _written(one: Argument | Option) -> str:
    if isinstance(one, Argument):
        return one.metavar or one.name.upper()
    return one.written if one.type is bool else f"{one.written} {one.metavar or one.name.upper()}"


def _default(one: Argument | Option) -> str:
    if one.default is ...:
        return "required"
    return "" if one.default in (None, False, "") else code(one.default)


def recipes() -> str:
    parts, summary = [], []
    for name in shipped():
        text = resources.files("nas.configs").joinpath(f"{name}.yaml").read_text(encoding="utf-8")
        lines = text.splitlines()
        head = next(n for n, line in enumerate(lines) if not line.startswith("#"))
        words = "\n".join(line.lstrip("# ") for line in lines[:head])
        yaml.safe_load(text)
        summary.append((f"[{code(name)}](#{name})", prose(first_line(words))))
        content = "\n".join(lines[head:]).strip()
        parts.append(f"## {name}\n\n{prose(words)}\n\n```yaml\n{content}\n```")
    intro = (
        "The recipes that are shipped with the project: the settings of a published experiment, or a small start. "
        "`nas run NAME`, `nas search NAME` or `nas train NAME` uses one, and every setting of it can be overridden as "
        "`key=value`. A file of your own may begin with `extends: NAME`."
    )
    return "\n\n".join(["# Recipes", intro, table(("recipe", "what it is"), summary), *parts]) + "\n"
