"""Accuracies from the official files of NATS-Bench and NAS-Bench-201, read through their own packages.

The packages would unpickle any object that a file names; here they use the reader of this project, which admits plain
values and arrays only.
"""

from __future__ import annotations

import importlib
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from nas.core.data.formats.base import log
from nas.core.errors import InputError
from nas.core.io.unpickle import read_compressed
from nas.search_spaces import NASBench201
from nas.tables.archive_cache import cached
from nas.tables.base import ArrayTable
from nas.tables.files import Origin, Rows

NATS = Origin(
    "NATS-Bench (the folder NATS-tss-v1_0-3ffb9-simple, or NATS-tss-v1_0-3ffb9.pickle.pbz2)",
    "get it from https://github.com/D-X-Y/NATS-Bench, or give a CSV with the columns arch_str and DATASET_test_acc",
)
NB201 = Origin(
    "NAS-Bench-201 (NAS-Bench-201-v1_1-096897.pth)",
    "get it from https://github.com/D-X-Y/NAS-Bench-201, or use NATS-Bench, which has taken its place",
)
DATASETS = ("cifar10", "cifar100", "ImageNet16-120")
EPOCHS = "200"  # of the training, as the packages name it
TENSORS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"  # torch's environment variable that makes torch.load admit tensors only
META = "meta.pickle.pbz2"


def is_official(path: Path) -> bool:
    return path.is_dir() or path.suffix.lower() in (".pbz2", ".pth")


def read_official(path: Path, dataset: str) -> ArrayTable:
    """DATASET_test_acc and DATASET_valid_acc in percent after 200 epochs: of each string, the mean over seeds.

    The validation accuracy of CIFAR-10 is that of the networks trained on half of the training images. Raises
    InputError if the file is missing or damaged, or its package is not installed.
    """
    origin, package, pip, open_api = (
        (NB201, "nas_201_api", "nas-bench-201", _nas_bench_201)
        if path.suffix.lower() == ".pth"
        else (NATS, "nats_bench", "nats_bench", _nats_bench)
    )
    if not path.exists():
        raise origin.missing(path)
    if path.is_dir() and not (path / META).exists():
        raise origin.damaged(path, f"it has no {META}")
    name = origin.dataset(dataset, DATASETS, path)

    def read() -> Rows:
        try:
            module = importlib.import_module(package)
        except ImportError as error:
            raise InputError(
                f"Expected the package {package} to read {path} but it is not there ({error}); `pip install {pip}`, "
                f"or give a CSV with the columns arch_str and {name}_test_acc."
            ) from error
        log.warning("Reading %s can take an hour the first time; after that its numbers are cached.", path)
        try:
            return _rows(open_api(module, path), name)
        except (InputError, MemoryError):
            raise
        except Exception as error:  # a package may raise anything at all on a damaged file
            why = " ".join(f"{type(error).__name__}: {error}".split())
            raise origin.damaged(path, f"{package} could not read it ({why[:200].rstrip('.')})") from error

    rows = cached(path, f"{package} {name}", read)
    try:
        NASBench201().parse(rows.architectures[0])
    except (InputError, IndexError) as error:
        raise origin.damaged(path, "it has no cells of NAS-Bench-201's space") from error
    return ArrayTable(str(path), rows.architectures, rows.columns)


def _nats_bench(module: Any, path: Path) -> Any:
    for name in ("api_utils", "api_topology"):
        part = importlib.import_module(f"{module.__name__}.{name}")
        part.pickle_load = _pickle_load  # type: ignore[attr-defined]
    return module.create(str(path), "tss", fast_mode=path.is_dir(), verbose=False)


def _pickle_load(path: str, ext: str = ".pbz2") -> Any:
    """Replaces the function of this name in the package."""
    return read_compressed(Path(path) if Path(path).is_file() else Path(path + ext))


def _nas_bench_201(module: Any, path: Path) -> Any:
    before = os.environ.get(TENSORS_ONLY)
    os.environ[TENSORS_ONLY] = "1"  # otherwise the package's call of torch.load could unpickle anything
    try:
        return module.NASBench201API(str(path), verbose=False)
    finally:
        os.environ.pop(TENSORS_ONLY)
        if before is not None:
            os.environ[TENSORS_ONLY] = before


def _rows(api: Any, dataset: str) -> Rows:
    """Test and validation accuracy of all architectures."""
    architectures = [str(api.arch(index)) for index in range(len(api))]
    test, valid = np.full((2, len(architectures)), math.nan)
    selecting = "cifar10-valid" if dataset == "cifar10" else dataset
    for index in range(len(architectures)):
        info = api.get_more_info(index, dataset, hp=EPOCHS, is_random=False)
        test[index] = info["test-accuracy"]
        if selecting != dataset:
            info = api.get_more_info(index, selecting, hp=EPOCHS, is_random=False)
        valid[index] = info.get("valid-accuracy", math.nan)
        if getattr(api, "fast_mode", False):
            api.arch2infos_dict.pop(index, None)  # drops the loaded part; all 15,625 would fill the memory
    columns = {f"{dataset}_test_acc": test, f"{dataset}_valid_acc": valid}
    measured = {name: values for name, values in columns.items() if not np.isnan(values).all()}
    if not measured:
        raise ValueError(f"no accuracies of {dataset}")
    return Rows(architectures, measured)
