"""ImageNet16-120: the first 120 classes of ImageNet at 16 x 16 pixels, from its published pickles."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from nas.core.data.formats.pickled_batches import PickledBatches


class ImageNet16(PickledBatches):
    """Source: Chrabaszcz et al., arXiv:1707.08819; 120 classes and constants: NAS-Bench-201, ICLR 2020."""

    name = "imagenet16-120"
    references = ("chrabaszcz2017downsampled", "dong2020nasbench201")
    reads: ClassVar[frozenset[str] | None] = frozenset({"root"})
    doc = "ImageNet16-120: 151,700 + 6,000 images of 16 x 16, 120 classes; needs data.root"
    needs_root = True
    side = 16
    label_key = "labels"
    num_classes = 120
    first_label, last_label = 1, 1000
    mean = (122.68 / 255, 116.66 / 255, 104.01 / 255)
    std = (63.22 / 255, 61.26 / 255, 65.09 / 255)
    train_files = {  # noqa: RUF012 - a constant
        "train_data_batch_1": "27846dcaa50de8e21a7d1a35f30f0e91",
        "train_data_batch_2": "c7254a054e0e795c69120a5727050e3f",
        "train_data_batch_3": "4333d3df2e5ffb114b05d2ffc19b1e87",
        "train_data_batch_4": "1620cdf193304f4a92677b695d70d10f",
        "train_data_batch_5": "348b3c2fdbb3940c4e9e834affd3b18d",
        "train_data_batch_6": "6e765307c242a1b3d7d5ef9139b48945",
        "train_data_batch_7": "564926d8cbf8fc4818ba23d2faac7564",
        "train_data_batch_8": "f4755871f718ccb653440b9dd0ebac66",
        "train_data_batch_9": "bb6dd660c38c58552125b1a92f86b5d4",
        "train_data_batch_10": "8f03f34ac4b42271a294f91bf480f29b",
    }
    test_files = {"val_data": "3410e3017fdaefba8d5073aaa65e4bd6"}  # noqa: RUF012

    def folder(self) -> Path:
        """The folder `ImageNet16` in the root, where users of NAS-Bench-201 have the files, or the root itself."""
        inner = self.root / "ImageNet16"
        return inner if inner.is_dir() else self.root
