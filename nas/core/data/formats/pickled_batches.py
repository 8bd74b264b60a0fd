"""The format that CIFAR and ImageNet16 share: pickled dictionaries of flat images and labels."""

from __future__ import annotations

import os
from abc import abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np

from nas.core.data.formats.base import Loader, Raw, Source
from nas.core.errors import InputError
from nas.core.io.unpickle import read_pickle


class PickledBatches(Loader):
    """Reads `train_files` and `test_files` (name to published MD5) in one folder.

    Each file holds `data`, uint8 (n, 3 * side * side), red plane first, and under `label_key` labels from `first_label`
    to `last_label`. Only images of the first `num_classes` classes are used.
    """

    train_files: ClassVar[dict[str, str]]
    test_files: ClassVar[dict[str, str]]
    side: ClassVar[int]
    label_key: ClassVar[str]
    num_classes: ClassVar[int]
    first_label: ClassVar[int] = 0
    last_label: ClassVar[int]

    @property
    def shape(self) -> tuple[int, int] | None:
        return self.num_classes, self.size or self.side

    @abstractmethod
    def folder(self) -> Path:
        """The folder with the files, downloaded first if that is possible."""

    def sources(self) -> list[Source]:
        folder = self.folder()
        paths = [folder / name for name in (*self.train_files, *self.test_files)]
        for path in paths:
            if not path.is_file():
                raise InputError(f"Expected the file {path} of {self.name!r} but it is missing; {self.advice()}")
        with ThreadPoolExecutor(min(len(paths), os.cpu_count() or 1)) as pool:
            return list(pool.map(Source.of, paths))

    def advice(self) -> str:
        return (
            f"put the official files there, say where they are with data.root=PATH, or use a folder of "
            f"images with data.name=imagefolder (files: {', '.join((*self.train_files, *self.test_files))})."
        )

    def read(self) -> Raw:
        folder = self.folder()
        images, labels = self._part(folder, self.train_files)
        test_images, test_labels = self._part(folder, self.test_files)
        return Raw(images, labels, self.num_classes, test_images, test_labels)

    def _part(self, folder: Path, files: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
        batches = [self._batch(folder / name, md5) for name, md5 in files.items()]
        images, labels = (np.concatenate(arrays) for arrays in zip(*batches))
        return images.reshape(-1, 3, self.side, self.side), labels

    def _batch(self, path: Path, md5: str) -> tuple[np.ndarray, np.ndarray]:
        content = read_pickle(path, md5)
        if not isinstance(content, dict):
            raise InputError(f"Expected a dictionary in {path} but got {type(content).__name__}.")
        content = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in content.items()}
        missing = [k for k in ("data", self.label_key) if k not in content]
        if missing:
            raise InputError(f"Expected the entry {missing[0]!r} in {path} but it has {sorted(map(str, content))}.")
        data, width = content["data"], 3 * self.side**2
        if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (width,):
            got = f"{data.dtype} {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
            raise InputError(f"Expected images uint8 (n, {width}) in {path} but got {got}.")
        labels = self._labels(path, content[self.label_key], len(data))
        used = labels < self.num_classes
        return (data, labels) if used.all() else (data[used], labels[used])

    def _labels(self, path: Path, values: object, count: int) -> np.ndarray:
        """int64 labels counted from 0."""
        plain = isinstance(values, np.ndarray) or (
            isinstance(values, list) and all(isinstance(v, (int, np.integer)) for v in values)
        )
        labels = np.asarray(values) if plain else np.empty(0)
        if labels.shape != (count,) or labels.dtype.kind not in "iu":
            raise InputError(
                f"Expected {count} whole-number labels in {path}, one per image, but got "
                f"{len(labels) if plain and labels.ndim else 'none'} of kind {labels.dtype}."
            )
        if count and not self.first_label <= labels.min() <= labels.max() <= self.last_label:
            raise InputError(
                f"Expected labels {self.first_label}..{self.last_label} in {path} but got "
                f"{labels.min()}..{labels.max()}."
            )
        return labels.astype(np.int64) - self.first_label
