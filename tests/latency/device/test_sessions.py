"""Sessions of onnxruntime itself and their inputs."""

from __future__ import annotations

import numpy as np
import onnxruntime

from latency.device.sessions import create_session, random_inputs
from latency.device.settings import SessionSettings
from tests.support.latency_graphs import chain


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
