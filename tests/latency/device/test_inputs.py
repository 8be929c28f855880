"""What models are fed: drawn, drawn anew, or a user's own."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from latency.device.errors import WorkerError
from latency.device.inputs import USUAL_INTEGERS, random_inputs, read_arrays, write_arrays
from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.runner import ModelRunner
from latency.device.sessions import create_session
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.measurement.measure import measure_fresh_process, workload
from tests.support.latency_graphs import baked, chain, finish, hidden_gather
from tests.support.model_files import edited

SETTINGS = SessionSettings()


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def same(kind: int) -> bytes:
    """A model that gives back its four inputs."""
    node = helper.make_node("Identity", ["image"], ["pooled"])
    return finish([node], [1, 4], [1, 4], input_type=kind)


@pytest.mark.parametrize("name", ["INT8", "UINT8", "INT16", "UINT32", "INT64", "UINT64"])
def test_integers_are_drawn_in_range_and_anew_for_each_visit(name: str) -> None:
    node = helper.make_node("Identity", ["image"], ["pooled"])
    model = finish([node], [1, 400], [1, 400], input_type=getattr(TensorProto, name))
    run = ModelRunner(model, SETTINGS, 0)
    seen = []
    for _ in range(3):
        (first,), (again,) = run(), run()
        np.testing.assert_array_equal(first, again)
        seen.append(first)
        run.end_visit()
    assert not np.array_equal(seen[0], seen[1]) and not np.array_equal(seen[1], seen[2])
    # Of 1200 even draws from 127 values the ends are missed once in ten thousand such tests.
    assert (np.min(seen), np.max(seen)) == USUAL_INTEGERS


def test_floats_stay_the_same_in_all_visits() -> None:
    run = ModelRunner(same(TensorProto.FLOAT), SETTINGS, 0)
    (first,) = run()
    run.end_visit()
    np.testing.assert_array_equal(first, run()[0])


def test_a_users_own_arrays_are_fed_and_stay_in_all_visits() -> None:
    ids = np.array([[5, 6, 7, 8]], np.int64)
    run = ModelRunner(same(TensorProto.INT64), SETTINGS, 0, npz(image=ids))
    for _ in range(2):
        np.testing.assert_array_equal(run()[0], ids)
        run.end_visit()


@pytest.mark.parametrize("name", ["BOOL", "FLOAT16", "DOUBLE", "UINT16", "INT32"])
def test_every_type_of_numbers_and_flags_is_drawn(name: str) -> None:
    kind = getattr(TensorProto, name)
    (found,) = ModelRunner(same(kind), SETTINGS, 0)()
    assert found.dtype == helper.tensor_dtype_to_np_dtype(kind) and found.shape == (1, 4)


def test_texts_are_not_drawn_but_taken() -> None:
    with pytest.raises(WorkerError, match="input 'image' of type tensor.string.") as info:
        ModelRunner(same(TensorProto.STRING), SETTINGS, 0)
    assert info.value.fix == "give texts of your own with --input FILE.npz"
    words = np.array([["a", "bc", "", "ä"]])
    (found,) = ModelRunner(same(TensorProto.STRING), SETTINGS, 0, npz(image=words))()
    assert found.tolist() == words.tolist()


@pytest.mark.parametrize("given", [{}, {"image": np.ones((1, 4), np.float32)}])
def test_a_type_that_numpy_lacks_is_refused_with_the_types_there_are(given: Any) -> None:
    with pytest.raises(WorkerError, match="of type tensor.bfloat16.") as info:
        ModelRunner(same(TensorProto.BFLOAT16), SETTINGS, 0, npz(**given))
    assert "uint64" in info.value.expected and info.value.fix.startswith("export the model with")


def test_a_scalar_and_another_order_of_bytes_stay_what_they_are() -> None:
    node = helper.make_node("Identity", ["image"], ["pooled"])
    number = finish([node], [], [], input_type=TensorProto.FLOAT)
    (found,) = ModelRunner(number, SETTINGS, 0, npz(image=np.float32(3)))()
    assert found.shape == () and found == 3
    turned = np.array([[1, 2, 3, 4]], ">i8")
    (found,) = ModelRunner(same(TensorProto.INT64), SETTINGS, 0, npz(image=turned))()
    np.testing.assert_array_equal(found, turned)


def test_arrays_of_any_name_survive_a_file() -> None:
    arrays = {"file": np.arange(3), "a/b:0": np.ones((2, 1)), "input.1": np.array(True)}
    found = read_arrays(write_arrays(arrays))
    assert list(found) == list(arrays) and write_arrays({}) == b""
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert write_arrays(arrays) == write_arrays(arrays)  # part of a job's identity


@pytest.mark.parametrize(
    ("arrays", "expected", "received"),
    [
        ({"imaeg": np.ones((1, 4))}, "arrays named as the model's inputs (image)", "imaeg"),
        ({"image": np.ones((1, 5), np.float32)}, "type float32 and shape [1, 4]", "shape [1, 5]"),
        ({"image": np.ones(4, np.float32)}, "shape [1, 4] for input 'image'", "shape [4]"),
        ({"image": np.ones((1, 4))}, "an array of type float32 and", "one of type float64"),
    ],
)
def test_an_array_of_another_name_shape_or_type_is_refused(
    arrays: dict[str, np.ndarray], expected: str, received: str
) -> None:
    with pytest.raises(WorkerError) as info:
        ModelRunner(same(TensorProto.FLOAT), SETTINGS, 0, npz(**arrays))
    assert expected in info.value.expected and received in info.value.received


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        npz(image=np.ones(3))[:-30],
        npz(image=np.array([{}], object)),
        b"\x93NUMPY\x01\x00",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    ],
)
def test_what_is_no_file_of_plain_arrays_is_refused(data: bytes) -> None:
    with pytest.raises(WorkerError, match="Expected an .npz file of plain arrays"):
        read_arrays(data)


def test_a_small_file_of_huge_arrays_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.BytesIO()
    np.savez_compressed(stream, image=np.zeros(100_000))
    monkeypatch.setattr("latency.device.inputs.MOST_FILE_BYTES", 10_000)
    assert len(stream.getvalue()) < 10_000
    with pytest.raises(WorkerError, match="bytes of arrays, more than 10000"):
        read_arrays(stream.getvalue())


def test_a_model_that_fails_at_run_time_says_so_by_name_when_it_is_loaded() -> None:
    ids = np.full((1, 4), 9, np.int64)
    with pytest.raises(WorkerError, match="a model that runs for model 'short'") as info:
        ModelRunner(hidden_gather(rows=9), SETTINGS, 0, npz(image=ids), key="short")
    assert "out of data bounds" in info.value.received and "--input" in info.value.fix


def test_a_reshape_of_another_batch_is_answered_with_the_shape_of_the_export() -> None:
    assert ModelRunner(baked(1), SETTINGS, 0)()[0].shape == (1, 12)
    with pytest.raises(WorkerError, match="a model that runs for model 'baked'") as info:
        ModelRunner(baked(2), SETTINGS, 0, key="baked")
    assert "eshape" in info.value.received
    assert "at the shape that it was exported for" in info.value.fix


def test_memory_that_is_not_there_is_answered_with_a_smaller_model() -> None:
    shape = numpy_helper.from_array(np.array([1 << 20, 1 << 20], np.int64), "shape")
    nodes = [
        helper.make_node("Expand", ["image", "shape"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["pooled"], keepdims=0),
    ]
    with pytest.raises(WorkerError, match="for model 'huge'") as info:
        ModelRunner(finish(nodes, [1, 1], [], [shape]), SETTINGS, 0, key="huge")
    assert info.value.fix.startswith("free memory")


def test_numbers_that_are_none_do_not_stop_a_model() -> None:
    node = helper.make_node("Log", ["image"], ["pooled"])
    (found,) = ModelRunner(finish([node], [1, 90], [1, 90]), SETTINGS, 0)()
    assert np.isnan(found).any()


def test_a_model_without_outputs_fails_when_it_is_loaded() -> None:
    model = edited(chain(1), lambda model: model.graph.ClearField("output"))
    with pytest.raises(WorkerError, match="for model 'mute'[^$]*export the model with an output"):
        ModelRunner(model, SETTINGS, 0, key="mute")


def test_drawn_inputs_still_repeat_by_their_seed() -> None:
    session = create_session(chain(1), SETTINGS)
    first, again = random_inputs(session, 3), random_inputs(session, 3)
    np.testing.assert_array_equal(first["image"], again["image"])


def test_a_users_own_arrays_reach_a_fresh_process() -> None:
    ids = np.full((1, 4), 49, np.int64)
    plan = MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0.2)
    # Drawn ids would be beyond this table of fifty rows.
    drawn = Model("drawn", hidden_gather(rows=50), "g")
    found = measure_fresh_process([replace(drawn, inputs=npz(image=ids))], SETTINGS, plan)
    assert found["drawn"].count >= 6
    with pytest.raises(LatencyError, match="out of data bounds"):
        measure_fresh_process([drawn], SETTINGS, plan)


def test_own_arrays_are_part_of_a_jobs_identity() -> None:
    plan = MeasurePlan()
    drawn = Model("net", chain(1), "net")
    given = [replace(drawn, inputs=npz(image=np.full(1, number))) for number in (1, 2)]
    ids = {workload([model], SETTINGS, plan).job_id for model in (drawn, *given)}
    assert len(ids) == 3
