#!/usr/bin/env python3
"""Writes the embedded sample as JPEG files in a layout that `--data_dir` reads.

python scripts/make_sample_data.py --output DIR --layout tiny-imagenet
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from PIL import Image

from latency import shell
from latency.cli.parser import OutputFolder, Parser
from nas.data import sample
from nas.errors import InputError
from nas.ranges import check_count

# Every n-th image is written in grey, as well over a thousand of Tiny-ImageNet's are.
GREY_EVERY = 17


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; numbers of which nothing can be drawn are refused."""
    parser = Parser(description=__doc__)
    parser.add_argument("--output", action=OutputFolder, type=Path, required=True)
    parser.add_argument("--layout", choices=["tiny-imagenet", "folder"], default="tiny-imagenet")
    parser.add_argument("--images_per_class", type=int, default=20)
    parser.add_argument("--image_size", type=int, default=sample.IMAGE_SIZE)
    parser.add_argument("--seed", type=int, default=0)
    flags = parser.parse_args(arguments)
    check_count("--images_per_class", flags.images_per_class)
    check_count("--image_size", flags.image_size)
    check_count("--seed", flags.seed, least=0)
    return flags


def save(path: Path, pixels: np.ndarray, grey: bool) -> None:
    """Writes one JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert("L") if grey else image).save(path, quality=92)


def write_tiny_imagenet(root: Path, flags: argparse.Namespace) -> int:
    """wnids.txt, words.txt, train/<wnid>/images/, val/images/ and val_annotations.txt."""
    # Not in sorted order, as in the original: the class index is the line number.
    wnids = [f"n{(7919 * (i + 3)) % 100_000:08d}" for i in range(len(sample.CLASS_NAMES))]
    (root / "wnids.txt").write_text("\n".join(wnids) + "\n")
    words = (f"{w}\t{n}, drawn" for w, n in zip(wnids, sample.CLASS_NAMES, strict=True))
    (root / "words.txt").write_text("\n".join(words) + "\n")
    images, labels = drawn(flags, flags.images_per_class, flags.seed)
    counts = dict.fromkeys(wnids, 0)
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        wnid = wnids[label]
        name = f"{wnid}_{counts[wnid]}.JPEG"
        counts[wnid] += 1
        save(root / "train" / wnid / "images" / name, pixels, number % GREY_EVERY == 0)
    held, held_labels = drawn(flags, max(1, flags.images_per_class // 4), flags.seed + 1)
    lines = []
    for number, (pixels, label) in enumerate(zip(held, held_labels, strict=True)):
        save(root / "val" / "images" / f"val_{number}.JPEG", pixels, number % GREY_EVERY == 0)
        lines.append(f"val_{number}.JPEG\t{wnids[label]}\t0\t0\t63\t63")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    return len(images) + len(held)


def write_folders(root: Path, flags: argparse.Namespace) -> int:
    """<class>/<number>.jpg."""
    images, labels = drawn(flags, flags.images_per_class, flags.seed)
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        name = sample.CLASS_NAMES[label]
        save(root / name / f"{number:05d}.jpg", pixels, number % GREY_EVERY == 0)
    return len(images)


def drawn(flags: argparse.Namespace, per_class: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels, `per_class` of each class."""
    return sample.draw(per_class * len(sample.CLASS_NAMES), seed, flags.image_size)


def main(arguments: list[str]) -> int:
    """Writes the files."""
    flags = parse_flags(arguments)
    if flags.output.exists() and any(flags.output.iterdir()):
        raise InputError(
            "a new or empty folder", f"{flags.output}, which holds files", "choose another --output"
        )
    flags.output.mkdir(parents=True, exist_ok=True)
    write = write_tiny_imagenet if flags.layout == "tiny-imagenet" else write_folders
    print(f"{write(flags.output, flags)} images written to {flags.output}")
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
