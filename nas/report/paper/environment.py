"""LaTeX from the templates: every value is escaped, and an undefined name is an error."""

from __future__ import annotations

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from nas.report.paper.escape import Tex, tex

ENVIRONMENT = Environment(
    loader=PackageLoader("nas.report"),
    autoescape=False,
    finalize=tex,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    block_start_string="<%",
    block_end_string="%>",
    variable_start_string="<<",
    variable_end_string=">>",
    comment_start_string="<#",
    comment_end_string="#>",
)


def render_tex(template: str, **values: Any) -> Tex:
    """The template of this name in `nas/report/templates`, with these values."""
    return Tex(ENVIRONMENT.get_template(template).render(values))
