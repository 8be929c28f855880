"""Models started in a process each: what it costs, what comes out, and what fails."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest

from latency.device import startup
from latency.device.errors import WorkerError
from latency.device.job import Model
from latency.device.settings import SessionSettings
from latency.device.startup import outputs_sha256, start
from latency.measurement import measure as measuring
from latency.measurement.startup import StartError, start_all, start_fresh_process
from tests.support.latency_graphs import chain, gather, hidden_gather

SETTINGS = SessionSettings()


def model(data: bytes, key: str = "net") -> Model:
    return Model(key, data, key)


def test_a_start_tells_its_times_memory_and_outputs() -> None:
    found = start_fresh_process(model(chain(2)), SETTINGS)
    assert found.session_ms > 0 and found.first_run_ms > 0
    # The session alone takes more than its 5 kB of weights, and far less than 200 MB.
    assert found.peak_bytes is None or 5e3 < found.peak_bytes < 2e8
    assert len(found.outputs_sha256) == 64


def test_outputs_have_the_same_hash_in_every_process_and_another_with_other_weights() -> None:
    here = start(model(chain(2)), SETTINGS, 0).outputs_sha256
    assert start_fresh_process(model(chain(2)), SETTINGS).outputs_sha256 == here
    assert start(model(chain(2, seed=1)), SETTINGS, 0).outputs_sha256 != here


def test_hashes_count_thousandths_of_the_largest_output() -> None:
    values = np.array([1.0, -0.25, 0.125])
    expected = outputs_sha256([values])
    assert outputs_sha256([(values * (1 + 1e-6)).astype(np.float32)]) == expected
    assert outputs_sha256([values + [0, 0.002, 0]]) != expected
    assert outputs_sha256([values.reshape(3, 1)]) != expected
    assert outputs_sha256([values, values]) != expected
    # No output is a division by nothing, nor an error.
    assert outputs_sha256([np.zeros(3)]) != outputs_sha256([np.array([np.nan, 1, np.inf])])
    assert outputs_sha256([["a list"]]) != outputs_sha256([np.zeros((0, 3))])


@pytest.mark.parametrize(("rows", "integer"), [(100, 127), (127, 127)])
def test_ids_beyond_the_models_table_are_found_before_anything_is_measured(
    rows: int, integer: int
) -> None:
    with pytest.raises(WorkerError, match="out of data bounds"):
        start(model(hidden_gather(rows)), SETTINGS, 0)
    assert start(model(hidden_gather(integer + 1)), SETTINGS, 0).first_run_ms > 0


def test_ids_stay_within_a_table_that_the_graph_shows() -> None:
    for rows in (1, 2, 100):
        assert start(model(gather(rows)), SETTINGS, 0).first_run_ms > 0


def test_a_model_that_fails_is_named_and_the_others_are_started() -> None:
    started, failed = start_all(
        [model(hidden_gather(50), "short"), model(b"junk", "junk"), model(chain(1), "good")],
        SETTINGS,
    )
    assert list(started) == ["good"] and list(failed) == ["short", "junk"]
    assert failed["short"].expected == "a model that loads and runs as 'short'"
    assert "out of data bounds" in failed["short"].received
    assert "expected an ONNX model that" in failed["junk"].received
    # The reason alone, not a message inside of a message; and the fix of this very reason.
    assert "Fix" not in failed["short"].received
    assert "(expected a model that runs" in failed["short"].received
    assert "--input FILE.npz" in failed["short"].fix and "onnx.checker" in failed["junk"].fix


def test_a_model_that_ends_its_process_is_named_with_the_signal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = subprocess.CompletedProcess(list[str](), -signal.SIGSEGV, "", "")
    monkeypatch.setattr("latency.measurement.startup.run_device", lambda *_: done)
    with pytest.raises(StartError) as info:
        start_fresh_process(model(chain(1)), SETTINGS)
    assert info.value.received == "ended by SIGSEGV"
    done.returncode = -signal.SIGKILL
    with pytest.raises(StartError) as info:
        start_fresh_process(model(chain(1)), SETTINGS)
    assert "free memory" in info.value.fix


def test_without_the_systems_word_the_memory_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "_memory_bytes", lambda _: None)
    assert start(model(chain(1)), SETTINGS, 0).peak_bytes is None


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_anything_but_one_folder_is_wrong_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as info:
        startup.main(arguments)
    assert info.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python3 -m device.startup ")


def test_a_job_of_several_models_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = [model(chain(1), "a"), model(chain(2), "b")]
    measuring.write_job(tmp_path, measuring.workload(models, SETTINGS, measuring.MeasurePlan()))
    assert startup.main([str(tmp_path)]) == 2
    assert "Expected a job of one model" in capsys.readouterr().err
    assert not os.path.exists(tmp_path / startup.STARTUP_FILE)
