"""From flags to the rates that are used and recorded, for searches and for retrainings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from latency.device import strict_json
from nas.interface.asked import RECORDED, AskedSearch, check_resumed, search_config
from nas.interface.training_config import training_config
from nas.runs.config import RunConfig, TrainingConfig
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.selection.goals import Goal


def asked(**options: Any) -> AskedSearch:
    return AskedSearch((Goal(penalty=0.1),), DataSource(), options)


def config(**options: Any) -> RunConfig:
    return search_config(asked(**options), "sample", is_sample=True)


def rates(found: RunConfig) -> tuple[float, float]:
    batch = found.search.weights.batch_size
    return found.search.weights.peak_rate, found.search.gates.rate_at(batch)


def test_a_search_of_the_sample_has_the_rates_of_the_results() -> None:
    assert rates(config()) == (0.004, 0.03)
    assert config().recipe.peak_rate == 0.006


def test_another_batch_changes_the_rates_of_weights_and_gates() -> None:
    assert rates(config(batch_size=512)) == pytest.approx((0.016, 0.12))


def test_rates_that_are_given_are_used_as_they_are() -> None:
    given = {"learning_rate": 0.01, "gate_learning_rate": 0.05}
    assert rates(config(batch_size=512, **given)) == (0.01, 0.05)


@pytest.mark.parametrize("options", [{}, {"batch_size": 512}])
def test_a_run_goes_on_with_the_rates_that_it_is_told_to_have(options: dict[str, Any]) -> None:
    begun = config(**options)
    for name in ("learning_rate", "gate_learning_rate"):
        check_resumed(begun, asked(**options, **{name: RECORDED[name](begun)}))


def trained(tmp_path: Any, begun: RunConfig, **options: Any) -> TrainingConfig:
    folder = RunFolder.create(tmp_path / "run", begun, "test")
    training_config(folder, begun, begun.sizes, options)
    return folder.read(TrainingConfig)


@pytest.mark.parametrize(
    ("options", "rate", "decay"),
    [
        ({}, 0.006, 0.02),
        ({"batch_size": 512}, 0.024, 0.02),
        ({"optimizer": "sgd"}, 0.1, 0.001),
        ({"optimizer": "sgd", "batch_size": 128}, 0.4, 0.001),
        ({"optimizer": "sgd", "learning_rate": 0.3}, 0.3, 0.001),
        ({"learning_rate": 0.3, "batch_size": 512}, 0.3, 0.02),
    ],
)
@pytest.mark.parametrize("is_old", [False, True])
def test_a_retraining_records_the_rate_of_its_optimizer_and_batch(
    tmp_path: Any, options: dict[str, Any], rate: float, decay: float, is_old: bool
) -> None:
    """Runs of an earlier version have a rate that is not said to be for a batch."""
    begun = config()
    if is_old:
        recipe = strict_json.encode(begun.recipe)
        del recipe["rate_batch_size"], recipe["made_for_steps"]
        old = strict_json.decode(type(begun.recipe), recipe, "an earlier run")
        begun = replace(begun, recipe=old)
    recipe = trained(tmp_path, begun, **options).recipe
    assert recipe.peak_rate == pytest.approx(rate)
    assert recipe.decay == decay
    assert None not in (recipe.learning_rate, recipe.weight_decay)
