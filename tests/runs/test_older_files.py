"""Files of versions that knew milliseconds alone are read under the names of today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from latency.device import strict_json
from latency.errors import FileFormatError
from nas.methods.history import SearchEnd
from nas.runs.folder import FileRecord
from nas.runs.front import AddedNetwork, FrontPlan
from nas.runs.records import Comparison
from nas.selection.choice import Attempt, Choice
from nas.selection.goals import Goal, ResolvedTarget

GOAL = {"penalty": None, "target": 0.8, "percent": None, "quantity": "milliseconds"}
ATTEMPT = {
    "indices": [0, 1],
    "predicted_ms": 0.7,
    "readings_ms": [0.71, 0.72],
    "measured_ms": 0.715,
    "below_ms": 0.6,
    "above_ms": None,
}
CHOICE = {
    "indices": [0, 1],
    "predicted_ms": 0.7,
    "target_ms": 0.8,
    "accepted": False,
    "below_ms": 0.6,
    "above_ms": None,
    "attempts": [ATTEMPT],
}
ADDED = {
    "name": "added-1",
    "text": "",
    "aim_ms": 1.0,
    "low_ms": 0.9,
    "high_ms": 1.1,
    "predicted_ms": 0.95,
    "supernet_of": None,
    "cross_entropy": None,
}
TRIED = Attempt((0, 1), 0.7, (0.71, 0.72), 0.715, 0.6, None)
FILES: list[tuple[int, dict[str, Any], FileRecord]] = [
    (
        1,
        {"goal": GOAL, "low_ms": 0.5, "high_ms": 1.5, "target_ms": 0.8},
        ResolvedTarget(Goal(target=0.8), 0.5, 1.5, 0.8),
    ),
    (1, CHOICE, Choice((0, 1), 0.7, 0.8, False, 0.6, None, (TRIED,))),
    (2, {"steps": 9, "expected_ms": 0.7, "probabilities": None}, SearchEnd(9, 0.7)),
    (
        1,
        {"uniform_over_searched_ms": 1.1, "random_asked": 3, "networks": []},
        Comparison(uniform_over_searched=1.1, random_asked=3),
    ),
    (
        1,
        {"networks": 4, "added": [ADDED]},
        FrontPlan(4, (AddedNetwork("added-1", "", 1.0, 0.9, 1.1, 0.95),)),
    ),
]
NAMES = [record.FILE for *_, record in FILES]


@pytest.mark.parametrize(("version", "values", "record"), FILES, ids=NAMES)
def test_milliseconds_of_an_earlier_version_are_read(
    version: int, values: dict[str, Any], record: FileRecord, tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    path.write_text(json.dumps({"schema_version": version, **values}), "utf-8")
    assert strict_json.read(type(record), path) == record
    path.write_text(strict_json.dumps(record), "utf-8")
    assert strict_json.read(type(record), path) == record
    # The names of that version are none of this one's.
    today = {"schema_version": type(record).SCHEMA_VERSION, **values}
    path.write_text(json.dumps(today), "utf-8")
    with pytest.raises(FileFormatError):
        strict_json.read(type(record), path)
