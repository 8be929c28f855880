#!/usr/bin/env python3
r"""Draws docs/images/trials.png, the picture of docs/results/trials.md.

    python benchmarks/tuning_replay.py --curves docs/results/trials-cifar.npz --reduction 4 \
        --rungs 3 --epochs 48,64,96,128,160,192,224,256 --replays 40 --others optuna,synetune \
        --json FILE
    python scripts/draw_trials.py docs/results/trials-cifar.npz FILE

At the left the recorded curves, coloured by their learning rate; at the right the best top-1 and
the hypervolume that searches have seen, with 95 % intervals over the replays.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import matplotlib
import numpy as np

from benchmarks import tuning_curves
from benchmarks.tuning_curves import Curves
from benchmarks.tuning_tables import Interval
from latency import shell
from latency.cli.parser import OutputFile, Parser
from latency.errors import LatencyError

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.colors import LogNorm

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "trials.png"
# Measure -> search -> colour; ours are solid.
SHOWN = {
    "top1": {
        "asha, top1": "#00796b",
        "asha, TPE, top1": "#5e35b1",
        "Optuna halving, random": "#c77700",
        "Optuna halving, TPE": "#b3261e",
        "Syne Tune ASHA": "#1565c0",
        "random": "#777777",
    },
    "hypervolume": {
        "asha, top1 and cost": "#00796b",
        "asha, TPE, top1 and cost": "#5e35b1",
        "Syne Tune MOASHA, corrected": "#1565c0",
        "random": "#777777",
    },
}


def draw_curves(figure: Any, axes: Any, curves: Curves) -> None:
    """Draws all curves, coloured by their learning rate.

    Args:
        figure: That the scale of colours is drawn in.
        axes: That they are drawn in.
        curves: Of a recording.
    """
    norm = LogNorm(curves.learning_rate.min(), curves.learning_rate.max())
    colours = pyplot.get_cmap("viridis")
    for top1, rate in zip(curves.top1, curves.learning_rate, strict=True):
        axes.plot(curves.epochs, 100 * top1, color=colours(norm(rate)), lw=0.6, alpha=0.7)
    axes.set_xscale("log", base=2)
    axes.set_xticks(curves.epochs[curves.epochs <= 1].tolist() + [2, 4, 8])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set(xlabel="epochs", ylabel="top-1, %", title=f"{len(curves)} recorded trainings")
    scale = pyplot.cm.ScalarMappable(norm, colours)
    figure.colorbar(scale, ax=axes, label="learning rate")


def draw_searches(axes: Any, replays: dict[str, Any], measure: str) -> None:
    """Draws what searches have seen after equal epochs.

    Args:
        axes: That it is drawn in.
        replays: What tuning_replay.py wrote.
        measure: `top1` or `hypervolume`.

    Raises:
        LatencyError: A search is missing.
    """
    factor = 100 if measure == "top1" else 1
    for name, colour in SHOWN[measure].items():
        if name not in replays["searches"]:
            raise LatencyError(
                f"replays of {name}",
                ", ".join(replays["searches"]),
                "replay with --others optuna,synetune",
            )
        columns = factor * np.array(replays["searches"][name][measure]).T
        intervals = [Interval.of(column) for column in columns]
        style = "-" if name.startswith("asha") else "--"
        means = [interval.mean for interval in intervals]
        axes.plot(replays["epochs"], means, style, color=colour, label=name)
        low, high = [i.low for i in intervals], [i.high for i in intervals]
        axes.fill_between(replays["epochs"], low, high, color=colour, alpha=0.12, lw=0)
    title = "best top-1 seen, %" if measure == "top1" else "hypervolume of top-1 and cost"
    axes.set(xlabel="epochs of all trainings", title=title)
    axes.legend(loc="lower right", fontsize="small", frameon=False)


def main(arguments: list[str] | None = None) -> int:
    """Draws the picture."""
    parser = Parser(description=__doc__)
    parser.add_argument("curves", type=Path, help="a recording")
    parser.add_argument("replays", type=Path, help="what tuning_replay.py --json wrote")
    parser.add_argument("--weights", choices=("last", "average"), default="last", help="(last)")
    parser.add_argument("--output", action=OutputFile, type=Path, default=PICTURE)
    options = parser.parse_args(arguments)
    replays = json.loads(options.replays.read_text("utf-8"))
    figure, axes = pyplot.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    curves = tuning_curves.load(options.curves).judged_by(options.weights)
    draw_curves(figure, axes[0], curves)
    for one, measure in zip(axes[1:], SHOWN, strict=True):
        draw_searches(one, replays, measure)
    figure.savefig(options.output, dpi=110)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
