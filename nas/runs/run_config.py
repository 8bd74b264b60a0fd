"""The file `config.json` of a run: how it is read, and how it is restored from the copy in the run's store."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from nas.core.config import Values
from nas.core.errors import InputError
from nas.core.io.files import ChangedError, DamagedError, put_aside, read_with_checksum, write_with_checksum
from nas.core.io.records import Json, Record
from nas.core.storage.sqlite import SqliteStore
from nas.runs.settings_checksum import with_earlier_defaults

CONFIG = "config.json"


@dataclass(frozen=True, kw_only=True)
class RunConfig(Record):
    """The content of `config.json`: what the run was begun with."""

    version: str = "0"  # of this software
    command: str
    extra: Json  # what the command was given besides settings: a checkpoint, labels, ...
    settings: Values

    def with_earlier_defaults(self) -> RunConfig:
        """The configuration, with the value that the run's version used for each setting newer than the run."""
        return replace(self, settings=with_earlier_defaults(self.settings))

    def settings_elsewhere(self) -> Values:
        """The settings as a base for another run, which needs a folder of its own."""
        return without_folder(self.settings)


def without_folder(settings: Values) -> Values:
    """The settings without the folder of their run."""
    return {**settings, "run": {**settings["run"], "dir": None}}


def read_config(folder: Path) -> RunConfig:
    """The configuration of a run; settings newer than the run have the value that its version used.

    Raises `InputError` if the folder is no run, `DamagedError` if the file is damaged, `ChangedError` if it was edited.
    """
    path = folder / CONFIG
    try:
        return RunConfig.from_json(read_with_checksum(path)).with_earlier_defaults()
    except (FileNotFoundError, NotADirectoryError) as error:
        missing = f"has no {CONFIG}" if folder.is_dir() else "is a file" if folder.exists() else "does not exist"
        raise InputError(f"Expected a run folder but {folder} {missing}; check the path.") from error
    except ChangedError as error:
        raise ChangedError(
            f"Expected {path} as the run wrote it but it was changed, by hand or by damage: a run keeps the settings "
            f"that it began with. Start a new run for other settings; to go on with this one, remove {CONFIG}: "
            f"`nas resume {folder}` writes it anew.",
            error.reason,
        ) from error
    except DamagedError as error:
        raise DamagedError(
            f"Expected a readable {path} but {error.reason}; `nas resume {folder}` writes it anew.", error.reason
        ) from error
    except KeyError as error:
        raise InputError(
            f"Expected a readable {path} but the key {error} is missing; restore it from a copy."
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise InputError(f"Expected a readable {path} but: {error}; restore it from a copy.") from error


def read_or_restore_config(folder: Path, store: SqliteStore) -> RunConfig:
    """The configuration of a run. A file that is damaged or gone is written anew from the copy in the store.

    Raises `ChangedError` if the file was edited, and `InputError` if the store has no copy either.
    """
    try:
        return read_config(folder)
    except InputError as error:
        copy = store.get("config")
        if copy is None or isinstance(error, ChangedError):
            raise
        path = folder / CONFIG
        why = "it is gone" if not path.exists() else getattr(error, "reason", "it cannot be read")
        logging.getLogger("nas").warning(
            "The configuration %s was damaged (%s) and is written anew from the run's store.", path, why
        )
        put_aside(path)
        write_with_checksum(path, copy)
        return RunConfig.from_json(copy).with_earlier_defaults()
