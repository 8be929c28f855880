"""Recorded learning curves: the file, and made-up curves for trying what replays them.

A file is a compressed archive of NumPy (`.npz`) without pickled objects:

| array | shape | meaning |
|---|---|---|
| `epochs` | points | where values were taken, ascending, of a whole training the last |
| `top1` | configurations, points | share of the judging images, 0 to 1; NaN once it diverged |
| `top1_average` | configurations, points | likewise with averaged weights; may be missing |
| `cost` | configurations | what one configuration costs; less is better |
| `cost_name` | none | what `cost` is, such as `macs` |
| `choices` | configurations, choices | option that stands at each choice of the space |
| `options` | choices | how many options each choice has |
| `learning_rate` | configurations | that each was trained with |
| `about` | none | JSON text: command, versions, machine, date, space, data, seed |
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from nas.errors import InputError

KINDS = {"cost_name": "U", "about": "U", "choices": "iu", "options": "iu"}


@dataclass(frozen=True)
class Curves:
    """Whole trainings of many configurations; see the head of this file."""

    epochs: np.ndarray
    top1: np.ndarray
    cost: np.ndarray
    cost_name: np.ndarray
    choices: np.ndarray
    options: np.ndarray
    learning_rate: np.ndarray
    about: np.ndarray
    top1_average: np.ndarray | None = None

    def __post_init__(self) -> None:
        count, points = len(self.cost), len(self.epochs)
        shapes = {
            "epochs": (points,),
            "top1": (count, points),
            "cost": (count,),
            "cost_name": (),
            "choices": (count, len(self.options)),
            "options": (len(self.options),),
            "learning_rate": (count,),
            "about": (),
        }
        if self.top1_average is not None:
            shapes["top1_average"] = (count, points)
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype.kind not in KINDS.get(name, "f"):
                raise InputError(
                    f"{name} of shape {shape} in a file of curves",
                    f"{array.dtype} of shape {array.shape}",
                    "record the curves again",
                )
        if not (np.diff(self.epochs) > 0).all() or not np.isfinite(self.cost).all():
            raise InputError(
                "ascending epochs and finite costs", "others", "record the curves again"
            )

    def __len__(self) -> int:
        return len(self.cost)

    def judged_by(self, weights: str) -> Curves:
        """The same curves with the values that trials are judged by.

        Args:
            weights: `last`, or `average` for averaged weights and, at the end of a whole training,
                the better of both, as trials keep it.

        Raises:
            InputError: The recording has no averaged weights.
        """
        if weights == "last":
            return replace(self, top1_average=None)
        if self.top1_average is None:
            raise InputError(
                "a recording with top1_average",
                "one of an earlier version, without",
                "write --weights last, or record the curves again",
            )
        values = self.top1_average.copy()
        values[:, -1] = np.maximum(self.top1[:, -1], values[:, -1])
        return replace(self, top1=values, top1_average=None)

    def points_of(self, epochs: tuple[float, ...]) -> list[int]:
        """Where values of these epochs stand.

        Args:
            epochs: Of a ladder.

        Raises:
            InputError: One was not recorded.
        """
        places = [int(np.argmin(abs(self.epochs - wanted))) for wanted in epochs]
        for place, wanted in zip(places, epochs, strict=True):
            # Epochs of whole steps differ by their rounding.
            if abs(self.epochs[place] - wanted) > 0.05 * wanted:
                raise InputError(
                    f"values at {wanted:g} epochs",
                    "values at " + ", ".join(f"{e:g}" for e in self.epochs),
                    "choose rungs and reduction so that all their ends were recorded",
                )
        return places


def save(curves: Curves, path: Path) -> None:
    """Writes a file, whole or not at all.

    Args:
        curves: That are kept.
        path: Of the file.
    """
    unfinished = path.with_name(f".{path.stem}.unfinished.npz")
    arrays = {name: array for name, array in vars(curves).items() if array is not None}
    np.savez_compressed(unfinished, **arrays)
    unfinished.replace(path)


def load(path: Path) -> Curves:
    """Reads a file.

    Args:
        path: Of the file.

    Raises:
        InputError: It is no file of curves.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            names = [field.name for field in fields(Curves)]
            if "top1_average" not in archive:
                names.remove("top1_average")
            return Curves(**{name: archive[name] for name in names})
    except (OSError, ValueError, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "a file of recorded curves", f"{path}: {error}", "record it by tuning_record.py"
        ) from None


def add_flags(parser: ArgumentParser) -> None:
    """Adds the flags that name the curves of a replay; see `named`.

    Args:
        parser: Of a program.
    """
    parser.add_argument("--curves", type=Path, help="a recording, see tuning_record.py")
    parser.add_argument("--made_up", action="store_true", help="made-up curves, for a try")


def named(options: Namespace) -> Curves:
    """The curves that the flags name.

    Args:
        options: Of a parser with `add_flags`.

    Raises:
        InputError: Both kinds are named or none, or the file is none of curves.
    """
    if (options.curves is None) == (not options.made_up):
        raise InputError(
            "recorded curves or made-up ones", "both or none", "give --curves FILE or --made_up"
        )
    return made_up() if options.made_up else load(options.curves)


def made_up(count: int = 200, seed: int = 0) -> Curves:
    """Curves by a power law, for trying a replay without a recording.

    A configuration is worth more for more multiply-adds and for a learning rate near a best one.
    Its error falls as a power of the epochs, to its own limit, at its own speed, with noise; one in
    twenty diverges.

    Args:
        count: Configurations.
        seed: Of all of them.
    """
    rng = np.random.default_rng(seed)
    epochs = np.array([0.125, 0.25, 0.5, *range(1, 33)], np.float64)
    options = np.array([4, 4, 3, 3, 3])
    choices = rng.integers(0, options, (count, len(options)))
    size = (choices / (options - 1)).mean(1)
    rate = 10 ** rng.uniform(-3, 0, count)
    limit = 0.45 - 0.25 * size + 0.12 * np.log10(rate / 0.03) ** 2 / 2
    speed = rng.uniform(0.3, 0.9, count)
    error = limit[:, None] + 0.4 * (1 + 4 * epochs) ** -speed[:, None]
    top1 = np.clip(1 - error + rng.normal(0, 0.006, error.shape), 0.1, 1)
    lost = rng.random(count) < 0.05
    average = np.clip(1 - error + rng.normal(0, 0.004, error.shape), 0.1, 1)
    top1[lost] = average[lost] = np.nan
    return Curves(
        epochs,
        top1.astype(np.float32),
        1e6 * (1 + 9 * size),
        np.array("macs"),
        choices,
        options,
        rate,
        np.array('{"command": "made up"}'),
        average.astype(np.float32),
    )
