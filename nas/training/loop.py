"""The one training loop: steps by number, logs, checkpoints, a stop at safe points."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from nas.system.devices import any_signal
from nas.system.interrupt import Interrupter
from nas.training import checkpoint
from nas.training.checkpoint import Parts
from nas.training.lost import kept_state
from nas.training.recipe import USUAL_PACE, Pace

Row = dict[str, Any]


@dataclass
class LoopState:
    """Where a loop is: the next step and the rows logged so far."""

    step: int = 0
    history: list[Row] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


def _say_nothing(state: LoopState, total_steps: int) -> None:
    """Takes the progress of a loop that nobody watches."""


@dataclass(frozen=True)
class Control:
    """What stands around a training: where it is kept, how often it speaks, what stops it.

    Args:
        checkpoint_path: Where the state is kept; None to keep none.
        pace: How often the training speaks and saves.
        interrupter: Asked at each step whether to stop.
        on_progress: Called with (state, total steps) after each row of the history.
        stop_step: Step at which the training is left with its state saved, to go on from there
            later; None to train to the end. The schedule is that of the whole length all the same.
        row_steps: Steps that have a row of the history beside those of the pace. Where every
            possible `stop_step` is one, the rows do not tell where a training was left.
    """

    checkpoint_path: Path | None = None
    pace: Pace = USUAL_PACE
    interrupter: Interrupter = field(default_factory=Interrupter)
    on_progress: Callable[[LoopState, int], None] = _say_nothing
    stop_step: int | None = None
    row_steps: frozenset[int] = frozenset()


class MeanLogs:
    """Means of what the steps since the last row reported."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._count = 0

    def add(self, logs: Mapping[str, Any]) -> None:
        """Takes one step's figures."""
        for name, value in logs.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        self._count += 1

    def take(self) -> dict[str, float]:
        """The means so far; begins anew. Empty if no step reported."""
        means = {name: total / self._count for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        return means


class Work(Protocol):
    """What a loop drives: batches, steps, rows and all that a checkpoint must hold."""

    def batches(self, start: int) -> Iterator[Any]:
        """Batches from a step on.

        Args:
            start: Number of the first step, from 0.
        """

    def step(self, step: int, batch: Any) -> None:
        """Trains on one batch.

        Args:
            step: Its number, from 0.
            batch: As `batches` gives it.
        """

    def wait(self) -> None:
        """Waits until a device has done the steps so far, for who looks at the clock."""

    def row(self, step: int, steps_per_second: float) -> Row:
        """A row of the history.

        Args:
            step: Steps done.
            steps_per_second: Since the last row.
        """

    def variables(self) -> Parts:
        """Everything that decides the rest, by the part that it belongs to."""


def run(work: Work, state: LoopState, total_steps: int, control: Control) -> LoopState:
    """Runs from `state.step` to the end or the asked stop; interruptions change no result.

    Args:
        work: What is done.
        state: Fresh, or from `restore`.
        total_steps: Steps in all.
        control: Where the state is kept, how often the loop speaks and what stops it.

    Raises:
        Interrupted: A signal came; the state has been saved first.
        InputError: The weights are lost, or the disk is full. What was saved before is kept.
    """
    pace, interrupter = control.pace, control.interrupter
    last_step = total_steps if control.stop_step is None else min(control.stop_step, total_steps)
    last_saved = last_row = time.monotonic()
    rows_step = state.step
    saved_step = state.step or None
    is_told = False
    batches = work.batches(state.step)
    with interrupter.deferred():
        while state.step < last_step:
            with kept_state(control.checkpoint_path, saved_step):
                work.step(state.step, next(batches))
            state.step += 1
            done = state.step == last_step
            if state.step % pace.log_every == 0 or state.step in control.row_steps or done:
                with kept_state(control.checkpoint_path, saved_step):
                    work.wait()
                now = time.monotonic()
                rate = (state.step - rows_step) / max(now - last_row, 1e-9)
                with kept_state(control.checkpoint_path, saved_step):
                    row = work.row(state.step, rate)
                state.history.append({"step": state.step, **row})
                # What a row evaluates is no time of the steps that follow.
                last_row, rows_step = time.monotonic(), state.step
                control.on_progress(state, total_steps)
                # No process may stop while others wait for it in the next step.
                if (signum := any_signal(interrupter.signum)) is not None:
                    interrupter.hold(signum)
                    is_told = True
                if done or is_told or now - last_saved > pace.checkpoint_seconds:
                    with kept_state(control.checkpoint_path, saved_step):
                        save(control.checkpoint_path, state, work.variables())
                    last_saved, saved_step = now, state.step
            if is_told and state.step % pace.log_every == 0:
                break
    interrupter.raise_pending()
    return state


def save(path: Path | None, state: LoopState, variables: Parts) -> None:
    """Writes the state and the variables, if these are good.

    Args:
        path: Of the checkpoint; None to keep none.
        state: Of the loop.
        variables: As `restore` gets them.

    Raises:
        LostWeightsError: A variable is NaN or infinite; the old file is untouched.
        OSError: The disk is full, for example; the old file is untouched.
    """
    # The loss of a step says nothing yet of the weights that the step left.
    checkpoint.check_finite(variables, state.step)
    if path is not None:
        meta = {"step": state.step, "history": state.history, "extra": state.extra}
        checkpoint.save(path, variables, meta)


def restore(path: Path | None, variables: Parts) -> LoopState:
    """The state of a checkpoint with its variables put back, or a fresh state.

    Args:
        path: Of the checkpoint; None if there is none.
        variables: Those that were saved, all of them or some parts.

    Raises:
        InputError: The file is broken or belongs to another model.
    """
    meta = checkpoint.load(path, variables) if path is not None else None
    if meta is None:
        return LoopState()
    return LoopState(meta["step"], meta["history"], meta["extra"])
