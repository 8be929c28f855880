"""Loss, accuracy and learning rate over the epochs of one training, or of several."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from latency import atomic
from nas.errors import InputError
from nas.report.plots import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RED,
    SMOOTH_FROM,
    STYLE,
    VIOLET,
    figure_address,
    moving_average,
    written_out,
)
from nas.training.history import TrainingRow

PICTURE_NAME = "curves.png"
# So many lines can be told apart by colour; beyond, colours come back with other dashes.
COLOURS = (BLUE, ORANGE, GREEN, VIOLET, RED, INK)
DASHES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
# Columns of a share of held-out training images, which a training may have on its way.
EVALUATED = (
    ("val_top1", "held-out images", "o"),
    ("val_top1_average", "held-out images, averaged weights", "s"),
)


@dataclass(frozen=True)
class TrainingCurve:
    """The history of one training.

    Args:
        name: For people; different for each of a picture.
        rows: Of its history, one or more.
    """

    name: str
    rows: tuple[TrainingRow, ...]


def write_curves(curves: Sequence[TrainingCurve], path: Path) -> Path:
    """Draws trainings in one picture.

    Args:
        curves: One or more.
        path: Of the PNG file.

    Returns:
        The path.

    Raises:
        InputError: A training has left no history.
    """
    figure = curves_figure(curves)
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(stream, format="png", dpi=140, metadata={"Software": None})
    atomic.write_bytes(path, stream.getvalue())
    return path


def curves_address(curves: Sequence[TrainingCurve]) -> str:
    """The same picture as an SVG data address, for a page.

    Args:
        curves: One or more.

    Raises:
        InputError: A training has left no history.
    """
    figure = curves_figure(curves)
    FigureCanvasSVG(figure)
    with matplotlib.rc_context(STYLE):
        return figure_address(figure)


def curves_figure(curves: Sequence[TrainingCurve]) -> Figure:
    """Three pictures below each other: loss, accuracy, learning rate.

    Args:
        curves: One or more.

    Raises:
        InputError: There is none, or a training has left no history.
    """
    if not curves:
        raise InputError("trainings to draw", "none", "name a run whose training is finished")
    for curve in curves:
        if not curve.rows:
            raise InputError(f"a history of the training of {curve.name}", "none", "train it again")
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 6.8), layout="constrained")
        loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=(1.2, 1.4, 0.8))
        marks: set[str] = set()
        for number, curve in enumerate(curves):
            colour = COLOURS[number % len(COLOURS)]
            dash = DASHES[number // len(COLOURS) % len(DASHES)]
            label = curve.name if len(curves) > 1 else None
            _line(loss, curve, "loss", colour, dash, label, smooth=True)
            _line(accuracy, curve, "accuracy", colour, dash, scale=100, smooth=True)
            marks |= _evaluated(accuracy, curve, colour)
            _line(rate, curve, "learning_rate", colour, dash)
        _finish(loss, accuracy, rate, marks, len(curves))
        return written_out(figure)


def _line(
    axes: Axes,
    curve: TrainingCurve,
    column: str,
    colour: str,
    dash: object,
    label: str | None = None,
    *,
    scale: float = 1.0,
    smooth: bool = False,
) -> None:
    """One column over the epochs; of many noisy records, a moving average over a thin line."""
    epochs, values = known(curve.rows, column)
    if not values:
        return
    shown = [scale * value for value in values]
    marker = "o" if len(shown) == 1 else None  # a line of one point cannot be seen
    if smooth and len(shown) >= SMOOTH_FROM:
        axes.plot(epochs, shown, color=colour, linewidth=0.5, alpha=0.22)
        shown = list(moving_average(shown, 2 * (len(shown) // SMOOTH_FROM) + 3))
    style: dict[str, object] = {"linestyle": dash, "marker": marker, "label": label}
    axes.plot(epochs, shown, color=colour, linewidth=1.7, **style)  # type: ignore[arg-type]


def _evaluated(axes: Axes, curve: TrainingCurve, colour: str) -> set[str]:
    """Shares of held-out images, where the training looked at them; which marks they have."""
    found = set()
    for column, _, marker in EVALUATED:
        epochs, values = known(curve.rows, column)
        if values:
            found.add(marker)
            filled = "white" if marker == "o" else colour
            axes.plot(
                epochs,
                [100 * value for value in values],
                color=colour,
                linewidth=0.9,
                linestyle=(0, (2, 2)),
                marker=marker,
                markersize=4.5,
                markerfacecolor=filled,
            )
    return found


def known(rows: Sequence[TrainingRow], column: str) -> tuple[list[float], list[float]]:
    """Epochs and values of one column where both are known and finite.

    Args:
        rows: Of a history.
        column: Field with numbers; a history of a version without it has none.
    """
    pairs = [(row.epoch, getattr(row, column, None)) for row in rows]
    finite = [
        (epoch, value)
        for epoch, value in pairs
        if epoch is not None and value is not None and math.isfinite(value)
    ]
    return [epoch for epoch, _ in finite], [float(value) for _, value in finite]


def _finish(loss: Axes, accuracy: Axes, rate: Axes, marks: set[str], count: int) -> None:
    loss.set_ylabel("loss")
    accuracy.set_ylabel("top-1, %")
    rate.set_ylabel("learning rate")
    rate.set_xlabel("epoch")
    rate.margins(x=0.01)
    rate.set_ylim(bottom=0)
    if count > 1:
        loss.legend(loc="best", fontsize=8.5)
    handles = [Line2D([], [], color=MUTED, linewidth=1.7, label="training, augmented images")]
    handles += [
        Line2D(
            [],
            [],
            color=MUTED,
            linewidth=0.9,
            linestyle=(0, (2, 2)),
            marker=marker,
            markersize=4.5,
            markerfacecolor="white" if marker == "o" else MUTED,
            label=label,
        )
        for _, label, marker in EVALUATED
        if marker in marks
    ]
    accuracy.legend(handles=handles, loc="best", fontsize=8.5)
