"""The table of a run: given, from this host's cache, or measured, and then where it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency.device.host import current_host
from latency.device.settings import SessionSettings
from latency.tables.table import LatencyTable
from nas.errors import InputError
from nas.hardware import tables
from nas.hardware.plans import FULL, TOY, MeasuringPlans
from tests.support.report_run import SPACE, report_table


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Any]:
    """Every measurement that is asked for; each one answers with a table that is made up."""
    asked: list[Any] = []
    table = replace(report_table(), host=current_host())

    def build_space_table(space: Any, **options: Any) -> LatencyTable:
        asked.append(options)
        options["resume_path"].write_text("half a measurement", "utf-8")
        options["progress"](1, 2, 3.0)
        return table

    monkeypatch.setattr(tables, "build_space_table", build_space_table)
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path / "cache"))
    return asked


def table_of_run(
    tmp_path: Path, plans: MeasuringPlans = FULL, given: Path | None = None, seed: int = 0
) -> LatencyTable:
    return tables.table_for(
        SPACE, given=given, other_host=False, run_dir=tmp_path, seed=seed, plans=plans
    )


def test_a_host_measures_a_space_once(measured: list[Any], tmp_path: Path) -> None:
    first = table_of_run(tmp_path)
    assert len(measured) == 1
    second = table_of_run(tmp_path)
    assert len(measured) == 1
    assert second.rows == first.rows


def test_without_the_cache_every_run_measures_and_keeps_nothing(
    measured: list[Any], tmp_path: Path
) -> None:
    # A table that is there already must not be taken either.
    table_of_run(tmp_path)
    cached = tables.default_table_path(SPACE, "fp32", current_host())
    cached.write_bytes(b"not to be read")
    table_of_run(tmp_path, TOY)
    assert len(measured) == 2
    assert cached.read_bytes() == b"not to be read"


def test_a_measurement_has_the_runs_seed_and_its_journal_goes(
    measured: list[Any], tmp_path: Path
) -> None:
    table_of_run(tmp_path, TOY, seed=7)
    (asked,) = measured
    assert asked["seed"] == asked["plan"].seed == 7
    assert asked["plan"].max_rounds == TOY.table.max_rounds
    assert (asked["calibration"], asked["held_out"]) == (4, 4)
    assert asked["resume_path"] == tmp_path / "table.journal"
    assert not asked["resume_path"].exists()


def test_a_given_table_is_read_and_nothing_is_measured(measured: list[Any], tmp_path: Path) -> None:
    path = tmp_path / "given.json"
    replace(report_table(), host=current_host()).save(path)
    assert table_of_run(tmp_path, given=path).rows == report_table().rows
    assert measured == []


def test_a_given_table_that_is_not_there_is_refused(measured: list[Any], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist") as caught:
        table_of_run(tmp_path, given=tmp_path / "none.json")
    assert "--table" in caught.value.fix
    assert measured == []


def test_other_settings_and_batches_have_tables_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    host = current_host()

    def path(settings: SessionSettings | None = None, batch: int = 1) -> Path:
        return tables.default_table_path(SPACE, "fp32", host, settings, batch)

    plain = SessionSettings()
    other = replace(plain, intra_op_num_threads=2)
    assert path() == path(plain)
    assert len({path(), path(batch=8), path(other), path(other, batch=8)}) == 4
    assert path().parent == tmp_path / "tables"


def test_without_a_cache_of_its_own_a_table_is_kept_in_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STOPWATCH_CACHE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    path = tables.default_table_path(SPACE, "fp32", current_host())
    assert path.parent == tmp_path / ".cache" / "stopwatch-nas" / "tables"
