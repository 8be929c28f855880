"""Networks as bubbles: accuracy against milliseconds, parameters as areas."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from nas.report import numbers
from nas.report.curves import COLOURS
from nas.report.plots import MUTED, STYLE, figure_address, written_out
from nas.runs.compared import ComparedRow

LARGEST_AREA = 1500.0  # in square points, of the network with the most parameters
SMALLEST_AREA = 22.0  # a bubble that is smaller cannot be seen
# Where a name may stand beside its bubble, in points; the first place that is free is taken.
# Right and left come first: upright lines of intervals run above and below.
PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (0, 1.9), (0, -1.9), (0, 2.8), (0, -2.8))
LINE_POINTS = 12.0


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


def bubbles_figure(rows: Sequence[ComparedRow]) -> Figure | None:
    """Top-1 against measured ms; level lines are 95 % intervals, areas follow the parameters.

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
    x, y = row.measured_ms or 0.0, 100 * (row.mean_top1 or 0.0)
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
    """Writes each name beside its bubble where no other name stands."""
    figure.canvas.draw()  # places are known once the axes have their limits
    taken: list[Annotation] = []
    for row, area in sorted(zip(rows, areas, strict=True), key=lambda pair: -pair[1]):
        radius = (area / 3.1416) ** 0.5
        point = (row.measured_ms or 0.0, 100 * (row.mean_top1 or 0.0))
        for place, (right, up) in enumerate(PLACES):
            step = radius + 3 + (LINE_POINTS * (abs(up) - 1) if up else 0)
            label = axes.annotate(
                row.name,
                point,
                xytext=((radius + 4) * right, step * (up > 0) - step * (up < 0)),
                textcoords="offset points",
                ha={1: "left", -1: "right"}.get(right, "center"),
                va="center" if not up else "bottom" if up > 0 else "top",
                fontsize=9,
                zorder=4,
            )
            label.set_in_layout(False)
            box = label.get_window_extent()
            frame = figure.bbox
            fits = box.x0 >= 0 and box.x1 <= frame.x1 and box.y0 >= 0 and box.y1 <= frame.y1
            free = all(not box.overlaps(other.get_window_extent()) for other in taken)
            if (fits and free) or place == len(PLACES) - 1:
                taken.append(label)
                break
            label.remove()
