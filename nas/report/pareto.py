"""The Pareto front of a sweep: pareto.json, pareto.png and a table."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich import box
from rich.table import Table

from latency import atomic
from nas.errors import InputError
from nas.report import numbers
from nas.report.plots import BLUE, GREEN, MUTED, STYLE
from nas.selection.pareto import pareto_front

PICTURE_NAME = "pareto.png"
DATA_NAME = "pareto.json"


def write_pareto(sweep_dir: Path, labels: Sequence[str]) -> Path:
    """Writes pareto.json and pareto.png from the certificates of a sweep's runs.

    Args:
        sweep_dir: Folder of the sweep.
        labels: Its sub-folders, in order.

    Returns:
        Path of the picture.

    Raises:
        InputError: A run has no certificate, or a broken one.
    """
    points = [_point(sweep_dir / label) for label in labels]
    # One column for all: a trained accuracy beside a supernet's would compare two things.
    retrained = all(point["top1"] is not None for point in points)
    column = "top1" if retrained else "supernet_top1"
    known = [p for p in points if p["ms"] is not None and p[column] is not None]
    front = pareto_front([p["ms"] for p in known], [p[column] for p in known])
    names = [known[i]["name"] for i in front]
    for point in points:
        point["on_front"] = point["name"] in names
    atomic.write_json(
        sweep_dir / DATA_NAME,
        {"schema_version": 1, "accuracy": column, "front": names, "networks": points},
    )
    path = sweep_dir / PICTURE_NAME
    atomic.write_bytes(path, _picture(points, column))
    return path


def _point(run_dir: Path) -> dict[str, Any]:
    path = run_dir / "certificate.json"
    try:
        certificate = json.loads(path.read_text("utf-8"))
        measured = certificate["measured_ms"]
        return {
            "name": run_dir.name,
            "asked_ms": certificate["asked_ms"],
            "ms": certificate["predicted_ms"] if measured is None else measured,
            "is_measured": measured is not None,
            "met": certificate["met"],
            "top1": certificate["top1"],
            "supernet_top1": certificate.get("supernet_top1"),
            "params": certificate["params"],
            "macs": certificate["macs"],
            "text": certificate["text"],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"a certificate in {path}", f"{error}", "finish that run with --resume"
        ) from None


def pareto_table(data: dict[str, Any]) -> Table:
    """The networks of a sweep for the terminal.

    Args:
        data: As in pareto.json.
    """
    retrained = data["accuracy"] == "top1"
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("run", no_wrap=True)
    for name in ("asked ms", "measured ms", "params", "MACs"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("top-1" if retrained else "top-1, supernet, not retrained", justify="right")
    table.add_column("on the front")
    for network in data["networks"]:
        ms = numbers.milliseconds(network["ms"])
        table.add_row(
            network["name"],
            numbers.milliseconds(network["asked_ms"]),
            ms if network["is_measured"] else f"{ms} (predicted)",
            numbers.count(network["params"]),
            numbers.count(network["macs"]),
            numbers.share(network[data["accuracy"]]),
            "yes" if network["on_front"] else "",
        )
    return table


def _picture(points: Sequence[dict[str, Any]], column: str) -> bytes:
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained", dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        drawn = [p for p in points if p["ms"] is not None and p[column] is not None]
        front = sorted((p for p in drawn if p["on_front"]), key=lambda p: p["ms"])
        axes.plot(
            [p["ms"] for p in front],
            [100 * p[column] for p in front],
            color=GREEN,
            linewidth=1.6,
            marker="o",
            markersize=7,
            label="Pareto front",
        )
        others = [p for p in drawn if not p["on_front"]]
        if others:
            axes.scatter(
                [p["ms"] for p in others],
                [100 * p[column] for p in others],
                color=BLUE,
                s=36,
                zorder=3,
                label="dominated",
            )
        for point in drawn:
            axes.annotate(
                point["name"],
                (point["ms"], 100 * point[column]),
                textcoords="offset points",
                xytext=(6, -12),
                fontsize=8.5,
                color=MUTED,
            )
        measured = all(p["is_measured"] for p in drawn)
        axes.set_xlabel("measured ms" if measured else "ms (predicted where not measured)")
        retrained = "top-1, %" if column == "top1" else "top-1 with shared weights, %"
        axes.set_ylabel(retrained)
        axes.margins(0.12)
        if drawn:
            axes.legend(loc="lower right")
        stream = io.BytesIO()
        figure.savefig(stream, format="png", metadata={"Software": None})
        return stream.getvalue()
