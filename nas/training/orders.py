"""A training as an order to the processes of other hosts, which train the same network."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from latency.device import strict_json
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.errors import InputError
from nas.system.hosts import leader
from nas.system.interrupt import Interrupter
from nas.system.wire import Message
from nas.training.loop import Control
from nas.training.recipe import Pace, Recipe

ORDER = "training"
CHECKPOINT = "checkpoint.npz"
_ARRAYS = "arrays.npz"


@dataclass(frozen=True)
class AskedTraining:
    """What is trained, and by what.

    Args:
        architecture: Its classes must be the data's.
        recipe: What it trains with.
        seed: Of weights, dropout and data order, 0 or more.
        division: Indices of the training split to learn from and to evaluate on; None for the two
            splits themselves.
        initial_weights: As `nas.architecture.weights` names them; None for random weights.
    """

    architecture: Architecture
    recipe: Recipe
    seed: int
    division: tuple[np.ndarray, np.ndarray] | None
    initial_weights: Mapping[str, np.ndarray] | None


@dataclass(frozen=True)
class _Facts:
    """What of an order is JSON data.

    Args:
        recipe: As asked.
        seed: Likewise.
        pace: Of the rows, at which all processes look for a signal.
        stop_step: As `Control` has it.
        row_steps: Likewise.
        images: Of the training split.
        is_divided: Whether there is a division.
        has_weights: Whether there are initial weights.
    """

    recipe: Recipe
    seed: int
    pace: Pace
    stop_step: int | None
    row_steps: tuple[int, ...]
    images: int
    is_divided: bool
    has_weights: bool


def order_training(asked: AskedTraining, dataset: Dataset, control: Control) -> None:
    """Has the other processes train a network beside this one, if there are any.

    Args:
        asked: What is trained, and by what.
        dataset: The images that all have.
        control: Of the training here; the others keep nothing.

    Raises:
        InputError: A process has gone, or the recipe has a teacher.
    """
    leading = leader()
    if leading is None:
        return
    if asked.recipe.distillation.teacher is not None:
        raise InputError(
            "a training without a teacher on several hosts",
            f"the teacher {asked.recipe.distillation.teacher}",
            "leave --teacher out, or train on one host",
        )
    facts = _Facts(
        asked.recipe,
        asked.seed,
        control.pace,
        control.stop_step,
        tuple(sorted(control.row_steps)),
        len(dataset.train.labels),
        asked.division is not None,
        asked.initial_weights is not None,
    )
    arrays = {f"weight:{name}": a for name, a in (asked.initial_weights or {}).items()}
    arrays |= dict(zip(("learned", "judged"), asked.division or (), strict=False))
    files = {_ARRAYS: _bytes(arrays)}
    path = control.checkpoint_path
    if path is not None and path.is_file():
        files[CHECKPOINT] = path.read_bytes()
    network = arch_text.to_json(asked.architecture)
    leading.order(ORDER, {"network": network, "facts": strict_json.encode(facts)}, files)


def asked_by(
    order: Message, dataset: Dataset, folder: Path, interrupter: Interrupter
) -> tuple[AskedTraining, Control]:
    """What an order asks for: `nas.training.trainer.trained` does it.

    Args:
        order: Of the leader.
        dataset: The images that all have.
        folder: An empty one, for the checkpoint that the training goes on from.
        interrupter: Asked whether to stop.

    Raises:
        InputError: The images are others than the leader's.
    """
    facts = strict_json.decode(_Facts, order.facts["facts"], "an order")
    if facts.images != len(dataset.train.labels):
        raise InputError(
            f"{facts.images} training images, as the leader has",
            f"{len(dataset.train.labels)}",
            "give all hosts the same images",
        )
    arrays = _arrays(order.files[_ARRAYS])
    weights = {n.removeprefix("weight:"): a for n, a in arrays.items() if n.startswith("weight:")}
    asked = AskedTraining(
        arch_text.from_json(order.facts["network"], "an order"),
        facts.recipe,
        facts.seed,
        (arrays["learned"], arrays["judged"]) if facts.is_divided else None,
        weights if facts.has_weights else None,
    )
    path = folder / CHECKPOINT
    if CHECKPOINT in order.files:
        path.write_bytes(order.files[CHECKPOINT])
    control = Control(
        path,
        facts.pace,
        interrupter,
        stop_step=facts.stop_step,
        row_steps=frozenset(facts.row_steps),
    )
    return asked, control


def _bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    buffer = io.BytesIO()
    # Names are numbers in the file: those of weights have slashes.
    names = np.array(list(arrays) or [""])
    numbered: dict[str, Any] = {f"{n}": array for n, array in enumerate(arrays.values())}
    np.savez(buffer, names=names, **numbered)
    return buffer.getvalue()


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        names = [str(name) for name in archive["names"] if name]
        return {name: archive[f"{n}"] for n, name in enumerate(names)}
