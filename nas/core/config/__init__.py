"""Compose short YAML files, apply `key=value` overrides, and check every key and type against dataclasses."""

from nas.core.config.recipes import compose, describe, shipped
from nas.core.config.schema import (
    LONGEST_TEXT,
    OVERRIDE,
    PATH,
    UnknownKey,
    checked,
    expanded,
    flat,
    has_key,
    merge,
    override,
    path_field,
    plain,
)

__all__ = [
    "LONGEST_TEXT",
    "OVERRIDE",
    "PATH",
    "UnknownKey",
    "checked",
    "compose",
    "describe",
    "expanded",
    "flat",
    "has_key",
    "merge",
    "override",
    "path_field",
    "plain",
    "shipped",
]
