"""The lengths that trials are compared at: epochs and steps of each rung."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.errors import InputError
from nas.ranges import check_count, check_number


@dataclass(frozen=True)
class Ladder:
    """Rungs whose lengths grow by one factor up to the whole training.

    With K rungs, a reduction eta and R epochs, rung k of 0 to K - 1 ends after
    R / eta^(K - 1 - k) epochs in all. The last rung is exactly the whole training; the first may be
    a part of an epoch, as 32 / 4^4 = 0.125.

    Source: Li et al. 2020, arXiv 1810.05934, section 3; lengths are counted from the end.

    Args:
        max_epochs: Of a whole training, above 0.
        reduction: eta: one in so many goes on, and trains so many times as long; 2 or more.
        rungs: K, 1 or more; at most as many as epochs.

    Raises:
        InputError: A number is out of range, or there are more rungs than epochs.
    """

    max_epochs: float
    reduction: int = 4
    rungs: int = 5

    def __post_init__(self) -> None:
        check_number("max_epochs", self.max_epochs, above=0)
        check_count("reduction", self.reduction, least=2)
        check_count("rungs", self.rungs)
        if self.rungs > max(1, self.max_epochs):
            raise InputError(
                "at most as many rungs as epochs",
                f"{self.rungs} rungs, {self.max_epochs:g} epochs",
                f"set rungs to {max(1, int(self.max_epochs))} or less, or max_epochs to "
                f"{self.rungs} or more",
            )

    @property
    def last(self) -> int:
        """Number of the last rung, at whose end a training is whole."""
        return self.rungs - 1

    @property
    def epochs(self) -> tuple[float, ...]:
        """Epochs in all at the end of each rung."""
        return tuple(self.max_epochs / divisor for divisor in self._divisors)

    def steps(self, max_steps: int) -> tuple[int, ...]:
        """Steps in all at the end of each rung: rounded to the nearest, halves up, at least one.

        Args:
            max_steps: Of a whole training, 1 or more.

        Raises:
            InputError: Two rungs would end at one step.
        """
        return _steps(max_steps, [(1, divisor) for divisor in self._divisors])

    @property
    def _divisors(self) -> list[int]:
        return [self.reduction ** (self.last - rung) for rung in range(self.rungs)]


@dataclass(frozen=True)
class EvenLadder:
    """Rungs of equal length: rung k of 0 to K - 1 ends after R (k + 1) / K epochs in all.

    Args:
        max_epochs: R, of a whole training, above 0.
        rungs: K, 1 or more.

    Raises:
        InputError: A number is out of range.
    """

    max_epochs: float
    rungs: int

    def __post_init__(self) -> None:
        check_number("max_epochs", self.max_epochs, above=0)
        check_count("rungs", self.rungs)

    @property
    def last(self) -> int:
        """Number of the last rung, at whose end a training is whole."""
        return self.rungs - 1

    @property
    def epochs(self) -> tuple[float, ...]:
        """Epochs in all at the end of each rung."""
        return tuple(self.max_epochs * (rung + 1) / self.rungs for rung in range(self.rungs))

    def steps(self, max_steps: int) -> tuple[int, ...]:
        """Steps in all at the end of each rung: rounded to the nearest, halves up, at least one.

        Args:
            max_steps: Of a whole training, 1 or more.

        Raises:
            InputError: Two rungs would end at one step.
        """
        return _steps(max_steps, [(rung + 1, self.rungs) for rung in range(self.rungs)])


def _steps(max_steps: int, shares: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    check_count("max_steps", max_steps)
    found = tuple(max(1, (2 * max_steps * n + d) // (2 * d)) for n, d in shares)
    if len(set(found)) < len(found):
        raise InputError(
            "rungs that end at different steps",
            f"{', '.join(map(str, found))} of {max_steps} steps",
            "set rungs lower, or max_epochs higher",
        )
    return found


def rungs_from(max_epochs: float, min_epochs: float, reduction: int) -> int:
    """How many rungs fit between the shortest and the whole training.

    That is the greatest K with R / eta^(K - 1) >= r, which is floor(log_eta(R / r)) + 1.

    Args:
        max_epochs: R, of a whole training.
        min_epochs: r, that the first rung has at least; above 0 and at most `max_epochs`.
        reduction: eta, 2 or more.

    Raises:
        InputError: A number is out of range.
    """
    check_number("max_epochs", max_epochs, above=0)
    check_number("min_epochs", min_epochs, above=0, most=max_epochs)
    check_count("reduction", reduction, least=2)
    rungs = 1
    # By products and not by logarithms, whose rounding loses a rung where R / r is a power.
    while max_epochs >= min_epochs * reduction**rungs:
        rungs += 1
    return rungs


def rungs_for(max_trials: int, max_epochs: float, reduction: int, most: int = 5) -> int:
    """As many rungs as trials and epochs allow, so that one trial at least is trained whole.

    Args:
        max_trials: Trials in all, 1 or more.
        max_epochs: Of a whole training, above 0.
        reduction: eta, 2 or more.
        most: Rungs at most, 1 or more.

    Raises:
        InputError: A number is out of range.
    """
    check_count("max_trials", max_trials)
    check_count("reduction", reduction, least=2)
    check_count("most", most)
    check_number("max_epochs", max_epochs, above=0)
    rungs = 1
    while rungs < most and rungs + 1 <= max_epochs and reduction**rungs <= max_trials:
        rungs += 1
    return rungs
