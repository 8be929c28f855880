"""Command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latency import shell
from latency.cli import clock_command, commands, rules, table_commands, timing_commands
from latency.cli.options import add_plan_flags, add_process_flags, add_settings_flags
from latency.cli.parser import OutputFile, OutputFolder, Parser, UsageError, nearest
from latency.command_line import join, latency_words
from latency.device.flags import add_loading_flags
from latency.device.plan import MeasurePlan
from latency.measurement import compare
from latency.measurement.processes import ProcessRule
from latency.onnx_files.precision import PRECISIONS, SCHEMES
from latency.tables.check import PLAN as CHECK_PLAN

EXIT_TEXT = (
    "Exit codes: 0 done (or met), 2 bad input or a model that fails, 3 stale table, 4 cannot tell "
    "or not stable, 5 not met, 130 or 143 stopped by a signal, 141 nobody reads the output."
)
ROUNDS_KEPT = "Finished rounds are kept: run the same command to go on."


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    kept = [shell.NOTHING_WRITTEN]

    def run() -> int:
        options = read(words)
        kept.append(options.how_to_resume)
        return int(options.command(options))

    return shell.run(run, how_to_resume=lambda: kept[-1])


def read(words: Sequence[str]) -> argparse.Namespace:
    """Reads a command line.

    Args:
        words: Without the program.

    Raises:
        LatencyError: Words that say nothing, or a place where nothing can be written.
    """
    parser, verbs = _parser()
    if words and not words[0].startswith("-") and words[0] not in verbs:
        raise UsageError(
            f"a command, one of {', '.join(verbs)}",
            repr(words[0]),
            nearest(words[0], verbs) or f"see {parser.prog} --help",
        )
    options = parser.parse_args(words)
    options.arguments = list(words)  # for the next command, which is this one with a flag changed
    rules.check_rules(options, options.rules)
    return options


def _parser() -> tuple[argparse.ArgumentParser, Sequence[str]]:
    """The parser, and the names of its commands."""
    parser = Parser(
        prog=join(latency_words()),
        description="Measures ONNX models on this device, or on another, and makes latency tables.",
        epilog="Method and pitfalls: docs/measuring.md. " + EXIT_TEXT,
    )
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_timing(verbs)
    _add_measuring(verbs)
    _add_jobs(verbs)
    _add_reading(verbs)
    return parser, list(verbs.choices)


def _verb(verbs: Any, name: str, command: Any, text: str, **defaults: Any) -> Any:
    verb = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
    verb.add_argument("--json", action="store_true", help="print one JSON object")
    defaults = {"how_to_resume": shell.NOTHING_WRITTEN, "rules": (), **defaults}
    verb.set_defaults(command=command, **defaults)
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
        (timing_commands.MEASURE_RULE, timing_commands.MEASURE_PLAN),
        "time ONNX files in fresh processes, interleaved at random",
    )
    verb.add_argument(
        "--strict", action="store_true", help="end with exit code 4 if anything is not stable"
    )
    verb = _timing_verb(
        verbs,
        "certify",
        timing_commands.certify,
        (ProcessRule(), timing_commands.CAREFUL_PLAN),
        "does a model keep a budget? (0 met, 5 not met, 4 cannot tell)",
    )
    verb.add_argument("--target_ms", type=float, required=True, help="the budget")
    verb.add_argument("--margin", default="2%", help="on both sides of the budget (2%%)")
    _timing_verb(
        verbs,
        "compare",
        timing_commands.compare_files,
        (compare.RULE, timing_commands.CAREFUL_PLAN),
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
    verbs: Any, name: str, command: Any, defaults: tuple[ProcessRule, MeasurePlan], text: str
) -> Any:
    """A command that times files in so many fresh processes by such a plan."""
    rule, plan = defaults
    verb = _verb(verbs, name, command, text)
    verb.add_argument("files", nargs="+", type=Path, metavar="MODEL.onnx")
    verb.set_defaults(rules=rules.MEASURE_RULES)
    verb.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        help="also write what was found to this JSON file, in the place of an earlier one",
    )
    _add_model_flags(verb)
    add_settings_flags(verb)
    add_plan_flags(verb, plan)
    add_process_flags(verb, rule.processes, rule.most)
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
    verb.set_defaults(rules=rules.TABLE_RULES, how_to_resume=ROUNDS_KEPT)
    verb.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        help="the table, in the place of an earlier one; needed unless a job is exported",
    )
    verb.add_argument(
        "--export_job",
        action=OutputFolder,
        type=Path,
        metavar="DIR",
        help="write a job into a new folder, measure nothing",
    )
    _add_model_flags(verb)
    add_settings_flags(verb)
    add_plan_flags(verb)


def _add_jobs(verbs: Any) -> None:
    verb = _verb(
        verbs, "run-job", table_commands.run_job_folder, "run an exported job, here or over ssh"
    )
    verb.set_defaults(how_to_resume=ROUNDS_KEPT, rules=rules.RUN_JOB_RULES)
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
    verb.add_argument(
        "--output",
        action=OutputFile,
        type=Path,
        required=True,
        help="the table, in the place of an earlier one",
    )


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
    verb.add_argument(
        "--csv",
        action=OutputFile,
        type=Path,
        help="write the rows to this CSV file as well, in the place of an earlier one",
    )
    verb = _verb(
        verbs, "predict", commands.predict, "predict a row that was not measured, within range"
    )
    verb.add_argument("table", type=Path)
    verb.add_argument("long", type=Path, metavar="LONG.onnx", help="the graph that has the row")
    verb.add_argument("--short", type=Path, help="the same graph without it, or with fewer copies")
    _add_shape_flag(verb)
    verb.add_argument("--divisor", type=float, default=1.0, help="copies more in LONG (1)")
