"""Charts of the report as SVG data addresses, so that the page needs no other file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator

from latency.device.text import visible
from nas.cost.units import MILLISECONDS, Unit
from nas.methods.history import SearchRow
from nas.report.comparison import ShownNetwork, has_several_seeds
from nas.runs.history import column
from nas.selection.seed_spread import image_error

INK, MUTED, GRID = "#1b2a41", "#66758a", "#e6eaf0"
BLUE, ORANGE, VIOLET, GREEN, RED = "#2f7fb8", "#e08a1e", "#7d4fa6", "#1f8a5b", "#c8403a"
ROLE_STYLES = {
    "searched": (GREEN, "o", 90),
    "largest": (INK, "s", 60),
    "uniform": (ORANGE, "D", 55),
    "random": ("#98a4b5", "o", 45),
}
# One column of the page on a phone: text drawn at 10 pt stays readable there.
FIGURE_INCHES = (5.2, 3.2)
SMOOTH_FROM = 40  # with fewer records the curve is shown as it is
# Typed loosely: matplotlib's stubs list every key as a literal.
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.color": INK,
    "axes.edgecolor": "#c5cdd8",
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    # Names come from users: `$` must not start a formula.
    "text.parse_math": False,
    "svg.fonttype": "path",
    # Equal runs give equal pages.
    "svg.hashsalt": "stopwatch-nas",
}


@dataclass(frozen=True)
class Curve:
    """One column of a history, drawn as a line.

    Args:
        name: Field of the rows.
        label: For the legend.
        colour: Of the line.
        scale: Factor of its values.
    """

    name: str
    label: str
    colour: str
    scale: float = 1.0


def _figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=FIGURE_INCHES, layout="constrained")
    FigureCanvasSVG(figure)
    return figure, figure.subplots()


def written_out(figure: Figure) -> Figure:
    """The figure, with characters that no font has written out, such as halves of file names.

    Args:
        figure: Complete.
    """
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            # A picture makes the texts at fixed places anew whenever it is drawn.
            if isinstance(axis.get_major_locator(), FixedLocator):
                labels = [_drawable(label) for label in axis.get_ticklabels()]
                axis.set_ticks(axis.get_majorticklocs(), labels)
    for text in figure.findobj(Text):
        text.set_text(_drawable(text))
    return figure


def _drawable(text: Text) -> str:
    """A text with characters written out that its font lacks, as a terminal writes them."""
    font = get_font(findfont(text.get_fontproperties()))
    return "".join(
        character
        if character == "\n" or font.get_char_index(ord(character))
        else character.encode("unicode_escape").decode("ascii")
        for character in visible(text.get_text())
    )


def figure_address(figure: Figure) -> str:
    """A figure as an SVG data address.

    Args:
        figure: Complete, with a canvas for SVG.
    """
    stream = io.BytesIO()
    written_out(figure).savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def moving_average(values: Sequence[float], width: int) -> np.ndarray:
    """Centred mean over `width` values (odd), over fewer at both ends."""
    ones = np.ones(width)
    sums = np.convolve(values, ones, mode="same")
    return sums / np.convolve(np.ones(len(values)), ones, mode="same")


def _draw(axes: Axes, rows: Sequence[Any], curve: Curve, smooth: bool) -> bool:
    steps, values = column(rows, curve.name)
    if len(values) < 2:
        return False
    scaled = [curve.scale * value for value in values]
    if smooth and len(values) >= SMOOTH_FROM:
        axes.plot(steps, scaled, color=curve.colour, linewidth=0.6, alpha=0.3)
        # `same` convolution needs the window to be no longer than the data.
        width = 2 * (len(values) // SMOOTH_FROM) + 3
        scaled = list(moving_average(scaled, width))
    axes.plot(steps, scaled, color=curve.colour, linewidth=1.8, label=curve.label)
    return True


def history_plot(
    rows: Sequence[Any],
    curves: Sequence[Curve],
    y_label: str,
    *,
    target: float | None = None,
    smooth: bool = True,
) -> str | None:
    """Lines over the steps, the warm-up shaded; None where no column has two values.

    Args:
        rows: Records of a history.
        curves: Their fields to draw.
        y_label: With its unit.
        target: Where a dashed line is drawn, on the y axis.
        smooth: Whether many records get a moving average over a thin raw line.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure()
        drawn = [_draw(axes, rows, curve, smooth) for curve in curves]
        if not any(drawn):
            return None
        _shade_warm_up(axes, rows)
        if target is not None:
            axes.axhline(target, color=RED, linewidth=1.2, linestyle=(0, (5, 3)), label="target")
        axes.set_xlabel("step")
        axes.set_ylabel(y_label)
        axes.margins(x=0.01)
        if sum(drawn) > 1 or target is not None:
            axes.legend(loc="best")
        return figure_address(figure)


def _shade_warm_up(axes: Axes, rows: Sequence[Any]) -> None:
    steps = [float(row.step) for row in rows if isinstance(row, SearchRow) and row.is_warm_up]
    if steps:
        axes.axvspan(min(steps), max(steps), color="#eef2f7", linewidth=0, zorder=0)
        place = axes.get_xaxis_transform()
        axes.text(min(steps), 1.01, " warm-up", transform=place, fontsize=9, color=MUTED)


