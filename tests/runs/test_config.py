"""The configuration of a run: written once, read strictly, older ones refused."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from latency.device import strict_json
from latency.errors import LatencyError
from nas.errors import InputError
from nas.interface.asked import given_network_config
from nas.interface.run import Run
from nas.report.page import write_report
from nas.runs.config import (
    GivenNetworkConfig,
    RaceConfig,
    RunConfig,
    read_config,
    read_search_config,
)
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.selection.goals import Goal
from tests.support.run_config import run_config

OPENERS: list[Callable[[Path], Any]] = [read_config, RunFolder.open, Run, write_report]


def written(folder: Path, **changes: Any) -> Path:
    """A run folder whose config.json has other values of some keys; None removes one."""
    folder.mkdir()
    value = json.loads(strict_json.dumps(run_config())) | changes
    kept = {key: entry for key, entry in value.items() if entry is not None or key not in changes}
    (folder / "config.json").write_text(json.dumps(kept))
    return folder


@pytest.mark.parametrize(
    "config",
    [
        run_config(),
        run_config(Goal(target=1.5), Goal(percent=25.0), race=3, max_macs=10**6),
        run_config(Goal(percent=10.0), method="evolution", supernet="lender", seed=4),
        given_network_config({"smoke": True}, DataSource("files", "images"), "main.py", 32),
    ],
)
def test_a_configuration_reads_back_as_it_was_written(
    config: RunConfig | GivenNetworkConfig, tmp_path: Path
) -> None:
    folder = RunFolder.create(tmp_path / "run", config, "test")
    assert read_config(folder.path) == config


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        run_config().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize(
    ("version", "found"), [(1, "schema 1"), (None, "no schema"), (3, "schema 3"), ("2", "'2'")]
)
def test_a_run_of_another_version_is_refused_in_three_parts(
    opener: Callable[[Path], Any], version: object, found: str, tmp_path: Path
) -> None:
    folder = written(tmp_path / "old", schema_version=version)
    with pytest.raises(InputError) as caught:
        opener(folder)
    assert caught.value.expected == "a run folder of schema 2"
    assert found in caught.value.received and str(folder) in caught.value.received
    assert "search again" in caught.value.fix and "--arch" in caught.value.fix


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sede": 3}, "'sede'"),
        ({"seed": "3"}, "a whole number at `seed`"),
        ({"seed": -1}, "a seed of 0 or more"),
        ({"goals": []}, "a goal or several"),
        ({"goals": [{"penalty": 0.1, "target": 2.0}]}, "one of a penalty"),
        ({"scale": "huge"}, "scale"),
        ({"race": {"candidates": 1, "epochs": 1.0}}, "a race of 2 or more"),
        ({"compute": {"mixed_precision": "float8"}}, "mixed precision"),
        ({"data": {"kind": "files"}}, "a path of images"),
        ({"search": None}, "'search'"),
    ],
)
def test_a_broken_configuration_names_the_place(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = written(tmp_path / "run", **changes)
    with pytest.raises(LatencyError) as caught:
        read_config(folder)
    assert said in str(caught.value) and str(folder) in str(caught.value)


def test_no_run_folder_says_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which does not exist"):
        read_config(tmp_path / "absent")
    with pytest.raises(InputError, match="nas.py wrote"):
        read_config(tmp_path)


def test_a_given_network_was_not_searched(tmp_path: Path) -> None:
    config = given_network_config({}, DataSource(), "main.py", 32)
    folder = RunFolder.create(tmp_path / "run", config, "arch")
    with pytest.raises(InputError, match=r"a run folder of nas\.py"):
        read_search_config(folder.path)


def test_goals_tell_a_sweep() -> None:
    assert not run_config().is_sweep
    assert run_config().goal == Goal(penalty=0.1)
    assert run_config(Goal(target=1.0), Goal(target=2.0)).is_sweep
    with pytest.raises(InputError, match="twice"):
        run_config(Goal(target=1.0), Goal(target=1.0))


def test_a_race_needs_two() -> None:
    with pytest.raises(InputError, match="--race"):
        RaceConfig(1, 1.0)


@pytest.mark.parametrize("changes", [{"blocks": ["evil.py"]}, {"space": "run/evil.py"}])
def test_a_record_names_no_program_by_a_path_that_may_lead_into_its_own_folder(
    tmp_path: Path, changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = written(tmp_path / "run", **changes)
    monkeypatch.chdir(tmp_path)
    for place in (tmp_path, run):
        (place / "evil.py").write_text("raise SystemExit('it was run')")
    with pytest.raises(InputError, match="absolute paths of Python files in") as caught:
        read_config(run)
    assert "evil.py" in caught.value.received and "trusted" in caught.value.fix
