"""Networks as bubbles: accuracy against milliseconds, parameters as areas."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Annotation

from nas.report import numbers
from nas.report.curves import COLOURS
from nas.report.plot_names import mark_box, placed
from nas.report.plots import MUTED, STYLE, figure_address, written_out
from nas.runs.compared import ComparedRow

LARGEST_AREA = 1500.0  # in square points, of the network with the most parameters
SMALLEST_AREA = 22.0  # a bubble that is smaller cannot be seen


def bubbles_png(rows: Sequence[ComparedRow]) -> bytes | None:
    """The picture as PNG; None where fewer than two networks have both figures.

    Args:
        rows: Of a comparison.
    """
    figure = bubbles_figure(rows)
    if figure is None:
        return None
    FigureCanvasAgg(figure)
    stream = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(stream, format="png", dpi=150, metadata={"Software": None})
    return stream.getvalue()


def bubbles_address(rows: Sequence[ComparedRow]) -> str | None:
    """The picture as an SVG data address, for a page; None as above.

    Args:
        rows: Of a comparison.
    """
    figure = bubbles_figure(rows)
    if figure is None:
        return None
    FigureCanvasSVG(figure)
    with matplotlib.rc_context(STYLE):
        return figure_address(figure)


def bubbles_caption(rows: Sequence[ComparedRow]) -> str:
    """What stands below the picture: of its lines those that there are.

    Args:
        rows: Of a comparison.
    """
    texts = ["Left and up is better."]
    if any(row.measured_low_ms is not None for row in rows):
        texts.append("Level lines are 95 % intervals of the milliseconds.")
    if any(row.trainings is not None and row.trainings.low is not None for row in rows):
        texts.append("Upright lines are 95 % intervals of the mean over seeds.")
    return " ".join(texts)


def bubbles_figure(rows: Sequence[ComparedRow]) -> Figure | None:
    """Top-1 against measured ms; lines are 95 % intervals, areas follow the parameters.

    Args:
        rows: Of a comparison.
    """
    drawn = [row for row in rows if row.measured_ms is not None and row.mean_top1 is not None]
    if len(drawn) < 2:
        return None
    most = max(row.params for row in drawn)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        areas = [max(SMALLEST_AREA, LARGEST_AREA * row.params / most) for row in drawn]
        # Large ones first, so that no small one is hidden below them.
        for index in sorted(range(len(drawn)), key=lambda i: -areas[i]):
            _draw(axes, drawn[index], areas[index], COLOURS[index % len(COLOURS)])
        several = any(row.trainings and row.trainings.count > 1 for row in drawn)
        axes.set_xlabel("measured ms, at full speed")
        axes.set_ylabel("top-1, mean of seeds, %" if several else "top-1, one training each, %")
        axes.margins(0.22)
        _keep_possible(axes)
        note = f"area: parameters, the largest {numbers.count(most)}"
        place = {"transform": axes.transAxes, "ha": "right", "va": "bottom"}
        axes.text(1.0, 1.01, note, fontsize=9, color=MUTED, **place)  # type: ignore[arg-type]
        _name(figure, axes, drawn, areas)
        return written_out(figure)


def _keep_possible(axes: Axes) -> None:
    """Shows no milliseconds below 0 and no shares beyond 0 and 100 %, which there are none of."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    axes.set_xlim(max(left, 0.0) if left < 0 < right else left, right)
    # A bubble at the very end is drawn whole.
    axes.set_ylim(max(low, -3.0), min(high, 103.0))


def _draw(axes: Axes, row: ComparedRow, area: float, colour: str) -> None:
    x, y = _point(row)
    low = x if row.measured_low_ms is None else row.measured_low_ms
    high = x if row.measured_high_ms is None else row.measured_high_ms
    reach = [[0.0], [0.0]]
    seeds = row.trainings
    if seeds is not None and seeds.low is not None and seeds.high is not None:
        reach = [[100 * (seeds.mean - seeds.low)], [100 * (seeds.high - seeds.mean)]]
    reach_ms = [[max(x - low, 0.0)], [max(high - x, 0.0)]]
    axes.errorbar(x, y, xerr=reach_ms, yerr=reach, color=colour, lw=1.1, zorder=2)
    axes.scatter(x, y, s=area, color=colour, alpha=0.62, edgecolor="white", lw=1, zorder=3)


def _name(figure: Figure, axes: Axes, rows: Sequence[ComparedRow], areas: Sequence[float]) -> None:
    """Writes each name beside its bubble, or all of them below where there is no room for that."""
    figure.canvas.draw()  # places are known once the axes have their limits
    reaches = [_radius_points(area) for area in areas]
    bubbles = [
        mark_box(figure, axes, _point(row), reach) for row, reach in zip(rows, reaches, strict=True)
    ]
    names: list[Annotation] = []
    for row, reach in zip(rows, reaches, strict=True):
        taken = [*bubbles, *(name.get_window_extent() for name in names)]
        name = placed(axes, row.name, _point(row), reach, taken)
        if name is None:
            for earlier in names:
                earlier.remove()
            _legend(figure, rows)
            return
        names.append(name)


def _point(row: ComparedRow) -> tuple[float, float]:
    return row.measured_ms or 0.0, 100 * (row.mean_top1 or 0.0)


def _radius_points(area: float) -> float:
    return math.sqrt(area / math.pi)


def _legend(figure: Figure, rows: Sequence[ComparedRow]) -> None:
    handles = [
        Line2D([], [], color=COLOURS[i % len(COLOURS)], marker="o", linestyle="", label=row.name)
        for i, row in enumerate(rows)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=8.5)
