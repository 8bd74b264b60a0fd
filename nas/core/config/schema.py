"""Compose short YAML files, apply `key=value` overrides, and check every key and type against dataclasses."""

from __future__ import annotations

import copy
import dataclasses
import functools
import os
import re
import typing
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from nas.core.config.yaml_errors import explained
from nas.core.config.yaml_numbers import check_numbers
from nas.core.config.yaml_size import check_size
from nas.core.errors import InputError
from nas.core.io.files import read_text
from nas.core.registry import suggest

T = TypeVar("T")
OVERRIDE = re.compile(r"^[\w.]+=")  # what tells `key=value` from an architecture such as Genotype(normal=...)
LONGEST_TEXT = 10_000  # characters of a single value; a genotype has 500, a path at most 4,096
PATH = "path"  # in the metadata of the field of a setting that is a path or a list of them
REFERENCE = re.compile(r"[^$\\]*\$\{[\w.]+\}[^$\\]*")


class UnknownKey(InputError):
    """A `key` that the schema lacks; `listed` are those that are possible in its place, in words."""

    def __init__(self, key: str, known: list[str]) -> None:
        self.key = key
        self.listed = ", ".join(known) if known else "nothing: it has no settings"
        super().__init__(f"Unknown key {key!r}{suggest(key, known)}; possible here: {self.listed}.")

    def elsewhere(self, of: str, chosen: str, others: list[str]) -> InputError:
        """The same where the key is one of others than the chosen component; `of` stands before their names."""
        return InputError(
            f"Unknown key: {self.key} is a key of {of}{', '.join(others)}, not of {chosen}; possible here: "
            f"{self.listed}."
        )


def path_field() -> Any:
    """The field of a setting that is a path, by default none: `checked` puts the home folder for its `~`."""
    return dataclasses.field(default=None, metadata={PATH: True})


def expanded(text: str) -> str:
    """A path as the shell would expand the `~` at its beginning."""
    try:
        return os.path.expanduser(text)
    except ValueError:  # no user can have such a name
        return text


def shipped() -> list[str]:
    """Names of the recipes that come with the project."""
    folder = resources.files("nas.configs")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def describe(name: str) -> str:
    """The first comment line of a shipped recipe."""
    first = resources.files("nas.configs").joinpath(f"{name}.yaml").read_text().splitlines()[0]
    return first.lstrip("# ")


def compose(name: str, above: tuple[str, ...] = ()) -> dict[str, Any]:
    """The recipe `name` (shipped) or file `name` (a path ending in .yaml) with everything it `extends` below it.

    A file that a file extends is looked up beside it. `above` are the recipes that extend this one, so that a circle
    is told.
    """
    text, where = _read(name)
    own = copy.deepcopy(_section(text, where))
    merged: dict[str, Any] = {}
    parents = own.pop("extends", None) or []
    for parent in parents if isinstance(parents, list) else [parents]:
        if not isinstance(parent, str):
            raise InputError(f"Expected other recipes in extends of {where} but got {parent!r}.")
        beside = parent.endswith((".yaml", ".yml")) and name.endswith((".yaml", ".yml"))
        found = str(Path(name).parent / expanded(parent)) if beside else parent
        if found in (*above, name):
            raise InputError(f"Expected other recipes in extends of {where} but got {parent!r}.")
        merged = _laid_over(merged, compose(found, (*above, name)))
    return _laid_over(merged, own)


@functools.lru_cache(maxsize=64)
def _section(text: str, where: str) -> Any:
    """The keys and values of a file's text."""
    try:
        check_size(text)
        check_numbers(text)
        loaded = OmegaConf.create(text) if text.strip() else OmegaConf.create({})
        if not isinstance(loaded, DictConfig):
            raise _no_section(where)
        return OmegaConf.to_container(loaded, resolve=False)
    except (OmegaConfBaseException, YAMLError, ValueError) as error:  # ValueError: a number of thousands of digits
        raise InputError(f"Expected readable YAML in {where} but: {explained(error, text)}.") from error
    except AssertionError as error:  # omegaconf's answer to a single number
        raise _no_section(where) from error


