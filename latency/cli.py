"""Command line: measure ONNX files, and read tables. Exit codes: 0, 2 bad input, 3 not met."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latency import atomic, text_view
from latency.host import current_host
from latency.measure import Measurement, Model, measure
from latency.session import SessionSettings
from latency.table import LatencyTable
from latency.timer import MeasurePlan
from latency.worker import CPU_PROVIDER, GRAPH_LEVELS

EXIT_DONE, EXIT_BAD_INPUT, EXIT_NOT_MET = 0, 2, 3
EXIT_INTERRUPTED = 130


class InputError(ValueError):
    """Files or options that no command can work with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; nothing was written", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m latency",
        description="Measures ONNX models on this device and reads latency tables.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    verb = _verb(verbs, "measure", _measure, "time ONNX files, interleaved at random")
    verb.add_argument("files", nargs="+", type=Path, metavar="MODEL.onnx")
    verb.add_argument("--output", type=Path, help="also write the measurements to this JSON file")
    verb.add_argument("--threads", type=int, default=1, help="threads of one operator (1)")
    verb.add_argument("--graph_level", default="all", choices=sorted(GRAPH_LEVELS))
    verb.add_argument("--provider", default=CPU_PROVIDER, help=f"({CPU_PROVIDER})")
    verb.add_argument("--min_rounds", type=int, default=MeasurePlan.min_rounds)
    verb.add_argument("--max_rounds", type=int, default=MeasurePlan.max_rounds)
    verb.add_argument("--seed", type=int, default=0)
    verb = _verb(verbs, "audit", _audit, "print how well a table predicts held-out networks")
    verb.add_argument("table", type=Path)
    verb = _verb(verbs, "check", _check, "compare a table's host and settings with this machine")
    verb.add_argument("table", type=Path)
    verb = _verb(verbs, "show", _show, "print a table's rows")
    verb.add_argument("table", type=Path)
    verb.add_argument("--csv", type=Path, help="write the rows to this CSV file as well")
    return parser


def _verb(verbs: Any, name: str, command: Any, text: str) -> argparse.ArgumentParser:
    verb: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=command)
    return verb


def _measure(options: argparse.Namespace) -> int:
    settings = SessionSettings(
        intra_op_num_threads=options.threads,
        graph_level=options.graph_level,
        provider=options.provider,
    )
    plan = MeasurePlan(
        min_rounds=options.min_rounds, max_rounds=options.max_rounds, seed=options.seed
    )
    models = [_model(path) for path in dict.fromkeys(options.files)]
    with text_view.Progress("measuring") as progress:
        measured = measure(models, settings, plan, progress=progress)
    document = _document(measured, settings, plan)
    if options.output:
        atomic.write_json(options.output, document)
    if options.json:
        _print_json(document)
    else:
        text_view.print_measurements(measured, current_host(), settings)
    for warning in _instability(measured, options, plan):
        print(f"warning: {warning}", file=sys.stderr)
    return EXIT_DONE


def _model(path: Path) -> Model:
    if not path.is_file():
        raise InputError(
            f"Expected an ONNX file at {path}. Received: no such file. Fix: check the path."
        )
    return Model(str(path), path.read_bytes(), str(path))


def _document(
    measured: dict[str, Measurement], settings: SessionSettings, plan: MeasurePlan
) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "host": current_host().to_json(),
        "settings": settings.to_json(),
        "plan": plan.to_json(),
        "measurements": {key: value.to_json() for key, value in measured.items()},
    }


def _instability(
    measured: dict[str, Measurement], options: argparse.Namespace, plan: MeasurePlan
) -> list[str]:
    """Says what is not stable and the command that measures it longer."""
    loose = [value for value in measured.values() if not value.stable]
    if not loose:
        return []
    widest = max(loose, key=lambda value: (value.high_ms - value.low_ms) / value.latency_ms)
    width = (widest.high_ms - widest.low_ms) / widest.latency_ms
    files = " ".join(map(str, options.files))
    return [
        f"not stable: {len(loose)} of {len(measured)} intervals are wider than "
        f"{plan.relative_tolerance:.0%} (widest {width:.1%}: {widest.key}); stop other programs or "
        f"run: python -m latency measure {files} --max_rounds {4 * plan.max_rounds}"
    ]


def _audit(options: argparse.Namespace) -> int:
    table = LatencyTable.load(options.table, allow_other_host=True)
    if table.audit is None:
        raise InputError(
            f"Expected a table with held-out networks in {options.table}. Received: one without "
            "an audit. Fix: build the table with held-out networks."
        )
    if options.json:
        _print_json(table.audit.to_json())
    else:
        text_view.print_audit(table)
    return EXIT_DONE


def _check(options: argparse.Namespace) -> int:
    table = LatencyTable.load(options.table, allow_other_host=True)
    here = current_host()
    differences = here.differences(table.host)
    if options.json:
        _print_json(
            {
                "same_host": not differences,
                "fingerprint_here": here.fingerprint,
                "fingerprint_table": table.host.fingerprint,
                "differences": differences,
                "warnings": list(table.load_warnings),
                "settings": table.settings.to_json(),
            }
        )
    else:
        text_view.print_check(table, here, differences)
    return EXIT_NOT_MET if differences else EXIT_DONE


def _show(options: argparse.Namespace) -> int:
    table = LatencyTable.load(options.table, allow_other_host=True)
    if options.csv:
        table.to_csv(options.csv)
    if options.json:
        _print_json(table.to_json())
    else:
        text_view.print_table(table)
    return EXIT_DONE


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, allow_nan=False))
