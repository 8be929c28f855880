"""The picture of --find_learning_rate: the loss over the learning rate, on a logarithmic axis."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from latency import atomic
from nas.report.plots import BLUE, GREEN, MUTED, ORANGE, STYLE, VIOLET, written_out
from nas.training.rate_curve import RateCurve

PICTURE = "learning_rates.png"


def write_picture(folder: Path, curve: RateCurve) -> Path:
    """Draws a curve into a run's folder.

    Args:
        folder: Of the run.
        curve: Of rates that were tried.

    Returns:
        The picture's path.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.3), layout="constrained", dpi=150)
        FigureCanvasAgg(figure)
        _draw(figure.subplots(), curve)
        # Lines stand anywhere between the ends of the axis: no place inside is free of them.
        figure.legend(loc="outside lower center", ncols=3, fontsize=8.5)
        stream = io.BytesIO()
        written_out(figure).savefig(stream, format="png", metadata={"Software": None})
    path = folder / PICTURE
    atomic.write_bytes(path, stream.getvalue())
    return path


def _draw(axes: Axes, curve: RateCurve) -> None:
    axes.plot(curve.rates, curve.losses, color=BLUE, linewidth=0.6, alpha=0.35, label="of a step")
    axes.plot(curve.rates, curve.smoothed, color=BLUE, linewidth=1.8, label="moving average")
    for rate, colour, label in (
        (curve.suggested_rate, GREEN, "suggested peak"),
        (curve.steepest_rate, VIOLET, "falls fastest"),
        (curve.lowest_rate, ORANGE, "lowest"),
    ):
        if rate is not None:
            axes.axvline(rate, color=colour, linewidth=1.4, label=f"{label}: {rate:.2g}")
    recipe = f"of the recipe: {curve.recipe_rate:.2g}"
    axes.axvline(curve.recipe_rate, color=MUTED, linewidth=1.2, linestyle="--", label=recipe)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}"))
    low, high = min(curve.smoothed), max(curve.smoothed[: max(2, len(curve.smoothed) // 2)])
    # What follows behind the lowest point grows without end.
    axes.set_ylim(low - 0.1 * (high - low) - 1e-3, high + 0.6 * (high - low) + 1e-3)
    axes.set_xlabel(f"learning rate of {curve.optimizer}, {curve.batch_size} images a step")
    axes.set_ylabel("training loss")
