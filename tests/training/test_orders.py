"""A training that is sent as an order is the one that was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.data import Dataset, Split
from nas.errors import InputError
from nas.system.interrupt import Interrupter
from nas.system.wire import Message
from nas.training import orders
from nas.training.loop import Control
from nas.training.orders import AskedTraining, asked_by, order_training
from nas.training.recipe import Pace, Recipe

NETWORK = arch_text.loads("in_s16 cn_r1_k3_s2_c8 gap fc_c4")
SPLIT = Split(np.zeros((8, 16, 16, 3), np.uint8), np.arange(8, dtype=np.int32) % 4)
DATASET = Dataset("toy", SPLIT, SPLIT, tuple("abcd"), 16, "0", False)
RECIPE = Recipe(epochs=1.0, batch_size=4)


class Sent:
    """A leader whose orders are kept, as they would arrive."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def order(self, kind: str, facts: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        self.messages.append(Message(kind, json.loads(json.dumps(facts)), files))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    found = Sent()
    monkeypatch.setattr(orders, "leader", lambda: found)
    return found


@pytest.mark.parametrize("is_whole", [True, False])
def test_what_arrives_is_what_was_asked_for(is_whole: bool, sent: Sent, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    checkpoint = tmp_path / "here" / "retrain.npz"
    asked = AskedTraining(NETWORK, RECIPE, 3, None, None)
    control = Control(checkpoint, Pace(log_every=2), stop_step=5, row_steps=frozenset({3, 5}))
    if is_whole:
        checkpoint.write_bytes(b"state")
        division = np.arange(6), np.arange(6, 8)
        weights = {"stem/kernel": np.ones((2, 3), np.float32)}
        asked = replace(asked, division=division, initial_weights=weights)
    order_training(asked, DATASET, control)
    found, its_control = asked_by(sent.messages[0], DATASET, tmp_path, Interrupter())
    assert (found.architecture, found.recipe, found.seed) == (NETWORK, RECIPE, 3)
    assert (its_control.pace, its_control.stop_step) == (control.pace, 5)
    assert its_control.row_steps == control.row_steps
    path = its_control.checkpoint_path
    assert path is not None and path.parent == tmp_path and path.exists() == is_whole
    if not is_whole:
        assert found.division is None and found.initial_weights is None
        return
    assert path.read_bytes() == b"state"
    assert found.division is not None and found.initial_weights is not None
    assert [part.tolist() for part in found.division] == [list(range(6)), [6, 7]]
    assert found.initial_weights["stem/kernel"].tolist() == [[1.0] * 3] * 2


def test_other_images_are_refused(sent: Sent, tmp_path: Path) -> None:
    order_training(AskedTraining(NETWORK, RECIPE, 0, None, None), DATASET, Control())
    part = replace(DATASET, train=SPLIT.part(np.arange(4)))
    with pytest.raises(InputError, match="8 training images"):
        asked_by(sent.messages[0], part, tmp_path, Interrupter())


def test_a_process_alone_orders_nothing() -> None:
    order_training(AskedTraining(NETWORK, RECIPE, 0, None, None), DATASET, Control())
