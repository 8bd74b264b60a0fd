"""Where a Python text can be mutated, and how: the operators, each with the spans that it may change.

Positions come from the syntax tree, and only the span is replaced, so that the rest of the text is not changed. Never
mutated are docstrings and other strings, annotations, imports, `__all__`, what a `raise`, a warning or the log says,
formatted strings, `@dataclass(...)`, and blocks that no test can enter (`if TYPE_CHECKING`, `if __name__ == ...`).
"""

from __future__ import annotations

import ast
import bisect
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

OPERATORS = ("sign", "constant", "comparison", "boolean", "statement", "arguments", "default")
"""sign        + and -, * and / replace each other, also in +=; a minus before a value is removed
constant    an integer becomes one more or one less, a float is doubled or halved, True becomes False
comparison  < and <=, > and >=, == and !=, is and is not, in and not in replace each other
boolean     `and` and `or` replace each other; `not` is removed
statement   a call whose result is not used, a change of an attribute, an element or a name that has a value already,
            an early return, `raise`, `break`, `continue`, `del` becomes `pass`
arguments   two successive positional arguments are swapped
default     like constant, in the default of a parameter or of a field"""

ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "/"), ast.Div: ("/", "*")}
COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
}
SYMMETRIC = {"min", "max", "minimum", "maximum", "gcd", "equal", "isclose", "allclose", "hypot", "isinstance"}
SPEAKERS = {"log", "logger", "logging", "warnings"}  # objects whose calls say something to a person
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Place:
    """One possible mutation: bytes `start` to `end` of the text become `after`.

    `functions`: the first lines, decorators included, of the functions around it, the innermost first; empty at the
    level of the module or of a class.
    """

    operator: str
    start: int
    end: int
    after: str
    line: int
    functions: tuple[int, ...] = ()

    def apply(self, text: bytes) -> bytes:
        """The text with this one mutation."""
        return text[: self.start] + self.after.encode() + text[self.end :]


def places(text: bytes) -> list[Place]:
    """Every possible mutation of a text, in the order of the text."""
    found = _Finder(text).find(ast.parse(text))
    return sorted(found, key=lambda place: (place.start, place.end, place.operator, place.after))


def changes_program(text: bytes, place: Place) -> bool:
    """Whether the mutated text is a valid program that differs from the original."""
    try:
        return ast.dump(ast.parse(place.apply(text))) != ast.dump(ast.parse(text))
    except SyntaxError:
        return False


