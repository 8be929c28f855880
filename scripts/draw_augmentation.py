#!/usr/bin/env python3
"""Draws docs/images/augmentation.png: images of the sample under each operation of a recipe.

python scripts/draw_augmentation.py
"""

from __future__ import annotations

import argparse
import io
import sys
from dataclasses import replace
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
from nas.data import sample
from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Cutout, Erasing
from nas.data.augmentation.mixing import Mixing
from nas.data.augmentation.policies import RandAugment

matplotlib.use("Agg")
from matplotlib import pyplot

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "augmentation.png"
SIDE, SHOWN, GROUPS, COLOURS = 64, 5, 2, 256
NONE = Augmentation(0, flip=False)
# The flags, and what they ask for.
ROWS = {
    "without any": NONE,
    "--crop_padding_pixels 12": replace(NONE, crop_padding_pixels=12),
    "--flip": replace(NONE, flip=True),
    "--rotation_degrees 30": replace(NONE, rotation_degrees=30.0),
    "--blur_sigma_pixels 3": replace(NONE, blur_sigma_pixels=3.0),
    "--rand_augment_magnitude 15": replace(NONE, rand_augment=RandAugment(15.0)),
    "--trivial_augment": replace(NONE, trivial_augment=True),
    "--erasing_probability 1": replace(NONE, erasing=Erasing(1.0)),
    "--cutout_pixels 24": replace(NONE, cutout=Cutout(24)),
    "--mixup_alpha 1": replace(NONE, mixing=Mixing(1.0)),
    "--cutmix_alpha 1": replace(NONE, mixing=Mixing(None, 1.0)),
    "--mixup_alpha 1 --cutmix_alpha 1": replace(NONE, mixing=Mixing(1.0, 1.0)),
}


def changed(augmentation: Augmentation, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Images of a batch as a training would get them, and their greatest shares of a class.

    Args:
        augmentation: What is done.
        images: uint8.
    """
    found = augmentation.apply(images, np.random.default_rng((0, 1, 1))).astype(np.float32)
    own = np.eye(len(images), dtype=np.float32)
    mixed, targets = augmentation.mix(found, own, np.random.default_rng((0, 1, 1)))
    return np.rint(mixed).astype(np.uint8), np.diag(targets)


def draw(path: Path) -> None:
    """Writes the picture.

    Args:
        path: PNG.
    """
    images, _ = sample.draw(SHOWN, 3, SIDE)
    lines = len(ROWS) // GROUPS
    # One narrow column between the groups stays empty.
    widths = [*([1.0] * SHOWN), 0.25, *([1.0] * SHOWN)]
    figure, axes = pyplot.subplots(
        lines,
        len(widths),
        figsize=(10.4, 1.33 * lines),
        gridspec_kw={"wspace": 0.06, "width_ratios": widths},
    )
    for axis in axes.flat:
        axis.set_axis_off()
    figure.subplots_adjust(left=0.01, right=0.99, top=0.955, bottom=0.03, hspace=0.42)
    for number, (flags, augmentation) in enumerate(ROWS.items()):
        group, line = divmod(number, lines)
        found, shares = changed(augmentation, images)
        for place, (image, share) in enumerate(zip(found, shares, strict=True)):
            axis = axes[line, group * (SHOWN + 1) + place]
            axis.imshow(image)
            if augmentation.mixing.is_on:
                axis.text(
                    *(0.5, -0.04),
                    f"own {share:.2f}",
                    transform=axis.transAxes,
                    ha="center",
                    va="top",
                    size=7,
                    color="#66758a",
                )
        first = axes[line, group * (SHOWN + 1)]
        first.set_title(flags, loc="left", size=9, family="monospace", color="#1b2a41", pad=4)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=90)
    pyplot.close(figure)
    # Noise makes large files of true colours.
    Image.open(drawn).convert("RGB").quantize(COLOURS).save(path, optimize=True)


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; argparse exits with 2 on bad usage."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        default=PICTURE,
        help="PNG (docs/images/augmentation.png)",
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
