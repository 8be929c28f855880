"""A model that is run again and again, and what it is fed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .errors import WorkerError
from .index_ranges import Range
from .inputs import draw, integer_ranges, is_integer, random_inputs, read_arrays
from .sessions import create_session
from .settings import SessionSettings

_ANY_FIX = "check the model, or measure it with arrays that it takes: --input FILE.npz"
# What onnxruntime says of a model that fails while it runs -> what to do about it.
_FIXES = (
    (r"output should be requested", "export the model with an output"),
    (r"[Aa]llocat|bad_alloc|memory", "free memory, or measure a smaller model or batch"),
    (
        r"[Rr]eshape|[Dd]imension",
        "measure it at the shape that it was exported for (--input_shape), export it with a free "
        "batch, or give arrays that it takes: --input FILE.npz",
    ),
)


def run_checked(run: Callable[[], Any], of_model: str = "") -> Any:
    """Runs a model and returns its outputs.

    Args:
        run: Runs it.
        of_model: Words that name it in the message.

    Raises:
        WorkerError: It cannot run, such as for an index out of range.
    """
    try:
        return run()
    except Exception as error:  # onnxruntime's exceptions share no base class
        said = (str(error).splitlines() or [repr(error)])[0]
        fix = next((fix for pattern, fix in _FIXES if re.search(pattern, said)), _ANY_FIX)
        raise WorkerError(f"a model that runs{of_model}", said, fix) from error


class ModelRunner:
    """Runs one model; a call is a run. It has run when it is there.

    Floats are drawn once. Integers may be ids, of which each has a place of its own in memory:
    they are drawn anew for each visit, so that no reading rests on one choice of places.

    Several threads: idle sessions' threads would spin against the one that is timed, so the
    session lives from the first run of a visit to its end. With one thread it stays loaded.

    Args:
        model: A serialised model.
        settings: Of the session.
        seed: Of drawn inputs.
        inputs: An .npz file of a user's own arrays, by input name; empty to draw all of them.
        key: The model's, for messages.

    Raises:
        WorkerError: It does not load, or does not run.
    """

    def __init__(
        self, model: bytes, settings: SessionSettings, seed: int, inputs: bytes = b"", key: str = ""
    ) -> None:
        self._model, self._settings, self._seed, self._key = model, settings, seed, key
        self._one_at_a_time = settings.intra_op_num_threads > 1
        self._given = read_arrays(inputs)
        self._rng = np.random.default_rng([seed, 1])
        self._feeds: dict[str, np.ndarray] = {}
        self._types: dict[str, str] = {}
        self.ranges: dict[str, Range] = {}
        self._run: Callable[[], Any] | None = self._load()
        self._try_out()

    def _try_out(self) -> None:
        """Runs once on what was drawn, and once on each end of the ranges of integers.

        What fails does so before anything is timed. Integers that are drawn later lie between the
        ends: a model that takes both takes all of them.
        """
        self()
        for feeds in ends_of(self._feeds, self.ranges):
            self._feeds.update(feeds)
            self()
        self.end_visit()

    def _load(self) -> Callable[[], Any]:
        session = create_session(self._model, self._settings)
        if not self._feeds:
            self.ranges = integer_ranges(session, self._model, self._given)
            self._feeds = random_inputs(session, self._seed, self._given, self.ranges)
            self._types = {tensor.name: tensor.type for tensor in session.get_inputs()}
        feeds = self._feeds
        names = [output.name for output in session.get_outputs()]

        def run() -> Any:
            return session.run(names, feeds)

        if self._one_at_a_time:
            run_checked(run, self._of_model)  # allocates, which no timed run may
        return run

    @property
    def _of_model(self) -> str:
        return f" for model {self._key!r}" if self._key else ""

    def __call__(self) -> Any:
        """Runs the model once and returns its outputs.

        Raises:
            WorkerError: It cannot run, such as for an index out of range.
        """
        if self._run is None:
            self._run = self._load()
        return run_checked(self._run, self._of_model)

    def end_visit(self) -> None:
        """Draws integers anew, and lets the session go where several would disturb each other."""
        for name, array in self._feeds.items():
            if is_integer(array) and name not in self._given:
                self._feeds[name] = draw(
                    self._rng, name, self._types[name], array.shape, self.ranges[name]
                )
        if self._one_at_a_time:
            self._run = None


def ends_of(
    feeds: Mapping[str, np.ndarray], ranges: Mapping[str, Range]
) -> list[dict[str, np.ndarray]]:
    """Returns the drawn integers all at their least, and all at their greatest value.

    Args:
        feeds: Input name -> array.
        ranges: Input name -> least and greatest integer, of those that are drawn.
    """
    if not ranges:
        return []
    return [
        {name: np.full_like(feeds[name], ends[place]) for name, ends in ranges.items()}
        for place in (0, 1)
    ]