def axis_of(unit: Unit, values: Sequence[float | None]) -> tuple[float, str]:
    """What an axis multiplies its values with, and what it is called: 1e-6 and `M BOPs`.

    Args:
        unit: Of the values.
        values: That are drawn; the greatest one decides.
    """
    most = max((abs(value) for value in values if value is not None), default=0.0)
    for limit, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if not unit.is_measured and most >= limit:
            return 1 / limit, f"{prefix} {unit.text}"
    return 1.0, unit.text


def prediction_plot(
    points: Sequence[tuple[float, float]], networks: Sequence[ShownNetwork]
) -> str | None:
    """Predicted against measured ms with bands of 5 and 10 %; None without points.

    Args:
        points: (predicted ms, measured ms) of the audit's networks.
        networks: Of the final table; those with both figures are marked.
    """
    marked = [n for n in networks if n.predicted_ms is not None and n.measured_ms is not None]
    every = [*points, *((n.predicted_ms or 0.0, n.measured_ms or 0.0) for n in marked)]
    if not every:
        return None
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure()
        low, high = 0.92 * min(map(min, every)), 1.06 * max(map(max, every))
        line = np.array([low, high])
        for error, shade in ((0.10, "#f0f4f9"), (0.05, "#dfe8f2")):
            label = f"± {100 * error:.0f} %"
            axes.fill_between(
                line, line * (1 - error), line * (1 + error), color=shade, lw=0, label=label
            )
        axes.plot(line, line, color="#9fb0c4", linewidth=1)
        if points:
            measured, predicted = [p[1] for p in points], [p[0] for p in points]
            axes.scatter(
                measured, predicted, s=16, color=BLUE, alpha=0.75, lw=0, label="held-out networks"
            )
        _mark_networks(axes, [(n, n.measured_ms or 0.0, n.predicted_ms or 0.0) for n in marked])
        axes.set(xlim=(low, high), ylim=(low, high), xlabel="measured ms", ylabel="predicted ms")
        _legend_own_first(axes, "upper left")
        return figure_address(figure)


def accuracy_plot(
    networks: Sequence[ShownNetwork],
    evaluation_images: float | None,
    unit: Unit = MILLISECONDS,
) -> str | None:
    """Top-1 against measured ms, or a count; None where fewer than two networks were trained.

    Upright lines are 95 % intervals of means over seeds; where no network was trained several
    times, they are those of a share of so many images.

    Args:
        networks: Of the final table.
        evaluation_images: Size of the evaluation set.
        unit: What was asked in.
    """
    trained = [n for n in networks if n.top1 is not None and n.has(unit) is not None]
    if len(trained) < 2:
        return None
    several = has_several_seeds(trained)
    scale, axis = axis_of(unit, [n.has(unit) for n in trained])
    with matplotlib.rc_context(STYLE):
        figure, axes = _figure()
        for network in trained:
            colour = ROLE_STYLES.get(network.role, ROLE_STYLES["random"])[0]
            top1, cost = network.mean_top1 or 0.0, scale * (network.has(unit) or 0.0)
            reach_cost = _cost_reach(network, cost, unit)
            low, high = accuracy_reach(network, several, evaluation_images)
            reach = [[100 * low], [100 * high]]
            axes.errorbar(
                cost, 100 * top1, xerr=reach_cost, yerr=reach, color=colour, lw=1.1, zorder=2
            )
        marked = [(n, scale * (n.has(unit) or 0.0), 100 * (n.mean_top1 or 0.0)) for n in trained]
        _mark_networks(axes, marked)
        top1_label = "top-1, mean of seeds, %" if several else "top-1, %"
        axes.set(xlabel="measured ms" if unit.is_measured else axis, ylabel=top1_label)
        axes.margins(0.12)
        _legend_own_first(axes, "best")
        return figure_address(figure)


def _cost_reach(network: ShownNetwork, cost: float, unit: Unit) -> list[list[float]]:
    """How far a level line goes left and right: the interval of milliseconds; counts are exact."""
    if not unit.is_measured:
        return [[0.0], [0.0]]
    low, high = network.measured_low_ms, network.measured_high_ms
    low_ms, high_ms = (cost if end is None else end for end in (low, high))
    return [[max(cost - low_ms, 0)], [max(high_ms - cost, 0)]]


def accuracy_reach(
    network: ShownNetwork, several: bool, evaluation_images: float | None
) -> tuple[float, float]:
    """How far an upright line goes below and above a network's top-1, in shares.

    Args:
        network: That was trained.
        several: Whether any network of the picture was trained with several seeds; then a line is
            the interval of a mean over seeds, and never anything else.
        evaluation_images: Size of the evaluation set.
    """
    if not several:
        half = image_error(network.top1 or 0.0, evaluation_images)
        return half, half
    seeds = network.known_trainings
    if seeds is None or seeds.low is None or seeds.high is None:
        return 0.0, 0.0
    return seeds.mean - seeds.low, seeds.high - seeds.mean


def _legend_own_first(axes: Axes, place: Literal["best", "upper left"]) -> None:
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc=place)


def _mark_networks(axes: Axes, places: Sequence[tuple[ShownNetwork, float, float]]) -> None:
    seen: set[str] = set()
    # Drawn last to first, so that the network that was asked for lies on top.
    for network, x, y in reversed(places):
        colour, marker, size = ROLE_STYLES.get(network.role, ROLE_STYLES["random"])
        label = None if network.role in seen else network.label.rstrip(" 0123456789")
        seen.add(network.role)
        axes.scatter(
            x,
            y,
            s=size,
            color=colour,
            marker=marker,
            edgecolor="white",
            lw=1,
            label=label,
            zorder=3,
        )
