"""Results of devices: read, refused and joined."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from latency.device.records import Result
from latency.jobs.folder import export_job, read_job, read_results
from latency.jobs.job import Job
from latency.measurement.repeats import RepeatError
from latency.measurement.result import ResultError, merge_results, read_result
from latency.tables.build import table_of
from tests.support.device_jobs import Change, edit


def first_visit(document: dict[str, Any]) -> list[float]:
    found: list[float] = document["visits"]["net1"][0]["runs_ms"]
    return found


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.update(schema_version=9), "Expected a device's result: schema version 4 in"),
        (lambda d: d.update(job_id="0" * 16), "Received: one of job 0000000000000000.\nFix:"),
        (lambda d: d.pop("visits"), "Expected a device's result: the key 'visits' in"),
        (lambda d: d["host"].pop("cpu_model"), "the key 'cpu_model' at `host` in"),
        (
            lambda d: d["visits"]["net1"][0]["runs_ms"].__setitem__(0, float("nan")),
            "which is no number",
        ),
        (
            lambda d: d["visits"]["net1"][0]["runs_ms"].__setitem__(0, -1.0),
            "a visit of one or more runs above",
        ),
        (
            lambda d: d["visits"]["net1"][0]["runs_ms"].__setitem__(0, 0),
            "a visit of one or more runs above",
        ),
        (lambda d: d["visits"].pop("net1"), "Expected samples of every model"),
        (lambda d: d["certain"].pop(), "Expected a verdict on each of"),
        (
            lambda d: d["settings"].update(graph_level="basic", affinity=[3]),
            "measured with graph_level 'all', affinity (), as the job asks.\nReceived: graph_level "
            "'basic', affinity (3,)",
        ),
    ],
)
def test_a_broken_result_is_refused(folder: Path, change: Change, text: str) -> None:
    edit(folder / "result.json", change)
    job = read_job(folder)
    with pytest.raises(ValueError) as info:
        table_of(job, read_results(job, folder))
    assert text in str(info.value) and "Fix:" in str(info.value)


def test_a_result_of_an_older_program_is_read(folder: Path) -> None:
    # It wrote no fingerprint, and worker.py stood in the place of the folder.
    before = read_result(folder / "result.json")
    edit(folder / "result.json", lambda d: d["host"].pop("fingerprint"))
    shutil.rmtree(folder / "device")
    (folder / "worker.py").write_text("print('of another time')")
    job = read_job(folder)
    assert read_results(job, folder) == before
    # Exporting the same job again brings the program and keeps what was measured.
    export_job(job, folder)
    assert (folder / "device" / "__main__.py").is_file() and read_results(job, folder) == before


def test_a_truncated_result_is_refused(folder: Path) -> None:
    path = folder / "result.json"
    path.write_text(path.read_text()[:300])
    with pytest.raises(ResultError, match="Expected a device's result: whole JSON in"):
        read_result(path)


def merged(job: Job, *results: Result) -> Result:
    return merge_results(results, job.quantities, job.device_plan)


def test_a_table_is_of_the_library_that_the_devices_command_line_named(folder: Path) -> None:
    job = read_job(folder)
    assert job.settings.provider_library == ""
    there = {"provider_library": "/opt/plugin.so", "provider_options": {"threads": "2"}}
    edit(folder / "result.json", lambda d: d["settings"].update(there))
    settings = table_of(job, read_results(job, folder)).settings
    assert settings.provider_library == "/opt/plugin.so"
    assert settings.provider_options == {"threads": "2"}


def another_session(result: Result) -> Result:
    """The same job at another hour: no run took exactly as long."""
    slower = {
        key: tuple(
            replace(visit, runs_ms=tuple(1.001 * run for run in visit.runs_ms)) for visit in visits
        )
        for key, visits in result.visits.items()
    }
    return replace(result, started_at="2026-01-01T05:00:00+00:00", visits=slower)


def test_two_sessions_of_one_device_join(folder: Path) -> None:
    job, one = read_job(folder), read_result(folder / "result.json")
    two = another_session(one)
    both = merged(job, one, two)
    assert both.rounds == 2 * one.rounds
    assert both.visits["net1"] == (*one.visits["net1"], *two.visits["net1"])
    assert table_of(job, both).rows["block"].count == 2 * table_of(job, one).rows["block"].count


def shortened(result: Result, visits: int) -> Result:
    """What the session had after its first visits."""
    return replace(result, visits={key: found[:visits] for key, found in result.visits.items()})


@pytest.mark.parametrize(
    "changed",
    [
        lambda one: one,
        # A copy that somebody has given another date.
        lambda one: replace(one, started_at="2026-01-01T01:00:00+00:00", rounds=99),
        lambda one: replace(one, host=replace(one.host, load_average=9.0), started_at="2026"),
        # A session that was copied, and gone on with.
        lambda one: replace(shortened(one, 2), started_at="2026-01-01T01:00:00+00:00"),
        # Two at the same moment would have disturbed each other.
        lambda one: replace(another_session(one), started_at=one.started_at),
    ],
)
def test_one_session_counts_once(folder: Path, changed: Callable[[Result], Result]) -> None:
    job, one = read_job(folder), read_result(folder / "result.json")
    for results in ((one, changed(one)), (changed(one), one)):
        with pytest.raises(RepeatError) as info:
            merged(job, another_session(another_session(one)), *results)
        assert "Expected each session once.\nReceived: result 2 and result 3, which" in str(
            info.value
        )
        assert "Fix: name one of the two" in str(info.value)


def test_results_of_other_models_do_not_join(folder: Path) -> None:
    job, one = read_job(folder), read_result(folder / "result.json")
    less = another_session(one)
    less = replace(less, visits={k: v for k, v in less.visits.items() if k != "net1"})
    for results in ((one, less), (less, one)):
        with pytest.raises(ResultError, match="Received: 'net1' in one of them only"):
            merged(job, *results)


def test_results_of_two_devices_are_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    shutil.copy(folder / "result.json", other)
    edit(other, lambda d: d["host"].update(cpu_model="Abacus", hostname="attic"))
    job = read_job(folder)
    with pytest.raises(ResultError, match="Expected results of one device.\nReceived: .*'attic'"):
        read_results(job, folder, [folder / "result.json", other])
