"""Finds the layout of what `--data_dir` names."""

from __future__ import annotations

from pathlib import Path

from nas.data.dataset import DataError
from nas.data.layouts.layout import ArrayLayout, FileLayout, in_order, looked_for


def find_layout(path: Path, seed: int, evaluation_fraction: float) -> FileLayout | ArrayLayout:
    """Reads the first layout that recognises a folder or file.

    Args:
        path: Folder or file.
        seed: Of the division where the layout has none.
        evaluation_fraction: Share that such a division holds out, above 0 and below 1.

    Raises:
        DataError: Nothing is there, or nothing that is known.
    """
    if not path.exists():
        raise DataError("a folder of images", f"{path}, which does not exist", "check --data_dir")
    if path.is_dir() and not any(path.iterdir()):
        raise DataError("a folder of images", f"{path}, which is empty", "check --data_dir")
    for layout in in_order():
        if layout.recognises(path):
            return layout.read(path, seed, evaluation_fraction)
    raise DataError(
        f"a folder, or an .npz file: {looked_for()}", f"{path}", "give the folder as --data_dir"
    )
