"""How a training ends early: by lost weights or a full disk; what is kept is said."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from latency.shell import DISK_FULL
from nas.errors import InputError


class LostWeightsError(InputError):
    """Weights, or their loss, that are NaN or infinite: no step mends them."""

    @property
    def reason(self) -> str:
        """For a record or a table, which say themselves what to do."""
        return f"{self.received} instead of {self.expected}"


def check_loss(loss: float, step: int, learning_rate: float) -> None:
    """Refuses to go on with weights that are lost.

    Args:
        loss: Of the step.
        step: Its number, from 0.
        learning_rate: Peak of the schedule.

    Raises:
        LostWeightsError: The loss is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise LostWeightsError(
            "a finite loss",
            f"{loss} at step {step} with --learning_rate {learning_rate:g}",
            f"begin anew with a --learning_rate above 0 and below {learning_rate:g}, such as "
            f"{learning_rate / 3:.1g}",
        )


@contextmanager
def kept_state(path: Path | None, saved_step: int | None) -> Iterator[None]:
    """Says of an early end which state is kept, and where.

    Args:
        path: Of the checkpoint; None where none is kept.
        saved_step: Steps done when it was last saved; None where it was not yet.

    Raises:
        LostWeightsError: It came from inside; what is kept is added.
        InputError: The disk is full.
    """
    if path is None or saved_step is None:
        kept = "no state was saved before"
    else:
        kept = f"the last good state, after {saved_step} steps, is kept in {path}"
    try:
        yield
    except LostWeightsError as lost:
        raise LostWeightsError(lost.expected, lost.received, f"{lost.fix}; {kept}") from None
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        raise InputError(
            f"room on the disk for the checkpoint {path}",
            str(error),
            f"free some space, then run the same command again; {kept}",
        ) from error
