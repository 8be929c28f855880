#!/usr/bin/env python3
"""Measures the latency table of a search space on this device, with calibration and audit.

    python scripts/build_latency_table.py --space tiny --image_size 64

Exit codes: 0 done, 2 bad input, 130 stopped (run again to go on).
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
from nas.runtime import build_space_table, default_table_path
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


def report(table: LatencyTable, output: Path, seconds: float, graphs: int, as_json: bool) -> None:
    """Prints what was measured."""
    unstable = sum(not row.stable for row in table.rows.values())
    figures: dict[str, Any] = {
        "output": str(output),
        "seconds": round(seconds, 1),
        "graphs": graphs,
        "rows": len(table.rows),
        "rows_not_stable": unstable,
        "calibration": {"a": table.affine[0], "b_ms": table.affine[1]},
        "audit": None,
    }
    if table.audit is not None:
        values = {name: getattr(table.audit, name) for name, _, _ in FIGURES}
        figures["audit"] = {
            **values,
            "n": table.audit.n,
            "spread": table.audit.spread,
            "noise": dict(table.audit.noise),
        }
    if as_json:
        print(json.dumps(figures, indent=1))
        return
    if table.audit is not None:
        out.print(audit_view(table))
    for warning in table.warnings:
        out.print(f"Warning: {warning}", markup=False)
    out.print(
        f"{len(table.rows)} rows ({unstable} not stable) from {graphs} graphs in {seconds:.0f} s; "
        f"calibrated ms = {table.affine[0]:.3f} * sum + {table.affine[1]:.4f}. Written to {output}",
        markup=False,
    )


def main(arguments: list[str]) -> int:
    """Measures and writes the table."""
    flags = parse_flags(arguments)
    begun = time.monotonic()
    try:
        space = get_space(flags.space, flags.image_size, flags.num_classes)
        output = flags.output or default_table_path(space, "fp32", current_host())
        output.parent.mkdir(parents=True, exist_ok=True)
        journal = output.with_suffix(".journal")
        held_out = (4 if flags.smoke else flags.held_out) if flags.audit else 0
        with bar(f"Measuring {space.name} at {space.image_size} px") as progress:
            graphs = [0]

            def show(done: int, total: int, seconds: float) -> None:
                graphs[0] = total
                progress.update(done, total, note=f"{seconds:.0f} s left")

            table = build_space_table(
                space,
                settings=SessionSettings(),
                plan=settings.table_plan(flags.seed, flags.smoke),
                calibration=4 if flags.smoke else settings.CALIBRATION_NETWORKS,
                held_out=held_out,
                seed=flags.seed,
                progress=show,
                resume_path=journal,
            )
        table.save(output)
        journal.unlink(missing_ok=True)
    except ValueError as error:
        err.print(f"Error: {error}", markup=False)
        return 2
    except KeyboardInterrupt:
        err.print("\nStopped; finished rounds are kept. Run the same command to go on.")
        return 130
    graphs_measured = 2 * len(table.rows) + len(table.networks)
    report(table, output, time.monotonic() - begun, graphs_measured, flags.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
