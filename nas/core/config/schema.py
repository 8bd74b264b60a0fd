"""Apply `key=value` overrides to plain values, and check every key and type against dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import functools
import os
import re
import typing
from typing import Any, TypeVar

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from nas.core.config.unknown_key import UnknownKey
from nas.core.config.yaml_errors import explained
from nas.core.config.yaml_numbers import check_numbers
from nas.core.config.yaml_size import check_size
from nas.core.errors import InputError

T = TypeVar("T")
Values = dict[str, Any]  # plain values by key; a section is such a dictionary under its name
OVERRIDE = re.compile(r"^[\w.]+=")  # `key=value`, but not an architecture such as Genotype(normal=...)
MAX_TEXT_LENGTH = 10_000  # of a single value; a genotype has 500 characters, a path at most 4,096
SCALARS = (int, float, str, bool)  # a value that has such a type already needs no conversion
PATH = "path"  # marks a setting that is a path or a list of paths, in the metadata of its field
REFERENCE = re.compile(r"[^$\\]*\$\{[\w.]+\}[^$\\]*")


def path_field() -> Any:
    """The field of a setting that is a path, None by default; `checked` replaces a leading `~` by the home folder."""
    return dataclasses.field(default=None, metadata={PATH: True})


def expanded(text: str) -> str:
    """A path with the home folder in place of a leading `~`, as in the shell."""
    try:
        return os.path.expanduser(text)
    except ValueError:  # no user can have such a name
        return text


def merge(below: Values, above: Values) -> Values:
    """The keys and values of both, section by section; the values of `above` replace those of `below`."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def override(values: Values, overrides: list[str], schema: type) -> Values:
    """The values with each override `key=value` applied. A value is text if the schema says so, else YAML.

    Raises InputError if there is no such key or the value is not YAML.
    """
    for text in overrides:
        key, _, value = text.partition("=")
        kind = _field_type(schema, key)
        parsed: Any = value
        if value in ("null", "~", ""):
            parsed = None
        elif kind is not str:
            try:
                parsed = copy.deepcopy(_value(value))
            except Exception as error:
                raise InputError(f"Expected a YAML value in {text!r} but: {explained(error)}.") from error
        for part in reversed(key.split(".")):
            parsed = {part: parsed}
        values = merge(values, parsed)
    return values


def checked(values: Values, schema: type[T]) -> T:
    """The values as an instance of the dataclass `schema`; keys without a value get their defaults.

    Floats may be written as fractions (`8/255`), lists of text as `a,b`. `check()` is called on every (nested)
    dataclass that has it. Raises InputError if a key is unknown, a type is wrong or a value is impossible.
    """
    kind: Any = schema
    instance: T = _instance(_dereferenced(merge(_defaults(kind), values)), kind, "")
    _check(instance)
    return instance


@functools.cache
def _defaults(schema: Any) -> Values:
    return plain(schema())


def _instance(values: Any, schema: Any, path: str) -> Any:
    """The values as an instance of the schema; only their types are checked."""
    if not isinstance(values, dict):
        raise InputError(f"Expected a section of keys for {path.rstrip('.')!r} but got {values!r}.")
    hints = _hints(schema)
    for key in values:
        if key not in hints:
            raise UnknownKey(f"{path}{key}", [f"{path}{known}" for known in hints])
    values = {**_defaults(schema), **values}
    made = {}
    for field in dataclasses.fields(schema):
        value, hint, key = values[field.name], hints[field.name], f"{path}{field.name}"
        kind = _unwrapped(hint)
        if dataclasses.is_dataclass(kind) and not (value is None and kind is not hint):
            made[field.name] = _instance(value, kind, f"{key}.")
        else:
            value = _converted(value, hint, key)
            made[field.name] = _with_home(value) if PATH in field.metadata else value
    return schema(**made)


def _converted(value: Any, hint: Any, key: str) -> Any:
    """The value in the type of the hint: `8/255` becomes a float, `a,b` a list. Raises InputError for another type."""
    kind = _unwrapped(hint)
    if value == "???":  # to omegaconf, a value that will be given later
        raise InputError(f"Expected a value for {key} but got '???'; leave the key out for its default.")
    _check_text(value, key)
    if isinstance(value, bool) and kind in (int, str):
        raise _not_bool(value, kind, key)
    if kind is float:
        value = _number(value, key)
    elif typing.get_origin(kind) is list and not (value is None and kind is not hint):
        (item_kind,) = typing.get_args(kind)
        value = _items(value, item_kind, key)
        if item_kind in SCALARS and all(type(item) is item_kind for item in value):
            return value
    if (type(value) is kind and kind in SCALARS) or (value is None and kind is not hint):
        return value
    section, dot, name = key.rpartition(".")
    try:
        return getattr(OmegaConf.to_object(OmegaConf.merge(_schema_of_one(name, hint), {name: value})), name)
    except OmegaConfBaseException as error:
        raise _invalid(f"{section}{dot}{getattr(error, 'full_key', None) or name}", error) from error


