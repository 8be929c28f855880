"""The table of a run: given, from this host's cache, or measured, and then where it is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency.device.host import current_host
from latency.device.settings import SessionSettings
from latency.tables.table import LatencyTable, TableMismatchError
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


def test_a_measurement_has_the_runs_seed_and_a_journal_in_its_folder(
    measured: list[Any], tmp_path: Path
) -> None:
    table_of_run(tmp_path, TOY, seed=7)
    (asked,) = measured
    assert asked["seed"] == asked["plan"].seed == 7
    assert asked["plan"].max_rounds == TOY.table.max_rounds
    assert (asked["calibration"], asked["held_out"]) == (4, 4)
    assert asked["resume_path"] == tmp_path / "table.journal"


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


OTHERS = {
    "intra_op_num_threads": SessionSettings(intra_op_num_threads=2),
    "graph_level": SessionSettings(graph_level="extended"),
    "set_denormal_as_zero": SessionSettings(set_denormal_as_zero=False),
    "affinity": SessionSettings(affinity=(0,)),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_table_of_settings_that_the_run_does_not_have_is_refused(
    measured: list[Any], tmp_path: Path, name: str
) -> None:
    path = tmp_path / "given.json"
    replace(report_table(), host=current_host(), settings=OTHERS[name]).save(path)
    with pytest.raises(TableMismatchError, match=f"Expected a table of {name} ") as caught:
        table_of_run(tmp_path, given=path)
    assert f"build a table for this {name}" in caught.value.fix
    # Nor does such a file pass for this host's own table.
    cached = tables.default_table_path(SPACE, "fp32", current_host())
    cached.parent.mkdir(parents=True)
    path.rename(cached)
    with pytest.raises(TableMismatchError):
        table_of_run(tmp_path)
    assert measured == []


def test_another_device_runs_networks_as_its_table_was_measured(
    measured: list[Any], tmp_path: Path
) -> None:
    path = tmp_path / "phone.json"
    settings = SessionSettings(intra_op_num_threads=4, affinity=(4, 5, 6, 7))
    replace(report_table(), settings=settings).save(path)
    found = tables.load_table(path, SPACE, "fp32", other_host=True)
    assert found.settings == settings
    for other in ({"batch": 8}, {"precision": "int8", "scheme": "u8u8"}):
        replace(report_table(), **other).save(path)
        with pytest.raises(TableMismatchError, match=f"Expected a table of {next(iter(other))}"):
            tables.load_table(path, SPACE, "fp32", other_host=True)


def test_other_settings_batches_and_schemes_have_tables_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))
    host = current_host()

    def path(precision: str = "fp32", **options: Any) -> Path:
        return tables.default_table_path(SPACE, precision, host, **options)

    assert path() == path(settings=SessionSettings(), batch=1, scheme="", is_toy=False)
    others = [path(), path(batch=8), path(is_toy=True), path("int8", scheme="u8s8")]
    others += [path("int8", scheme="u8u8"), path("fp16")]
    others += [path(settings=settings) for settings in OTHERS.values()]
    others += [path(settings=OTHERS["affinity"], batch=8)]
    assert len(set(others)) == len(others)
    assert path().parent == tmp_path / "tables"


def test_without_a_cache_of_its_own_a_table_is_kept_in_the_users(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STOPWATCH_CACHE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    path = tables.default_table_path(SPACE, "fp32", current_host())
    assert path.parent == tmp_path / ".cache" / "stopwatch-nas" / "tables"
