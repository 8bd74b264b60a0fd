"""Refuse numbers that mean something else in YAML 1.1 than to people: 010 is eight there, and 1:30 is ninety."""

from __future__ import annotations

import re

import yaml

_OCTAL = re.compile(r"[-+]?0[0-7_]*[1-7][0-7_]*")
_SEXAGESIMAL = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


def check_numbers(text: str) -> None:
    """Raises MarkedYAMLError at the first unquoted number with a leading zero or with colons.

    Raises another YAMLError if `text` is not YAML.
    Source: the types int and float of YAML 1.1, https://yaml.org/type/int.html and https://yaml.org/type/float.html.
    """
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if not isinstance(event, yaml.ScalarEvent) or event.style is not None or not event.implicit[0]:
            continue
        base = 8 if _OCTAL.fullmatch(event.value) else 60 if _SEXAGESIMAL.fullmatch(event.value) else None
        if base is not None:
            read = yaml.safe_load(event.value)
            problem = (
                f"YAML reads {event.value} as {read} (in base {base}); write {read}, or put {event.value} in quotes"
            )
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