@functools.lru_cache(maxsize=1024)
def _value(text: str) -> Any:
    """The YAML value of an override."""
    check_size(text)
    check_numbers(text)
    return OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))["value"]  # type: ignore[call-overload,index]


@functools.cache
def _schema_of_one(name: str, hint: Any) -> Any:
    """A schema of one key for omegaconf. It is shared: merging makes a copy."""
    return OmegaConf.structured(dataclasses.make_dataclass("Single", [(name, hint)]))


def plain(instance: Any) -> Values:
    """A dataclass tree as plain values, ready to be saved and read by `checked` again."""
    return dataclasses.asdict(instance)


def _with_home(value: Any) -> Any:
    """A path or a list of paths, each with the home folder in place of a leading `~`."""
    if isinstance(value, list):
        return [expanded(one) for one in value]
    return expanded(value) if isinstance(value, str) else value


def flat(values: Values, above: str = "") -> Values:
    """The values of nested sections by their dotted keys."""
    result: Values = {}
    for key, value in values.items():
        result |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return result


def _check(instance: Any) -> None:
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            _check(value)
    if hasattr(instance, "check"):
        instance.check()


@functools.cache
def _hints(schema: type) -> dict[str, object]:
    hints = typing.get_type_hints(schema)
    return {field.name: hints[field.name] for field in dataclasses.fields(schema)}  # without class variables


def _unwrapped(kind: Any) -> Any:
    """`int` for `int | None`; any other type as it is."""
    arguments = [argument for argument in typing.get_args(kind) if argument is not type(None)]
    is_optional = len(arguments) == 1 and len(typing.get_args(kind)) == 2
    return arguments[0] if is_optional else kind


def _field_type(schema: type, key: str) -> Any:
    """The type of a dotted key. Raises InputError with the most similar key if there is no such key."""
    kind: Any = schema
    path: list[str] = []
    for part in key.split("."):
        if not dataclasses.is_dataclass(kind):
            raise InputError(f"Unknown key {key!r}: {'.'.join(path)} is a single value and has no keys below it.")
        hints = _hints(kind)  # type: ignore[arg-type]
        if part not in hints:
            raise UnknownKey(".".join([*path, part]), [".".join([*path, known]) for known in hints])
        kind = _unwrapped(hints[part])
        path.append(part)
    return kind


def has_key(schema: type, key: str) -> bool:
    """Whether the schema has the dotted key."""
    try:
        _field_type(schema, key)
    except InputError:
        return False
    return True


def _dereferenced(values: Values) -> Values:
    """The values with each reference, such as `${seed}`, replaced by the value of that key."""
    if "${" not in repr(values):
        return values
    _check_references(values, "")
    try:
        resolved = OmegaConf.to_container(OmegaConf.create(values), resolve=True)
    except OmegaConfBaseException as error:
        raise _invalid(getattr(error, "full_key", None), error) from error
    return typing.cast(Values, resolved)


def _check_references(value: Any, key: str) -> None:
    """Raises InputError if a text refers to anything but one other key, such as to the environment."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_references(inner, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for inner in value:
            _check_references(inner, key)
    elif isinstance(value, str) and "${" in value:
        _check_text(value, key)
        if REFERENCE.fullmatch(value) is None:
            raise InputError(
                f"Expected a value for {key} that refers to one other key, such as ${{seed}}, but got {value!r}."
            )


def _check_text(value: Any, key: str) -> None:
    if isinstance(value, str) and ("\0" in value or len(value) > MAX_TEXT_LENGTH):
        raise InputError(
            f"Expected a text of at most {MAX_TEXT_LENGTH} characters without zero bytes for {key} but got {value!r}; "
            "shorten it."
        )


def _items(value: Any, kind: type, key: str) -> list[Any]:
    """The items of a list, of `a,b` or of a single value."""
    if isinstance(value, str):
        value = [item.strip() for item in re.split(r",(?![^(]*\))", value) if item.strip()]  # but not within f(a,b)
    items = value if isinstance(value, list) else [value]
    if any(item is None or isinstance(item, dict | list) for item in items):
        raise InputError(f"Expected a list such as a,b, or [] for the empty list, for {key} but got {value!r}.")
    return [_number(item, key) if kind is float else item for item in items]


def _not_bool(value: bool, kind: type, key: str) -> InputError:
    return InputError(f"Expected {kind.__name__} for {key} but got {str(value).lower()}.")


def _number(value: Any, key: str) -> Any:
    if isinstance(value, bool):
        raise _not_bool(value, float, key)
    if not isinstance(value, str | int):
        return value
    numerator, slash, denominator = str(value).partition("/")
    try:
        return float(numerator) / float(denominator) if slash else float(value)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise InputError(f"Expected a number such as 0.031 or 8/255 for {key} but got {value!r}.") from error


def _invalid(key: str | None, error: OmegaConfBaseException) -> InputError:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = (lines[0] if lines else type(error).__name__).rstrip(".")
    return InputError(f"Expected a valid value for {key or 'the configuration'} but: {reason}.")