class _Finder:
    def __init__(self, text: bytes) -> None:
        self.text = text
        self.lines = list(itertools.accumulate(map(len, text.splitlines(keepends=True)), initial=0))
        self.functions: tuple[int, ...] = ()
        self.bound: set[str] = set()  # names that already have a value in the surrounding function
        self.found: list[Place] = []

    def find(self, tree: ast.Module) -> list[Place]:
        for statement in tree.body:
            self._statement(statement)
        return self.found

    # Spans

    def _span(self, node: ast.AST) -> tuple[int, int]:
        start = self.lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        end = self.lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]
        return start, end

    def _source(self, node: ast.AST) -> str:
        start, end = self._span(node)
        return self.text[start:end].decode()

    def _add(self, operator: str, start: int, end: int, after: str) -> None:
        line = bisect.bisect_right(self.lines, start)
        self.found.append(Place(operator, start, end, after, line, self.functions))

    def _between(self, operator: str, left: ast.AST, right: ast.AST, before: str, after: str) -> None:
        """Change the token between two nodes, where there are only brackets and comments besides it."""
        start, end = self._span(left)[1], self._span(right)[0]
        for match in re.finditer(rf"#[^\n]*|({before})".encode(), self.text[start:end]):
            if match[1] is not None:
                self._add(operator, start + match.start(1), start + match.end(1), after)
                return

    # Statements

    def _statement(self, node: ast.stmt, guarded: bool = False) -> None:
        """Add the mutations of a statement; `guarded`: it is in the body of an `if`."""
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal) or _is_docstring(node):
            return
        if isinstance(node, Function):
            self._function(node)
        elif isinstance(node, ast.ClassDef):
            self._class(node)
        elif isinstance(node, ast.If) and _is_untestable(node.test):
            for child in node.orelse:
                self._statement(child)
        elif not (isinstance(node, ast.Assign) and [_name(target) for target in node.targets] == ["__all__"]):
            if self._can_be_dropped(node, guarded):
                self._add("statement", *self._span(node), "pass")
            if isinstance(node, ast.For | ast.With):
                self.bound.update(_bound_by(node, nested=False))
            self._inside(node)
            self.bound.update(_bound_by(node))

    def _can_be_dropped(self, node: ast.stmt, guarded: bool) -> bool:
        if isinstance(node, ast.Raise | ast.Break | ast.Continue | ast.Delete | ast.AugAssign | ast.Assert):
            return True
        if isinstance(node, ast.Return):
            return guarded
        if isinstance(node, ast.Expr):
            return isinstance(node.value, ast.Call | ast.Await) and not _speaks(node.value)
        if isinstance(node, ast.Assign):
            names = {name for target in node.targets for name in _names(target)}
            return bool(self.functions) and (not names or names <= self.bound)
        return False

    def _inside(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Raise):
            return  # neither its message nor what the message is made of is mutated
        if isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC and not _is_text(node.value):
            before, after = (f"{sign}=" for sign in ARITHMETIC[type(node.op)])
            self._between("sign", node.target, node.value, re.escape(before), after)
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "msg", "type_comment"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.stmt):
                    self._statement(child, guarded=isinstance(node, ast.If))
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    for inner in child.body:
                        self._statement(inner)
                elif isinstance(child, ast.withitem):
                    self._expression(child.context_expr)
                elif isinstance(child, ast.expr):
                    self._expression(child)

    def _function(self, node: Function) -> None:
        for decorator in node.decorator_list:
            self._expression(decorator)
        outside, bound = self.functions, self.bound
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        arguments = node.args
        self.functions = (first, *outside)
        self.bound = {a.arg for a in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self._default(default)
        for statement in node.body:
            self._statement(statement)
        self.functions, self.bound = outside, bound

    def _class(self, node: ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            if _name(decorator.func if isinstance(decorator, ast.Call) else decorator) != "dataclass":
                self._expression(decorator)
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and statement.value is not None:
                self._default(statement.value)
            else:
                self._statement(statement)

    # Expressions

    def _expression(self, node: ast.AST) -> None:
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _speaks(node)):
            return
        if isinstance(node, ast.Constant):
            self._constant("constant", node)
        elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
            if not (_is_text(node.left) or _is_text(node.right)):
                before, after = ARITHMETIC[type(node.op)]
                self._between("sign", node.left, node.right, re.escape(before), after)
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
            start = self._span(node)[0]
            operator = "sign" if isinstance(node.op, ast.USub) else "boolean"
            self._add(operator, start, self._span(node.operand)[0] - self._brackets(node.operand, start), "")
        elif isinstance(node, ast.BoolOp):
            before, after = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in itertools.pairwise(node.values):
                self._between("boolean", left, right, before, after)
        elif isinstance(node, ast.Compare):
            for (left, right), sign in zip(itertools.pairwise([node.left, *node.comparators]), node.ops):
                self._between("comparison", left, right, *COMPARISONS[type(sign)])
        elif isinstance(node, ast.Call) and (_name(node.func) or "") not in SYMMETRIC:
            for left, right in itertools.pairwise(node.args):
                self._swap(left, right)
        elif isinstance(node, ast.Lambda):
            for default in (*node.args.defaults, *node.args.kw_defaults):
                if default is not None:
                    self._default(default)
            self._expression(node.body)
            return
        for child in ast.iter_child_nodes(node):
            self._expression(child)

    def _brackets(self, operand: ast.AST, start: int) -> int:
        """How many bytes before an operand are its own brackets, which its span leaves out."""
        before = self.text[start : self._span(operand)[0]]
        return len(before) - before.index(b"(") if b"(" in before else 0

    def _swap(self, left: ast.expr, right: ast.expr) -> None:
        plain = isinstance(left, ast.Starred) or isinstance(right, ast.Starred) or ast.dump(left) == ast.dump(right)
        if not plain:
            (start, left_end), (right_start, end) = self._span(left), self._span(right)
            between = self.text[left_end:right_start].decode()
            if not set(between) & set("()#"):
                self._add("arguments", start, end, f"{self._source(right)}{between}{self._source(left)}")

    def _default(self, node: ast.expr) -> None:
        """Add the constants in the default of a parameter or field."""
        before = len(self.found)
        self._expression(node)
        self.found[before:] = [
            Place("default" if place.operator == "constant" else place.operator, *_rest(place))
            for place in self.found[before:]
        ]

    def _constant(self, operator: str, node: ast.Constant) -> None:
        start, end = self._span(node)
        value = node.value
        if isinstance(value, bool):
            self._add(operator, start, end, str(not value))
        elif isinstance(value, int):
            for after in (value + 1, value - 1) if value else (1,):
                self._add(operator, start, end, str(after))
        elif isinstance(value, float):
            for number in (value * 2, value / 2) if value else (1.0,):
                self._add(operator, start, end, repr(number))


def _rest(place: Place) -> tuple[int, int, str, int, tuple[int, ...]]:
    return place.start, place.end, place.after, place.line, place.functions


def _name(node: ast.AST) -> str | None:
    """The last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _names(target: ast.AST) -> Iterator[str]:
    """The plain names that an assignment to this target binds."""
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _bound_by(node: ast.stmt, nested: bool = True) -> set[str]:
    """The names to which a statement gives a value, with or without those in its body."""
    parts = [child for child in ast.iter_child_nodes(node) if nested or not isinstance(child, ast.stmt)]
    return {name for part in parts for name in _names(part)}


def _speaks(node: ast.AST) -> bool:
    """Whether a call only says something to a person: log.warning(...), warnings.warn(...), print(...)."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute):
        return isinstance(node.func.value, ast.Name) and node.func.value.id in SPEAKERS
    return _name(node.func) == "print"


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_untestable(test: ast.expr) -> bool:
    names = {node.id for node in ast.walk(test) if isinstance(node, ast.Name)}
    return bool(names & {"TYPE_CHECKING", "_TYPE_CHECKING", "__name__"})
