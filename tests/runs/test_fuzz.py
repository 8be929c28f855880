"""Every file of a run folder as nobody would write it: the report is made, or the file refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from nas.architecture import text as arch_text
from nas.interface.networks import read_architecture
from nas.report.page import report_html
from nas.runs.config import read_config
from nas.runs.folder import RunFolder
from nas.runs.reader import read_run
from nas.training import checkpoint
from tests.support import mutations, report_run
from tests.support.mutations import (
    FAST,
    mutated_bytes,
    mutated_json,
    success_or_refusal,
)

THOROUGH = settings(mutations.THOROUGH, max_examples=100)
EFFORTS = pytest.mark.parametrize(
    "effort",
    [settings(FAST, max_examples=10), pytest.param(THOROUGH, marks=pytest.mark.slow)],
    ids=["fast", "thorough"],
)
RECORDS = (
    *("config.json", "data.json", "target.json", "architecture.json", "gates.json"),
    *("certificate.json", "warnings.json", "baselines.json"),
)
HISTORIES = ("history.csv", "retrain_history.csv")


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = report_run.make_run(tmp_path_factory.mktemp("fuzz") / "run")
    # Tables have such tests of their own, and reading one takes long.
    (run / "table.json").unlink()
    return run


def use(run: Path, effort: settings) -> None:
    """What resuming and the report read; drawing the report takes most of a second."""
    read_config(run)
    arch_text.from_json(RunFolder(run).read_json("architecture.json"))
    records = read_run(run)
    if effort is THOROUGH:
        report_html(records)


def test_the_files_are_those_of_a_run(whole_run: Path) -> None:
    kept = {path.name for path in whole_run.iterdir() if path.suffix in (".json", ".csv")}
    assert kept == {*RECORDS, *HISTORIES}
    use(whole_run, FAST)


@EFFORTS
@pytest.mark.parametrize("name", RECORDS)
def test_a_record_with_a_value_that_nobody_would_write_is_shown_or_refused(
    name: str, whole_run: Path, effort: settings
) -> None:
    path = whole_run / name
    before = path.read_text()

    @effort
    @given(mutated_json(json.loads(before)))
    def damaged(text: str) -> None:
        path.write_text(text)
        success_or_refusal(lambda: use(whole_run, effort))

    try:
        damaged()
    finally:
        path.write_text(before)


@EFFORTS
@pytest.mark.parametrize("name", [*RECORDS, *HISTORIES])
def test_a_record_with_damaged_bytes_is_shown_or_refused(
    name: str, whole_run: Path, effort: settings
) -> None:
    path = whole_run / name
    before = path.read_bytes()

    @effort
    @given(mutated_bytes(before))
    def damaged(data: bytes) -> None:
        path.write_bytes(data)
        success_or_refusal(lambda: use(whole_run, effort))

    try:
        damaged()
    finally:
        path.write_bytes(before)


@EFFORTS
def test_a_damaged_architecture_is_read_or_refused(
    whole_run: Path, tmp_path: Path, effort: settings
) -> None:
    path = tmp_path / "architecture.json"

    @effort
    @given(mutated_json(json.loads((whole_run / path.name).read_text())))
    def damaged(text: str) -> None:
        path.write_text(text)
        success_or_refusal(lambda: read_architecture(str(path)))

    damaged()


class Variable:
    """Stands for a weight of Keras."""

    shape = (3, 2)

    def assign(self, value: np.ndarray) -> None:
        assert value.shape == self.shape


@EFFORTS
@pytest.mark.parametrize("name", ["network.00000", "v00000"])
def test_a_damaged_checkpoint_is_loaded_or_refused(
    name: str, tmp_path: Path, effort: settings
) -> None:
    path = tmp_path / "search.npz"
    meta = np.frombuffer(b'{"step": 1}', np.uint8)
    np.savez(path, meta_json=meta, **{name: np.ones((3, 2), np.float32)})  # type: ignore[arg-type]

    @effort
    @given(mutated_bytes(path.read_bytes()))
    def damaged(data: bytes) -> None:
        path.write_bytes(data)
        success_or_refusal(lambda: checkpoint.load(path, {"network": [Variable()]}))

    damaged()
