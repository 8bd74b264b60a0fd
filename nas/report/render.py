"""HTML from the templates: every value is escaped, and a name that a template does not know is an error."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
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
ENVIRONMENT.globals["page_colours"] = palette.PAGE
ENVIRONMENT.filters |= {
    function.__name__: function
    for function in (
        distinct,
        difference_wording.correction,
        difference_wording.disagreement,
        difference_wording.verdict,
        notes.input_notes,
        notes.non_finite_notes,
        notes.remarks,
        wording.attack,
        wording.compared_probability,
        wording.duration,
        wording.interval,
        wording.interval_of,
        wording.listed,
        wording.metric,
        wording.norm,
        wording.one_decimal,
        wording.percent,
        wording.points,
        wording.probability,
        wording.probability_of_few,
        wording.radius,
        wording.signed_points,
        wording.spread,
        wording.thousands,
        wording.three_digits,
        wording.value,
        wording.with_interval,
    )
}


def render(template: str, **values: Any) -> Markup:
    """The template of this name in `nas/report/templates`, with these values."""
    return Markup(ENVIRONMENT.get_template(template).render(values))
