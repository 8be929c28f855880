"""What is said of learning rates that were tried, and kept of them; the trying is made up."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.architecture import text as arch_text
from nas.interface.training_config import rate_words
from nas.pipeline import find_rate as find_rate_module
from nas.pipeline.find_rate import find_rate
from nas.recipes.scales import SMOKE
from nas.runs.config import TrainingConfig
from nas.system.backend import Compute
from nas.system.interrupt import Interrupter
from nas.training.rate_curve import RateCurve, RatePlan
from tests.support.trained_runs import NETWORK, dataset, untrained_run

PLAN = RatePlan(steps=30, lowest=1e-3, highest=10.0)
RATES = [PLAN.rate(step, 0.1) for step in range(PLAN.steps)]
FALLING = [3.0 - step / 20 for step in range(PLAN.steps)]


def curve(losses: list[float]) -> RateCurve:
    return RateCurve.of(RATES, losses, optimizer="sgd", batch_size=32, recipe_rate=0.1)


@pytest.fixture
def found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[float]], tuple[RateCurve, dict[str, Any]]]:
    """Tries rates whose losses are given; returns the curve and what was asked for."""
    asked: dict[str, Any] = {}

    def tried(*arguments: Any, on_progress: Callable[[int, int], None], **named: Any) -> RateCurve:
        asked.update(named, arguments=arguments)
        for step in range(PLAN.steps):
            on_progress(step + 1, PLAN.steps)
        return curve(asked["losses"])

    monkeypatch.setattr(find_rate_module, "try_rates", tried)
    monkeypatch.setattr(find_rate_module, "write_picture", lambda path, curve: path / "rates.png")

    def find(
        losses: list[float], batch_size: int = SMOKE.recipe.batch_size
    ) -> tuple[RateCurve, dict[str, Any]]:
        folder = untrained_run(tmp_path / "run")
        asked["losses"] = losses
        recipe = SMOKE.recipe.changed(batch_size=batch_size)
        training = TrainingConfig(recipe=recipe, seed=5, compute=Compute())
        options = {"label_smoothing": 0.25, "flip": False, "mixed_precision": "bfloat16"}
        rate = {"learning_rate": 0.1, "rate_batch_size": 256}
        said = rate_words(folder, {**options, **rate, "data_parallel": False})
        network, images = arch_text.parse(NETWORK), dataset()
        result = find_rate(folder, network, images, training, Interrupter(), PLAN, said)
        assert folder.read(RateCurve) == result, "kept for the page and for later"
        assert asked["arguments"] == (network, images, training.recipe, PLAN)
        return result, asked

    return find


def test_batches_that_were_cut_are_told(
    found: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    found(FALLING, 100_000)
    line = "Steps had 32 images, all there are, and not 100,000."
    assert line in capsys.readouterr().out.splitlines()


def test_a_rate_that_is_suggested_comes_with_the_command_that_trains_by_it(
    found: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, asked = found(FALLING)
    assert result == curve(FALLING) and result.suggested_rate is not None
    assert asked["seed"] == 5
    told = capsys.readouterr()
    lines = told.out.splitlines()
    assert any(f"Suggested peak: {result.suggested_rate:.2g}" in line for line in lines)
    assert f"Picture: {tmp_path / 'run' / 'rates.png'}" in lines
    (command,) = (line for line in lines if line.startswith("Train with it: "))
    words = shlex.split(command.removeprefix("Train with it: "))
    assert words[words.index("--run") + 1] == str(tmp_path / "run")
    # What was said the first time is said again, and the rate is new.
    given = dict(zip(words, words[1:], strict=False))
    assert given["--learning_rate"] == f"{result.suggested_rate:.2g}"
    assert "--rate_batch_size" not in words, "it is of the batches that it was tried with"
    assert float(given["--label_smoothing"]) == 0.25 and "--noflip" in words
    assert given["--mixed_precision"] == "bfloat16" and "--data_parallel" not in words
    assert "Trying learning rates:  97%" in told.err, "its steps are shown on the way"


def test_a_loss_that_never_falls_suggests_no_command(
    found: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    result, _ = found([2.0] * PLAN.steps)
    assert result.suggested_rate is None
    told = capsys.readouterr().out
    assert "the loss never fell" in told and "another --learning_rate" in told
    assert "Picture: " in told and "Train with it" not in told
