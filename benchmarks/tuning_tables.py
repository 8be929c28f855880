"""Tables of what replayed searches came to, with intervals over the replays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.tuning_searches import RIVALS

Figures = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Interval:
    """A mean over replays and its 95 % interval by Student's t."""

    mean: float
    low: float
    high: float

    @staticmethod
    def of(values: np.ndarray) -> Interval:
        """The interval of values, one a replay.

        Args:
            values: Two or more.
        """
        mean = float(values.mean())
        error = float(values.std(ddof=1)) / len(values) ** 0.5
        half = float(stats.t.ppf(0.975, len(values) - 1)) * error
        return Interval(mean, mean - half, mean + half)

    @property
    def verdict(self) -> str:
        """Of a lead: whether it can be told from none."""
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "equal"

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.high - self.mean:.4f}"


def leads(found: Figures, measure: str, ours: str) -> dict[str, list[Interval]]:
    """Search -> by how much one of ours is ahead of it, an interval a number of epochs.

    Args:
        found: Of all searches.
        measure: `top1` or `hypervolume`.
        ours: Name of the one.
    """
    return {
        name: [Interval.of(column) for column in (found[ours][measure] - values[measure]).T]
        for name, values in found.items()
        if name != ours
    }


def print_figures(found: Figures, epochs: list[float]) -> None:
    """Prints what was reached, and the leads of ours, as Markdown.

    Args:
        found: Of all searches.
        epochs: At which all are compared.
    """
    head = f"{' | '.join(f'{wanted:g} epochs' for wanted in epochs)} |"
    for measure, rivals in RIVALS.items():
        print(f"\n| {measure} | {head}\n|---|{'---|' * len(epochs)}")
        for name, values in found.items():
            print(f"| {name} | {' | '.join(str(Interval.of(c)) for c in values[measure].T)} |")
        for ours in filter(found.__contains__, rivals):
            print(f"\n| lead in {measure} of {ours}, over | {head}\n|---|{'---|' * len(epochs)}")
            lead = leads(found, measure, ours)
            for name in filter(found.__contains__, rivals[ours]):
                print(f"| {name} | {' | '.join(f'{i}, {i.verdict}' for i in lead[name])} |")
