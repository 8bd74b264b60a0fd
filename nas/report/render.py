"""HTML from the templates: every value is escaped, and an undefined name is an error.

The functions of `notes`, `wording` and `difference_wording` are filters of the templates.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from inspect import getmembers, isfunction
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from nas.report import notes, palette, wording
from nas.runs import difference_wording

Item = TypeVar("Item", bound=Hashable)


def distinct(items: Iterable[Item]) -> list[Item]:
    """Each item once, in the order in which they first appear."""
    return list(dict.fromkeys(items))


ENVIRONMENT = Environment(
    loader=PackageLoader("nas.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
ENVIRONMENT.globals["palette"] = palette
ENVIRONMENT.filters["distinct"] = distinct
for module in (notes, wording, difference_wording):
    ENVIRONMENT.filters |= getmembers(module, isfunction)


def render(template: str, **values: Any) -> Markup:
    """The template of this name in `nas/report/templates`, with these values."""
    return Markup(ENVIRONMENT.get_template(template).render(values))
