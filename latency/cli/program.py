"""Command line.

Exit codes: 0 done (or met), 2 bad input or a model that fails, 3 stale table, 4 cannot tell or not
stable, 5 not met, 130 or 143 stopped by a signal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latency import shell
from latency.cli import clock_command, commands, table_commands, timing_commands
from latency.cli.options import add_plan_flags, add_process_flags, add_settings_flags
from latency.device.flags import add_loading_flags
from latency.device.plan import MeasurePlan
from latency.measurement import compare
from latency.measurement.processes import ProcessRule
from latency.onnx_files.precision import PRECISIONS, SCHEMES
from latency.tables.check import PLAN as CHECK_PLAN


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(words)
    options.arguments = words  # for the next command, which is this one with a flag changed
    return shell.run(lambda: int(options.command(options)), how_to_resume=options.how_to_resume)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m latency",
        description="Measures ONNX models on this device, or on another, and makes latency tables.",
        epilog="Method and pitfalls: docs/measuring.md.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_timing(verbs)
    _add_measuring(verbs)
    _add_jobs(verbs)
    _add_reading(verbs)
    return parser


def _verb(verbs: Any, name: str, command: Any, text: str, **defaults: Any) -> Any:
    verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    verb.set_defaults(command=command, how_to_resume="Nothing was written.", **defaults)
    return verb


def _add_shape_flag(verb: Any) -> None:
    verb.add_argument(
        "--input_shape",
        action="append",
        metavar="[MODEL.onnx:]NAME=SIZES",
        help="fixes a dynamic input, such as image=1,3,64,64, of all models or of one; may be "
        "repeated",
    )


def _add_model_flags(verb: Any) -> None:
    _add_shape_flag(verb)
    verb.add_argument(
        "--input",
        action="append",
        metavar="[MODEL.onnx=]FILE.npz",
        help="arrays by input name, for all models or for one; others are drawn",
    )
    verb.add_argument("--precision", default="fp32", choices=PRECISIONS, help="(fp32)")
    verb.add_argument("--scheme", choices=SCHEMES, help="how int8 is made (by processor)")


def _add_timing(verbs: Any) -> None:
    verb = _timing_verb(
        verbs,
        "measure",
        timing_commands.measure_files,
        (timing_commands.MEASURE_PROCESSES, timing_commands.MEASURE_PLAN),
        "time ONNX files in fresh processes, interleaved at random",
    )
    verb.add_argument(
        "--strict", action="store_true", help="end with exit code 4 if anything is not stable"
    )
    verb = _timing_verb(
        verbs,
        "certify",
        timing_commands.certify,
        (ProcessRule.processes, timing_commands.CAREFUL_PLAN),
        "does a model keep a budget? (0 met, 5 not met, 4 cannot tell)",
    )
    verb.add_argument("--target_ms", type=float, required=True, help="the budget")
    verb.add_argument("--margin", default="2%", help="on both sides of the budget (2%%)")
    _timing_verb(
        verbs,
        "compare",
        timing_commands.compare_files,
        (compare.RULE.processes, timing_commands.CAREFUL_PLAN),
        "which model is faster than the first one, and by how much?",
    )
    verb = _verb(
        verbs,
        "clock",
        clock_command.clock,
        "is this host at full speed, busy, or slower than ever?",
    )
    verb.add_argument("--seconds", type=float, default=5.0, help="how long to watch (5)")
    verb.add_argument(
        "--forget", action="store_true", help="drop the best speed that is known of this host"
    )


def _timing_verb(
    verbs: Any, name: str, command: Any, defaults: tuple[int, MeasurePlan], text: str
) -> Any:
    """A command that times files in so many fresh processes by such a plan."""
    processes, plan = defaults
    verb = _verb(verbs, name, command, text)
    verb.add_argument("files", nargs="+", type=Path, metavar="MODEL.onnx")
    verb.add_argument("--output", type=Path, help="also write what was found to this JSON file")
    _add_model_flags(verb)
    add_settings_flags(verb)
    add_plan_flags(verb, plan)
    add_process_flags(verb, processes)
    return verb


def _add_measuring(verbs: Any) -> None:
    verb = _verb(
        verbs,
        "table",
        table_commands.make_table,
        "measure a table: rows, calibration and audit",
    )
    verb.add_argument(
        "sources",
        nargs="+",
        type=Path,
        metavar="FOLDER|MODEL.onnx",
        help="a folder with manifest.json, or ONNX files that are a row each",
    )
    verb.add_argument("--output", type=Path, help="the table; needed unless a job is exported")
    verb.add_argument("--export_job", type=Path, metavar="DIR", help="write a job, measure nothing")
    _add_model_flags(verb)
    add_settings_flags(verb)
    add_plan_flags(verb)


def _add_jobs(verbs: Any) -> None:
    verb = _verb(
        verbs, "run-job", table_commands.run_job_folder, "run an exported job, here or over ssh"
    )
    verb.set_defaults(how_to_resume="Finished rounds are kept: run the same command to go on.")
    verb.add_argument("folder", type=Path, metavar="DIR")
    verb.add_argument("--ssh", metavar="HOST", help="the device, as the ssh command takes it")
    verb.add_argument(
        "--ssh_option", action="append", metavar="TEXT", help="argument for ssh; may be repeated"
    )
    add_loading_flags(verb)
    verb.add_argument("--remote_python", default="python3", help="(python3)")
    verb.add_argument("--remote_folder", default="", help="(.cache/stopwatch-latency/JOB)")
    verb = _verb(
        verbs, "import-result", table_commands.import_result, "turn a job's result into a table"
    )
    verb.add_argument("folder", type=Path, metavar="DIR")
    verb.add_argument(
        "--result", action="append", type=Path, help="(DIR/result.json); several are joined"
    )
    verb.add_argument("--output", type=Path, required=True, help="the table")


def _add_reading(verbs: Any) -> None:
    verb = _verb(
        verbs, "audit", commands.audit, "print how well a table predicts held-out networks"
    )
    verb.add_argument("table", type=Path)
    verb = _verb(
        verbs,
        "check",
        commands.check,
        "measure a few of a table's networks again: still true? (0 good, 3 stale, 4 cannot tell)",
    )
    verb.add_argument("table", type=Path)
    add_settings_flags(verb)
    add_plan_flags(verb, CHECK_PLAN)
    verb = _verb(verbs, "show", commands.show, "print a table's rows")
    verb.add_argument("table", type=Path)
    verb.add_argument("--csv", type=Path, help="write the rows to this CSV file as well")
    verb = _verb(
        verbs, "predict", commands.predict, "predict a row that was not measured, within range"
    )
    verb.add_argument("table", type=Path)
    verb.add_argument("long", type=Path, metavar="LONG.onnx", help="the graph that has the row")
    verb.add_argument("--short", type=Path, help="the same graph without it, or with fewer copies")
    _add_shape_flag(verb)
    verb.add_argument("--divisor", type=float, default=1.0, help="copies more in LONG (1)")
