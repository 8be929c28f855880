"""The benchmarks of pairs of searches and of the noise of seeds; nothing is trained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import tuning_curves, tuning_noise, tuning_pairs
from benchmarks.tuning_pairs import Outcome
from nas.tuning.ladder import Ladder


@pytest.mark.parametrize(
    ("trials", "epochs"), [(32, 32 * 0.5 + 8 * 1.5 + 2 * 6), (16, 16 * 0.5 + 4 * 1.5 + 6), (3, 1.5)]
)
def test_epochs_of_a_halving_are_those_of_its_legs(trials: int, epochs: float) -> None:
    assert tuning_pairs.halving_epochs(Ladder(8, 4, 3), trials) == epochs


def test_methods_take_turns_in_who_begins() -> None:
    assert tuning_pairs.in_turns([1, 2, 3]) == [
        *((1, "asha"), (1, "random")),
        *((2, "random"), (2, "asha")),
        *((3, "asha"), (3, "random")),
    ]


def test_the_differences_of_pairs_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    base = Outcome(1, "asha", 40.0, 32, 0.5, 0.47)
    leads = {1: 0.02, 2: -0.01, 3: 0.05}
    tuning_pairs.print_table(
        [
            *(replace(base, seed=seed) for seed in leads),
            *(
                replace(base, seed=seed, method="random", evaluation=0.47 - lead)
                for seed, lead in leads.items()
            ),
        ]
    )
    printed = capsys.readouterr().out
    assert "| 2 | 40, 40 | 47.00% | 48.00% | -1.00 |" in printed
    # Of 2, -1, 5: the standard deviation is 3, and t of two degrees of freedom is 4.302653.
    assert "mean +2.00 points, 95 % interval -5.45 to +9.45" in printed
    assert "asha is above random in 2 of 3" in printed


def test_a_search_that_has_not_begun_has_no_outcome(tmp_path: Path) -> None:
    assert tuning_pairs.outcome(tmp_path, 1, "asha") is None


def test_the_noise_of_seeds_is_pooled_over_configurations() -> None:
    """Variances within the rows are 1 and 4."""
    rows = np.array([[1.0, 2.0, 3.0], [10.0, 12.0, 14.0]])
    # Of sums of three whole numbers, rounded once.
    assert tuning_noise.pooled_sd(rows) == pytest.approx(2.5**0.5, abs=1e-12)


def test_the_best_configurations_are_those_with_the_best_last_values() -> None:
    curves = tuning_curves.made_up(20)
    found = tuning_noise.best_of(curves, 5)
    last = curves.top1[:, -1]
    assert len(found) == 5 and np.isfinite(last[found]).all()
    assert last[found].min() >= np.nanmax(np.delete(last, found))
    assert sorted(last[found], reverse=True) == last[found].tolist()
