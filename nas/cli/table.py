"""Measures the latency table of a search space on this device, with calibration and audit.

    python scripts/build_latency_table.py --space tiny --image_size 64 --audit

For another device, `--export_job DIR` writes what `python -m latency run-job DIR --ssh HOST` runs.
Exit codes: 0 done, 2 bad input, 130 or 143 stopped by a signal (run again to go on), 141 nobody
reads the output.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latency import shell
from latency.cli.exit_codes import EXIT_DONE
from latency.cli.model_files import print_json
from latency.cli.options import add_plan_flags, add_settings_flags, plan_of, settings_of
from latency.cli.parser import OutputFolder, Parser
from latency.cli.rules import PRECISION_RULES, THREAD_RULES, check_rules
from latency.cli.table_commands import next_steps
from latency.cli.text_view import print_audit
from latency.command_line import join, with_flags
from latency.device import strict_json
from latency.device.flags import loading_words
from latency.device.host import current_host
from latency.flag_rules import Rule
from latency.jobs.folder import export_job
from latency.jobs.job import Job, run_here
from latency.onnx_files.precision import PRECISIONS, SCHEMES, require_fp16_compute
from latency.outputs import check_output_file
from latency.tables.build import table_of
from latency.tables.predictor import AUDIT_LINES
from latency.tables.table import LatencyTable
from nas.errors import InputError
from nas.hardware.jobs import Variant, space_job
from nas.hardware.plans import FULL, TOY
from nas.hardware.tables import default_table_path
from nas.search_space.files import load_blocks
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.system.console import bar, out
from nas.system.interrupt import Interrupter
from nas.system.program import command_line, command_words
from nas.system.user_files import function_called

# A space's calibration takes 10 networks and its audit 50 others (docs/design.md).
HELD_OUT_NETWORKS = 50
RULES = (
    *PRECISION_RULES,
    *THREAD_RULES,
    Rule(
        ("held_out",),
        lambda o: bool(o["audit"]),
        "an audit with --held_out",
        "--noaudit",
        "leave --held_out out, or audit the table",
    ),
    Rule(
        ("held_out",),
        lambda o: not o["smoke"],
        "--held_out without --smoke, which has a number of its own",
        "both",
        "leave one of them out",
    ),
    Rule(
        ("output",),
        lambda o: o["export_job"] is None,
        "either --output or --export_job",
        "both",
        "export the job, or measure it here",
    ),
)


def parse_flags(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line.

    Args:
        arguments: Words after the program.

    Raises:
        LatencyError: Words that say nothing, or a place where nothing can be written.
    """
    parser = Parser(
        prog=command_line("table"),
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--space", default="tiny", help="name, around:NETWORK or a Python file")
    parser.add_argument(
        "--blocks", action="append", default=[], help="Python file with blocks of your own"
    )
    parser.add_argument("--image_size", type=int, help="pixels; default: the space's own")
    parser.add_argument("--num_classes", type=int, help="default: the space's own")
    parser.add_argument(
        "--audit",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure held-out networks and judge the table by them",
    )
    parser.add_argument("--noaudit", dest="audit", action="store_false", help="as --no-audit")
    parser.add_argument("--held_out", type=int, default=HELD_OUT_NETWORKS)
    parser.add_argument("--precision", default="fp32", choices=PRECISIONS)
    parser.add_argument("--scheme", choices=SCHEMES, help="how int8 is made (by processor)")
    parser.add_argument("--batch", type=int, default=1, help="images in one run (1)")
    parser.add_argument(
        "--output", type=Path, help="in the place of an earlier table; default: this host's cache"
    )
    parser.add_argument(
        "--export_job",
        action=OutputFolder,
        type=Path,
        metavar="DIR",
        help="write a job for another device into a new folder instead",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--smoke", action="store_true", help="toy size; figures mean nothing")
    add_settings_flags(parser)
    add_plan_flags(parser)
    flags = parser.parse_args(arguments)
    check_rules(flags, RULES)
    check_flags(flags)
    if flags.output:
        check_output_file(flags.output, "--output", makes_folders=True)
    return flags


def check_flags(flags: argparse.Namespace) -> None:
    """Refuses what argparse cannot.

    Raises:
        InputError: An audit of too few networks, or an impossible batch.
    """
    if flags.audit and flags.held_out < 2:
        raise InputError(
            "2 or more held-out networks",
            f"--held_out {flags.held_out}",
            "hold out more, or pass --noaudit",
        )
    if flags.batch < 1:
        raise InputError("1 or more images in a batch", f"--batch {flags.batch}", "pass --batch 1")


def make_job(flags: argparse.Namespace, space: Space) -> Job:
    """Builds every graph of the space's table."""
    plans = TOY if flags.smoke else FULL
    held_out = plans.held_out_networks if flags.smoke else flags.held_out
    names = ("min_rounds", "max_rounds", "runs_per_visit", "max_seconds", "max_wait_seconds")
    plan = plan_of(flags, **{name: getattr(plans.table, name) for name in names})
    return space_job(
        space,
        settings=settings_of(flags),
        plan=plan,
        calibration=plans.calibration_networks,
        held_out=held_out if flags.audit else 0,
        seed=plan.seed,
        variant=Variant(flags.precision, flags.scheme or "", flags.batch),
    )


def figures(table: LatencyTable, output: Path, seconds: dict[str, float], graphs: int) -> Any:
    """What was measured, as plain values."""
    audit = table.audit
    names = ["n", *(name for _, name, _ in AUDIT_LINES)]
    values = {name: getattr(audit, name) for name in names} if audit else {}
    model = table.row_model
    return {
        "output": str(output),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "graphs": graphs,
        "rounds": table.rounds,
        "rows": len(table.rows),
        "rows_not_stable": sum(not row.stable for row in table.rows.values()),
        "calibration": strict_json.encode(table.calibration),
        "audit": {**values, "noise": dict(audit.noise)} if audit else None,
        "row_model": dict(model.held_out) if model else None,
        "load_average": {"before": table.host.load_average, "after": table.load_average_after},
        "warnings": list(table.warnings),
    }


def measure(job: Job, space: Space, output: Path) -> LatencyTable:
    """Measures and writes the table; resumes when it was interrupted."""
    journal = output.with_name(output.name + ".journal")
    with bar(f"Measuring {space.name} at {space.image_size} px") as progress:
        output.parent.mkdir(parents=True, exist_ok=True)
        result = run_here(
            job,
            lambda done, total, left: progress.update(done, total, note=f"{left:.0f} s left"),
            journal,
        )
        table = table_of(job, result)
        table.save(output)
    journal.unlink(missing_ok=True)
    return table


def run(flags: argparse.Namespace, arguments: Sequence[str] = ()) -> None:
    """Measures and reports a table, or writes a job.

    Args:
        flags: As they were read.
        arguments: Words that they were read from, for the command that measures longer.
    """
    begun = time.monotonic()
    load_blocks(flags.blocks)
    space = get_space(flags.space, flags.image_size, flags.num_classes)
    job = make_job(flags, space)
    built = time.monotonic() - begun
    if flags.export_job:
        export(flags, job)
        return
    if flags.precision == "fp16":
        require_fp16_compute(job.models[0].data, job.settings)
    host = current_host()
    output = flags.output or default_table_path(
        space,
        flags.precision,
        host,
        job.settings,
        flags.batch,
        job.subject.scheme,
        is_toy=flags.smoke,
    )
    check_output_file(output, "--output", makes_folders=True)
    table = measure(job, space, output)
    total = time.monotonic() - begun
    seconds = {"building": built, "measuring": table.duration_seconds, "all": total}
    values = figures(table, output, seconds, len(job.everything))
    if flags.json:
        print_json(values)
        return
    print_audit(table)
    out.print(
        f"{values['rows']} rows ({values['rows_not_stable']} not stable) from {values['graphs']} "
        f"graphs in {total:.0f} s, {built:.1f} s of them building. Written to {output}"
    )
    if values["rows_not_stable"]:
        out.print(f"More rounds: {longer(arguments, job)}", markup=False)


def longer(arguments: Sequence[str], job: Job) -> str:
    """The command that measures the same table with twice as many rounds at most.

    Args:
        arguments: Words after the program.
        job: That was measured.
    """
    words = with_flags(arguments, {"max_rounds": 2 * job.plan.max_rounds})
    return join([*command_words("table"), *words])


def export(flags: argparse.Namespace, job: Job) -> None:
    """Writes a job folder and says what to do with it."""
    job_id = export_job(job, flags.export_job)
    if flags.json:
        values = {"job_id": job_id, "folder": str(flags.export_job), "graphs": len(job.everything)}
        print_json(values)
        return
    out.print(f"job {job_id}: {len(job.everything)} graphs in {flags.export_job}")
    for line in next_steps(flags.export_job, loading_words(flags)):
        out.print(line)


def main(arguments: Sequence[str]) -> int:
    """Runs the command.

    Args:
        arguments: Words after the program.

    Returns:
        The exit code.
    """
    flags = parse_flags(arguments)
    with function_called(), Interrupter().installed():
        run(flags, arguments)
    return EXIT_DONE


def run_table(argv: Sequence[str]) -> int:
    """`scripts/build_latency_table.py`, and `stopwatch table`.

    Args:
        argv: With the program's name first.

    Returns:
        The exit code.
    """
    return shell.run(
        lambda: main(argv[1:]),
        how_to_resume="Finished rounds are kept. Run the same command to go on.",
    )
