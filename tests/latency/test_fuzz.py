"""Every reader of `latency` with files that nobody would write: it succeeds or refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings

from latency.cli import text_view
from latency.device import strict_json
from latency.device.job import read_job as read_device_job
from latency.device.journal import read_journal
from latency.device.speed import read_best_speed
from latency.jobs.folder import export_job, read_job, read_results
from latency.jobs.job import run_here
from latency.onnx_files.features import row_features
from latency.onnx_files.model_file import read_model
from latency.onnx_files.operators import row_operators
from latency.onnx_files.precision import convert
from latency.onnx_files.skeleton import restore_all, strip_weights
from latency.tables import seal
from latency.tables.build import table_of
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import chain, toy_job
from tests.support.model_files import weighted
from tests.support.mutations import (
    FAST,
    THOROUGH,
    mutated_bytes,
    mutated_json,
    success_or_refusal,
)
from tests.support.unhurried import TWO_ROUNDS

SPEED = {
    "schema_version": 1,
    "probe": "p",
    "probe_us": 12.0,
    "at": "2026-01-01T00:00:00+00:00",
    "frequency_mhz": 2000.0,
    "temperature_celsius": None,
}
EFFORTS = pytest.mark.parametrize(
    "effort", [FAST, pytest.param(THOROUGH, marks=pytest.mark.slow)], ids=["fast", "thorough"]
)


@pytest.fixture(scope="module")
def measured_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job's folder with everything that a measurement leaves, and the table of it."""
    folder = tmp_path_factory.mktemp("fuzz") / "job"
    job = toy_job(plan=TWO_ROUNDS)
    export_job(job, folder)
    result = run_here(job, resume_path=folder / "journal.jsonl")
    (folder / "result.json").write_text(strict_json.dumps(result))
    table_of(job, result).save(folder / "table.json")
    (folder / "speed.json").write_text(json.dumps(SPEED))
    return folder


@pytest.fixture
def folder(measured_job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Whoever edits a table can seal it again.
    monkeypatch.setattr(seal, "check", lambda *_: None)
    return Path(shutil.copytree(measured_job, tmp_path / "job"))


def use_table(folder: Path) -> None:
    """What `show`, `audit`, `predict` and `check` do with a table before they measure."""
    table = LatencyTable.load(folder / "table.json", allow_other_host=True)
    text_view.print_table(table)
    if table.audit is not None:
        text_view.print_audit(table)
    for network in table.networks.values():
        table.predict_ms(network.row_keys)
    if table.row_model is not None:
        table.row_model.predict_ms(dict(table.row_model.high), table.row_model.operators)
    restore_all(table.anchors, table.plan.seed)
    table.save(folder / "again.json")
    table.to_csv(folder / "again.csv")


def use_result(folder: Path) -> None:
    job = read_job(folder)
    table_of(job, read_results(job, folder))


def use_journal(folder: Path) -> None:
    path = folder / "journal.jsonl"
    read_journal(str(path), json.loads(path.read_text().splitlines()[0])["identity"])


READERS: dict[str, Callable[[Path], object]] = {
    "job.json": lambda folder: (read_device_job(str(folder)), read_job(folder)),
    "manifest.json": read_job,
    "result.json": use_result,
    "table.json": use_table,
    "speed.json": lambda folder: read_best_speed(folder / "speed.json", "p"),
}


@EFFORTS
@pytest.mark.parametrize("name", READERS)
def test_a_file_with_a_value_that_nobody_would_write_is_read_or_refused(
    name: str, folder: Path, effort: settings
) -> None:
    path = folder / name

    @effort
    @given(mutated_json(json.loads(path.read_text())))
    def damaged(text: str) -> None:
        path.write_text(text)
        success_or_refusal(lambda: READERS[name](folder))

    damaged()


@EFFORTS
@pytest.mark.parametrize("name", [*READERS, "journal.jsonl"])
def test_a_file_with_damaged_bytes_is_read_or_refused(
    name: str, folder: Path, effort: settings
) -> None:
    path = folder / name
    first = (folder / "journal.jsonl").read_text().splitlines()[0]
    identity = json.loads(first)["identity"]
    readers: dict[str, Callable[[Path], object]] = {
        **READERS,
        "journal.jsonl": lambda folder: read_journal(str(folder / name), identity),
    }

    @effort
    @given(mutated_bytes(path.read_bytes()))
    def damaged(data: bytes) -> None:
        path.write_bytes(data)
        success_or_refusal(lambda: readers[name](folder))

    damaged()


@EFFORTS
def test_a_round_of_a_journal_that_nobody_would_write_is_read_or_refused(
    folder: Path, effort: settings
) -> None:
    path = folder / "journal.jsonl"
    head, first, *rest = path.read_text().splitlines()
    identity = json.loads(head)["identity"]

    @effort
    @given(mutated_json(json.loads(first)))
    def damaged(text: str) -> None:
        path.write_text("\n".join([head, text.replace("\n", ""), *rest]) + "\n")
        success_or_refusal(lambda: read_journal(str(path), identity))

    damaged()


def use_model(path: Path) -> None:
    data = read_model(path)
    row_features(data, None, 1.0)
    row_operators(data, None)
    restore_all({"net": strip_weights(data)}, 0)
    convert(data, "fp16", scheme="", seed=0)


@EFFORTS
@pytest.mark.parametrize("data", [chain(2), weighted(location="w.bin")], ids=["inside", "outside"])
def test_a_damaged_model_is_read_or_refused(data: bytes, tmp_path: Path, effort: settings) -> None:
    path = tmp_path / "net.onnx"
    (tmp_path / "w.bin").write_bytes(bytes(48))

    @effort
    @given(mutated_bytes(data))
    def damaged(changed: bytes) -> None:
        path.write_bytes(changed)
        success_or_refusal(lambda: use_model(path))

    damaged()
