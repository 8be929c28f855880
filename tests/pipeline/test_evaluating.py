"""What is said of evaluations before a training, and what of them is refused."""

from __future__ import annotations

import numpy as np
import pytest

from nas.errors import FieldError
from nas.interface.training_config import new_training
from nas.pipeline.evaluating import evaluation_steps, held_out_lines
from nas.training.recipe import Recipe
from tests.support.run_config import run_config


@pytest.mark.parametrize(
    ("epochs", "every", "log_every", "steps"),
    [
        # 48 images in batches of 16 are three steps an epoch.
        (2.0, 0.5, 1, [2, 3, 5, 6]),
        (2.0, 0.5, 20, [6]),  # rows are where a training is judged, and a tiny one has one
        (2.0, 1.0, 1, [3, 6]),
        (2.0, 2.0, 1, [6]),
        (20.0, 5.0, 20, [20, 40, 60]),
        (0.1, 0.1, 1, [1, 2]),  # the shortest training has two steps
    ],
)
def test_evaluations_are_counted_as_they_come(
    epochs: float, every: float, log_every: int, steps: list[int]
) -> None:
    recipe = Recipe(epochs, batch_size=16, evaluate_every=every)
    assert evaluation_steps(recipe, 48, log_every) == steps


@pytest.mark.parametrize(("log_every", "said"), [(1, "4 evaluations of"), (20, "1 evaluation of")])
def test_their_number_is_told_as_it_is(log_every: int, said: str) -> None:
    recipe = Recipe(2.0, batch_size=16, evaluate_every=0.5, held_out_share=0.25)
    (line,) = held_out_lines(recipe, np.arange(64) % 4, log_every)
    assert said in line and "16 of 64" in line and "bout" not in line
    assert held_out_lines(Recipe(2.0), np.arange(64) % 4, log_every) == []


def test_evaluations_that_would_never_come_are_refused() -> None:
    config = run_config()
    epochs = config.recipe.epochs
    with pytest.raises(FieldError, match="evaluate_every up to") as caught:
        new_training(config, config.sizes, {"evaluate_every": epochs + 1})
    assert caught.value.received == f"{epochs + 1:g}"
    at_the_end = new_training(config, config.sizes, {"evaluate_every": epochs})
    assert at_the_end.recipe.evaluate_every == epochs
    longer = new_training(config, config.sizes, {"evaluate_every": 7.0, "epochs": 7.0})
    assert longer.recipe.epochs == 7.0
