"""What a network says of images: a table for the terminal, and sheets of pictures with bars."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from latency import atomic
from nas.data.decoding import shown
from nas.report import numbers
from nas.report.plots import BLUE, GREEN, INK, MUTED, STYLE, written_out
from nas.runs.predictions import PredictedImage, Predictions

# Images on one sheet, one below the other.
IMAGES_A_SHEET = 8
NAME_LENGTH = 44


def prediction_table(predictions: Predictions) -> Table:
    """The most probable classes of every image, one below the other.

    Args:
        predictions: Of one call.
    """
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("image", overflow="fold")
    table.add_column("class", overflow="fold")
    table.add_column("probability", justify="right", no_wrap=True)
    for image in predictions.images:
        name = shown(Path(image.path))
        for rank, found in enumerate(image.classes):
            style = "bold" if rank == 0 else None
            cells = (found.name, numbers.share(found.probability))
            table.add_row("" if rank else name, *cells, style=style)
        table.add_section()
    return table


def write_sheets(
    folder: Path, predictions: Predictions, pictures: Sequence[np.ndarray]
) -> list[Path]:
    """Draws images with their bars, and removes the sheets of an earlier call.

    Args:
        folder: Where they go.
        predictions: Of one call.
        pictures: (pixels, pixels, 3) uint8 of its first images, which are drawn.

    Returns:
        Paths of the sheets, in order.

    Raises:
        OSError: One cannot be written.
    """
    for old in folder.glob("sheet-*.png"):
        old.unlink()
    paths = []
    for number, start in enumerate(range(0, len(pictures), IMAGES_A_SHEET), start=1):
        path = folder / f"sheet-{number}.png"
        part = pictures[start : start + IMAGES_A_SHEET]
        folder.mkdir(exist_ok=True)
        atomic.write_bytes(path, sheet(predictions.images[start : start + len(part)], part))
        paths.append(path)
    return paths


def sheet(images: Sequence[PredictedImage], pictures: Sequence[np.ndarray]) -> bytes:
    """A picture of images, each beside the bars of its classes, as PNG.

    Args:
        images: One or more.
        pictures: (pixels, pixels, 3) uint8 of each, the part that the network saw.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 1.75 * len(images)), layout="constrained", dpi=130)
        FigureCanvasAgg(figure)
        grid = figure.subplots(len(images), 2, squeeze=False, width_ratios=(1, 2.4))
        for (left, right), image, picture in zip(grid, images, pictures, strict=True):
            left.imshow(picture)
            left.set_axis_off()
            _draw_bars(right, image)
        stream = io.BytesIO()
        written_out(figure).savefig(stream, format="png", metadata={"Software": None})
        return stream.getvalue()


def _draw_bars(axes: Axes, image: PredictedImage) -> None:
    places = [float(place) for place in range(len(image.classes))]
    shares = [100 * found.probability for found in image.classes]
    colours = [GREEN, *[BLUE] * (len(shares) - 1)]
    axes.barh(places, shares, color=colours, height=0.62)
    axes.set_yticks(places, [_short(found.name, 22) for found in image.classes], color=INK)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 116)
    axes.set_xticks([])
    axes.grid(False)
    axes.spines[["bottom", "left"]].set_visible(False)
    for place, percent in zip(places, shares, strict=True):
        axes.text(percent + 1.5, place, f"{percent:.1f} %", va="center", fontsize=9, color=MUTED)
    title = _short(Path(image.path).name, NAME_LENGTH)
    axes.set_title(title, loc="left", fontsize=10, color=INK)


def _short(text: str, most: int) -> str:
    """A name that fits; the end of one that does not tells files apart better than its middle."""
    if len(text) <= most:
        return text
    kept = most - 1
    return f"{text[: kept // 2]}…{text[-(kept - kept // 2) :]}"


def failure_lines(predictions: Predictions) -> Iterator[str]:
    """What could not be predicted, in three parts each.

    Args:
        predictions: Of one call.
    """
    for failed in predictions.failed:
        yield failed.text
