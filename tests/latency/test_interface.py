"""`import latency`: measuring and tables from Python."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import latency
from latency import interface
from latency.device.inputs import read_arrays
from latency.device.job import Model
from latency.device.speed import NOT_GATED, HostSpeed
from latency.device.statistics import Visit
from latency.measurement import processes, startup
from latency.measurement.measure import Measurement, Readings
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import baked, chain, hidden_gather
from tests.support.model_files import edited, named_input
from tests.support.unhurried import begin_processes_at_once

ROOT = Path(__file__).resolve().parents[2]
QUICK = latency.MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0.5)


def test_importing_it_starts_neither_numpy_nor_onnxruntime() -> None:
    code = (
        "import sys, latency\n"
        "print(sorted({'numpy', 'onnx', 'onnxruntime', 'scipy', 'rich'} & set(sys.modules)))\n"
        "latency.measure, latency.Table\n"
        "print(sorted({'onnx', 'onnxruntime', 'scipy', 'rich'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_public_names_are_those_of_the_parts() -> None:
    assert latency.Table is LatencyTable
    assert latency.measure is interface.measure
    assert sorted(latency.__all__) == sorted(interface.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'mesure'"):
        latency.mesure  # noqa: B018


class Fresh:
    """Stands for a fresh process; every run takes a millisecond."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, ms: float = 1.0) -> None:
        self.models: list[Model] = []
        self.settings: list[latency.SessionSettings] = []
        self.plans: list[latency.MeasurePlan] = []
        self._ms = ms
        monkeypatch.setattr(processes, "measure_fresh_process", self)
        begin_processes_at_once(monkeypatch)
        monkeypatch.setattr(interface, "start_fresh_process", lambda *_: None)

    def __call__(
        self,
        models: Sequence[Model],
        settings: latency.SessionSettings,
        plan: latency.MeasurePlan,
    ) -> Readings:
        self.models = list(models)
        self.settings.append(settings)
        self.plans.append(plan)
        visits = (Visit((self._ms,) * 20),) * 2
        found = {m.key: Measurement(m.key, visits, 0.1, True) for m in models}
        return Readings(found, HostSpeed(NOT_GATED, "made up"))


def test_files_bytes_and_models_in_memory_are_measured_together(tmp_path: Path) -> None:
    path = tmp_path / "one.onnx"
    path.write_bytes(chain(1))
    models = [path, chain(2), onnx.load_from_string(chain(3))]
    found = latency.measure(models, plan=QUICK, processes=1)
    assert list(found) == [str(path), "model_1", "model_2"]
    # Two rounds of three runs at least; one that waits for full speed may make more of them.
    assert all(timing.latency_ms > 0 and timing.count >= 6 for timing in found.values())
    assert not any(timing.stable for timing in found.values())


def test_three_fresh_processes_measure_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Fresh(monkeypatch)
    found = latency.measure({"net": chain(1, size="side")}, input_shapes=SHAPES)
    assert list(found) == ["net"] and found["net"].process_ms == (1.0, 1.0, 1.0)
    assert len({plan.seed for plan in fresh.plans}) == 3 and found["net"].stable


SHAPES = {"image": (1, 3, 8, 8)}


@pytest.mark.parametrize(("target_ms", "met"), [(1.0, True), (1.01, True), (1.1, False)])
def test_a_certificate_is_a_verdict_and_what_it_rests_on(
    monkeypatch: pytest.MonkeyPatch, target_ms: float, met: bool
) -> None:
    Fresh(monkeypatch)
    verdict, timing = latency.certify(chain(1), target_ms)
    assert verdict.met is met and verdict.reason and timing.latency_ms == 1.0


@pytest.mark.parametrize("arguments", [(0.0, 0.02), (float("nan"), 0.02), (1.0, 0.0), (1.0, 1.0)])
def test_a_budget_that_nothing_can_keep_is_refused(arguments: tuple[float, float]) -> None:
    target_ms, margin = arguments
    with pytest.raises(latency.LatencyError, match="Expected target_ms above 0 and a margin"):
        latency.certify(chain(1), target_ms, margin=margin)


def test_threads_and_settings_reach_the_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Fresh(monkeypatch)
    latency.measure([chain(1)], threads=2, processes=1)
    settings = latency.SessionSettings(graph_level="basic")
    latency.measure([chain(1)], settings=settings, processes=1)
    assert fresh.settings == [latency.SessionSettings(intra_op_num_threads=2), settings]
    with pytest.raises(latency.LatencyError, match="Expected either threads or settings"):
        latency.measure([chain(1)], threads=2, settings=settings)


