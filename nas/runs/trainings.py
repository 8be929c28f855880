"""What became of the trainings of a run: each is done, lost, or still to come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.runs.folder import RunFolder
from nas.runs.records import TrainedRecord


@dataclass(frozen=True, kw_only=True)
class LostRecord:
    """retrained/*.lost.json: one training whose weights became NaN or infinite.

    Args:
        name: Of the network, `searched` or as in comparison.json.
        seed: Of the training.
        reason: What was lost, and when.
    """

    FILE: ClassVar[str] = "retrained/{name}.lost.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    name: str
    seed: int
    reason: str


def is_over(folder: RunFolder, key: str) -> bool:
    """Whether a training is done or lost, so that it never begins again by itself.

    Args:
        folder: Of the run.
        key: Of the training, from `TrainedRecord.key`.
    """
    return folder.has(TrainedRecord, name=key) or folder.has(LostRecord, name=key)
