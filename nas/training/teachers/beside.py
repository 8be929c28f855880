"""Batches with a teacher's scores, which are made while the steps before them train."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from nas.errors import InputError
from nas.training.teachers.teacher import Teacher

# Batches that wait with their scores, or are being scored.
AHEAD = 2


class Lessons:
    """What a teacher says to the batches of a training.

    Args:
        teacher: That was read.
        num_classes: Of the network.

    Raises:
        InputError: The teacher has another number of classes.
    """

    def __init__(self, teacher: Teacher, num_classes: int) -> None:
        if teacher.classes != num_classes:
            raise InputError(
                f"a teacher of {num_classes} classes",
                f"{teacher.path}, of {teacher.classes}",
                "name a teacher that was trained on the classes of these images",
            )
        self.teacher = teacher
        self.seconds_waiting = 0.0

    def taught(self, batches: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Each batch with the teacher's scores (batch, classes) behind it.

        The scores depend on the batch alone, so that a training that goes on gets the same ones.

        Args:
            batches: Images (batch, height, width, 3) float32 from 0 to 255 first, then others.
        """
        if not self.teacher.runs_beside:
            for batch in batches:
                yield (*batch, self._waited_for(lambda b=batch: self.teacher.scores(b[0])))
            return
        with ThreadPoolExecutor(1, "teacher") as thread:
            asked: deque[tuple[tuple[Any, ...], Future[np.ndarray]]] = deque()
            for batch in batches:
                asked.append((batch, thread.submit(self.teacher.scores, batch[0])))
                if len(asked) > AHEAD:
                    yield self._answered(*asked.popleft())
            while asked:
                yield self._answered(*asked.popleft())

    def _answered(self, batch: tuple[Any, ...], scores: Future[np.ndarray]) -> tuple[Any, ...]:
        return (*batch, self._waited_for(scores.result))

    def _waited_for(self, answer: Any) -> np.ndarray:
        begun = time.perf_counter()
        scores: np.ndarray = answer()
        self.seconds_waiting += time.perf_counter() - begun
        return scores
