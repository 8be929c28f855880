"""What the commands print for people: tables and a progress bar, by rich."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from types import TracebackType

from rich import box
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Table

from latency.device.host import Host
from latency.device.settings import SessionSettings
from latency.device.speed import HostSpeed
from latency.device.text import visible
from latency.tables.check import Check
from latency.tables.predictor import AUDIT_LINES
from latency.tables.table import LatencyTable
from latency.terminal import Terminal

UNKNOWN = "unknown"
# Wide enough to tell how wide a table would like to be.
WIDEST = 1 << 16
INDENT = "  "
HARD_SPACE = "\xa0"  # at which no line is broken


class Progress:
    """A bar with the time left on stderr; call it with visits done, at most, seconds left."""

    def __init__(self, text: str) -> None:
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[left]}", markup=False),
            console=Terminal(stderr=True),
            transient=True,
            # Drawing takes time from the cores that are being measured.
            refresh_per_second=2,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task(text, total=None, left="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int, seconds_left: float) -> None:
        """Moves the bar."""
        left = f"{seconds_left:.0f} s left at most"
        self._bar.update(self._task, completed=done, total=total, left=left)


def settings_text(settings: SessionSettings) -> str:
    """Returns one line for people: provider, threads, graph level, and what is not as usual."""
    threads, usual = settings.intra_op_num_threads, SessionSettings()
    parts = [settings.provider, f"{threads} thread{'s' if threads > 1 else ''}"]
    parts.append(f"graph level {settings.graph_level}")
    if threads > 1 and not settings.allow_spinning:
        parts.append("no spinning")
    if settings.affinity:
        parts.append(f"cores {','.join(map(str, settings.affinity))}")
    if settings.set_denormal_as_zero != usual.set_denormal_as_zero:
        parts.append("denormal numbers kept")
    entries = {**settings.provider_options, **settings.config_entries}
    parts += [f"{key}={value}" for key, value in entries.items()]
    return ", ".join(parts)


def host_text(host: Host) -> str:
    """Returns one line for people: processor, cores, runtime, fingerprint."""
    return (
        f"{host.cpu_model}, {host.cores_visible} cores, onnxruntime {host.onnxruntime}, "
        f"host {host.fingerprint}"
    )


def share(value: float | None, digits: int = 0) -> str:
    """Returns a share in percent, or that it is unknown."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f} %"


def speed_text(speed: HostSpeed) -> str:
    """Returns one line for people: how fast the host was in one session."""
    if speed.reason:
        return f"clock: {speed.state}: {speed.reason}"
    return f"clock: {speed.state}, {share(speed.share_full_speed)} of the time"


def plain_table(first: str) -> Table:
    """Returns a table with one column for names; the caller adds those for figures."""
    # Few lines and little padding: names have to fit into 80 columns beside the figures.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, overflow="fold")
    return table


