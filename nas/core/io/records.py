"""Frozen dataclasses that are written as JSON objects and read back; the keys are the fields, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass
from functools import cache
from reprlib import Repr
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

Json = dict[str, Any]  # a JSON object: nothing but dictionaries, lists, texts, numbers, true, false and null
R = TypeVar("R", bound="Record")

MAX_REPR = 400  # approximate length of a record's `repr`
LAST = {"last": True}  # metadata of a field that is written after the fields of subclasses
HIDDEN = {"hidden": True}  # metadata of a field that is not in the JSON


def key(name: str) -> dict[str, str]:
    """Metadata of a field whose key in JSON is not its own name."""
    return {"key": name}


def flat(prefix: str | None = None) -> dict[str, bool | str | None]:
    """Metadata of a field whose value is written as several keys, beside the keys of the other fields.

    A record writes its keys and None writes none; a dictionary has the keys that begin with `prefix`.
    """
    return {"flat": True, "prefix": prefix}


@dataclass(frozen=True, eq=False)
class Record:
    """A frozen dataclass with `to_json` and `from_json`. Records of one class are equal if their JSON is equal.

    A field holds a value of JSON, a record or another dataclass, a tuple (a list in JSON), an array of bool (a text of
    0 and 1), or a list or dictionary of these; its annotation decides how it is read. A field with a default may be
    missing in JSON, and is not written if it has its default. Keys without a field, such as those of a later version,
    are stored in `more` and written after the others.
    """

    more: Json = field(default_factory=dict, kw_only=True, repr=False)

    def __init_subclass__(cls, **given: Any) -> None:
        """Keep the short `repr` of this class: `dataclass` writes its own into a class that does not define one."""
        super().__init_subclass__(**given)
        if cls.__repr__ is Record.__repr__:
            cls.__repr__ = Record.__repr__  # type: ignore[method-assign]

    @classmethod
    def from_json(cls: type[R], value: Mapping[str, Any]) -> R:
        """The record from its JSON. Raises KeyError if a key is missing, TypeError if a value has the wrong type."""
        if not isinstance(value, Mapping):
            raise TypeError(f"expected the keys of a {cls.__name__} but got {value!r:.80}")
        more: Json = dict(value)
        values: Json = {}
        itself: Any = cls
        for member, kind in _fields(itself):
            name = member.metadata.get("key", member.name)
            if member.metadata.get("flat"):
                own = {name: more.pop(name) for name in list(more) if _owns(kind, member.metadata["prefix"], name)}
                values[member.name] = _read(kind, own if member.metadata["prefix"] is not None else own or None)
            elif name in more:
                values[member.name] = _read(kind, more.pop(name))
            elif _default(member) is MISSING:
                raise KeyError(name)
        return cls(**values, more=more)

    def to_json(self) -> Json:
        """The record as a JSON object."""
        written: Json = {}
        itself: Any = type(self)
        for member, _ in _fields(itself):
            value = getattr(self, member.name)
            if member.metadata.get("flat"):
                written |= _written(value) or {}
            elif (default := _default(member)) is MISSING or value != default:
                written[member.metadata.get("key", member.name)] = _written(value)
        return {**written, **self.more}

    def __repr__(self) -> str:
        """The first fields that differ from their default, shortened."""
        itself: Any = type(self)
        parts: list[str] = []
        for member, _ in _fields(itself):
            value = getattr(self, member.name)
            if not member.metadata.get("last") and ((default := _default(member)) is MISSING or value != default):
                parts.append(f"{member.name}={_SHORT.repr(value)}")
            if sum(map(len, parts)) > MAX_REPR:
                parts[-1] = "..."
                break
        return f"{type(self).__name__}({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Record) and self.to_json() == other.to_json()


class _ShortRepr(Repr):
    """Shortened texts of values; the text of an array is its size."""

    def __init__(self) -> None:
        super().__init__()
        self.maxstring = self.maxother = 120
        self.maxlevel = 3

    def repr_ndarray(self, value: np.ndarray, level: int) -> str:
        return f"<{value.size} values>"


_SHORT = _ShortRepr()


@cache
def _fields(kind: Any) -> list[tuple[Field[Any], Any]]:
    """The fields in the order in which they are written, each with its annotation."""
    kinds = get_type_hints(kind)
    own = [member for member in fields(kind) if member.name != "more" and not member.metadata.get("hidden")]
    own.sort(key=lambda member: bool(member.metadata.get("last")))
    return [(member, kinds[member.name]) for member in own]


def _default(member: Field[Any]) -> Any:
    return member.default if member.default_factory is MISSING else member.default_factory()


def _owns(kind: Any, prefix: str | None, name: str) -> bool:
    """Whether a flat field of this kind has the key."""
    if prefix is not None:
        return name.startswith(prefix)
    (record,) = [part for part in get_args(kind) or [kind] if part is not NoneType]
    return any(name == member.metadata.get("key", member.name) for member, _ in _fields(record))


def _read(kind: Any, value: Any) -> Any:
    """The value of a field of this kind, from its JSON."""
    outer, parts = get_origin(kind) or kind, get_args(kind)
    if outer in (Union, UnionType):
        (inner, *others) = [part for part in parts if part is not NoneType]
        return value if value is None or others else _read(inner, value)
    if outer in (list, Sequence):
        return [_read(parts[0], item) for item in value]
    if outer is dict:
        return {name: _read(parts[1], item) for name, item in value.items()}
    if outer is np.ndarray:
        return np.frombuffer(value.encode(), dtype=np.uint8) == ord("1")
    if isinstance(outer, type) and issubclass(outer, Record):
        return outer.from_json(value)
    if isinstance(outer, type) and issubclass(outer, tuple):
        return tuple(value) if outer is tuple else outer(*value)
    if isinstance(outer, type) and is_dataclass(outer):
        return outer(**{item.name: value[item.name] for item in fields(outer)})
    return value


def _written(value: Any) -> Any:
    """The value as JSON."""
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, dict):
        return {name: _written(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in value]
    if isinstance(value, np.ndarray):
        return "".join("1" if flag else "0" for flag in value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value
