"""Which code is loaded: the command line says it, and no file does."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import onnxruntime
import pytest

from latency.cli import commands, program
from latency.device import sessions
from latency.device.errors import LatencyError
from latency.device.job import read_job, run_job
from latency.device.sessions import create_session
from latency.device.settings import CPU_PROVIDER, SessionSettings, SettingsError
from latency.jobs.folder import export_job
from latency.measurement import measure as measuring
from latency.measurement.measure import MeasurePlan, Model, workload, write_job
from latency.tables.check import check_table
from latency.tables.table import LatencyTable
from tests.support.device_jobs import edit, run_worker
from tests.support.latency_graphs import chain, toy_job, toy_table

PLAN = MeasurePlan(min_rounds=1, max_rounds=1, max_wait_seconds=0.0)
Loaded = list[tuple[str, str]]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> Loaded:
    """The libraries that were loaded; none of them is one."""
    calls: Loaded = []
    monkeypatch.setattr(sessions, "_registered_libraries", set())
    name = "register_execution_provider_library"
    monkeypatch.setattr(onnxruntime, name, lambda *call: calls.append(call))
    return calls


@pytest.fixture
def evil(tmp_path: Path) -> Path:
    path = tmp_path / "evil.so"
    path.write_text("code")
    return path


@pytest.fixture(scope="module")
def plain_table() -> LatencyTable:
    return toy_table(plan=MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0.0))


@pytest.fixture
def table(plain_table: LatencyTable, evil: Path, tmp_path: Path) -> Path:
    """A table whose settings name a library."""
    path = tmp_path / "table.json"
    settings = replace(plain_table.settings, provider_library=str(evil))
    replace(plain_table, settings=settings).save(path)
    return path


@pytest.fixture
def job(evil: Path, tmp_path: Path) -> Path:
    """The folder of a job whose settings name a library."""
    folder = tmp_path / "job"
    settings = SessionSettings(provider_library=str(evil))
    export_job(toy_job(wholes=[], settings=settings, plan=PLAN), folder)
    return folder


def test_a_library_that_a_table_names_is_not_loaded(table: Path, loaded: Loaded) -> None:
    with pytest.raises(SettingsError) as caught:
        check_table(LatencyTable.load(table), plan=PLAN)
    assert "which a file names" in caught.value.received
    assert "--provider_library" in caught.value.fix and loaded == []


def test_check_loads_the_library_of_its_command_line(
    table: Path, tmp_path: Path, loaded: Loaded, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(commands, "PLAN", PLAN)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.so").write_text("trusted")
    assert program.main(["check", str(table)]) == 2
    assert loaded == [] and "--provider_library" in capsys.readouterr().err
    assert program.main(["check", str(table), "--provider_library", "mine.so"]) in (0, 3, 4)
    assert loaded == [(CPU_PROVIDER, str(tmp_path / "mine.so"))]


def test_a_library_that_a_job_names_is_not_loaded(job: Path, loaded: Loaded) -> None:
    with pytest.raises(SettingsError, match="which a file names"):
        run_job(str(job))
    assert loaded == [] and not (job / "result.json").exists()
    done = run_worker(job)
    assert done.returncode == 2
    assert "error: Expected a plugin library that the command line names" in done.stderr


def test_run_job_loads_the_library_of_its_command_line(
    job: Path, tmp_path: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.so").write_text("trusted")
    assert program.main(["run-job", str(job)]) == 2
    assert program.main(["run-job", str(job), "--provider_library", "mine.so"]) == 0
    assert loaded == [(CPU_PROVIDER, str(tmp_path / "mine.so"))]
    settings = json.loads((job / "result.json").read_text())["settings"]
    assert settings["provider_library"] == str(tmp_path / "mine.so")


def test_the_devices_program_takes_a_library_of_its_command_line(job: Path) -> None:
    done = run_worker(job, "--provider_library", "mine.so")
    assert done.returncode == 2
    # Looked for where the program was started; the file's own library is not even mentioned.
    assert f"{os.path.realpath(job)}/mine.so, no such file" in done.stderr
    assert "evil" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("backend_path", "x"), ("trt_extra_plugin_lib_paths", "x"), ("anything", "/tmp/x.so")],
)
def test_a_providers_option_that_may_be_a_library_counts_as_one(
    tmp_path: Path, name: str, value: str
) -> None:
    settings = SessionSettings(provider_options={name: value})
    settings.check_loading()  # a program's own word
    write_job(tmp_path, workload([Model("net", chain(0), "net")], settings, PLAN))
    with pytest.raises(SettingsError, match="--provider_option NAME=VALUE"):
        read_job(str(tmp_path))
    work, _ = read_job(str(tmp_path), {"provider_options": {name: "mine"}})
    assert work.settings.provider_options == {name: "mine"}


def test_harmless_options_of_a_file_stay(tmp_path: Path) -> None:
    settings = SessionSettings(provider_options={"device_id": "0"})
    write_job(tmp_path, workload([Model("net", chain(0), "net")], settings, PLAN))
    work, _ = read_job(str(tmp_path))
    assert work.settings == settings


def test_a_relative_library_is_loaded_from_where_the_program_runs(
    tmp_path: Path, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.so").write_text("trusted")
    create_session(chain(0), SessionSettings(provider_library="mine.so"))
    assert loaded == [(CPU_PROVIDER, str(tmp_path / "mine.so"))]
    found = SessionSettings().asked(provider_library="mine.so").provider_library
    assert found == str(tmp_path / "mine.so")


def test_a_new_process_is_told_what_it_may_load(
    evil: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SessionSettings(provider_library=str(evil), provider_options={"backend_path": "x"})
    flags = ["--provider_library", str(evil), "--provider_option", "backend_path=x"]
    assert settings.loading_flags() == flags and SessionSettings().loading_flags() == []
    with pytest.raises(LatencyError) as caught:
        measuring.measure_fresh_process([Model("net", chain(0), "net")], settings, PLAN)
    # It went as far as loading what is no library.
    assert "can load as a plugin provider" in str(caught.value)
    with pytest.raises(SettingsError):
        settings.as_read().loading_flags()


def test_settings_of_a_file_are_equal_to_those_that_were_asked_for() -> None:
    settings = SessionSettings(provider_library="/x.so")
    assert settings.as_read() == settings and "from_file" not in settings.to_json()


def test_an_edited_job_is_refused_for_its_library_first(job: Path, loaded: Loaded) -> None:
    edit(job / "job.json", lambda d: d["settings"].update(provider_library="/other.so"))
    with pytest.raises(SettingsError, match="'/other.so', which a file names"):
        run_job(str(job))
    assert loaded == []
