"""Compose short YAML files, apply `key=value` overrides, and check every key and type against dataclasses."""

from nas.core.config.recipes import check_files, compose, describe, over, shipped
from nas.core.config.schema import (
    OVERRIDE,
    PATH,
    Values,
    checked,
    expanded,
    flat,
    has_key,
    merge,
    override,
    path_field,
    plain,
)
from nas.core.config.section import Section
from nas.core.config.unknown_key import UnknownKey

__all__ = [
    "OVERRIDE",
    "PATH",
    "Section",
    "UnknownKey",
    "Values",
    "check_files",
    "checked",
    "compose",
    "describe",
    "expanded",
    "flat",
    "has_key",
    "merge",
    "over",
    "override",
    "path_field",
    "plain",
    "shipped",
]
