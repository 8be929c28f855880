"""Sessions of onnxruntime itself and their inputs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnxruntime
import pytest

from latency.device import sessions
from latency.device.errors import WorkerError
from latency.device.inputs import random_inputs
from latency.device.sessions import create_session, pinned
from latency.device.settings import CPU_PROVIDER, SessionSettings
from tests.support.latency_graphs import chain, finish
from tests.support.model_files import edited


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SessionSettings:
    """Settings with a provider's library, in a process that has loaded none."""
    monkeypatch.setattr(sessions, "_registered_libraries", set())
    library = tmp_path / "plugin.so"
    library.write_text("no library")
    return SessionSettings(provider_library=str(library))


def registered(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Lets every library load, and returns the list of those that were."""
    calls: list[tuple[str, str]] = []
    name = "register_execution_provider_library"
    monkeypatch.setattr(onnxruntime, name, lambda *call: calls.append(call))
    return calls


def test_inputs_are_seeded_and_stay_away_from_zero() -> None:
    session = create_session(chain(1), SessionSettings())
    first, again = random_inputs(session, 3), random_inputs(session, 3)
    np.testing.assert_array_equal(first["image"], again["image"])
    assert first["image"].shape == (1, 3, 8, 8) and first["image"].dtype == np.float32
    assert np.abs(first["image"]).min() >= 0.1 and first["image"].min() < 0 < first["image"].max()
    assert not np.array_equal(first["image"], random_inputs(session, 4)["image"])


def test_settings_reach_the_session() -> None:
    settings = SessionSettings(intra_op_num_threads=2, graph_level="basic", allow_spinning=False)
    options = create_session(chain(1), settings).get_session_options()
    assert options.intra_op_num_threads == 2
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    assert options.graph_optimization_level == level
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert options.get_session_config_entry("session.set_denormal_as_zero") == "1"


def test_a_type_that_cannot_be_drawn_is_refused_by_name() -> None:
    nodes = [onnx.helper.make_node("Identity", ["image"], ["pooled"])]
    model = finish(nodes, [1, 3], [1, 3], input_type=onnx.TensorProto.STRING)
    with pytest.raises(WorkerError, match="input 'image' of type tensor\\(string\\)"):
        random_inputs(create_session(model, SessionSettings()), 0)


@pytest.mark.parametrize("shape", [[1, 3, 2**20, 2**20], [2**31 - 1], [2**20, 2**20, 2**20]])
def test_inputs_of_absurd_sizes_are_refused_before_they_are_drawn(shape: list[int]) -> None:
    nodes = [onnx.helper.make_node("Relu", ["image"], ["pooled"])]
    session = create_session(finish(nodes, shape, shape), SessionSettings())
    with pytest.raises(WorkerError, match="inputs of at most .* elements in all") as caught:
        random_inputs(session, 0)
    assert "smaller batch or image size" in caught.value.fix


def test_a_model_that_does_not_load_is_refused_in_one_line() -> None:
    with pytest.raises(WorkerError) as info:
        create_session(b"no model", SessionSettings())
    assert info.value.expected == f"an ONNX model that {CPU_PROVIDER} runs"
    assert info.value.received and "\n" not in info.value.received


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda model: setattr(model, "ir_version", 99), "IR version: 99"),
        (lambda model: setattr(model.opset_import[0], "version", 99), "Opset 99"),
        (lambda model: setattr(model.graph.node[1], "op_type", "NoSuchOp"), "NoSuchOp"),
    ],
    ids=["ir_version", "opset", "operator"],
)
def test_a_model_of_a_newer_onnx_is_answered_with_an_older_export(
    change: Callable[[onnx.ModelProto], None], said: str
) -> None:
    with pytest.raises(WorkerError) as info:
        create_session(edited(chain(1), change), SessionSettings())
    assert said in info.value.received
    assert "opset 17 and IR version 8, or install a newer onnxruntime" in info.value.fix


def test_a_value_that_onnxruntime_does_not_take_is_refused() -> None:
    settings = SessionSettings(config_entries={"session.dynamic_block_base": "9" * 10_000})
    with pytest.raises(WorkerError, match="the values of --config"):
        create_session(chain(1), settings)


def test_a_provider_that_is_not_installed_is_refused_with_those_that_are() -> None:
    with pytest.raises(WorkerError) as info:
        create_session(chain(1), SessionSettings(provider="NoSuchExecutionProvider"))
    assert CPU_PROVIDER in info.value.expected and info.value.received == "NoSuchExecutionProvider"


def test_a_session_that_fell_back_to_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # As onnxruntime does when a provider is built in but its libraries do not load.
    wanted = "CUDAExecutionProvider"
    fallen = SimpleNamespace(get_providers=lambda: [CPU_PROVIDER])
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [wanted, CPU_PROVIDER])
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda *_, **__: fallen)
    with pytest.raises(WorkerError) as info:
        create_session(chain(1), SessionSettings(provider=wanted))
    assert info.value.expected == f"a session on {wanted}"
    assert info.value.received == f"a silent fallback to {CPU_PROVIDER}"


def test_a_plugin_library_is_loaded_once_and_its_device_runs_the_model(
    plugin: SessionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The CPU is a device of its own provider and stands in for the library's.
    calls = registered(monkeypatch)
    for _ in range(2):
        session = create_session(chain(1), plugin)
        (pooled,) = session.run(None, random_inputs(session, 0))
        assert pooled.shape == (1, 8, 1, 1)
    assert calls == [(CPU_PROVIDER, plugin.provider_library)]


def test_a_plugin_without_the_wanted_device_is_refused_with_the_devices_there_are(
    plugin: SessionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(monkeypatch)
    with pytest.raises(WorkerError) as info:
        create_session(chain(1), replace(plugin, provider="NoSuchExecutionProvider"))
    assert info.value.expected.startswith("a device of NoSuchExecutionProvider after loading ")
    assert CPU_PROVIDER in info.value.received


def test_a_file_that_is_no_library_is_refused_and_tried_again_next_time(
    plugin: SessionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WorkerError, match="can load as a plugin provider") as info:
        create_session(chain(1), plugin)
    assert info.value.received.startswith(f"{plugin.provider_library}: ")
    calls = registered(monkeypatch)
    create_session(chain(1), plugin)
    assert len(calls) == 1


def test_a_plugin_library_that_is_not_there_is_refused(plugin: SessionSettings) -> None:
    os.unlink(plugin.provider_library)
    with pytest.raises(WorkerError, match=r"plugin\.so, no such file"):
        create_session(chain(1), plugin)


def test_an_onnxruntime_without_plugins_is_refused_by_its_version(
    plugin: SessionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(onnxruntime, "register_execution_provider_library")
    with pytest.raises(WorkerError) as info:
        create_session(chain(1), plugin)
    assert info.value.received == f"onnxruntime {onnxruntime.__version__}"


def test_a_core_that_is_not_there_is_refused_and_changes_nothing() -> None:
    before = os.sched_getaffinity(0)
    absent = max(before) + 1
    with pytest.raises(WorkerError, match=f"affinity \\[{absent}\\]"), pinned([absent]):
        pytest.fail("nothing may run on other cores than those asked for")
    assert os.sched_getaffinity(0) == before


def test_a_system_that_cannot_pin_runs_unpinned_only_when_nothing_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "sched_setaffinity")
    with pytest.raises(WorkerError, match="can pin a process") as info, pinned([0]):
        pytest.fail("nothing may run unpinned")
    assert info.value.fix == "leave affinity out"
    ran = False
    with pinned(None):
        ran = True
    assert ran