def test_a_precision_is_converted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Fresh(monkeypatch)
    latency.measure([chain(1)], precision="int8", processes=1)
    operators = {node.op_type for node in onnx.load_from_string(fresh.models[0].data).graph.node}
    assert "QuantizeLinear" in operators


@pytest.mark.parametrize("models", ["net.onnx", b"bytes", Path("net.onnx"), 3])
def test_one_model_alone_is_refused_with_the_way_to_write_it(models: object) -> None:
    with pytest.raises(latency.LatencyError, match=r"Fix: pass \[model\] for one model"):
        latency.measure(models)  # type: ignore[arg-type]


def test_what_is_no_model_is_refused_by_name() -> None:
    with pytest.raises(latency.LatencyError, match="Received: broken: 7 bytes"):
        latency.measure({"broken": b"no onnx"})
    with pytest.raises(latency.LatencyError, match="Expected one or more models"):
        latency.measure({})


def test_a_model_that_fails_is_named_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh, start = Fresh(monkeypatch), startup.start_fresh_process
    monkeypatch.setattr(interface, "start_fresh_process", start)
    models = {"good": chain(1), "short": hidden_gather(9), "baked": baked(2)}
    with pytest.raises(latency.LatencyError) as info:
        latency.measure(models, processes=1)
    assert "as 'short'" in info.value.expected and "as 'baked'" in info.value.expected
    assert "out of data bounds" in info.value.received and fresh.models == []


def free_batch(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "N"


@pytest.mark.parametrize("form", ["for_all", "for_one", "file"])
def test_arrays_of_a_users_own_reach_the_models(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    fresh = Fresh(monkeypatch)
    ids, path = np.full((1, 4), 7, np.int64), tmp_path / "ids.npz"
    np.savez(path, image=ids)
    inputs = {"for_all": {"image": ids}, "for_one": {"short": {"image": ids}}, "file": path}[form]
    named = {"short": edited(hidden_gather(9), free_batch)}
    latency.measure(named, inputs=inputs, processes=1)  # type: ignore[arg-type]
    np.testing.assert_array_equal(read_arrays(fresh.models[0].inputs)["image"], ids)


@pytest.mark.parametrize("form", ["arrays", "file"])
def test_a_budget_is_judged_by_arrays_of_a_users_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: str
) -> None:
    fresh = Fresh(monkeypatch)
    ids, path = np.full((1, 4), 7, np.int64), tmp_path / "ids.npz"
    np.savez(path, image=ids)
    model = edited(hidden_gather(9), free_batch)
    latency.certify(model, 1.0, inputs=path if form == "file" else {"image": ids})
    np.testing.assert_array_equal(read_arrays(fresh.models[0].inputs)["image"], ids)
    with pytest.raises(latency.LatencyError, match="did you mean 'image'"):
        latency.certify(chain(1), 1.0, inputs={"imgae": np.ones(3)})


def test_a_certificate_takes_what_a_measurement_takes_but_for_its_own_number_of_processes() -> None:
    measured, certified = (
        set(inspect.signature(function).parameters)
        for function in (latency.measure, latency.certify)
    )
    assert certified - measured == {"model", "target_ms", "margin"}
    assert measured - certified == {"models", "processes"}


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"imgae": np.ones(3)}, "did you mean 'image'?"),
        ({"nett": {"image": np.ones(3)}}, "Expected inputs of the models (net).\nReceived: 'nett'"),
        ({"image": [1, 2]}, "shape [1, 3, 8, 8] for input 'image' of net"),
    ],
)
def test_arrays_that_fit_nothing_are_refused(inputs: Any, words: str) -> None:
    with pytest.raises(latency.LatencyError) as info:
        latency.measure({"net": chain(1)}, inputs=inputs)
    assert words in str(info.value)


def test_shapes_are_for_the_models_that_have_such_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = Fresh(monkeypatch)
    models = {"free": chain(1, size="side"), "other": named_input("pixels", ["N", 4])}
    latency.measure(models, input_shapes={**SHAPES, "pixels": (2, 4)}, processes=1)
    assert len(fresh.models) == 2
    with pytest.raises(latency.LatencyError, match="did you mean 'image'"):
        latency.measure(models, input_shapes={"imagee": (1, 3, 8, 8)})


def test_two_models_of_one_name_are_refused() -> None:
    with pytest.raises(latency.LatencyError, match="two of the name 'model_1'"):
        latency.measure(["model_1", chain(1)])
    with pytest.raises(latency.LatencyError, match="bytes or an onnx.ModelProto as 'net'"):
        latency.measure({"net": 3})


def test_weights_in_other_files_are_refused_in_memory() -> None:
    model = onnx.load_from_string(chain(1))
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    with pytest.raises(latency.LatencyError, match="one with weights in other files"):
        latency.measure([model])
