#!/usr/bin/env python3
"""Takes the pictures of docs/bit_widths.md from the page of a search for quantised networks.

python scripts/draw_bit_widths.py RUN
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from latency.start import begin

if __name__ == "__main__":
    begin()

from PIL import Image, ImageChops

from latency import shell
from latency.cli.parser import Parser
from nas.report.style import STYLE_SHEET
from nas.report.trial_page.beside import beside
from nas.report.trial_page.bits import STYLE as BIT_STYLE
from nas.report.trial_page.bits import accuracy_against_bits, layer_bits
from nas.report.trial_page.facts import read_facts
from nas.report.trial_page.svg import STYLE
from scripts.make_report_picture import find_browser, take

PICTURES = ROOT / "docs" / "images"
# Name of each picture -> the section that it shows.
SECTIONS = {
    "accuracy-against-bits": accuracy_against_bits,
    "original-beside-the-best": beside,
    "bits-by-layer": layer_bits,
}
WIDTH, HEIGHT = 1160, 1700
MARGIN = 14  # around the card, in pixels
COLOURS = 64


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; argparse exits with 2 on bad usage."""
    parser = Parser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished search")
    parser.add_argument("--browser", help="its program; default: the first one that is found")
    return parser.parse_args(arguments)


def cut(picture: Path) -> None:
    """Cuts away what is empty around a picture, and keeps few colours.

    Args:
        picture: PNG file; it is replaced.
    """
    with Image.open(picture) as taken:
        image = taken.convert("RGB")
    ground = Image.new("RGB", image.size, image.getpixel((0, 0)))
    left, top, right, bottom = ImageChops.difference(image, ground).getbbox() or (0, 0, 1, 1)
    box = (left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN)
    image.crop(box).quantize(COLOURS).save(picture, optimize=True)


def main(arguments: list[str]) -> int:
    """Takes every picture."""
    flags = parse_flags(arguments)
    facts, browser = read_facts(flags.run), find_browser(flags.browser)
    with tempfile.TemporaryDirectory() as folder:
        for name, section in SECTIONS.items():
            page = Path(folder) / f"{name}.html"
            style = f"<style>{STYLE_SHEET}{STYLE}{BIT_STYLE}</style>"
            head = f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">{style}</head>'
            page.write_text(f"{head}<body><main>{section(facts)}</main></body></html>", "utf-8")
            picture = PICTURES / f"{name}.png"
            take(page, picture, (WIDTH, HEIGHT), browser)
            cut(picture)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