def _laid_over(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`merge`, but a section with another `name` takes the place of the old: one strategy's keys are not another's."""

    def renamed(key: str) -> bool:
        old, new = below[key], above.get(key)
        return isinstance(old, dict) and isinstance(new, dict) and new.get("name", old.get("name")) != old.get("name")

    return merge({key: value for key, value in below.items() if not renamed(key)}, above)


def _no_section(where: str) -> InputError:
    return InputError(f"Expected keys and values in {where} but got something else; write `key: value` lines.")


def _read(name: str) -> tuple[str, str]:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        try:
            return read_text(path), str(path)
        except (OSError, ValueError) as error:  # ValueError: not UTF-8, or a zero byte in the name
            raise InputError(f"Expected a readable configuration file but got {name!r}: {error}.") from error
    parts = name.split("/")
    file = resources.files("nas.configs")
    for part in [*parts[:-1], parts[-1] + ".yaml"]:
        file = file.joinpath(part)
    try:
        there = ".." not in parts and not name.startswith("/") and bool(name) and file.is_file()
    except (OSError, ValueError):  # no file can have such a name
        there = False
    if not there:
        raise InputError(
            f"Expected a configuration but got {name!r}{suggest(name, shipped())}; use one of "
            f"{', '.join(shipped())}, or a path ending in .yaml."
        )
    return file.read_text(encoding="utf-8"), f"configuration {name!r}"


def merge(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """`below` with the keys of `above` laid over it, section by section."""
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def override(values: dict[str, Any], overrides: list[str], schema: type) -> dict[str, Any]:
    """`values` with each `key=value` laid over it; a value is read as text where the schema says text, else as YAML."""
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


def checked(values: dict[str, Any], schema: type[T]) -> T:
    """An instance of the dataclass `schema`; unknown keys, wrong types and impossible values are `InputError`s.

    Floats may be written as fractions (`8/255`), lists of text as `a,b`. Every (nested) dataclass with a method
    `check()` is asked to check itself.
    """
    kind: Any = schema
    try:
        instance: T = copy.deepcopy(_instance(kind, _Written(_coerced(values, schema, ""))))
    except OmegaConfBaseException as error:
        key = getattr(error, "full_key", None)
        raise InputError(f"Expected a valid value for {key or 'the configuration'} but: {_one_line(error)}") from error
    _expand(instance)
    _check(instance)
    return instance


class _Written:
    """Plain values as a key of a cache: the same where they are written alike, types included."""

    def __init__(self, values: Any) -> None:
        self.values = values
        self.text = repr(values)

    def __hash__(self) -> int:
        return hash(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Written) and self.text == other.text


@functools.lru_cache(maxsize=1024)
def _value(text: str) -> Any:
    """The YAML value of an override."""
    check_size(text)
    check_numbers(text)
    return OmegaConf.to_container(OmegaConf.from_dotlist([f"value={text}"]))["value"]  # type: ignore[call-overload,index]


@functools.lru_cache(maxsize=1024)  # a command reads the same settings about ten times
def _instance(schema: type, written: _Written) -> Any:
    """The values in an instance of the schema, not checked yet; section by section, as most of them stay the same."""
    sections, values = _sections(schema), written.values
    if not sections or "${" in written.text:  # which may refer to a key of another section
        return OmegaConf.to_object(OmegaConf.merge(_structured(schema), OmegaConf.create(values)))
    rest = _Written({key: value for key, value in values.items() if key not in sections})
    made = dict(vars(_instance(_without_sections(schema), rest)))
    for name, kind in sections.items():
        try:
            made[name] = _instance(kind, _Written(values.get(name, {})))
        except OmegaConfBaseException as error:
            error.full_key = f"{name}.{error.full_key}" if error.full_key else name
            raise
    return schema(**made)


@functools.cache
def _sections(schema: type) -> dict[str, Any]:
    """Name → dataclass of the fields that are a dataclass with its own defaults."""
    fields, hints = dataclasses.fields(schema), _hints(schema)
    return {field.name: hints[field.name] for field in fields if _is_section(field, hints[field.name])}


def _is_section(field: dataclasses.Field[Any], kind: Any) -> bool:
    return dataclasses.is_dataclass(kind) and field.default_factory is kind


@functools.cache
def _without_sections(schema: type) -> type:
    """A dataclass of the other fields."""
    others = [field for field in dataclasses.fields(schema) if field.name not in _sections(schema)]
    return dataclasses.make_dataclass(
        schema.__name__, [(field.name, _hints(schema)[field.name], copy.copy(field)) for field in others]
    )


@functools.cache
def _structured(schema: type) -> Any:
    """The schema with its defaults as omegaconf has it; to be merged into, which leaves it as it is."""
    return OmegaConf.structured(schema)


def plain(instance: Any) -> dict[str, Any]:
    """A dataclass tree as plain values, ready to be saved and read by `checked` again."""
    return dataclasses.asdict(instance)


def _expand(instance: Any) -> None:
    """Put the home folder in the place of `~` in all settings that are paths."""
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            _expand(value)
        elif PATH in field.metadata and isinstance(value, str):
            setattr(instance, field.name, expanded(value))
        elif PATH in field.metadata and isinstance(value, list):
            setattr(instance, field.name, [expanded(one) for one in value])


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """The values of nested sections by their dotted keys."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        result |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {above + key: value}
    return result


def _check(instance: Any) -> None:
    for field in dataclasses.fields(instance):
        value = getattr(instance, field.name)
        if dataclasses.is_dataclass(value):
            _check(value)
    if hasattr(instance, "check"):
        instance.check()


@functools.cache
def _hints(schema: type) -> dict[str, Any]:
    hints = typing.get_type_hints(schema)
    return {field.name: hints[field.name] for field in dataclasses.fields(schema)}  # not the class's own variables


def _unwrapped(kind: Any) -> Any:
    """`int` of `int | None`."""
    arguments = [argument for argument in typing.get_args(kind) if argument is not type(None)]
    is_optional = len(arguments) == 1 and len(typing.get_args(kind)) == 2
    return arguments[0] if is_optional else kind


def _field_type(schema: type, key: str) -> Any:
    """The type of a dotted key; `InputError` with the nearest key where there is none."""
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


def _coerced(values: Any, schema: type, path: str) -> dict[str, Any]:
    """Check the keys of a section and turn `8/255` into a float and `a,b` into a list where the schema asks."""
    if not isinstance(values, dict):
        raise InputError(f"Expected a section of keys for {path.rstrip('.')!r} but got {values!r}.")
    hints = _hints(schema)
    result: dict[str, Any] = {}
    for key, value in values.items():
        if key not in hints:
            raise UnknownKey(f"{path}{key}", [f"{path}{known}" for known in hints])
        kind = _unwrapped(hints[key])
        if dataclasses.is_dataclass(kind):
            result[key] = _coerced(value, kind, f"{path}{key}.")  # type: ignore[arg-type]
        elif value == "???":  # omegaconf would take it for a value that is yet to come
            raise InputError(f"Expected a value for {path}{key} but got '???'; leave the key out for its default.")
        elif isinstance(value, str) and ("\0" in value or len(value) > LONGEST_TEXT):
            raise InputError(
                f"Expected a text of at most {LONGEST_TEXT} characters, none of them zero, for {path}{key} but got "
                f"{value!r}; shorten it."
            )
        elif isinstance(value, str) and "${" in value:
            result[key] = _reference(value, f"{path}{key}")
        elif typing.get_origin(kind) is list:
            result[key] = _items(value, typing.get_args(kind)[0], f"{path}{key}")
        elif kind is float:
            result[key] = _number(value, f"{path}{key}")
        elif isinstance(value, bool) and kind in (int, str):
            raise _not_bool(value, kind, f"{path}{key}")
        else:
            result[key] = value
    return result


def _items(value: Any, kind: type, key: str) -> list[Any]:
    """The items of a list, of `a,b` or of a single value."""
    if isinstance(value, str):
        value = [item.strip() for item in re.split(r",(?![^(]*\))", value) if item.strip()]  # not those of f(a,b)
    items = value if isinstance(value, list) else [value]
    if any(item is None or isinstance(item, dict | list) for item in items):
        raise InputError(f"Expected a list such as a,b for {key} but got {value!r}.")
    items = [_reference(item, key) if isinstance(item, str) and "${" in item else item for item in items]
    return [_number(item, key) for item in items] if kind is float else items


def _reference(text: str, key: str) -> str:
    """A value that refers to one other key, and to nothing else: not to the environment, not to itself twice over."""
    if REFERENCE.fullmatch(text) is None:
        raise InputError(f"Expected a value for {key} that refers to one other key, as ${{seed}}, but got {text!r}.")
    return text


def _not_bool(value: bool, kind: type, key: str) -> InputError:
    return InputError(f"Expected {kind.__name__} for {key} but got {str(value).lower()}.")


def _number(value: Any, key: str) -> Any:
    if isinstance(value, bool):
        raise _not_bool(value, float, key)
    if not isinstance(value, str):
        return value
    top, slash, bottom = value.partition("/")
    try:
        return float(top) / float(bottom) if slash else float(value)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"Expected a number such as 0.031 or 8/255 for {key} but got {value!r}.") from error


def _one_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
