"""The training loop on a toy: resume after any stop gives the same end."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from latency.shell import Interrupted
from nas.errors import InputError
from nas.methods.history import SearchRow
from nas.runs import history
from nas.system.interrupt import Interrupter
from nas.training import loop
from nas.training.checkpoint import load, save
from nas.training.recipe import Pace


class Toy:
    """x <- 1.1 x + batch, where batch number i is i."""

    def __init__(self, path: Path | None, total: int = 12) -> None:
        self.x = keras.Variable(np.float32(1.0), name="x")
        self.path, self.total = path, total
        self.stop_at: int | None = None

    def run(self, interrupter: Interrupter) -> loop.LoopState:
        state = loop.restore(self.path, [self.x])
        control = loop.Control(self.path, Pace(3, checkpoint_seconds=0.0), interrupter)
        return loop.run(self, state, self.total, control)

    def batches(self, start: int) -> Iterator[int]:
        return iter(range(start, self.total))

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        return {"x": float(self.x.numpy())}

    def variables(self) -> list[keras.Variable]:
        return [self.x]

    def step(self, step: int, batch: int) -> None:
        self.x.assign(self.x * 1.1 + batch)
        if step == self.stop_at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def undisturbed() -> loop.LoopState:
    return Toy(None).run(Interrupter())


@pytest.mark.parametrize("stop_at", [0, 2, 4, 10])
def test_resume_after_sigterm_is_exact(
    tmp_path: Path, undisturbed: loop.LoopState, stop_at: int
) -> None:
    path = tmp_path / "toy.npz"
    toy = Toy(path)
    toy.stop_at = stop_at
    with Interrupter().installed() as interrupter, pytest.raises(Interrupted) as stop:
        toy.run(interrupter)
    assert stop.value.exit_code == 143
    assert path.exists()
    again = Toy(path).run(Interrupter())
    assert again.history == undisturbed.history


def test_resume_after_sigkill_uses_the_last_checkpoint(
    tmp_path: Path, undisturbed: loop.LoopState
) -> None:
    path = tmp_path / "toy.npz"
    Toy(path, total=6).run(Interrupter())  # as if killed after step 6
    again = Toy(path).run(Interrupter())
    assert again.history == undisturbed.history


def test_a_second_signal_is_not_held_back() -> None:
    interrupter = Interrupter()
    with interrupter.installed(), interrupter.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupter.pending
        with pytest.raises(Interrupted) as stop:
            os.kill(os.getpid(), signal.SIGINT)
        assert stop.value.exit_code == 130


def test_checkpoint_keeps_every_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    first = keras.Variable(values)
    save(tmp_path / "c.npz", [first], {"step": 7})
    second = keras.Variable(np.zeros((3, 4), np.float32))
    assert load(tmp_path / "c.npz", [second]) == {"step": 7}
    assert np.array_equal(keras.ops.convert_to_numpy(second), values)


def test_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "c.npz", [keras.Variable(np.zeros(3, np.float32))], {})
    with pytest.raises(InputError, match="(?s)Expected a checkpoint of 1 arrays.*Received.*Fix"):
        load(tmp_path / "c.npz", [keras.Variable(np.zeros(4, np.float32))])


def test_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match="(?s)Expected a whole checkpoint.*Received.*Fix"):
        load(tmp_path / "c.npz", [keras.Variable(np.zeros(4, np.float32))])


def test_no_checkpoint_is_a_fresh_start(tmp_path: Path) -> None:
    assert load(tmp_path / "none.npz", []) is None
    assert loop.restore(tmp_path / "none.npz", []).step == 0


def test_history_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,stage,loss\n1,warmup,\n2,search,0.5\n")
    assert history.read_history(SearchRow, path) == (
        SearchRow(step=1, stage="warmup", loss=None),
        SearchRow(step=2, stage="search", loss=0.5),
    )
