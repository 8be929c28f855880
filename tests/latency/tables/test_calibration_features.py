"""How often a feature joins a calibration: simulated tables, with and without one that costs time.

The tables are those of benchmarks/calibration_features.py; docs/log.md has the whole comparison.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from latency.onnx_files.features import FEATURES
from latency.tables.predictor import calibrate
from tests.support.programs import load_script

WEIGHTS = FEATURES.index("weight_bytes")


@pytest.fixture(scope="module")
def study() -> ModuleType:
    return load_script("benchmarks/calibration_features.py")


@pytest.fixture(scope="module")
def space(study: ModuleType) -> Any:
    return study.tiny(draws=10)


def joined(study: ModuleType, tables: Any) -> list[str]:
    """The feature that joins each table; empty for none."""
    calibrating = study.CALIBRATION
    found = []
    for sums, measured, features in zip(
        tables.sums_ms, tables.measured_ms, tables.features, strict=True
    ):
        extras = dict(zip(FEATURES, features[:calibrating].T.tolist(), strict=True))
        line = calibrate(sums[:calibrating].tolist(), measured[:calibrating].tolist(), extras)
        found.append(line.feature)
    return found


@pytest.mark.slow
def test_a_feature_that_costs_nothing_hardly_ever_joins(study: ModuleType, space: Any) -> None:
    found = {
        noise: sum(map(bool, joined(study, study.draw(space, noise, 1000, (11,), 0, 0.0))))
        for noise in study.NOISES
    }
    # 0.5 % is what was asked for. Of 80,000 tables it is 0.2 %, so that 20 of these 4,000 are five
    # standard errors away; the rule before this one let some 220 join.
    assert sum(found.values()) <= 20, found


@pytest.mark.slow
def test_a_feature_that_costs_a_tenth_is_found_on_a_quiet_machine(
    study: ModuleType, space: Any
) -> None:
    tables = study.draw(space, "quiet", 200, (12,), WEIGHTS, 0.1)
    found = joined(study, tables)
    # 85 % over all features in 8,000 tables; weights alone are found more often than most.
    assert found.count("weight_bytes") >= 150


def test_the_study_judges_the_rule_that_is_used(study: ModuleType, space: Any) -> None:
    tables = study.draw(space, "usual", 150, (13,), WEIGHTS, 0.1)
    rule, _ = study.rules()["t-test 0.2 %"]
    joins = rule(study.fit(tables, (13,))).tolist()
    assert joins == [bool(feature) for feature in joined(study, tables)]
    assert 0 < sum(joins) < len(joins)
