#!/usr/bin/env python3
"""Draws docs/images/speed-gate.png, the picture of docs/measuring.md.

    python benchmarks/latency_recording.py model.onnx --seconds 3 --output recording.json
    python scripts/draw_speed_gate.py recording.json

The recording is one model's runs, each between two readings of the probe.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import matplotlib
import numpy as np

from latency import shell
from latency.cli.parser import OutputFile, Parser
from latency.device.plan import MeasurePlan
from latency.errors import LatencyError

matplotlib.use("Agg")
from matplotlib import pyplot

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "speed-gate.png"
KEPT, LEFT_OUT, LIMIT = "#00796b", "#c9a9a6", "#b3261e"
# Interrupts make a few runs many times longer. What is longer than this many times the shortest
# lies on the upper edge.
TOP = 2.0


@dataclass(frozen=True)
class Shown:
    """A part of a recording.

    Args:
        at_s: When each run began.
        runs_ms: Durations.
        probes_us: The slower one of the two probes around each run.
        limit_us: The longest that counts.
    """

    at_s: np.ndarray
    runs_ms: np.ndarray
    probes_us: np.ndarray
    limit_us: float

    @property
    def is_kept(self) -> np.ndarray:
        """Which runs count."""
        kept: np.ndarray = self.probes_us <= self.limit_us
        return kept


def read(path: Path, start_s: float, seconds: float) -> Shown:
    """Reads a part of a recording.

    Args:
        path: What benchmarks/latency_recording.py wrote.
        start_s: Of the part.
        seconds: Its length.

    Raises:
        LatencyError: The part holds no run, or none that counts.
    """
    value = json.loads(path.read_text(encoding="utf-8"))
    at_s, runs_ms = np.array(value["at_s"]), np.array(value["runs_ms"])
    probes_us = np.maximum(value["before_us"], value["after_us"])
    part = (at_s >= start_s) & (at_s < start_s + seconds)
    if not part.any():
        raise LatencyError(
            f"runs between {start_s} and {start_s + seconds} s",
            f"a recording of {at_s.max():.1f} s in {path}",
            "pass a smaller --start",
        )
    shown = Shown(at_s[part] - start_s, runs_ms[part], probes_us[part], value["limit_us"])
    if not shown.is_kept.any():
        raise LatencyError(
            f"a run between two probes of at most {shown.limit_us} us",
            f"none, the fastest two took {shown.probes_us.min()} us",
            "record again, for longer or with fewer other programs",
        )
    return shown


def draw(shown: Shown, output: Path) -> None:
    """Draws probes above runs over time, and at the right how often each duration came.

    Args:
        shown: Part of a recording.
        output: PNG or SVG, by its ending.
    """
    figure, axes = pyplot.subplots(
        2,
        2,
        figsize=(9.6, 5.2),
        sharex="col",
        sharey="row",
        width_ratios=(5, 1),
        layout="constrained",
    )
    for row, values in zip(axes, (shown.probes_us, shown.runs_ms), strict=True):
        draw_row(row, shown, values)
    axes[0, 0].axhline(shown.limit_us, color=LIMIT, lw=1)
    axes[0, 0].annotate(
        "limit: 1.04 times full speed",
        (0.995, shown.limit_us),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        color=LIMIT,
    )
    quantile = MeasurePlan.quantile
    latency_ms = float(np.quantile(shown.runs_ms[shown.is_kept], quantile))
    axes[1, 0].axhline(latency_ms, color=KEPT, lw=1)
    axes[0, 0].set(ylabel="probe, us")
    axes[0, 0].set_title("The slower of the two probes around each run", loc="left", fontsize=10)
    title = (
        f"Runs of one model: {latency_ms:.3f} ms is p{100 * quantile:.0f} of those that count, "
        f"{np.median(shown.runs_ms):.3f} ms the median of all"
    )
    axes[1, 0].set(ylabel="run, ms", xlabel="seconds")
    axes[1, 0].set_title(title, loc="left", fontsize=10)
    axes[1, 1].set(xlabel="how often")
    share = float(shown.is_kept.mean())
    labels = [f"counts ({share:.0%})", "does not count"]
    axes[0, 0].legend(
        *[axes[0, 0].collections[:2]], labels, loc="upper left", markerscale=3, ncols=2
    )
    # Without a date in the file, the same recording gives the same picture.
    metadata: dict[str, Any] = {"Date": None} if output.suffix == ".svg" else {"Software": None}
    figure.savefig(output, dpi=120, metadata=metadata)
    pyplot.close(figure)


def draw_row(row: np.ndarray, shown: Shown, values: np.ndarray) -> None:
    """One quantity over time and as a histogram.

    Args:
        row: Two axes.
        shown: Says what is kept.
        values: Of each run.
    """
    over_time, histogram = row
    kept = shown.is_kept
    low, high = 0.95 * values.min(), TOP * values.min()
    values = np.minimum(values, 0.995 * high)
    for is_on, color in ((kept, KEPT), (~kept, LEFT_OUT)):
        over_time.scatter(shown.at_s[is_on], values[is_on], s=3, color=color, lw=0)
    bins = np.linspace(low, high, 80).tolist()
    histogram.hist(
        [values[kept], values[~kept]],
        bins=bins,
        orientation="horizontal",
        stacked=True,
        color=[KEPT, LEFT_OUT],
    )
    over_time.set_ylim(low, high)
    over_time.set_xlim(0, shown.at_s.max())
    for axis in row:
        axis.spines[["top", "right"]].set_visible(False)


def main(arguments: list[str] | None = None) -> int:
    """Draws the picture."""
    parser = Parser(description=__doc__)
    parser.add_argument("recording", type=Path, help="of benchmarks/latency_recording.py")
    parser.add_argument("--start", type=float, default=0.0, help="first second that is shown (0)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how many are shown (3)")
    parser.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        default=PICTURE,
        help="(docs/images/speed-gate.png)",
    )
    options = parser.parse_args(arguments)
    draw(read(options.recording, options.start, options.seconds), options.output)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
