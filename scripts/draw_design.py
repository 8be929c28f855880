#!/usr/bin/env python3
"""Draws docs/images/one-run.svg, the picture of docs/design.md.

python scripts/draw_design.py
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

from latency import shell
from latency.cli.parser import OutputFile, Parser

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "one-run.svg"
WIDTH, HEIGHT = 720, 664
# Left edges and width of the three columns; the top of both rows of stages.
LEFT = (20, 253, 486)
COLUMN = 214
TOP = (146, 412)

STYLE = """
    text { font-family: Helvetica, Arial, sans-serif; font-size: 13px; fill: #1d2b2b; }
    .title { font-size: 17px; font-weight: bold; }
    .code { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12px; }
    .soft { fill: #4a5a5a; }
    .light { fill: #ffffff; }
    .given { fill: #ffffff; stroke: #00796b; stroke-width: 1.5; }
    .stage { fill: #00695c; }
    .file { fill: #fff3cf; stroke: #c69b2f; }
    .measuring { fill: #2f4f7f; }
    .arrow { stroke: #5d6b6b; stroke-width: 1.8; fill: none; marker-end: url(#tip); }
    .two { marker-start: url(#tip); }"""


@dataclass(frozen=True)
class Box:
    """A box of the picture.

    Args:
        title: First line, larger.
        line: Below it.
        folders: In the repository, at the bottom of the box, with spaces between them.
    """

    title: str
    line: str = ""
    folders: str = ""


GIVEN = (
    Box("images", folders="nas/data"),
    Box("a space of networks", folders="nas/search_space"),
    Box("a goal and bounds", folders="nas/selection"),
)
# With the files that each leaves in the run folder.
STAGES = (
    (Box("1 Table", "milliseconds of every option", "nas/hardware"), "table.json"),
    (
        Box("2 Supernet", "weights and gates learn in turn", "nas/supernet  nas/methods"),
        "gates.json  history.csv",
    ),
    (Box("3 Choice", "the best network, measured", "nas/selection"), "architecture.json"),
    (
        Box("4 Training", "it and baselines, by one recipe", "nas/training  nas/recipes"),
        "model.keras  model.onnx",
    ),
    (Box("5 Certificate", "the file, in new processes", "nas/builders"), "certificate.json"),
    (Box("6 Report", "one page of what was found", "nas/report"), "report.html"),
)
MEASURING = Box("milliseconds of ONNX files, interleaved", folders="latency/measurement")
DEVICE = Box("a device", folders="latency/device")
DATA = Box(
    "A network is data",
    "lowered to operations, from which Keras, ONNX, cost, shapes and weights follow",
    "nas/architecture  nas/builders  nas/cost  nas/layers",
)


def text(x: float, y: float, words: str, style: str = "", anchor: str = "middle") -> str:
    """One line of text around or from x."""
    return f'  <text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def box(style: str, ink: str, edges: tuple[float, float, float, float], content: Box) -> list[str]:
    """A box with its lines; edges are left, top, width and height."""
    left, top, width, height = edges
    middle = left + width / 2
    return [
        f'  <rect class="{style}" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>',
        text(middle, top + 24, content.title, f"title {ink}"),
        *([text(middle, top + 48, content.line, ink)] if content.line else []),
        text(middle, top + height - 12, content.folders, f"code {ink or 'soft'}"),
    ]


def arrow(path: str, both: bool = False) -> str:
    """A line with a tip at its end, or at both."""
    return f'  <path class="arrow{" two" if both else ""}" d="{path}"/>'


def draw() -> str:
    """The picture as SVG."""
    parts = [text(20, 22, "What you give", "soft", "start")]
    for left, given in zip(LEFT, GIVEN, strict=True):
        parts += box("given", "", (left, 32, COLUMN, 58), given)
        parts.append(arrow(f"M{left + COLUMN / 2},90 V116"))
    below = "Stages of a run (nas/pipeline), with what each leaves in the run folder (nas/runs)"
    parts.append(text(20, 136, below, "soft", "start"))
    # The second row goes back from the right to the left.
    places = [(left, TOP[0]) for left in LEFT] + [(left, TOP[1]) for left in reversed(LEFT)]
    for (left, top), (stage, files) in zip(places, STAGES, strict=True):
        parts += _stage(left, top, stage, files)
    parts += _ways() + box("given", "", (20, 568, 680, 84), DATA)
    tip = (
        '<marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
        'orient="auto-start-reverse"><path d="M0,1 L9,5 L0,9 z" fill="#5d6b6b"/></marker>'
    )
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
            "  <title>One run of Stopwatch NAS and the folders that take part in it</title>",
            f"  <style>{STYLE}\n  </style>",
            f"  <defs>{tip}</defs>",
            f'  <rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            *parts,
            "</svg>\n",
        )
    )


def _stage(left: int, top: int, stage: Box, files: str) -> list[str]:
    """A stage above the files that it leaves."""
    return [
        f'  <rect class="file" x="{left}" y="{top + 76}" width="{COLUMN}" height="44" rx="6"/>',
        *box("stage", "light", (left, top, COLUMN, 90), stage),
        text(left + COLUMN / 2, top + 110, files, "code"),
    ]


def _ways() -> list[str]:
    """What leads from stage to stage, and from those that measure to what measures."""
    row, back = (top + 45 for top in TOP)
    parts = [arrow(f"M{left - 19},{row} H{left - 2}") for left in LEFT[1:]]
    parts += [arrow(f"M{left},{back} H{left - 17}") for left in LEFT[1:]]
    parts.append(arrow("M672,266 V410"))
    parts += [arrow(f"M{x},268 V306", both=True) for x in (200, 560)]
    parts.append(arrow(f"M{LEFT[1] + COLUMN / 2},368 V410", both=True))
    parts += box("measuring", "light", (184, 308, 452, 58), MEASURING)
    parts += box("measuring", "light", (20, 308, 140, 58), DEVICE)
    return [*parts, arrow("M162,337 H182", both=True)]


def folders() -> set[str]:
    """Every folder that the picture names."""
    boxes = (*GIVEN, *(stage for stage, _ in STAGES), MEASURING, DEVICE, DATA)
    return {"nas/pipeline", "nas/runs"} | {name for b in boxes for name in b.folders.split()}


def main(arguments: list[str] | None = None) -> int:
    """Writes the picture; returns the exit code.

    Args:
        arguments: Command line; None for the program's own.
    """
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        default=PICTURE,
        help="SVG (docs/images/one-run.svg)",
    )
    path = parser.parse_args(arguments).output
    path.write_text(draw(), "utf-8")
    print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
