#!/usr/bin/env python3
"""Draws docs/images/one-run.svg, the picture of docs/design.md.

python scripts/draw_design.py
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "one-run.svg"
WIDTH, HEIGHT = 1000, 610
# Left edges and width of the six columns.
LEFT = (20, 184, 348, 512, 676, 840)
COLUMN = 140

STYLE = """
    text { font-family: Helvetica, Arial, sans-serif; font-size: 13.5px; fill: #1d2b2b; }
    .title { font-size: 17px; font-weight: bold; }
    .code { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12.5px; }
    .soft { fill: #4a5a5a; }
    .light { fill: #ffffff; }
    .band { fill: #eef3f3; }
    .given { fill: #ffffff; stroke: #00796b; stroke-width: 1.5; }
    .stage { fill: #00695c; }
    .file { fill: #fff8e6; stroke: #c69b2f; }
    .measuring { fill: #2f4f7f; }
    .arrow { stroke: #5d6b6b; stroke-width: 1.8; fill: none; marker-end: url(#tip); }
    .two { marker-start: url(#tip); }"""


@dataclass(frozen=True)
class Box:
    """A box of the picture.

    Args:
        title: First line, larger.
        lines: Below it.
        folders: In the repository, at the bottom of the box.
    """

    title: str
    lines: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


GIVEN = (
    Box("images", folders=("nas/data",)),
    Box("a space of networks", folders=("nas/search_space",)),
    Box("a goal and bounds", folders=("nas/selection",)),
)
STAGES = (
    Box("1 Table", ("milliseconds of", "every option"), ("nas/hardware",)),
    Box("2 Supernet", ("weights and gates", "learn in turn"), ("nas/supernet", "nas/search")),
    Box("3 Choice", ("the best network,", "measured whole"), ("nas/selection",)),
    Box("4 Training", ("it and baselines,", "by one recipe"), ("nas/training", "nas/recipes")),
    Box("5 Certificate", ("the file that ships,", "in new processes"), ("nas/builders",)),
    Box("6 Report", ("one page of what", "was found"), ("nas/report",)),
)
FILES = (
    ("table.json",),
    ("gates.json", "history.csv"),
    ("architecture.json",),
    ("model.keras", "model.onnx"),
    ("certificate.json",),
    ("report.html",),
)
MEASURING = Box(
    "latency: milliseconds of ONNX files, in interleaved rounds", folders=("latency/measurement",)
)
DEVICE = Box("a device", ("runs a job alone",), ("latency/device",))
LAYERS = Box(
    "A network is data",
    ("records are lowered to operations, from which Keras, ONNX, cost, shapes and weights follow",),
    ("nas/architecture", "nas/builders", "nas/cost", "nas/layers"),
)
# The stages that measure.
ASKING = (0, 2, 4)


def text(x: float, y: float, words: str, style: str = "", anchor: str = "middle") -> str:
    """One line of text around or from x."""
    return f'  <text class="{style}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'


def box(style: str, ink: str, edges: tuple[float, float, float, float], content: Box) -> list[str]:
    """A box with its lines; edges are left, top, width and height."""
    left, top, width, height = edges
    middle = left + width / 2
    parts = [
        f'  <rect class="{style}" x="{left}" y="{top}" width="{width}" height="{height}" rx="6"/>',
        text(middle, top + 24, content.title, f"title {ink}"),
    ]
    parts += [
        text(middle, top + 46 + 17 * row, line, ink) for row, line in enumerate(content.lines)
    ]
    bottom = top + height - 12 - 17 * (len(content.folders) - 1)
    parts += [
        text(middle, bottom + 17 * row, folder, f"code {ink or 'soft'}")
        for row, folder in enumerate(content.folders)
    ]
    return parts


def arrow(path: str, both: bool = False) -> str:
    """A line with a tip at its end, or at both."""
    return f'  <path class="arrow{" two" if both else ""}" d="{path}"/>'


def draw() -> str:
    """The picture as SVG."""
    parts = [text(20, 24, "What you give", "soft", "start")]
    for left, given in zip((20, 380, 740), GIVEN, strict=True):
        parts += box("given", "", (left, 34, 240, 60), given)
        parts.append(arrow(f"M{left + 120},94 V134"))
    parts.append('  <rect class="band" x="8" y="136" width="984" height="154" rx="8"/>')
    stages = "Stages, each made once and then gone on from (nas/pipeline)"
    parts.append(text(20, 155, stages, "soft", "start"))
    for column, left in enumerate(LEFT):
        parts += box("stage", "light", (left, 164, COLUMN, 116), STAGES[column])
        if column:
            parts.append(arrow(f"M{left - 24},222 H{left - 2}"))
    parts += _run_folder() + _measuring() + _data()
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


def _run_folder() -> list[str]:
    parts = [text(LEFT[1], 318, "What they leave in the run folder (nas/runs)", "soft", "start")]
    for left, names in zip(LEFT, FILES, strict=True):
        parts.append(
            f'  <rect class="file" x="{left}" y="328" width="{COLUMN}" height="50" rx="4"/>'
        )
        first = 357 if len(names) == 1 else 348
        parts += [
            text(left + COLUMN / 2, first + 18 * row, name, "code")
            for row, name in enumerate(names)
        ]
    return parts


def _measuring() -> list[str]:
    parts = []
    for column in ASKING:
        # From the lower right corner of the stage, between the files, to the box that measures.
        corner = LEFT[column] + COLUMN
        parts.append(arrow(f"M{corner - 8},282 V299 H{corner + 12} V424", both=True))
    parts += box("measuring", "light", (20, 426, 816, 60), MEASURING)
    parts += box("measuring", "light", (864, 408, 116, 94), DEVICE)
    parts.append(arrow("M838,456 H862", both=True))
    return parts


def _data() -> list[str]:
    band = Box(LAYERS.title, LAYERS.lines, ("   ".join(LAYERS.folders),))
    return box("given", "", (20, 516, 960, 82), band)


def folders() -> set[str]:
    """Every folder that the picture names."""
    boxes = (*GIVEN, *STAGES, MEASURING, DEVICE, LAYERS)
    return {"nas/pipeline", "nas/runs"} | {folder for b in boxes for folder in b.folders}


if __name__ == "__main__":
    PICTURE.write_text(draw(), "utf-8")
    print(PICTURE)
