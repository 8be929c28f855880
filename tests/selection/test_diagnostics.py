"""Warnings appear with their numbers, and only where they belong."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas.architecture.spec import Skip
from nas.hardware.predictor import SpaceLatency
from nas.methods.gate_probabilities import GateProbabilities
from nas.methods.history import GateChoice, GateHistory, SearchRow
from nas.search_space.named import get_space
from nas.selection.diagnostics import (
    Finding,
    few_steps_warning,
    gradient_ratio,
    label_warning,
    search_warnings,
)
from nas.training.recipe import Recipe

SPACE = get_space("sample")


def gates(lead: float) -> GateProbabilities:
    count = len(SPACE.choices)
    rest = (1 - lead) / 3
    kernel = np.tile((rest + lead, rest, rest), (count, 1))
    skip = np.array([(0.9, 0.1) if c.skippable else (1.0, 0.0) for c in SPACE.choices])
    expansion = np.tile((0.9, 0.1), (count, 1))
    return GateProbabilities({"kernel": kernel, "expansion": expansion, "skip": skip})


def latency(step_ms: float) -> SpaceLatency:
    rows = tuple(
        np.array(
            [0.0 if isinstance(o, Skip) else 0.1 + step_ms * i for i, o in enumerate(c.options)]
        )
        for c in SPACE.choices
    )
    return SpaceLatency(0.1, rows, 1.0, 0.0)


def moved(first: tuple[float, ...], last: tuple[float, ...]) -> GateHistory:
    """One choice that moves beside one that does not."""
    choices = (GateChoice("a", ("k3", "k5")), GateChoice("b", ("k3",)))
    return GateHistory(choices, (1, 2), ((first, (1.0,)), (last, (1.0,))))


def pulled(ratio: float) -> SearchRow:
    """A row whose penalty pulled so many times as hard as the cross-entropy."""
    return SearchRow(
        1,
        input_wait_share=0.0,
        ramp=1.0,
        cross_entropy_gradient=0.02,
        penalty_gradient=0.02 * ratio,
    )


def warnings(**changes: Any) -> list[Finding]:
    values: dict[str, Any] = {
        "space": SPACE,
        "cost": latency(0.05).cost,
        "probabilities": gates(0.9),
        "architecture": SPACE.largest(),
        "history": [pulled(0.5)],
        "penalty": 0.1,
        "table_noise": 0.01,
        "gates": moved((0.5, 0.5), (0.4, 0.6)),
    }
    return search_warnings(**{**values, **changes})


def test_a_good_search_warns_of_nothing() -> None:
    # The largest network of this space has 7x7 kernels on 4x4 maps, which just see data.
    assert warnings() == []


@pytest.mark.parametrize(
    "changes, kind, text",
    [
        ({"architecture": SPACE.smallest()}, "skipped_blocks", "left out 10 of 10 blocks"),
        ({"probabilities": gates(0.0)}, "flat_gates", "nearly flat"),
        (
            {"gates": moved((0.5, 0.5), (0.497, 0.503))},
            "still_gates",
            "hardly moved: since the warm-up no probability changed by more than 0.003",
        ),
        (
            {"history": [pulled(3.0)], "penalty": 10.0},
            "large_penalty",
            "pulled the gates 3 times as hard as the cross-entropy",
        ),
        (
            {"cost": latency(0.0001).cost, "table_noise": 0.05},
            "noisy_table",
            "less than the table's noise (5.0%)",
        ),
        (
            {"history": [SearchRow(1, penalty=0.0, input_wait_share=0.4)]},
            "slow_input",
            "waited for images 40% of the time",
        ),
    ],
)
def test_each_trouble_has_its_warning(changes: dict, kind: str, text: str) -> None:  # type: ignore[type-arg]
    (finding,) = warnings(**changes)
    assert finding.kind == kind and text in finding.text


def test_a_warning_has_its_numbers_for_programs_too() -> None:
    (finding,) = warnings(gates=moved((0.5, 0.5), (0.497, 0.503)))
    assert finding.numbers == {"greatest_change": pytest.approx(0.003)}
    (finding,) = warnings(architecture=SPACE.smallest())
    assert finding.numbers == {"skipped": 10, "skippable": 10}


@pytest.mark.parametrize("penalty", [-3.0, 0.0, 1e6])
def test_the_penaltys_own_size_is_no_trouble(penalty: float) -> None:
    """Ln of milliseconds has no zero that means something; only gradients are compared."""
    rows = [replace(pulled(0.5), gate_cross_entropy=0.1, penalty=penalty)]
    assert warnings(history=rows, penalty=100.0) == []


def test_the_ratio_of_gradients_is_a_median_of_rows_with_the_whole_penalty() -> None:
    warm_up = SearchRow(1, stage="warmup", ramp=0.0)
    ramped = replace(pulled(50.0), ramp=0.4)
    rows = [warm_up, ramped, pulled(0.2), pulled(0.4), pulled(9.0)]
    assert gradient_ratio(rows) == pytest.approx(0.4)
    assert gradient_ratio([warm_up, ramped]) is None
    assert gradient_ratio([]) is None
    # Files of an earlier version have no gradients, and say nothing.
    assert warnings(history=[SearchRow(1, penalty=9.0)], penalty=9.0) == []


def test_with_a_target_a_large_penalty_is_what_was_asked_for() -> None:
    assert warnings(history=[pulled(3.0)], penalty=None) == []


def test_few_steps_are_a_finding_with_their_numbers() -> None:
    recipe = Recipe(1.0, 512, made_for_steps=1000)
    (finding,) = few_steps_warning(recipe, 20, "--search_epochs")
    assert finding.numbers == {"steps": 20, "made_for_steps": 1000}
    assert "20 steps are few" in finding.text and "--search_epochs 50" in finding.text
    assert few_steps_warning(recipe, 1000) == []


def test_kernel_larger_than_its_map() -> None:
    space = get_space("mnasnet", 32)
    architecture = space.largest()
    count = len(space.choices)
    first = np.tile((1.0, 0.0), (count, 1))
    p = GateProbabilities({"kernel": first, "expansion": first, "skip": first})
    rows = tuple(np.linspace(0.1, 1, len(c.options)) for c in space.choices)
    text = " ".join(
        finding.text
        for finding in search_warnings(
            space,
            SpaceLatency(0.1, rows, 1, 0).cost,
            p,
            architecture,
            [],
            0.1,
            None,
            GateHistory((), (), ()),
        )
    )
    assert "5x5 kernel on a 2x2 map" in text or "5x5 kernel on a 1x1 map" in text


def test_labels_mapped_differently_are_suspected() -> None:
    assert label_warning(0.35, 0.006)
    assert not label_warning(0.35, 0.33)
    assert not label_warning(0.01, 0.0), "nothing learned says nothing about labels"
