"""What a run came to: whether its budget is met, missed, or cannot be told."""

from __future__ import annotations

import enum
from collections.abc import Iterable


class Outcome(enum.Enum):
    """What a program says of a budget; the greater one decides where there are several."""

    NOT_ASKED = 0  # no budget, or one of a device that does not measure here
    MET = 1
    CANNOT_TELL = 2
    NOT_MET = 3

    @classmethod
    def of(cls, met: bool | None, reason: str | None) -> Outcome:
        """Of one network.

        Args:
            met: Whether it meets its budget; None where that is not known.
            reason: Why; None where nothing was asked or measured.
        """
        if met is None:
            return cls.NOT_ASKED if reason is None else cls.CANNOT_TELL
        return cls.MET if met else cls.NOT_MET

    @classmethod
    def of_all(cls, outcomes: Iterable[Outcome]) -> Outcome:
        """Of several runs together: one miss is a miss, and a doubt is none that is met.

        Args:
            outcomes: Of each run.
        """
        return max(outcomes, key=lambda outcome: outcome.value, default=cls.NOT_ASKED)
