"""Finds the layout of what `--data_dir` names."""

from __future__ import annotations

from pathlib import Path

from nas.data.dataset import DataError
from nas.data.layouts.foreign import existing, refuse_file
from nas.data.layouts.layout import ArrayLayout, FileLayout, in_order, looked_for
from nas.data.layouts.placeholders import check_files
from nas.data.layouts.walk import readable

EVALUATION_SHARE = 0.1  # of images that a layout without a division of its own holds out


def find_layout(
    data_dir: str | Path, seed: int, evaluation_fraction: float
) -> FileLayout | ArrayLayout:
    """Reads the first layout that recognises a folder or file.

    Args:
        data_dir: Folder or file.
        seed: Of the division where the layout has none.
        evaluation_fraction: Share that such a division holds out, above 0 and below 1.

    Raises:
        DataError: Nothing is there, or nothing that is known, or files that are not what they
            are called.
    """
    path = existing(data_dir)
    if path.is_dir() and not readable(path):
        raise DataError("a folder of images", f"{path}, which is empty", "check --data_dir")
    for layout in in_order():
        if layout.recognises(path):
            found = layout.read(path, seed, evaluation_fraction)
            if isinstance(found, FileLayout):
                check_files([file.path for file in (*found.train, *found.evaluation)])
            return found
    if path.is_file():
        refuse_file(path)
    raise DataError(
        f"a folder, or an .npz file: {looked_for()}", f"{path}", "give the folder as --data_dir"
    )
