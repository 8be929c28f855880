"""CIFAR-10, binary version."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nas.data.dataset import DataError, Split
from nas.data.layouts.layout import LAYOUTS, ArrayLayout, Layout, read_text


def _recognises(path: Path) -> bool:
    return (path / "data_batch_1.bin").is_file() or (path / "data_batch_1").is_file()


def _read(folder: Path, seed: int, fraction: float) -> ArrayLayout:
    """Training and test batches of the archive; class indices are the labels that are stored."""
    del seed, fraction  # the archive has a test part of its own
    if not (folder / "data_batch_1.bin").is_file():
        raise DataError(
            "CIFAR-10 in its binary version (data_batch_1.bin)",
            f"the Python version in {folder}, which is pickled and may run any code",
            "take the archive named cifar-10-binary",
        )
    files = [folder / f"data_batch_{i}.bin" for i in range(1, 6)]
    present = [f for f in files if f.is_file()]
    if not (folder / "test_batch.bin").is_file():
        raise DataError("test_batch.bin", f"none in {folder}", "unpack the whole archive")
    parts = [_cifar_file(path) for path in present]
    train = Split(
        np.concatenate([p.images for p in parts]), np.concatenate([p.labels for p in parts])
    )
    meta = folder / "batches.meta.txt"
    names = tuple(read_text(meta).split()) if meta.is_file() else tuple("0123456789")
    note = f"Class index: the stored label. {len(present)} of 5 training batches."
    return ArrayLayout("CIFAR-10", train, _cifar_file(folder / "test_batch.bin"), names, (note,))


def _cifar_file(path: Path) -> Split:
    """Records of 1 label byte and 3072 pixel bytes, planes of red, green, blue."""
    try:
        data = np.fromfile(path, np.uint8)
    except (OSError, MemoryError) as error:
        raise DataError("records of 3073 bytes", f"{path}: {error}", "unpack it again") from None
    if data.size == 0 or data.size % 3073:
        raise DataError("records of 3073 bytes", f"{data.size} bytes in {path}", "unpack it again")
    records = data.reshape(-1, 3073)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), records[:, 0].astype(np.int32))


LAYOUTS.register("cifar10", Layout("data_batch_1.bin (CIFAR-10 binary)", _recognises, _read))
