"""After how many epochs from the supernet's weights a network is as good as from random ones.

`benchmarks/inherit.py --lengths` runs this. Every length is a training of its own with its whole
schedule, since a long training half way is worse than a short one at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.table import Table

from latency import atomic
from latency.device import strict_json
from nas.report import numbers
from nas.report.plots import BLUE, ORANGE, STYLE
from nas.selection.seed_spread import SeedSpread, difference

STARTS = ("random", "inherited")
# (start, epochs, seed) -> top-1 on the evaluation images.
Train = Callable[[str, float, int], float]


@dataclass(frozen=True)
class Reached:
    """One training: a file of the output folder.

    Args:
        start: `random` or `inherited`.
        epochs: Passes over the training images.
        seed: Of the batches and of random weights.
        top1: Share of the evaluation images, 0 to 1.
        settings: What all trainings of the folder have in common.
    """

    start: str
    epochs: float
    seed: int
    top1: float
    settings: str


def trained(
    folder: Path, lengths: Sequence[float], seeds: int, settings: str, train: Train
) -> dict[tuple[str, float], SeedSpread]:
    """Every training, interleaved seed by seed; those that the folder has are read.

    Args:
        folder: Of the files, one for each training.
        lengths: Epochs, increasing.
        seeds: Trainings of each start and length.
        settings: What all have in common; a file with other settings is refused.
        train: Makes one training.

    Returns:
        Start and epochs -> top-1 over seeds.

    Raises:
        ValueError: A file of the folder is of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[tuple[str, float], dict[int, float]] = {}
    for seed in range(seeds):
        for epochs in lengths:
            for start in STARTS:
                path = folder / f"{start}-{epochs:g}-seed-{seed}.json"
                if not path.is_file():
                    top1 = train(start, epochs, seed)
                    record = Reached(start, epochs, seed, top1, settings)
                    atomic.write_text(path, strict_json.dumps(record))
                reached = strict_json.read(Reached, path)
                if reached.settings != settings:
                    raise ValueError(f"{path} is of other settings: {reached.settings}")
                found.setdefault((start, epochs), {})[seed] = reached.top1
    return {key: SeedSpread.of(top1) for key, top1 in found.items()}


def epochs_to_reach(spreads: Mapping[tuple[str, float], SeedSpread]) -> dict[str, Any]:
    """When inherited weights reach what random ones reach after the longest training.

    Args:
        spreads: Start and epochs -> top-1 over seeds.

    Returns:
        `goal_epochs` and `goal_top1` of the longest training from random weights; `rows`, one for
        each length, with both means and standard deviations, and the paired difference of the
        inherited one from that goal with its 95 % interval; `each_seed`, the shortest length that
        reaches the same seed's goal, None where none does; `mean_epochs`, the shortest length
        whose mean reaches it; `sure_epochs`, the shortest whose whole interval is not below it.
    """
    lengths = sorted({epochs for _, epochs in spreads})
    goal = spreads["random", lengths[-1]]
    rows, mean_epochs, sure_epochs = [], None, None
    for epochs in lengths:
        random, inherited = spreads["random", epochs], spreads["inherited", epochs]
        gain = difference(inherited, goal)
        rows.append(
            {
                "epochs": epochs,
                "random_mean": random.mean,
                "random_sd": random.standard_deviation,
                "inherited_mean": inherited.mean,
                "inherited_sd": inherited.standard_deviation,
                "difference": inherited.mean - goal.mean,
                "low": gain.low if gain else None,
                "high": gain.high if gain else None,
            }
        )
        if mean_epochs is None and inherited.mean >= goal.mean:
            mean_epochs = epochs
        if sure_epochs is None and gain is not None and gain.low is not None and gain.low >= 0:
            sure_epochs = epochs
    each = [
        next((e for e in lengths if spreads["inherited", e].top1[i] >= goal.top1[i]), None)
        for i in range(goal.count)
    ]
    return {
        "goal_epochs": lengths[-1],
        "goal_top1": goal.mean,
        "seeds": goal.count,
        "rows": rows,
        "each_seed": each,
        "mean_epochs": mean_epochs,
        "sure_epochs": sure_epochs,
    }


def table(figures: Mapping[str, Any]) -> Table:
    """The lengths as a table.

    Args:
        figures: From `epochs_to_reach`.
    """
    goal = f"{figures['goal_epochs']:g} epochs from random weights"
    found = Table(title=f"top-1, n = {figures['seeds']} seeds", title_justify="left")
    for name in ("epochs", "random", "sd", "inherited", "sd", f"points above {goal}", "95 %"):
        found.add_column(name, justify="right")
    for row in figures["rows"]:
        low, high = row["low"], row["high"]
        known = low is not None and high is not None
        found.add_row(
            f"{row['epochs']:g}",
            numbers.share(row["random_mean"], 2),
            _points(row["random_sd"]),
            numbers.share(row["inherited_mean"], 2),
            _points(row["inherited_sd"]),
            numbers.points(row["difference"]),
            f"{numbers.points(low)} to {numbers.points(high)}" if known else numbers.UNKNOWN,
        )
    return found


def _points(value: float | None) -> str:
    return numbers.UNKNOWN if value is None else numbers.points(value)


def write_picture(path: Path, figures: Mapping[str, Any]) -> None:
    """Both starts over the epochs, with the goal as a line.

    Args:
        path: Of the PNG file.
        figures: From `epochs_to_reach`.
    """
    rows = figures["rows"]
    epochs = [row["epochs"] for row in rows]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 3.8), layout="constrained", dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for start, colour in zip(STARTS, (BLUE, ORANGE), strict=True):
            means = np.array([row[f"{start}_mean"] for row in rows])
            spread = np.array([row[f"{start}_sd"] or 0.0 for row in rows])
            label = "random weights" if start == "random" else "the supernet's weights"
            axes.errorbar(
                epochs, 100 * means, yerr=100 * spread, color=colour, marker="o", label=label
            )
        axes.axhline(100 * figures["goal_top1"], color=BLUE, linewidth=1, linestyle=(0, (5, 3)))
        axes.set_xscale("log", base=2)
        axes.set_xticks(epochs, [f"{e:g}" for e in epochs])
        axes.set_xlabel("epochs of the whole training")
        axes.set_ylabel(f"top-1, mean and sd of {figures['seeds']} seeds, %")
        axes.legend(loc="lower right")
        figure.savefig(path, format="png", metadata={"Software": None})
