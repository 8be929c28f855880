#!/usr/bin/env python3
"""Takes the README's picture of a report, with a browser that shows nothing on a screen.

python scripts/make_report_picture.py RUN
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from latency.start import begin

if __name__ == "__main__":
    begin()

from latency import shell
from latency.cli.parser import OutputFile, Parser
from latency.errors import LatencyError

PICTURE = ROOT / "docs" / "images" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Pages are drawn within seconds; a browser that cannot start waits for ever.
BROWSER_SECONDS = 120


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; argparse exits with 2 on bad usage."""
    parser = Parser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        default=PICTURE,
        help="PNG (docs/images/report.png)",
    )
    parser.add_argument("--width", type=int, default=900, help="of the window, in pixels (900)")
    parser.add_argument("--height", type=int, default=1267, help="of the window, in pixels (1267)")
    parser.add_argument("--browser", help=f"its program; default: the first of {BROWSERS}")
    return parser.parse_args(arguments)


def find_browser(asked: str | None) -> str:
    """Path of the browser.

    Args:
        asked: `--browser`; None to look for one.

    Raises:
        LatencyError: There is none.
    """
    wanted = BROWSERS if asked is None else (asked,)
    found = next((path for path in map(shutil.which, wanted) if path), None)
    if found is None:
        raise LatencyError(
            "a browser that can draw a page without a screen",
            f"none of {', '.join(wanted)} on the path",
            "install one (Debian: `apt-get install chromium`), or name it with --browser",
        )
    return found


def take(page: Path, picture: Path, size: tuple[int, int], browser: str) -> None:
    """Draws the top of a page into a PNG file.

    Args:
        page: HTML file.
        picture: Destination; it is replaced.
        size: Width and height in pixels.
        browser: Program.

    Raises:
        LatencyError: No page there, or the browser drew nothing.
    """
    if not page.is_file():
        raise LatencyError(
            "a run folder with a report", f"{page}, which does not exist", "name a finished run"
        )
    picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        drawn = Path(folder) / "page.png"
        command = [
            browser,
            "--headless",
            "--no-sandbox",  # which needs rights that containers do not give
            "--disable-gpu",
            "--hide-scrollbars",
            f"--user-data-dir={folder}/profile",
            f"--window-size={size[0]},{size[1]}",
            f"--screenshot={drawn}",
            page.resolve().as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=BROWSER_SECONDS)
        if not drawn.is_file():
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise LatencyError(
                f"a picture from {browser}", last, "try another program with --browser"
            )
        shutil.copyfile(drawn, picture)


def main(arguments: list[str]) -> int:
    """Takes the picture."""
    flags = parse_flags(arguments)
    browser = find_browser(flags.browser)
    take(flags.run / "report.html", flags.output, (flags.width, flags.height), browser)
    print(flags.output)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
