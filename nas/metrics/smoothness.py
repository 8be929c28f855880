"""How smooth a curve of evaluations is: a curve that jumps makes short trainings look better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Smoothness:
    """How much top-1 on held-out images moves between evaluations that follow each other.

    Args:
        weights: Of which weights: `last`, or their moving `average`.
        evaluations: How many there were, 2 or more.
        mean_absolute_change: Mean of |change of top-1| between one evaluation and the next, a
            share of the images.
        largest_drop: Greatest fall of top-1 from one evaluation to the next; 0 where it never
            fell.
        largest_drop_epoch: Epochs after which it had fallen; None where it never did.
    """

    weights: Literal["last", "average"]
    evaluations: int
    mean_absolute_change: float
    largest_drop: float
    largest_drop_epoch: float | None

    @classmethod
    def of(
        cls, weights: Literal["last", "average"], curve: Sequence[tuple[float, float]]
    ) -> Smoothness | None:
        """From a curve; None where there is no change to look at.

        Args:
            weights: Of which weights.
            curve: Epochs and top-1 of each evaluation, in their order.
        """
        if len(curve) < 2:
            return None
        values = [top1 for _, top1 in curve]
        changes = [after - before for before, after in zip(values, values[1:], strict=False)]
        deepest = min(range(len(changes)), key=changes.__getitem__)
        drop = max(0.0, -changes[deepest])
        return cls(
            weights,
            len(curve),
            sum(map(abs, changes)) / len(changes),
            drop,
            curve[deepest + 1][0] if drop else None,
        )

    @property
    def text(self) -> str:
        """What it says, on one line."""
        name = "average of the weights" if self.weights == "average" else "last weights"
        fall = "it never fell"
        if self.largest_drop_epoch is not None:
            fall = (
                f"the largest fall was {100 * self.largest_drop:.2f} points, to epoch "
                f"{self.largest_drop_epoch:.3g}"
            )
        return (
            f"{name}: top-1 on held-out images changed by {100 * self.mean_absolute_change:.2f} "
            f"points on average from one of {self.evaluations} evaluations to the next; {fall}"
        )
