"""The commands that make tables: measured here, or by a job on another device."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from latency.cli import text_view
from latency.cli.exit_codes import EXIT_BAD_INPUT, EXIT_DONE
from latency.cli.model_files import (
    InputError,
    print_json,
    read_models,
    require_precision,
    scheme_of,
    with_inputs,
)
from latency.cli.options import plan_of, settings_of
from latency.command_line import join, latency_command, path_word
from latency.device.flags import asked_loading, loading_words
from latency.device.job import read_job_file, run_job
from latency.device.plan import MeasurePlan
from latency.device.records import Result
from latency.device.settings import SessionSettings
from latency.jobs.folder import export_job, read_job, read_results
from latency.jobs.job import Job, Subject, run_here
from latency.jobs.plans import RowPlan
from latency.jobs.running import left_out, running_part
from latency.jobs.ssh import SshTarget, run_over_ssh
from latency.onnx_files.conversions import convert_all
from latency.outputs import refuse_overwriting
from latency.tables.build import table_of
from latency.tables.table import LatencyTable
from latency.terminal import say, warn


def make_table(options: argparse.Namespace) -> int:
    """`table`."""
    if (options.output is None) == (options.export_job is None):
        raise InputError(
            "either --output or --export_job",
            "both" if options.output else "neither",
            "name one of them",
        )
    refuse_overwriting(options.output, options.sources, "--output")
    job = _job(options)
    if options.export_job:
        job_id = export_job(job, options.export_job)
        _report_export(options, job, job_id)
        return EXIT_DONE
    journal = options.output.with_name(options.output.name + ".journal")
    with text_view.Progress("measuring") as progress:
        result = run_here(job, progress, journal)
    code = _write_table(options, job, result)
    journal.unlink(missing_ok=True)
    return code


def _write_table(options: argparse.Namespace, job: Job, result: Result) -> int:
    """Writes and reports the table of all models that run, and names those that do not."""
    left, of_left = running_part(job, result)
    table = table_of(left, of_left)
    lacks = left_out(job, left, result.failed)
    table = replace(table, warnings=(*lacks, *table.warnings))
    table.save(options.output)
    report(table, options.output, options.json)
    for text in lacks:
        warn(f"error: {text}")
    return EXIT_BAD_INPUT if lacks else EXIT_DONE


def _job(options: argparse.Namespace) -> Job:
    """The job of a folder, or of ONNX files that are a row each."""
    folders = [path for path in options.sources if path.is_dir()]
    if folders and len(options.sources) > 1:
        raise InputError(
            "one folder with manifest.json, or ONNX files",
            f"{len(options.sources)} arguments with a folder among them",
            "name the folder alone",
        )
    if folders:
        _refuse_file_flags(options)
        job = read_job(folders[0], *_folder_plan(options, folders[0]))
        scheme = options.scheme or job.subject.scheme or scheme_of(options)
        there = (job.subject.precision, job.subject.scheme)
        asks_fp32 = "precision" in options.given and options.precision == "fp32"
        if asks_fp32 and job.subject.precision != "fp32":
            raise InputError(
                f"--precision {job.subject.precision}, which the models of the folder have",
                "--precision fp32",
                "leave it out, or name a folder of models in fp32",
            )
        if options.precision != "fp32" and (options.precision, scheme) != there:
            data = {model.key: model.data for model in job.models}
            data = convert_all(data, options.precision, scheme=options.scheme or "")
            models = tuple(replace(model, data=data[model.key]) for model in job.models)
            subject = replace(job.subject, precision=options.precision, scheme=scheme_of(options))
            job = replace(job, models=models, subject=subject)
    else:
        found = with_inputs(read_models(options, options.sources), options.input)
        subject = Subject("models", precision=options.precision, scheme=scheme_of(options))
        rows = tuple(RowPlan(model.key, model.key, None, 1.0) for model in found)
        job = Job(subject, tuple(found), rows, (), settings_of(options), plan_of(options))
    require_precision(list(job.models), job.subject.precision, job.settings)
    return job


def _folder_plan(options: argparse.Namespace, folder: Path) -> tuple[SessionSettings, MeasurePlan]:
    """Settings and rounds of a folder's job, with what flags change; a manifest alone has none."""
    path = folder / "job.json"
    if not path.exists():
        return settings_of(options), plan_of(options)
    job = read_job_file(str(path))
    plan = plan_of(options, **vars(job.plan.plain()))
    return settings_of(options, job.settings), plan


