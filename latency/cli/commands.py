"""The commands that read tables."""

from __future__ import annotations

import argparse

from latency.cli import text_view
from latency.cli.exit_codes import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_STALE
from latency.cli.model_files import InputError, print_json, read_files
from latency.cli.options import plan_of, settings_of
from latency.device.host import current_host
from latency.onnx_files.features import row_features, vector_channels
from latency.onnx_files.operators import row_operators
from latency.outputs import refuse_overwriting
from latency.tables.check import GOOD, PLAN, STALE, check_table
from latency.tables.table import LatencyTable
from latency.terminal import say


def audit(options: argparse.Namespace) -> int:
    """`audit`."""
    table = LatencyTable.load(options.table, allow_other_host=True)
    if table.audit is None:
        raise InputError(
            f"a table with held-out networks in {options.table}",
            "one without an audit",
            "build the table with held-out networks",
        )
    if options.json:
        print_json(table.audit)
    else:
        text_view.print_audit(table)
    return EXIT_DONE


def check(options: argparse.Namespace) -> int:
    """`check`."""
    table = LatencyTable.load(options.table, allow_other_host=True)
    settings, plan = settings_of(options, table.settings), plan_of(options, **vars(PLAN))
    with text_view.Progress("checking") as progress:
        found = check_table(table, settings, plan, progress)
    if options.json:
        print_json(
            {
                **vars(found),
                "settings": settings,
                "warnings": table.load_warnings,
            }
        )
    else:
        text_view.print_check(table, current_host(), settings, found)
    return {GOOD: EXIT_DONE, STALE: EXIT_STALE}.get(found.verdict, EXIT_CANNOT_TELL)


def show(options: argparse.Namespace) -> int:
    """`show`."""
    refuse_overwriting(options.csv, [options.table], "--csv")
    table = LatencyTable.load(options.table, allow_other_host=True)
    if options.csv:
        table.to_csv(options.csv)
    if options.json:
        print_json(table.to_json())
    else:
        text_view.print_table(table)
    return EXIT_DONE


def predict(options: argparse.Namespace) -> int:
    """`predict`."""
    if options.divisor <= 0:
        raise InputError(
            "--divisor above 0", f"--divisor {options.divisor:g}", "give the copies more in LONG"
        )
    table = LatencyTable.load(options.table, allow_other_host=True)
    if table.row_model is None:
        raise InputError(
            f"a table with enough rows to learn from in {options.table}",
            f"{len(table.rows)} rows",
            "measure this row itself",
        )
    files = {"long": options.long, **({"short": options.short} if options.short else {})}
    data = read_files(options, files)
    long, short = data["long"], data.get("short")
    vector = vector_channels(table.host.isa_flags)
    features = row_features(long, short, options.divisor, vector)
    operators = row_operators(long, short)
    predicted_ms = table.row_model.predict_ms(features, operators)
    held_out = table.row_model.held_out
    if options.json:
        print_json(
            {
                "predicted_ms": predicted_ms,
                "features": features,
                "operators": operators,
                "held_out": held_out,
            }
        )
    else:
        say(
            f"{predicted_ms:.4f} ms before calibration; {held_out['n']:.0f} rows left out in turn "
            f"were met within {held_out.get('mape_percent', float('nan')):.1f} % on average"
        )
    return EXIT_DONE
