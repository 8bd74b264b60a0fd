"""The table of the checks of an evaluation, for a paper."""

from __future__ import annotations

from collections.abc import Sequence

from nas.report.paper.environment import render_tex
from nas.report.paper.escape import Tex, tex
from nas.results import Check


def checks_table(checks: Sequence[Check]) -> Tex:
    """A table with the name, the verdict and the reason of each check, for a document that uses `booktabs`."""
    return render_tex("paper/checks.tex", rows=[[tex(one.name), tex(one.ok), tex(one.reason)] for one in checks])
