"""The training loop on a toy: resume after any stop gives the same end."""

from __future__ import annotations

import errno
import io
import os
import signal
import time
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
from nas.training.checkpoint import Parts, load, save
from nas.training.lost import LostWeightsError, check_loss
from nas.training.recipe import Pace


class Toy:
    """x <- 1.1 x + batch, where batch number i is i."""

    def __init__(self, path: Path | None, total: int = 12) -> None:
        self.x = keras.Variable(np.float32(1.0), name="x")
        self.path, self.total = path, total
        self.stop_at: int | None = None

    def run(self, interrupter: Interrupter) -> loop.LoopState:
        state = loop.restore(self.path, self.variables())
        control = loop.Control(self.path, Pace(3, checkpoint_seconds=0.0), interrupter)
        return loop.run(self, state, self.total, control)

    def batches(self, start: int) -> Iterator[int]:
        return iter(range(start, self.total))

    def wait(self) -> None:
        pass

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        return {"x": float(self.x.numpy())}

    def variables(self) -> Parts:
        return {"toy": [self.x]}

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


class OnDevice(Toy):
    """Steps return at once; a device does them later."""

    SECONDS = 0.02

    def __init__(self, path: Path | None, total: int = 12) -> None:
        super().__init__(path, total)
        self.asked = 0
        self.rates: list[float] = []

    def step(self, step: int, batch: int) -> None:
        self.asked += 1

    def wait(self) -> None:
        time.sleep(self.SECONDS * self.asked)
        self.asked = 0

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        assert not self.asked, "a row of steps that are not done"
        self.rates.append(steps_per_second)
        return super().row(step, steps_per_second)


def test_the_speed_is_that_of_the_device_and_not_of_the_calls() -> None:
    work = OnDevice(None)
    loop.run(work, loop.LoopState(), 12, loop.Control(None, Pace(3)))
    assert len(work.rates) == 4
    # No sleep is shorter than it was asked for.
    assert 0 < max(work.rates) <= 1 / OnDevice.SECONDS


def test_resume_after_sigkill_uses_the_last_checkpoint(
    tmp_path: Path, undisturbed: loop.LoopState
) -> None:
    path = tmp_path / "toy.npz"
    Toy(path, total=6).run(Interrupter())  # as if killed after step 6
    again = Toy(path).run(Interrupter())
    assert again.history == undisturbed.history


@pytest.mark.parametrize("stops", [(4, 12), (1, 5, 12), (3, 12), (12, 20)])
def test_training_that_is_left_at_steps_has_the_rows_of_one_that_is_not(
    tmp_path: Path, stops: tuple[int, ...]
) -> None:
    rows = frozenset(stops)

    def control(path: Path | None, stop: int | None) -> loop.Control:
        return loop.Control(path, Pace(3, checkpoint_seconds=1e6), stop_step=stop, row_steps=rows)

    whole = loop.run(Toy(None), loop.LoopState(), 12, control(None, None))
    path = tmp_path / "toy.npz"
    for stop in stops:
        toy = Toy(path)
        state = loop.run(toy, loop.restore(path, toy.variables()), 12, control(path, stop))
        assert state.step == min(stop, 12)
    assert state.history == whole.history


# A training that ends early keeps its last good state, and says so.


def lost_after(path: Path | None, lost_at: int) -> InputError:
    """What a user is told whose weights become infinite in a step; rows stand at 3, 6, 9, 12."""
    toy = Toy(path)
    before = toy.step

    def overflow(step: int, batch: int) -> None:
        before(step, batch)
        if step == lost_at:
            toy.x.assign(np.float32(np.inf))

    toy.step = overflow  # type: ignore[method-assign]
    with pytest.raises(LostWeightsError) as lost:
        toy.run(Interrupter())
    return lost.value


