"""Which weights rungs are judged by: the flag, the recipe of trials, and earlier searches."""

from __future__ import annotations

from typing import Any

import pytest

from latency.device import strict_json
from nas.errors import InputError
from nas.interface.trials_config import AskedTrials, trials_config
from nas.interface.trials_resumed import check_as_recorded
from nas.recipes.scales import SMOKE
from nas.runs.data import DataSource
from nas.runs.trials import TrialsConfig

OPTIONS = {"method": "asha", "space": "toy", "smoke": True, "max_trials": 4, "max_epochs": 4.0}


def config_of(**more: Any) -> TrialsConfig:
    return trials_config(AskedTrials(DataSource(image_size=32), {**OPTIONS, **more}), SMOKE)


@pytest.mark.parametrize("more", [{}, {"rung_weights": "average"}])
def test_trials_have_an_average_that_grows(more: dict[str, str]) -> None:
    recipe = config_of(**more).recipe
    assert (recipe.average_share, recipe.growing_average) == (0.25, True)


def test_trials_may_be_judged_by_their_last_weights() -> None:
    recipe = config_of(rung_weights="last").recipe
    assert (recipe.average_share, recipe.growing_average) == (None, False)


def test_other_weights_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="(?s)rung_weights.*average.*avrage"):
        config_of(rung_weights="avrage")


def test_an_earlier_search_goes_on_by_its_last_weights() -> None:
    written: Any = strict_json.encode(config_of(rung_weights="last"))
    del written["recipe"]["growing_average"]
    found = strict_json.decode(TrialsConfig, written, "an earlier version")
    assert found.recipe.average_share is None and not found.recipe.growing_average
    check_as_recorded(found, {"rung_weights": "last"})
    with pytest.raises(InputError, match="--rung_weights as the run began: 'last'"):
        check_as_recorded(found, {"rung_weights": "average"})
