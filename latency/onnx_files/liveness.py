"""When the tensors of a graph are alive, and the greatest sum of those that are at once.

Nothing here knows ONNX: a step has a name, what it reads and what it writes. Whoever knows another
form of a network, such as one that was not exported yet, counts by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Storage(Enum):
    """Where the output of a step is kept."""

    NEW = "of its own"
    VIEW = "that of its first input, under another name"
    OVERWRITES = "that of an input of the same size which nobody reads later; else of its own"


@dataclass(frozen=True)
class Tensor:
    """A tensor that is computed, or handed in.

    Args:
        name: Of the tensor.
        size_bytes: In the type that it is kept in.
    """

    name: str
    size_bytes: int


@dataclass(frozen=True)
class Step:
    """One node of a graph.

    Args:
        name: Of the node, for people.
        operator: What it does.
        reads: Names of the tensors that it reads; weights are none.
        writes: What it computes.
        storage: Of its first output; every other one has a storage of its own.
    """

    name: str
    operator: str
    reads: tuple[str, ...]
    writes: tuple[Tensor, ...]
    storage: Storage = Storage.NEW


@dataclass(frozen=True)
class ActivationPeak:
    """The step at which most is alive.

    Args:
        peak_bytes: Sum of everything that is alive while the step runs.
        step: Name of the step; the first one, where several have the same sum.
        operator: What it does.
        place: Of the step in the order of execution, from 0.
        tensors: What is alive then, the largest first; of views one name.
    """

    peak_bytes: int
    step: str
    operator: str
    place: int
    tensors: tuple[Tensor, ...]


@dataclass
class _Span:
    """A storage: its size, and the first and last step at which it is alive."""

    name: str
    size_bytes: int
    first: int
    last: int


def activation_peak(
    inputs: Iterable[Tensor], steps: Sequence[Step], outputs: Iterable[str]
) -> ActivationPeak:
    """The greatest sum of tensors that are alive at once.

    A tensor is alive from the step that writes it to the last one that reads it. Inputs are alive
    from the first step on, and outputs to the last. While a step runs, all that it reads and writes
    is alive.

    Args:
        inputs: What is handed in.
        steps: One or more, in the order of execution.
        outputs: Names of what is handed out.

    Raises:
        KeyError: A step reads what no step before it has written.
        ValueError: There is no step.
    """
    spans = _spans(inputs, steps, frozenset(outputs))
    change = [0] * (len(steps) + 1)
    for span in spans:
        change[span.first] += span.size_bytes
        change[span.last + 1] -= span.size_bytes
    alive_bytes, sums = 0, []
    for difference in change[:-1]:
        alive_bytes += difference
        sums.append(alive_bytes)
    peak_bytes = max(sums)
    place = sums.index(peak_bytes)
    alive = [Tensor(s.name, s.size_bytes) for s in spans if s.first <= place <= s.last]
    largest_first = tuple(sorted(alive, key=lambda tensor: -tensor.size_bytes))
    return ActivationPeak(
        peak_bytes, steps[place].name, steps[place].operator, place, largest_first
    )


def _spans(inputs: Iterable[Tensor], steps: Sequence[Step], outputs: frozenset[str]) -> list[_Span]:
    """Every storage once; views and overwritten tensors have that of another one."""
    last_read = _last_reads(steps, outputs)
    spans: list[_Span] = []
    of_tensor: dict[str, _Span] = {}

    def begin(tensor: Tensor, place: int) -> None:
        span = _Span(tensor.name, tensor.size_bytes, place, place)
        spans.append(span)
        join(tensor.name, span)

    def join(name: str, span: _Span) -> None:
        of_tensor[name] = span
        span.last = max(span.last, last_read.get(name, span.first))

    for tensor in inputs:
        begin(tensor, 0)
    for place, step in enumerate(steps):
        for number, tensor in enumerate(step.writes):
            shared = None if number else _shared(step, tensor, place, of_tensor)
            if shared is None:
                begin(tensor, place)
            else:
                join(tensor.name, shared)
    return spans


def _shared(step: Step, tensor: Tensor, place: int, of_tensor: dict[str, _Span]) -> _Span | None:
    """The storage of an input that the first output of a step is kept in; None for a new one."""
    read = [of_tensor[name] for name in step.reads]
    if step.storage is Storage.VIEW and read:
        return read[0]
    if step.storage is Storage.OVERWRITES:
        free = (s for s in read if s.last == place and s.size_bytes == tensor.size_bytes)
        return next(free, None)
    return None


def _last_reads(steps: Sequence[Step], outputs: frozenset[str]) -> dict[str, int]:
    """Tensor -> last step that reads it, those behind its views included; outputs are read last."""
    last_read: dict[str, int] = {}
    for place, step in enumerate(steps):
        last_read |= dict.fromkeys(step.reads, place)
    last_read |= dict.fromkeys(outputs, len(steps) - 1)
    for step in reversed(steps):
        if step.storage is Storage.VIEW and step.reads and step.writes:
            whole, view = step.reads[0], step.writes[0].name
            last_read[whole] = max(last_read[whole], last_read.get(view, 0))
    return last_read
