#!/usr/bin/env python3
"""Draws docs/images/trigger-sample.png: images of the embedded sample `trigger`.

python scripts/draw_trigger_sample.py
"""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import matplotlib
import numpy as np
from PIL import Image

from latency import shell
from latency.cli.parser import OutputFile, Parser
from nas.data import trigger_sample

matplotlib.use("Agg")
from matplotlib import pyplot

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "trigger-sample.png"
SHOWN, DRAWN, SEED, COLOURS = 8, 200, 7, 256
DEPTHS = ("first depth", "second depth", "third depth")


def draw(path: Path) -> None:
    """Writes the picture.

    Args:
        path: PNG.
    """
    images, labels = trigger_sample.draw(DRAWN, SEED)
    figure, axes = pyplot.subplots(
        2 * len(DEPTHS), SHOWN, figsize=(9.2, 7.4), gridspec_kw={"wspace": 0.05, "hspace": 0.08}
    )
    figure.subplots_adjust(left=0.03, right=0.995, top=0.965, bottom=0.01)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    for label in (1, 0):
        first = len(DEPTHS) * (1 - label)
        for place, number in enumerate(np.flatnonzero(labels == label)[:SHOWN]):
            for depth in range(len(DEPTHS)):
                axes[first + depth, place].imshow(
                    images[number, :, :, depth], cmap="magma", vmin=0, vmax=200
                )
        for depth, name in enumerate(DEPTHS):
            axes[first + depth, 0].set_ylabel(name, size=8, color="#66758a")
        name = trigger_sample.CLASS_NAMES[label]
        axes[first, 0].set_title(name, loc="left", size=10, color="#1b2a41", pad=3)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90)
    pyplot.close(figure)
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; argparse exits with 2 on bad usage."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        default=PICTURE,
        help="PNG (docs/images/trigger-sample.png)",
    )
    return parser.parse_args(arguments)


def main() -> int:
    """Draws the picture; the exit code."""
    path = parse_flags(sys.argv[1:]).output
    draw(path)
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