def _refuse_file_flags(options: argparse.Namespace) -> None:
    """Refuses flags that are for files alone: a folder's models are measured as they lie there."""
    for name in ("input_shape", "input"):
        if getattr(options, name):
            raise InputError(
                f"--{name} beside ONNX files",
                f"--{name} {getattr(options, name)[0]} beside a folder",
                "fix the shapes in the models, and name inputs in manifest.json",
            )


def _report_export(options: argparse.Namespace, job: Job, job_id: str) -> None:
    folder = options.export_job
    if options.json:
        print_json({"job_id": job_id, "folder": str(folder), "graphs": len(job.everything)})
        return
    say(f"job {job_id}: {len(job.everything)} graphs in {folder}")
    for line in next_steps(folder, loading_words(options)):
        say(line)


def next_steps(folder: Path, loading: Sequence[str] = ()) -> list[str]:
    """Lines that say what to do with an exported job.

    Args:
        folder: Of the job.
        loading: Flags that say which code may be loaded; the job itself cannot.
    """
    word = path_word(folder)
    there = path_word(Path(folder.absolute().name))
    run = join(["python3", "-m", "device", ".", *loading])
    return [
        f"copy it:       {join(['scp', '-r', word, 'HOST:'])}",
        f"on the device: {join(['cd', there])} && {run}   (Python 3.9+, onnxruntime)",
        f"or from here:  {latency_command('run-job', word, '--ssh', 'HOST', *loading)}",
        f"then:          {import_command(folder)}",
    ]


def import_command(folder: Path) -> str:
    """The command that makes a table of a measured job.

    Args:
        folder: Of the job.
    """
    return latency_command("import-result", path_word(folder), "--output", "table.json")


def run_job_folder(options: argparse.Namespace) -> int:
    """`run-job`."""
    job = read_job(options.folder)
    with text_view.Progress("measuring") as progress:
        if options.ssh:
            target = SshTarget(
                options.ssh,
                tuple(options.ssh_option or ()),
                options.remote_python,
                options.remote_folder,
            )
            path = run_over_ssh(
                options.folder,
                target,
                progress=progress,
                flags=loading_words(options),
            )
        else:
            path = Path(run_job(str(options.folder), progress, asked_loading(options)))
    result = read_results(job, options.folder)
    if options.json:
        print_json(
            {
                "result": str(path),
                "job_id": result.job_id,
                "host": result.host,
                "graphs": len(result.visits),
                "rounds": result.rounds,
                "seconds": result.seconds,
                "unknown_keys": result.unknown_keys,
                "failed": result.failed,
            }
        )
    else:
        say(
            f"{len(result.visits)} graphs, {result.rounds} rounds, {result.seconds:.0f} s on "
            f"{result.host.hostname}: {path}"
        )
        say(f"then: {import_command(options.folder)}")
    for key, reason in result.failed.items():
        warn(f"error: model {key!r} does not run: {reason}")
    return EXIT_BAD_INPUT if result.failed else EXIT_DONE


def import_result(options: argparse.Namespace) -> int:
    """`import-result`."""
    results = options.result or [options.folder / "result.json"]
    refuse_overwriting(options.output, results, "--output")
    job = read_job(options.folder)
    return _write_table(options, job, read_results(job, options.folder, options.result or ()))


def report(table: LatencyTable, output: Path, as_json: bool) -> None:
    """Prints what a finished table says of itself."""
    if as_json:
        print_json(
            {
                "output": str(output),
                "host": table.host,
                "rows": len(table.rows),
                "seconds": table.duration_seconds,
                "calibration": table.calibration,
                "audit": table.audit,
                "warnings": table.warnings,
            }
        )
    elif table.audit is not None:
        text_view.print_audit(table)
    else:
        text_view.print_table(table)
    if not as_json:
        say(f"written to {output}")
