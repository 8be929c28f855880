"""Names beside the marks of a plot, where nothing else stands."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox, BboxBase

# Where a name may stand beside its mark, in lines; the first place that is free is taken.
# Right and left come first: upright lines of intervals run above and below.
PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (0, 1.9), (0, -1.9), (0, 2.8), (0, -2.8))
LINE_POINTS = 12.0


def mark_box(figure: Figure, axes: Axes, point: tuple[float, float], reach_points: float) -> Bbox:
    """The pixels that a mark takes, once the axes have their limits.

    Args:
        figure: That the plot is on.
        axes: Of the plot.
        point: Middle of the mark, as the axes count.
        reach_points: From there to its edge, in points, which are 72 an inch.
    """
    x, y = axes.transData.transform(point)
    reach = reach_points * figure.dpi / 72
    return Bbox([[x - reach, y - reach], [x + reach, y + reach]])


def placed(
    axes: Axes,
    name: str,
    point: tuple[float, float],
    reach_points: float,
    taken: Sequence[BboxBase],
) -> Annotation | None:
    """A name beside its mark where nothing else stands; None where there is no such place.

    Args:
        axes: Of the plot, with their limits.
        name: As a reader sees it.
        point: Middle of the mark, as the axes count.
        reach_points: From there to its edge, in points.
        taken: Pixels of other marks and names.
    """
    for right, up in PLACES:
        step = reach_points + 3 + (LINE_POINTS * (abs(up) - 1) if up else 0)
        label = axes.annotate(
            name,
            point,
            xytext=((reach_points + 4) * right, step * (up > 0) - step * (up < 0)),
            textcoords="offset points",
            ha={1: "left", -1: "right"}.get(right, "center"),
            va="center" if not up else "bottom" if up > 0 else "top",
            fontsize=9,
            zorder=4,
        )
        label.set_in_layout(False)
        box, frame = label.get_window_extent(), axes.bbox
        fits = frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 <= frame.y1
        if fits and not any(box.overlaps(other) for other in taken):
            return label
        label.remove()
    return None
