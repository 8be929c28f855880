#!/usr/bin/env python3
"""Measures the latency table of a search space on this device, with calibration and audit.

    python scripts/build_latency_table.py --space tiny --image_size 64

Exit codes: 0 done, 2 bad input, 130 or 143 stopped by a signal (run again to go on).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from rich.table import Table

from latency.host import current_host
from latency.session import SessionSettings
from latency.table import LatencyTable
from nas import settings
from nas.console import bar, err, out
from nas.errors import InputError
from nas.interrupt import Interrupted, Interrupter
from nas.runtime import build_space_table, default_table_path, space_job
from nas.spaces import get_space

FIGURES = (
    ("within_5_percent", "within 5 %", "{:.1%}"),
    ("within_10_percent", "within 10 %", "{:.1%}"),
    ("mape_percent", "MAPE %", "{:.2f}"),
    ("bias_percent", "bias %", "{:+.2f}"),
    ("rmspe_percent", "RMSPE %", "{:.2f}"),
    ("kendall_tau", "Kendall tau", "{:.3f}"),
    ("spearman", "Spearman", "{:.3f}"),
)


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; argparse exits with 2 on bad usage."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--space", default="tiny")
    parser.add_argument("--image_size", type=int, help="pixels; default: the space's own")
    parser.add_argument("--num_classes", type=int, help="default: the space's own")
    parser.add_argument("--audit", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--noaudit", dest="audit", action="store_false", help="as --no-audit")
    parser.add_argument("--held_out", type=int, default=settings.HELD_OUT_NETWORKS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="default: this host's cache")
    parser.add_argument("--json", action="store_true", help="print the audit as JSON")
    parser.add_argument("--smoke", action="store_true", help="toy size; figures mean nothing")
    return parser.parse_args(arguments)


def audit_view(table: LatencyTable) -> Table:
    """The audit's figures beside their noise floor."""
    view = Table(title="Audit on held-out networks", title_justify="left")
    for name in ("figure", "table", "noise floor (between halves)"):
        view.add_column(name)
    audit = table.audit
    if audit is None:
        return view
    for name, label, form in FIGURES:
        view.add_row(label, form.format(getattr(audit, name)), form.format(audit.noise[name]))
    view.add_row("networks", f"{audit.n}", "")
    view.add_row("spread (slowest / fastest)", f"{audit.spread:.2f}", "")
    return view


def figures(table: LatencyTable, output: Path, seconds: float, graphs: int) -> dict[str, Any]:
    """What was measured, as plain values."""
    audit = table.audit
    values = {name: getattr(audit, name) for name, _, _ in FIGURES} if audit else {}
    return {
        "output": str(output),
        "seconds": round(seconds, 1),
        "graphs": graphs,
        "rows": len(table.rows),
        "rows_not_stable": sum(not row.stable for row in table.rows.values()),
        "calibration": {"a": table.affine[0], "b_ms": table.affine[1]},
        "audit": {**values, "n": audit.n, "spread": audit.spread, "noise": dict(audit.noise)}
        if audit
        else None,
        "load_average": {"before": table.host.load_average, "after": table.load_average_after},
        "warnings": list(table.warnings),
    }


def report(table: LatencyTable, output: Path, seconds: float, graphs: int, as_json: bool) -> None:
    """Prints what was measured."""
    values = figures(table, output, seconds, graphs)
    if as_json:
        print(json.dumps(values, indent=1))
        return
    if table.audit is not None:
        out.print(audit_view(table))
    for warning in table.warnings:
        out.print(f"Warning: {warning}", markup=False)
    out.print(
        f"{values['rows']} rows ({values['rows_not_stable']} not stable) from {graphs} graphs in "
        f"{seconds:.0f} s; calibrated ms = {table.affine[0]:.3f} * sum + {table.affine[1]:.4f}. "
        f"Written to {output}",
        markup=False,
    )


def held_out_networks(flags: argparse.Namespace) -> int:
    """Networks of the audit, 0 without one.

    Raises:
        InputError: So few that an audit would say nothing.
    """
    if not flags.audit:
        return 0
    if flags.held_out < 2:
        raise InputError(
            "2 or more held-out networks",
            f"--held_out {flags.held_out}",
            "hold out more, or pass --noaudit",
        )
    return 4 if flags.smoke else flags.held_out


def measure(flags: argparse.Namespace) -> tuple[LatencyTable, Path, int]:
    """Measures and writes the table; also returns where it lies and how many graphs it took."""
    held_out = held_out_networks(flags)
    plan = settings.table_plan(flags.seed, flags.smoke)
    space = get_space(flags.space, flags.image_size, flags.num_classes)
    output = flags.output or default_table_path(space, "fp32", current_host())
    if output.is_dir():
        raise InputError("a file to write", f"--output {output}, a folder", "add a file name")
    output.parent.mkdir(parents=True, exist_ok=True)
    journal = output.with_name(output.name + ".journal")
    calibration = 4 if flags.smoke else settings.CALIBRATION_NETWORKS
    job = space_job(space, calibration=calibration, held_out=held_out, seed=flags.seed)
    with bar(f"Measuring {space.name} at {space.image_size} px") as progress:
        table = build_space_table(
            space,
            settings=SessionSettings(),
            plan=plan,
            seed=flags.seed,
            progress=lambda done, total, seconds: progress.update(
                done, total, note=f"{seconds:.0f} s left"
            ),
            resume_path=journal,
            job=job,
        )
    table.save(output)
    journal.unlink(missing_ok=True)
    return table, output, len(job.models)


def main(arguments: list[str]) -> int:
    """Measures and reports a table; returns the exit code."""
    flags = parse_flags(arguments)
    begun = time.monotonic()
    try:
        with Interrupter().installed():
            table, output, graphs = measure(flags)
    except ValueError as error:
        if "Received" not in str(error):
            raise  # not bad input but a defect: its trace is what helps
        err.print(f"Error: {error}", markup=False)
        return 2
    except OSError as error:
        err.print(
            "Error: Expected a place where the table can be written.\n"
            f"Received: {error}.\nFix: free space there, or pass another --output.",
            markup=False,
        )
        return 2
    except Interrupted as stop:
        err.print(
            "\nStopped; finished rounds are kept. Run the same command to go on.", markup=False
        )
        return stop.exit_code
    report(table, output, time.monotonic() - begun, graphs, flags.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