def print_rows(
    console: Console, first: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Prints names with their figures: as a table, or each name above its figures.

    Names are told apart by their ends and by their beginnings. So they stay whole, and where one
    is too long for a line with its figures, every name gets lines of its own.

    Args:
        console: That prints.
        first: Head of the column of names.
        heads: Of the figures.
        rows: A name and its figures each.
    """
    shown = [[visible(cell, keep="") for cell in row] for row in rows]
    view = plain_table(first)
    for head in heads:
        view.add_column(head, justify="right", no_wrap=True)
    for row in shown:
        view.add_row(*row)
    if console.measure(view, options=console.options.update(width=WIDEST)).maximum <= console.width:
        console.print(view)
        return
    columns = list(zip(*(row[1:] for row in shown), strict=True))
    widths = [max(map(len, column)) for column in columns]
    console.print()
    for name, *figures in shown:
        console.print(name, overflow="fold")
        # Of equal widths, so that the figures of all names stand below each other.
        padded = (f"{figure:>{width}}" for figure, width in zip(figures, widths, strict=True))
        said = (f"{head} {figure}" for head, figure in zip(heads, padded, strict=True))
        for line in _lines_of(list(said), console.width - len(INDENT)):
            console.print(INDENT + line)


def _lines_of(pairs: Sequence[str], width: int) -> list[str]:
    """Fills lines with pairs of a head and its figure, none of which is broken in two."""
    joined = ", ".join(pair.replace(" ", HARD_SPACE) for pair in pairs)
    lines = textwrap.wrap(joined, max(1, width), break_long_words=False, break_on_hyphens=False)
    return [line.replace(HARD_SPACE, " ") for line in lines]


def _interval(low_ms: float, high_ms: float) -> str:
    return f"{low_ms:.4f} to {high_ms:.4f}"


def print_table(table: LatencyTable) -> None:
    """Prints what a table is of, then one line a row."""
    console = Terminal()
    for line in _header(table):
        console.print(line)
    heads = (f"{table.statistic} ms", "95 % interval", "noise", "runs", "stable")
    rows = [
        (
            key,
            f"{row.latency_ms:.4f}",
            _interval(row.low_ms, row.high_ms),
            f"{row.noise:.1%}",
            str(row.count),
            "yes" if row.stable else "no",
        )
        for key, row in table.rows.items()
    ]
    print_rows(console, "row", heads, rows)
    _print_warnings(console, [*table.warnings, *table.load_warnings])


def _header(table: LatencyTable) -> list[str]:
    slope, intercept_ms = table.affine
    count = table.calibration.n if table.calibration else 0
    extra = ""
    if table.calibration and table.calibration.feature:
        extra = f" {table.calibration.c_ms:+.3g} * {table.calibration.feature}"
    size = f", {table.image_size} px" if table.image_size else ""
    precision = table.precision + (f" {table.scheme}" if table.scheme else "")
    return [
        f"{table.space} ({table.space_hash or 'no hash'}){size}, {precision}, batch {table.batch}, "
        f"{len(table.rows)} rows, {table.date}, {table.duration_seconds:.0f} s",
        host_text(table.host),
        settings_text(table.settings),
        f"network = {slope:.4f} * sum of rows {intercept_ms:+.4f} ms{extra}, "
        f"from {count} networks; an empty run takes {table.run_overhead_ms:.4f} ms",
    ]


def print_audit(table: LatencyTable) -> None:
    """Prints a table's audit beside the noise floor of the same measurement."""
    console = Terminal()
    for line in _header(table):
        console.print(line)
    if table.audit is None:
        console.print("no audit: the table has no held-out networks")
        return
    view = plain_table(f"{table.audit.n} held-out networks")
    view.add_column("prediction", justify="right")
    view.add_column("noise floor", justify="right")
    for text, name, form in AUDIT_LINES:
        floor = form.format(table.audit.noise[name])
        view.add_row(text, form.format(getattr(table.audit, name)), floor)
    console.print(view)
    _print_warnings(console, [*table.warnings, *table.load_warnings])


def print_check(table: LatencyTable, here: Host, settings: SessionSettings, found: Check) -> None:
    """Prints a verdict with the common drift and every network's residual."""
    console = Terminal()
    console.print(f"table: {host_text(table.host)}")
    console.print(f"here:  {host_text(here)}")
    console.print(f"settings: {settings_text(settings)}")
    console.print(speed_text(found.speed))
    # Whole architectures are too long for a line of figures; their names may do.
    names = [point.key.partition(":")[0] for point in found.points]
    is_clear = all(names) and len(set(names)) == len(names)
    rows = [
        (
            name if is_clear else point.key,
            f"{point.predicted_ms:.4f}",
            f"{point.stored_ms:.4f}",
            f"{point.measured_ms:.4f}",
            f"{point.residual_percent:+.1f} %",
            f"{point.noise_percent:.1f} %",
        )
        for name, point in zip(names, found.points, strict=True)
    ]
    print_rows(console, "network", ("predicted ms", "then ms", "now ms", "residual", "noise"), rows)
    busy = "unknown" if found.other_cores is None else f"{found.other_cores:.2f} cores"
    console.print(
        f"drift {found.drift:.3f} against the prediction, {found.stored_drift:.3f} against the "
        f"measurement then, {found.fast_drift:.3f} by the fastest runs; other programs used "
        f"{busy}; {found.seconds:.0f} s",
    )
    console.print(f"{found.verdict}: {found.reason}", style="bold")
    _print_warnings(console, table.load_warnings)


def _print_warnings(console: Terminal, warnings: Sequence[str]) -> None:
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow")