def test_lost_weights_never_replace_the_last_good_state(tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    lost = lost_after(path, 7)
    assert lost.expected == "finite weights"
    assert "toy" in lost.received and "after 9 steps" in lost.received
    assert "--learning_rate" in lost.fix
    assert f"the last good state, after 6 steps, is kept in {path}" in lost.fix
    toy = Toy(path)
    assert loop.restore(path, toy.variables()).step == 6
    assert np.isfinite(float(toy.x.numpy()))


@pytest.mark.parametrize("has_path", [True, False])
def test_weights_that_are_lost_at_once_leave_nothing(has_path: bool, tmp_path: Path) -> None:
    path = tmp_path / "toy.npz" if has_path else None
    assert "no state was saved before" in lost_after(path, 0).fix
    assert not list(tmp_path.iterdir())


def test_a_lost_loss_names_the_state_that_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "toy.npz"
    toy = Toy(path)
    before = toy.step

    def lose(step: int, batch: int) -> None:
        before(step, batch)
        check_loss(float("nan") if step == 4 else 1.0, step, 0.1)

    toy.step = lose  # type: ignore[method-assign]
    with pytest.raises(LostWeightsError, match="nan at step 4") as lost:
        toy.run(Interrupter())
    assert f"after 3 steps, is kept in {path}" in lost.value.fix


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_checkpoint_before(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undisturbed: loop.LoopState
) -> None:
    path = tmp_path / "toy.npz"
    sync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError) as refused:
        Toy(path).run(Interrupter())
    assert refused.value.expected == f"room on the disk for the checkpoint {path}"
    assert os.strerror(number) in refused.value.received
    assert f"after 6 steps, is kept in {path}" in refused.value.fix
    assert [file.name for file in tmp_path.iterdir()] == ["toy.npz"], "nothing half-written"
    assert Toy(path).run(Interrupter()).history == undisturbed.history


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
    save(tmp_path / "c.npz", {"toy": [first]}, {"step": 7})
    second = keras.Variable(np.zeros((3, 4), np.float32))
    assert load(tmp_path / "c.npz", {"toy": [second]}) == {"step": 7}
    assert np.array_equal(keras.ops.convert_to_numpy(second), values)


@pytest.mark.parametrize(
    ("shapes", "expected", "received"),
    [
        ([(4,)], "1 arrays, number 0 of shape (4,) for `toy`", "number 0 has shape (3,)"),
        ([(3,), (3,)], "2 arrays for `toy`", "1 arrays"),
    ],
)
def test_checkpoint_of_another_model_is_refused(
    shapes: list[tuple[int]], expected: str, received: str, tmp_path: Path
) -> None:
    save(tmp_path / "c.npz", {"toy": zeros((3,))}, {})
    other = zeros(*shapes)
    with pytest.raises(InputError) as caught:
        load(tmp_path / "c.npz", {"toy": other})
    assert expected in caught.value.expected and str(tmp_path) in caught.value.expected
    assert received in caught.value.received and "settings" in caught.value.fix


def test_a_part_that_a_checkpoint_lacks_is_named_and_nothing_is_restored(tmp_path: Path) -> None:
    save(tmp_path / "c.npz", {"network": [keras.Variable(1.0)]}, {})
    network = keras.Variable(0.0)
    with pytest.raises(InputError, match="`gates`"):
        load(tmp_path / "c.npz", {"network": [network], "gates": zeros((3,))})
    assert float(network.numpy()) == 0.0


def test_a_part_can_be_read_alone(tmp_path: Path) -> None:
    parts = {"network": [keras.Variable(1.0)], "optimizer": zeros((3,), (2,))}
    save(tmp_path / "c.npz", parts, {"step": 7})
    network = keras.Variable(0.0)
    assert load(tmp_path / "c.npz", {"network": [network]}) == {"step": 7}
    assert float(network.numpy()) == 1.0


def test_a_checkpoint_of_an_earlier_version_is_read_in_its_order(tmp_path: Path) -> None:
    meta = np.frombuffer(b'{"step": 7}', np.uint8)
    np.savez(tmp_path / "c.npz", meta_json=meta, v00000=np.float32(1), v00001=np.ones(3))
    network, optimizer = keras.Variable(0.0), zeros((3,))
    found = load(tmp_path / "c.npz", {"network": [network], "optimizer": optimizer})
    assert found == {"step": 7} and float(network.numpy()) == 1.0
    assert np.array_equal(keras.ops.convert_to_numpy(optimizer[0]), np.ones(3))


def zeros(*shapes: tuple[int, ...]) -> list[keras.Variable]:
    return [keras.Variable(np.zeros(shape, np.float32)) for shape in shapes]


def npy(value: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(value), allow_pickle=False)
    return stream.getvalue()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"hello", npy([1.0, 2.0])])
def test_broken_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.npz").write_bytes(content)
    with pytest.raises(InputError, match="(?s)Expected a whole checkpoint.*Received.*Fix"):
        load(tmp_path / "c.npz", {"toy": zeros((4,))})


def test_no_checkpoint_is_a_fresh_start(tmp_path: Path) -> None:
    assert load(tmp_path / "none.npz", {}) is None
    assert loop.restore(tmp_path / "none.npz", {}).step == 0


def test_history_reads_back(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,stage,loss\n1,warmup,\n2,search,0.5\n")
    assert history.read_history(SearchRow, path) == (
        SearchRow(step=1, stage="warmup", loss=None),
        SearchRow(step=2, stage="search", loss=0.5),
    )
