"""What `--restart` removes: a training of a run, and the files that were exported of it."""

from __future__ import annotations

from nas.deployment.formats import EXPORT_FORMATS, REFERENCE
from nas.deployment.records import ExportTimings, Flip, Int8Blocks
from nas.runs.folder import RunFolder
from nas.runs.records import Baselines


def forget_training(folder: RunFolder) -> None:
    """Removes what an earlier retraining of a run left, and what was compared by it.

    Args:
        folder: Of the run.
    """
    for path in [
        *(folder.path / "retrained").glob("*.json"),
        *(folder.path / "checkpoints").glob("retrain_*.npz"),
    ]:
        path.unlink()
    folder.path_of(Baselines).unlink(missing_ok=True)
    forget_exports(folder)


def forget_exports(folder: RunFolder) -> None:
    """Removes what was exported of an earlier training, but for the two files it replaces itself.

    Args:
        folder: Of the run.
    """
    made = [EXPORT_FORMATS[name].file for name in EXPORT_FORMATS if name != REFERENCE]
    for name in (*made, Flip.FILE, ExportTimings.FILE, Int8Blocks.FILE):
        (folder.path / name).unlink(missing_ok=True)
    for path in (folder.path / "exported").glob("*.json"):
        path.unlink()
