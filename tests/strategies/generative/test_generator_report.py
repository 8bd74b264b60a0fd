"""What a generator draws: the share that is valid, what differs, and how much of it z decides."""

from __future__ import annotations

import math

import pytest
import torch

from nas.search_spaces import NASBench201
from nas.strategies.generative.generator import Marginals
from nas.strategies.generative.report import of_generator, share_due_to_z, uniform


def test_the_share_of_the_variance_is_that_of_a_two_point_z() -> None:
    """One edge with p = .9 for half of the z and .1 for the other: Var(p) = .16, and p̄(1-p̄) = .25."""
    form = NASBench201().graph_forms()["cell"]
    raw = torch.zeros(2, 84)
    raw[:, :56] = torch.eye(7)[0].repeat(8) * 100  # types that are certain
    raw[:, 56:] = 100.0
    raw[:, 60] = torch.tensor([math.log(9), -math.log(9)])
    assert share_due_to_z(raw, form) == pytest.approx(0.16 / 0.25)
    raw[1] = raw[0]
    assert share_due_to_z(raw, form) == pytest.approx(0, abs=1e-12)


def test_uniform_drawing_and_the_right_marginals_are_alike() -> None:
    space = NASBench201()
    form = space.graph_forms()["cell"]
    drawn = uniform(space, "cell", 300, 0)
    assert (drawn.valid, drawn.samples, drawn.due_to_z) == (1.0, 300, None)
    assert drawn.classes < drawn.different <= 300
    module = Marginals(form)
    module.types.data[0, 1] = 50.0
    module.types.data[1:7, 2:] = 50.0
    there = torch.tensor(space.to_graph(space.largest())["cell"].edges)
    module.edges.data = torch.where(there, 50.0, -50.0)
    found = of_generator("marginals", module, space, "cell", 300, 0)
    assert (found.valid, found.due_to_z) == (1.0, pytest.approx(0, abs=1e-9))
    assert found.different == pytest.approx(drawn.different, abs=10)
