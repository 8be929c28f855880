"""Sessions, models and fresh processes, on tiny graphs with onnxruntime itself."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnxruntime
import pytest
from onnx import TensorProto, helper

from latency.device import strict_json
from latency.device.job import Workload, measure_models
from latency.device.plan import DevicePlan
from latency.device.settings import SessionSettings
from latency.device.statistics import Quantity, Visit
from latency.measurement.measure import (
    Measurement,
    MeasurePlan,
    Model,
    measure,
    measure_fresh_process,
)
from tests.support.latency_graphs import chain, finish, hidden_gather

ROOT = Path(__file__).resolve().parents[3]
QUICK = MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0)


def ticking(step_ms: float = 1.0) -> Callable[[], float]:
    """A clock that advances by one step whenever it is read."""
    counter = itertools.count()
    return lambda: next(counter) * step_ms / 1e3


def test_every_model_is_measured_with_the_given_clock() -> None:
    models = [Model("one", chain(1), "g"), Model("two", chain(2), "g")]
    calls: list[tuple[int, int, float]] = []
    found = measure(
        models,
        SessionSettings(),
        QUICK,
        clock=ticking(),
        progress=lambda *call: calls.append(call),
    )
    assert list(found) == ["one", "two"]
    for reading in found.values():
        assert [visit.runs_ms for visit in reading.visits] == [(1.0, 1.0, 1.0)] * 2
        assert (reading.latency_ms, reading.low_ms, reading.high_ms) == (1.0, 1.0, 1.0)
        assert reading.stable and reading.noise == 0 and reading.count == 6
    assert [call[:2] for call in calls] == [(1, 2), (2, 2)]


def test_real_time_orders_a_small_and_a_large_graph() -> None:
    # 60 times the work: no disturbance that strikes single runs turns the low quantile around.
    models = [Model("small", chain(1), "s"), Model("large", chain(8, 32, 32), "l")]
    found = measure(models, SessionSettings(), MeasurePlan(min_rounds=4, max_rounds=4))
    assert 0 < found["small"].latency_ms < found["large"].latency_ms
    assert found["small"].low_ms <= found["small"].latency_ms <= found["small"].high_ms
    # The latency is of the runs at full speed and the percentiles are of those that nobody waited
    # for. They are runs of different visits, so that either may be the greater one.
    for reading in found.values():
        assert min(min(visit.runs_ms) for visit in reading.visits) <= reading.latency_ms
        assert reading.p50_ms <= reading.p90_ms <= reading.p99_ms


def test_a_fresh_process_gives_the_same_form_of_result() -> None:
    models = [Model("one", chain(1), "g"), Model("two", chain(2), "g")]
    found = measure_fresh_process(models, SessionSettings(), QUICK)
    assert list(found) == ["one", "two"]
    assert all(reading.count == 6 and reading.latency_ms > 0 for reading in found.values())


def test_a_fresh_process_that_fails_says_why() -> None:
    with pytest.raises(ValueError, match="Expected an ONNX model .* for model 'bad'") as info:
        measure_fresh_process([Model("bad", b"no onnx", "g")], SessionSettings(), QUICK)
    assert str(info.value).count("Fix:") == 1


def test_a_fresh_process_names_the_one_of_its_models_that_fails() -> None:
    models = [Model("good", chain(1), "g"), Model("short", hidden_gather(9), "h")]
    with pytest.raises(ValueError, match="models that run beside each other, 'short'") as info:
        measure_fresh_process(models, SessionSettings(), QUICK)
    assert "out of data bounds" in str(info.value)


def test_importing_latency_loads_no_training_library_and_no_search() -> None:
    code = (
        "import sys, latency, latency.measurement.measure, latency.tables.table\n"
        "import latency.cli.program\n"
        "roots = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(roots & {'tensorflow', 'keras', 'nas', 'torch', 'jax', 'onnxruntime'}))\n"
        "import os; print(os.environ['ORT_DISABLE_TELEMETRY'])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["[]", "1"]


def test_a_killed_measurement_resumes_from_its_journal(tmp_path: Path) -> None:
    journal, model = tmp_path / "journal", tmp_path / "model.onnx"
    model.write_bytes(chain(1))
    # The process kills itself in its fifth round: no signal handler and no timing is involved.
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from latency.measurement.measure import Model, MeasurePlan, measure\n"
        "from latency.device.settings import SessionSettings\n"
        "def progress(done, total, left):\n"
        "    if done == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "model = Model('m', Path(sys.argv[1]).read_bytes(), 'g')\n"
        "measure([model], SessionSettings(), MeasurePlan(min_rounds=6, max_rounds=6),\n"
        "        progress=progress, resume_path=Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", code, str(model), str(journal)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    before = [json.loads(line) for line in journal.read_text().splitlines()][1:]
    assert len(before) == 4

    plan = MeasurePlan(min_rounds=6, max_rounds=6)
    models = [Model("m", model.read_bytes(), "g")]
    found = measure(models, SessionSettings(), plan, resume_path=journal)
    assert len(found["m"].visits) == 6
    kept = [tuple(record["visits"]["m"]["runs_ms"]) for record in before]
    assert [visit.runs_ms for visit in found["m"].visits[:4]] == kept

    other = [Model("m", chain(2), "g")]
    with pytest.raises(ValueError, match="Expected a journal of the session"):
        measure(other, SessionSettings(), plan, resume_path=journal)


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.UINT8, TensorProto.INT64]
)
def test_inputs_of_other_types_are_drawn(kind: int) -> None:
    node = helper.make_node("Identity", ["image"], ["pooled"])
    model = finish([node], [1, 4], [1, 4], input_type=kind)
    found = measure([Model("m", model, "g")], SessionSettings(), QUICK, clock=ticking())
    assert found["m"].count == 6


def test_a_dynamic_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected inputs of fixed shape") as info:
        measure([Model("net", chain(1, size="side"), "g")], SessionSettings(), QUICK)
    assert "for model 'net'" in str(info.value)
    assert "Received: input 'image' of shape [1, 3, 'side', 'side']" in str(info.value)
    assert "Fix: export the model with a fixed batch" in str(info.value)


@pytest.mark.parametrize(
    "models",
    [[], [Model("same", b"", "g"), Model("same", b"", "g")]],
)
def test_keys_must_be_unique_and_there_must_be_some(models: list[Model]) -> None:
    with pytest.raises(ValueError, match="Expected one or more models with unique keys.\nReceived"):
        measure(models, SessionSettings(), QUICK)


def test_a_provider_that_is_not_installed_is_refused() -> None:
    settings = SessionSettings(provider="NoSuchExecutionProvider")
    with pytest.raises(ValueError, match="Expected a provider of this onnxruntime") as info:
        measure([Model("m", chain(1), "g")], settings, QUICK)
    assert "Received: NoSuchExecutionProvider.\nFix: name one of these" in str(info.value)


def test_a_silent_fallback_to_the_cpu_is_refused() -> None:
    # The PyPI wheel lists this provider, which can run no convolution.
    provider = "AzureExecutionProvider"
    if provider not in onnxruntime.get_available_providers():
        pytest.skip(f"this onnxruntime has no {provider}")
    with pytest.raises(ValueError, match=f"Expected an ONNX model that {provider} runs"):
        measure([Model("m", chain(1), "g")], SessionSettings(provider=provider), QUICK)


def test_stopping_goes_by_the_quantities_that_are_asked_for() -> None:
    models = [Model("one", chain(1), "a"), Model("two", chain(2), "b")]
    quantities = (Quantity(("two", "one"), (1.0, -1.0)),)
    plan = DevicePlan(min_rounds=2, max_rounds=4)
    work = Workload(tuple(models), quantities, SessionSettings(), plan)
    outcome = measure_models(work, clock=ticking())
    # Equal times leave a difference of exactly 0 with an interval of width 0.
    assert (outcome.rounds, outcome.certain) == (2, (True,))


def test_a_measurement_survives_its_json() -> None:
    reading = Measurement("m", (Visit((1.0, 2.0)), Visit((1.5, 1.25))), 0.25, True)
    plain = json.loads(json.dumps(strict_json.encode(reading)))
    assert plain["latency_ms"] == reading.latency_ms and plain["count"] == 4
    again = strict_json.decode(Measurement, plain, "a measurement")
    assert again == reading and again.latency_ms == reading.latency_ms


@pytest.mark.parametrize("sample", [0.0, -1.0, float("nan"), float("inf"), "1", True])
def test_impossible_samples_are_refused(sample: object) -> None:
    with pytest.raises(ValueError, match="Expected a visit of one or more runs above 0 ms"):
        Visit((1.0, sample))  # type: ignore[arg-type]


def test_missing_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="Expected one or more visits of 'm'"):
        Measurement("m", (), 0.25, True)
    with pytest.raises(ValueError, match="Received: 0 runs, 0 probes before and 0 after"):
        Visit(())
    with pytest.raises(ValueError, match="Received: 2 runs, 1 probes before and 2 after"):
        Visit((1.0, 1.0), (9.0,), (9.0, 9.0))
