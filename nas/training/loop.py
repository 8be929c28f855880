"""The one training loop: steps by number, logs, checkpoints, a stop at safe points."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nas.system.interrupt import Interrupter
from nas.training import checkpoint
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
    """

    checkpoint_path: Path | None = None
    pace: Pace = USUAL_PACE
    interrupter: Interrupter = field(default_factory=Interrupter)
    on_progress: Callable[[LoopState, int], None] = _say_nothing


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


@dataclass(frozen=True)
class LoopSettings:
    """How often a loop speaks and saves.

    Args:
        total_steps: Steps in all.
        log_every: Steps between rows of the history; checkpoints fall on these.
        checkpoint_path: Where the state is kept; None to keep none.
        checkpoint_seconds: Least time between checkpoints.
    """

    total_steps: int
    log_every: int
    checkpoint_path: Path | None
    checkpoint_seconds: float = 30.0


def run(
    settings: LoopSettings,
    state: LoopState,
    batches: Callable[[int], Iterator[Any]],
    do_step: Callable[[int, Any], None],
    make_row: Callable[[int, float], Row],
    variables: Callable[[], Iterable[Any]],
    interrupter: Interrupter,
    on_progress: Callable[[LoopState], None],
) -> LoopState:
    """Runs from `state.step` to the end; the result does not depend on interruptions.

    Args:
        settings: Lengths and paths.
        state: Fresh, or from `restore`.
        batches: From a first step, an iterator of that step's batch and the following ones.
        do_step: Trains on one batch, given the step's number.
        make_row: A row of the history from (steps done, steps per second since the last row).
        variables: Everything that a checkpoint must hold.
        interrupter: Asked at each step whether to stop.
        on_progress: Called after each row.

    Raises:
        Interrupted: A signal came; the state has been saved first.
    """
    last_saved = last_row = time.monotonic()
    rows_step = state.step
    iterator = batches(state.step)
    with interrupter.deferred():
        while state.step < settings.total_steps:
            do_step(state.step, next(iterator))
            state.step += 1
            done = state.step == settings.total_steps
            if state.step % settings.log_every == 0 or done:
                now = time.monotonic()
                rate = (state.step - rows_step) / max(now - last_row, 1e-9)
                state.history.append({"step": state.step, **make_row(state.step, rate)})
                last_row, rows_step = now, state.step
                on_progress(state)
                if done or interrupter.pending or now - last_saved > settings.checkpoint_seconds:
                    save(settings.checkpoint_path, state, variables())
                    last_saved = now
            if interrupter.pending and state.step % settings.log_every == 0:
                break
    interrupter.raise_pending()
    return state


def save(path: Path | None, state: LoopState, variables: Iterable[Any]) -> None:
    """Writes the state and the variables."""
    if path is not None:
        meta = {"step": state.step, "history": state.history, "extra": state.extra}
        checkpoint.save(path, variables, meta)


def restore(path: Path | None, variables: Iterable[Any]) -> LoopState:
    """The state of a checkpoint with its variables put back, or a fresh state."""
    meta = checkpoint.load(path, variables) if path is not None else None
    if meta is None:
        return LoopState()
    return LoopState(meta["step"], meta["history"], meta["extra"])
