"""The Pareto front of a sweep: pareto.json, pareto.png and a table."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import BboxBase
from rich import box
from rich.table import Table

from latency import atomic
from nas.cost.units import MILLISECONDS, Unit
from nas.errors import InputError
from nas.report import numbers
from nas.report.bit_columns import HEADINGS, bit_cells, bits_are_shown
from nas.report.plot_names import mark_box, placed
from nas.report.plots import BLUE, GREEN, MUTED, STYLE, axis_of, written_out
from nas.report.seeds import FEW_SEEDS, NOT_KNOWN, MoreSeeds, difference_text, spread_text
from nas.report.terminal import spread_cell
from nas.report.verdict import WORDS
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.runs.sweep import Pareto, ParetoPoint
from nas.selection.pareto import pareto_front
from nas.selection.seed_spread import SeedSpread, difference
from nas.system.console import out

PICTURE_NAME = "pareto.png"
DOT_POINTS = 3.5  # from the middle of a dot to its edge
_PREDICTED = "ms (predicted where not measured)"


def write_pareto(sweep_dir: Path, labels: Sequence[str]) -> Path:
    """Writes pareto.json and pareto.png from the certificates of a sweep's runs.

    Args:
        sweep_dir: Folder of the sweep.
        labels: Its sub-folders, in order.

    Returns:
        Path of the picture.

    Raises:
        LatencyError: A run has no certificate, or a broken one.
    """
    certificates = [_certificate(RunFolder(sweep_dir / label)) for label in labels]
    points = [_point(label, one) for label, one in zip(labels, certificates, strict=True)]
    pareto = front_of(points, certificates[0].unit)
    RunFolder(sweep_dir).write(pareto)
    path = sweep_dir / PICTURE_NAME
    atomic.write_bytes(path, _picture(pareto))
    return path


def front_of(points: Sequence[ParetoPoint], unit: Unit = MILLISECONDS) -> Pareto:
    """The networks of a sweep and which of them are on the front.

    Args:
        points: In the order of the goals.
        unit: What the goals are asked in.
    """
    # One column for all: a trained accuracy beside a supernet's would compare two things.
    retrained = all(point.top1 is not None for point in points)
    column: Literal["top1", "supernet_top1"] = "top1" if retrained else "supernet_top1"
    known = [(p.name, p.cost(unit), p.accuracy(column)) for p in points]
    drawn = [(name, x, top1) for name, x, top1 in known if x is not None and top1 is not None]
    front = pareto_front([x for _, x, _ in drawn], [top1 for _, _, top1 in drawn])
    names = tuple(drawn[i][0] for i in front)
    networks = tuple(replace(point, on_front=point.name in names) for point in points)
    return Pareto(column, names, networks, unit.quantity)


def _certificate(folder: RunFolder) -> Certificate:
    if not folder.has(Certificate):
        raise InputError(f"a certificate in {folder.path}", "none", "finish that run with --resume")
    return folder.read(Certificate)


def _point(name: str, certificate: Certificate) -> ParetoPoint:
    measured_ms = certificate.measured_ms
    return ParetoPoint(
        name=name,
        asked_ms=certificate.asked_ms,
        ms=certificate.predicted_ms if measured_ms is None else measured_ms,
        is_measured=measured_ms is not None,
        low_ms=certificate.measured_low_ms,
        high_ms=certificate.measured_high_ms,
        seen_p50_ms=certificate.seen_p50_ms,
        met=certificate.met,
        met_reason=certificate.met_reason,
        met_fix=certificate.met_fix,
        top1=certificate.top1,
        supernet_top1=certificate.supernet_top1,
        params=certificate.params,
        macs=certificate.macs,
        memory_bytes=certificate.memory_bytes,
        weight_bits=certificate.weight_bits,
        bops=certificate.bops,
        text=certificate.text,
        trainings=certificate.trainings,
        asked_count=certificate.asked_count,
    )


def pareto_table(pareto: Pareto) -> Table:
    """The networks of a sweep for the terminal.

    Args:
        pareto: Of the sweep.
    """
    retrained = pareto.accuracy == "top1"
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("run", no_wrap=True)
    unit = pareto.unit
    for name in (f"asked {unit.text}", "measured ms", "as seen p50"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("budget", no_wrap=True)
    has_bits = bits_are_shown(pareto.networks) or not unit.is_measured
    for name in ("params", "MACs", *(HEADINGS if has_bits else ()), "memory"):
        table.add_column(name, justify="right", no_wrap=True)
    several = _has_several_seeds(pareto)
    trained = "top-1,\nmean" if several else "top-1"
    table.add_column(trained if retrained else "top-1, supernet, not retrained", justify="right")
    if several:
        table.add_column("sd\n(seeds)", justify="right", no_wrap=True)
    table.add_column("on the front")
    for network in pareto.networks:
        ms = numbers.milliseconds(network.ms)
        table.add_row(
            network.name,
            numbers.bare_figure(unit, network.asked(unit)),
            ms if network.is_measured or network.ms is None else f"{ms} (predicted)",
            numbers.milliseconds(network.seen_p50_ms),
            WORDS[network.outcome],
            numbers.count(network.params),
            numbers.count(network.macs),
            *(bit_cells(network) if has_bits else []),
            numbers.size(network.memory_bytes),
            numbers.share(network.accuracy(pareto.accuracy)),
            *([spread_cell(network.known_trainings)] if several else []),
            "yes" if network.on_front else "",
        )
    return table


def _has_several_seeds(pareto: Pareto) -> bool:
    """Whether the accuracies are means of several trainings."""
    counts = [n.known_trainings.count for n in pareto.networks if n.known_trainings]
    return pareto.accuracy == "top1" and max(counts, default=0) > 1


def seed_lines(pareto: Pareto, more: MoreSeeds | None = None) -> list[str]:
    """What is known of the spread between seeds, and which neighbours of the front it tells apart.

    Args:
        pareto: Of the sweep.
        more: What a command with more seeds is made of; None where none shall be proposed.
    """
    known = {n.name: n.known_trainings for n in pareto.networks if n.known_trainings}
    if pareto.accuracy == "supernet_top1":
        lines = [f"Shared weights of one search each (n = 1): {NOT_KNOWN}."]
    else:
        lines = [spread_text(tuple(known.values())), *_neighbour_lines(pareto.front, known)]
    if more is not None and not _has_several_seeds(pareto):
        lines.append(f"To know more: {more.command(FEW_SEEDS)}")
    return lines


def _neighbour_lines(front: Sequence[str], known: Mapping[str, SeedSpread]) -> Iterator[str]:
    """What seeds tell of each network of a front and the next slower one."""
    for faster, slower in pairwise(name for name in front if name in known):
        found = difference(known[slower], known[faster])
        if found is not None:
            apart = "" if found.side else "; this cannot tell them apart"
            yield f"{slower} against {faster}: {difference_text(found)}{apart}."


def print_pareto(pareto: Pareto, more: MoreSeeds | None = None) -> None:
    """Prints the table, and below it the seeds' spread and why a budget is not met.

    Args:
        pareto: Of the sweep.
        more: What a command with more seeds is made of; None where none shall be proposed.
    """
    out.print(pareto_table(pareto))
    for line in seed_lines(pareto, more):
        out.print(line, markup=False)
    for network in pareto.networks:
        if network.met_fix:
            text = f"{network.name}: {network.met_reason}. Next: {network.met_fix}."
            out.print(text, markup=False)


@dataclass(frozen=True)
class _Dot:
    """A network that is drawn, with both of its figures."""

    name: str
    cost: float
    seen_ms: float | None
    percent: float
    reach_percent: tuple[float, float]
    on_front: bool

    @property
    def point(self) -> tuple[float, float]:
        """Where it is drawn."""
        return self.cost, self.percent


def _dots(pareto: Pareto, scale: float) -> list[_Dot]:
    unit = pareto.unit
    return [
        _Dot(
            _label(network),
            scale * cost,
            network.seen_p50_ms if unit.is_measured else None,
            100 * top1,
            _reach_percent(network) if pareto.accuracy == "top1" else (0.0, 0.0),
            network.on_front,
        )
        for network in pareto.networks
        if (cost := network.cost(unit)) is not None
        and (top1 := network.accuracy(pareto.accuracy)) is not None
    ]


def _reach_percent(network: ParetoPoint) -> tuple[float, float]:
    """The 95 % interval of the mean over seeds, below and above it; nothing where none is known."""
    seeds = network.known_trainings
    if seeds is None or seeds.low is None or seeds.high is None:
        return 0.0, 0.0
    return 100 * (seeds.mean - seeds.low), 100 * (seeds.high - seeds.mean)


def _label(network: ParetoPoint) -> str:
    """The name, with the verdict where something was asked for."""
    verdict = WORDS[network.outcome]
    return f"{network.name}: {verdict}" if verdict else network.name


def pareto_figure(pareto: Pareto) -> Figure:
    """Accuracy against milliseconds, or a count, with the front as a line.

    Args:
        pareto: Of a sweep.
    """
    unit = pareto.unit
    scale, axis = axis_of(unit, [network.cost(unit) for network in pareto.networks])
    dots = _dots(pareto, scale)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained", dpi=150)
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        _draw(axes, dots)
        is_measured = all(n.is_measured for n in pareto.networks if n.ms is not None)
        if unit.is_measured:
            axis = "measured ms, at full speed" if is_measured else _PREDICTED
        axes.set_xlabel(axis)
        retrained = pareto.accuracy == "top1"
        mean = ", mean of seeds" if _has_several_seeds(pareto) else ", one training each"
        axes.set_ylabel(f"top-1{mean}, %" if retrained else "top-1 with shared weights, %")
        axes.margins(0.12)
        if dots:
            axes.legend(loc="lower right")
        _name(figure, axes, dots)
        return written_out(figure)


def _picture(pareto: Pareto) -> bytes:
    figure = pareto_figure(pareto)
    stream = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _draw(axes: Axes, dots: Sequence[_Dot]) -> None:
    """The front as a line, everything else as dots, with names."""
    front = sorted((dot for dot in dots if dot.on_front), key=lambda dot: dot.cost)
    axes.plot(
        [dot.cost for dot in front],
        [dot.percent for dot in front],
        color=GREEN,
        linewidth=1.6,
        marker="o",
        markersize=7,
        label="Pareto front",
    )
    for dot in dots:
        if any(dot.reach_percent):
            reach = [[part] for part in dot.reach_percent]
            axes.errorbar(dot.cost, dot.percent, yerr=reach, color=MUTED, lw=1.1, zorder=2)
    others = [dot for dot in dots if not dot.on_front]
    if others:
        axes.scatter(
            [dot.cost for dot in others],
            [dot.percent for dot in others],
            color=BLUE,
            s=36,
            zorder=3,
            label="dominated",
        )
    seen = [(dot.seen_ms, dot.percent) for dot in dots if dot.seen_ms is not None]
    if seen:
        seen_ms, percents = zip(*seen, strict=True)
        axes.scatter(seen_ms, percents, color=MUTED, s=36, marker="|", label="as seen, p50")


def _name(figure: Figure, axes: Axes, dots: Sequence[_Dot]) -> None:
    """Names, those of the front first. The table has those for which there is no room."""
    figure.canvas.draw()  # places are known once the axes have their limits
    taken: list[BboxBase] = [mark_box(figure, axes, dot.point, DOT_POINTS) for dot in dots]
    legend = axes.get_legend()
    if legend is not None:
        taken.append(legend.get_window_extent())
    for dot in sorted(dots, key=lambda dot: not dot.on_front):
        name = placed(axes, dot.name, dot.point, DOT_POINTS, taken)
        if name is not None:
            taken.append(name.get_window_extent())
