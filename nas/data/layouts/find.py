"""Finds the layout of a folder of images and lists its files.

Class indices: Tiny-ImageNet by line number in `wnids.txt`; folders by sorted name; CIFAR-10
and arrays by the label that is stored.
"""

from __future__ import annotations

from pathlib import Path

from nas.data.dataset import DataError
from nas.data.layouts.cifar10 import cifar10_layout
from nas.data.layouts.folders import class_folders_layout, train_folders_layout
from nas.data.layouts.layout import LOOKED_FOR, ArrayLayout, FileLayout
from nas.data.layouts.npz import npz_layout
from nas.data.layouts.tiny_imagenet import tiny_imagenet_layout


def find_layout(folder: Path, seed: int, evaluation_fraction: float) -> FileLayout | ArrayLayout:
    """Recognises what `--data_dir` holds.

    Raises:
        DataError: Nothing there, or nothing that is known.
    """
    if not folder.exists():
        raise DataError("a folder of images", f"{folder}, which does not exist", "check --data_dir")
    if folder.is_file():
        if folder.suffix == ".npz":
            return npz_layout(folder, seed, evaluation_fraction)
        raise DataError(f"a folder, or an .npz file: {LOOKED_FOR}", f"{folder}", "name its folder")
    if not any(folder.iterdir()):
        raise DataError("a folder of images", f"{folder}, which is empty", "check --data_dir")
    if (folder / "wnids.txt").is_file():
        return tiny_imagenet_layout(folder)
    if (folder / "data_batch_1.bin").is_file():
        return cifar10_layout(folder)
    if (folder / "data_batch_1").is_file():
        raise DataError(
            "CIFAR-10 in its binary version (data_batch_1.bin)",
            f"the Python version in {folder}, which is pickled and may run any code",
            "take the archive named cifar-10-binary",
        )
    arrays = sorted(folder.glob("*.npz"))
    if len(arrays) == 1:
        return npz_layout(arrays[0], seed, evaluation_fraction)
    if (folder / "train").is_dir():
        return train_folders_layout(folder, seed, evaluation_fraction)
    return class_folders_layout(folder, seed, evaluation_fraction)
