"""Non-dominated sorting and crowding distance, slowly, from their definitions."""

from __future__ import annotations

import math


def dominates(a: list[float], b: list[float]) -> bool:
    return all(x >= y for x, y in zip(a, b)) and any(x > y for x, y in zip(a, b))


def slow_fronts(rows: list[list[float]]) -> list[list[int]]:
    left, found = list(range(len(rows))), []
    while left:
        front = [i for i in left if not any(dominates(rows[j], rows[i]) for j in left)]
        found.append(front)
        left = [i for i in left if i not in front]
    return found


def slow_crowding(rows: list[list[float]]) -> list[float]:
    distance = [0.0] * len(rows)
    for goal in range(len(rows[0])):
        order = sorted(range(len(rows)), key=lambda i: rows[i][goal])
        low, high = rows[order[0]][goal], rows[order[-1]][goal]
        if low == high:
            continue
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, at, after in zip(order, order[1:], order[2:]):
            distance[at] += (rows[after][goal] - rows[before][goal]) / (high - low)
    return distance
