"""Limits: what is within them, and the order of candidates with and without joint ranks."""

from __future__ import annotations

import numpy as np

from nas.core.limit import Limit, Limits

TWO = (Limit("latency", "<=", 4.0), Limit("robust", ">", 0.5))


def test_all_limits_have_to_hold_and_what_is_unknown_does_not() -> None:
    limits = Limits(TWO)
    assert limits.hold({"latency": 4.0, "robust": 0.6})
    assert not limits.hold({"latency": 4.1, "robust": 0.6})
    assert not limits.hold({"latency": 4.0, "robust": 0.5})
    assert not limits.hold({"latency": 4.0})
    assert not limits.hold({"latency": 4.0, "robust": None})
    assert Limits().hold({})
    assert str(limits) == "latency<=4, robust>0.5"
    assert limits.feasible(np.array([[4.0, 0.6], [4.1, 0.6], [1.0, 0.5]])).tolist() == [True, False, False]


def test_what_is_outside_comes_last_and_joint_adds_the_ranks_of_the_quantities() -> None:
    worth, latency = np.array([9.0, 8.0, 7.0, 6.0, 5.0]), np.array([[9.0], [4.0], [3.0], [1.0], [8.0]])
    one = (TWO[0],)
    assert Limits(one).order(worth, latency).tolist() == [1, 2, 3, 0, 4]
    # ranks of worth 0..4; of latency 4, 2, 1, 0, 3; sums 4, 3, 3, 3, 7: equal ones stay in their order
    assert Limits(one, joint=True).order(worth, latency).tolist() == [1, 2, 3, 0, 4]
    # with latencies 4, 2, 1 of the feasible ones the cheapest wins: sums 1 + 3, 2 + 1, 3 + 0
    cheaper = np.array([[9.0], [4.0], [2.0], [1.0], [8.0]])
    assert Limits(one, joint=True).order(np.array([9.0, 8.0, 8.0, 8.0, 5.0]), cheaper).tolist() == [3, 2, 1, 0, 4]
    lower = (Limit("robust", ">=", 0.0),)
    assert Limits(lower, joint=True).order(np.zeros(2), np.array([[1.0], [2.0]])).tolist() == [1, 0]
