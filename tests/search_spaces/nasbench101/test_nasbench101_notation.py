"""What users of NASBench-101 write: strings, matrices with operations, dicts, calls; and what is wrong with a text."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nas.core.errors import InputError
from nas.search_spaces import NASBench101
from nas.search_spaces.nasbench101.cell import OPERATIONS

SPACE = NASBench101()
C3, C1, POOL = OPERATIONS
MATRIX = [[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
NAMES = ["input", C3, POOL, "output"]
TEXT = f"110111 {C3} {POOL}"
CELL = SPACE.parse(TEXT)
FLAT = "".join(str(entry) for row in MATRIX for entry in row)


@pytest.mark.parametrize(
    "text",
    [
        f"  110111   {C3}\t{POOL}\n",
        f"'{TEXT}'",
        f'"{TEXT}"',
        f"110111,{C3} {POOL}",
        f"110111 {C3}, {POOL}",
        f"110111 {C3.upper()} MaxPool3x3",
        "110111 conv3x3 maxpool",
        f"110111 input {C3} {POOL} output",
        f"{FLAT} input,{C3},{POOL},output",
        f"{FLAT} {C3} {POOL}",
        f"({MATRIX}, {NAMES})",
        f"[{MATRIX}, {NAMES}]",
        f"{MATRIX}, {NAMES}".join(("(", ")")),
        f"({MATRIX}, {NAMES[1:-1]})",
        json.dumps([MATRIX, NAMES]),
        json.dumps([MATRIX, NAMES], separators=(",", ":")),
        json.dumps([MATRIX, NAMES], indent=2),
        json.dumps({"matrix": MATRIX, "ops": NAMES}),
        json.dumps({"module_adjacency": MATRIX, "module_operations": NAMES, "trainable_parameters": 3}),
        f"ModelSpec(matrix={MATRIX}, ops={NAMES})",
        f"api.ModelSpec({MATRIX}, {NAMES})",
        f"(np.array({MATRIX}), {NAMES})",
        f"(array({np.array(MATRIX).tolist()}, dtype=int8), {NAMES})",
        f"([{', '.join(str(tuple(row)) for row in MATRIX)}], {tuple(NAMES)})",
        f"({[[float(one) for one in row] for row in MATRIX]}, {NAMES})",
        f"({[[bool(one) for one in row] for row in MATRIX]}, {NAMES})",
        f"({[[f'np.int64({one})' for one in row] for row in MATRIX]}, {NAMES})".replace("'np.int64(0)'", "np.int64(0)")
        .replace("'np.int64(1)'", "np.int64(1)"),
    ],
)  # fmt: skip
def test_ways_to_write_a_cell(text: str) -> None:
    assert SPACE.parse(text) == CELL


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda rows: np.array(rows, dtype=np.int8), np.matrix])
def test_a_pair_of_values(kind: object) -> None:
    matrix = kind(MATRIX)  # type: ignore[operator]
    assert SPACE.of_matrix(matrix if kind is not np.matrix else np.asarray(matrix), NAMES) == CELL
    assert SPACE.of_matrix(matrix if kind is not np.matrix else np.asarray(matrix), np.array(NAMES)[1:-1]) == CELL


def test_an_unpruned_matrix_is_pruned() -> None:
    """Seven nodes of which three are on a path, as the benchmark's own loader would read them."""
    matrix = np.zeros((7, 7), int)
    for edge in ((0, 2), (2, 6), (0, 1), (3, 6), (1, 4)):
        matrix[edge] = 1
    names = ["input", C3, POOL, C1, C1, C3, "output"]
    expected = SPACE.parse(f"101 {POOL}")
    assert SPACE.of_matrix(matrix, names) == expected
    upper = "".join(str(matrix[a, b]) for a in range(7) for b in range(a + 1, 7))
    assert SPACE.parse(" ".join([upper, *names[1:-1]])) == expected
    assert SPACE.parse(json.dumps([matrix.tolist(), names])) == expected


def test_the_smallest_cell_is_one_digit() -> None:
    cell = SPACE.parse("1")
    assert (str(cell), cell.edges, cell.operations) == ("1", ((0, 1),), ())
    assert SPACE.parse("([[0, 1], [0, 0]], ['input', 'output'])") == cell


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("00005c142e6f48ac74fdcf73e3439874", "got 00005c142e6f48ac74fdcf73e3439874, a hash, which does not tell"),
        (f"11011 {C3} {POOL}", r"got 5 digits where 2 operations need 6 \(or 16 for the whole matrix\)"),
        (f"110111 {C3} conv5x5-bn-relu", r"the operation 'conv5x5-bn-relu' .did you mean 'conv3x3-bn-relu'\?"),
        (f"110111 {C3} output", "'output' among the inner operations"),
        (f"110112 {C3} {POOL}", "something other than digits 0 and 1 at character 1"),
        (f"000000 {C3} {POOL}", "a path from the input to the output"),
        ("0", "a path from the input to the output"),
        (json.dumps([list(map(list, zip(*MATRIX))), NAMES]), "an upper-triangular matrix .* got 1 in row 1, column 0"),
        (json.dumps([[[0, 2], [0, 0]], ["input", "output"]]), "matrix of 0 and 1 .* got 2 in row 0, column 1"),
        (json.dumps([MATRIX[:3], NAMES]), r"a square matrix .* got 3 rows of \[4\] entries"),
        (json.dumps([MATRIX, NAMES[:3]]), "2 inner operations for a matrix of 4 rows but got 3"),
        (json.dumps([MATRIX, NAMES[::-1]]), "to begin with input and end with output but got 'output' and 'input'"),
        (json.dumps([MATRIX, ["input", 3, 3, "output"]]), "other than the name of an operation"),
        (json.dumps([MATRIX, ["input", "sep", POOL, "output"]]), "an operation of NASBench-101 but got 'sep'"),
        (json.dumps([["01"], NAMES]), "other than a row of 0 and 1"),
        (json.dumps({"matrix": MATRIX}), "other than a matrix and operations"),
        (json.dumps([MATRIX, NAMES]) * 2, "more than one cell"),
        (f"1111111111 {C3} {C3} {C3}", "at most 7 nodes and 9 edges .* got 5 and 10"),
        ("1" * 20_000, "got 20000 characters"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        SPACE.parse(text)
    assert "Expected" in str(caught.value)
    assert "; " in str(caught.value)
