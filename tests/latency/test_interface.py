"""`import latency`: measuring and tables from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx
import pytest

import latency
from latency import interface
from latency.measurement import measure as measuring
from latency.tables.table import LatencyTable
from tests.support.latency_graphs import chain

ROOT = Path(__file__).resolve().parents[2]
QUICK = latency.MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0)


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


def test_files_bytes_and_models_in_memory_are_measured_together(tmp_path: Path) -> None:
    path = tmp_path / "one.onnx"
    path.write_bytes(chain(1))
    models = [path, chain(2), onnx.load_from_string(chain(3))]
    found = latency.measure(models, plan=QUICK, fresh_process=False)
    assert list(found) == [str(path), "model_1", "model_2"]
    assert all(reading.latency_ms > 0 and reading.count == 6 for reading in found.values())


def test_a_fresh_process_measures_by_default() -> None:
    found = latency.measure({"net": chain(1, size="side")}, plan=QUICK, input_shapes=SHAPES)
    assert list(found) == ["net"] and found["net"].count == 6


SHAPES = {"image": (1, 3, 8, 8)}


def test_threads_and_settings_reach_the_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[latency.SessionSettings] = []
    monkeypatch.setattr(
        measuring, "measure_fresh_process", lambda _m, settings, _p: used.append(settings)
    )
    latency.measure([chain(1)], threads=2)
    settings = latency.SessionSettings(graph_level="basic")
    latency.measure([chain(1)], settings=settings)
    assert used == [latency.SessionSettings(intra_op_num_threads=2), settings]
    with pytest.raises(latency.LatencyError, match="Expected either threads or settings"):
        latency.measure([chain(1)], threads=2, settings=settings)


def test_a_precision_is_converted_to(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []
    monkeypatch.setattr(measuring, "measure", lambda models, _s, _p: seen.append(models[0].data))
    latency.measure([chain(1)], precision="int8", fresh_process=False)
    operators = {node.op_type for node in onnx.load_from_string(seen[0]).graph.node}
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


def test_weights_in_other_files_are_refused_in_memory() -> None:
    model = onnx.load_from_string(chain(1))
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="w.bin")
    with pytest.raises(latency.LatencyError, match="one with weights in other files"):
        latency.measure([model])
