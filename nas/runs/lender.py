"""Which supernet a run borrowed: its weights, since the run that lends it may move."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class LentSupernet:
    """lender.json: the supernet that a run borrows, wherever its run lies.

    Args:
        sha256: Of its checkpoint, in hex digits.
    """

    FILE: ClassVar[str] = "lender.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    sha256: str

    @classmethod
    def of(cls, checkpoint: Path) -> LentSupernet:
        """The supernet of a checkpoint.

        Args:
            checkpoint: Path of the file.
        """
        with open(checkpoint, "rb") as stream:
            return cls(hashlib.file_digest(stream, "sha256").hexdigest())
