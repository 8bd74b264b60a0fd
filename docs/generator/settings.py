"""The settings: keys, types, defaults, and what the comment beside each key says."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple

from generator.markdown import code, codes, doc, prose, table
from nas.commands import COMMANDS
from nas.settings.schema import Common

INTRODUCTION = """\
Every setting of every command, for those who look for a key or its default. A setting is given as `key=value` on the
command line, as a line of a YAML file (`train: {lr: 0.1}`), or in Python as `settings={"train.lr": 0.1}`. A key that
does not exist is refused, and so is a key on the command line that has no effect. The keys
below `strategy` are on the page [Strategies](strategies.md), those below `proxies` on the page [Proxies](proxies.md),
and those below `model`, `supernet` and `scoring` on the page [Search spaces](spaces.md)."""
ELSEWHERE = {
    "strategy": "[Strategies](strategies.md)",
    "proxies": "[Proxies](proxies.md)",
    "model": "[Search spaces](spaces.md)",
    "supernet": "[Search spaces](spaces.md)",
    "scoring": "[Search spaces](spaces.md)",
}


class Setting(NamedTuple):
    """A key of a section."""

    name: str
    type: str
    default: str
    meaning: str


@cache
def comments(kind: type) -> dict[str, str]:
    """By field that a class itself declares: the comment behind it, or else the lines of comment above it."""
    try:
        source = textwrap.dedent(inspect.getsource(kind))
    except (OSError, TypeError):  # a class that was made at run time, or of Python itself
        return {}
    lines, found = source.splitlines(), {}
    for node in getattr(ast.parse(source).body[0], "body", []):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            behind = lines[(node.end_lineno or 1) - 1].encode()[node.end_col_offset :].decode().strip()
            above: list[str] = []
            number = node.lineno - 2
            while lines[number].lstrip().startswith("#"):
                above.insert(0, lines[number].strip().lstrip("# "))
                number -= 1
            found[node.target.id] = behind.lstrip("# ") or " ".join(above)
    return found


def settings_of(kind: type) -> list[Setting]:
    """The keys of a section that are no sections themselves, in the order of the code."""
    found = []
    for one in fields(kind):
        if not is_dataclass(one.default_factory):
            meaning = next(filter(None, (comments(base).get(one.name) for base in kind.__mro__)), "")
            found.append(Setting(one.name, _type(one), _default(one), meaning))
    return found


def _type(one: Field[Any]) -> str:
    name = one.type if isinstance(one.type, str) else getattr(one.type, "__name__", str(one.type))
    return name.replace(" | None", " or null")


def _default(one: Field[Any]) -> str:
    value = one.default if one.default_factory is MISSING else one.default_factory()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(str, value)) + "]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value) or '""'


def rows(section: str, kind: type) -> str:
    """The table of a section's keys."""
    prefix = f"{section}." if section else ""
    lines = [
        (code(prefix + one.name), f"{code(one.default)} ({prose(one.type)})", prose(one.meaning))
        for one in settings_of(kind)
    ]
    return table(("key", "default (type)", "meaning"), lines)


def sections() -> Iterator[tuple[str, type]]:
    """The sections that exist for every space and strategy; that of the keys without a section is called ''."""
    yield "", Common
    for one in fields(Common):
        if isinstance(one.default_factory, type) and is_dataclass(one.default_factory):
            yield one.name, one.default_factory


def readers(section: str, kind: type) -> str:
    """Which commands read the keys of a section, as sentences; keys that differ from the others are named."""
    by_commands: dict[tuple[str, ...], list[str]] = {}
    taking = [(command.cli_name(), command.takes) for command in COMMANDS.components.values() if command.takes]
    for one in settings_of(kind):
        key = f"{section}.{one.name}" if section else one.name
        names = sorted({name for name, patterns in taking if any(fnmatchcase(key, pattern) for pattern in patterns)})
        by_commands.setdefault(tuple(names), []).append(key)
    groups = sorted(by_commands.items(), key=lambda item: -len(item[1]))
    who = [
        codes(f"nas {name}" for name in commands) if commands else "every command that has settings"
        for commands, _ in groups
    ]
    others = [
        f"{codes(keys)} {'is' if len(keys) == 1 else 'are'} read by {names}"
        for names, (_, keys) in zip(who[1:], groups[1:])
    ]
    return f"These keys are read by {who[0]}" + (f", with exceptions: {'; '.join(others)}." if others else ".")


def page() -> str:
    parts = ["# Settings", INTRODUCTION]
    for section, kind in sections():
        parts += [f"## {section or 'Without a section'}"]
        if kind is not Common:
            parts += [doc(kind)]
        parts += [readers(section, kind), rows(section, kind)]
    parts += [f"## {name}\n\nThe keys depend on other settings: {place}." for name, place in ELSEWHERE.items()]
    return "\n\n".join(parts) + "\n"
