"""The commands that time ONNX files in fresh processes: measure, certify, compare."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from latency import atomic
from latency.cli import timing_view
from latency.cli.exit_codes import EXIT_BAD_INPUT, EXIT_CANNOT_TELL, EXIT_DONE, EXIT_NOT_MET
from latency.cli.model_files import (
    InputError,
    key_of,
    percent,
    print_json,
    read_models,
    require_precision,
    scheme_of,
    with_inputs,
)
from latency.cli.options import next_command, plan_of, rule_of, settings_of
from latency.cli.text_view import Progress
from latency.device import strict_json
from latency.device.files import read_bytes
from latency.device.host import current_host
from latency.device.inputs import MOST_FILE_BYTES
from latency.device.job import Model
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.device.startup import Startup
from latency.measurement import compare
from latency.measurement.certificate import Asked, Certificate, CertificateFile
from latency.measurement.compare import compare_models
from latency.measurement.processes import ProcessRule, measure_processes
from latency.measurement.startup import start_all
from latency.measurement.timing import STABLE_ERROR, Timing
from latency.measurement.verdict import Verdict, judge
from latency.outputs import refuse_overwriting
from latency.terminal import say, warn

MEASURE_RULE = ProcessRule(processes=3, most=3)
# The interval of seven processes is 2.7 times as narrow as that of three.
MORE_PROCESSES = 7
WAIT_SECONDS, MORE_WAIT_SECONDS = 10.0, 60.0
MEASURE_PLAN = MeasurePlan(max_wait_seconds=WAIT_SECONDS)
CAREFUL_PRECISION = 0.01
# Intervals of processes rest on the spread between them; in each, noise has to be small beside it.
CAREFUL_PLAN = MeasurePlan(min_rounds=24, max_rounds=60, max_wait_seconds=WAIT_SECONDS)


@dataclass(frozen=True)
class Work:
    """What a command times.

    Args:
        models: Those that run.
        started: Key -> first moments of those.
        failed: Key -> why it does not run; each was named on stderr.
        settings: Of the sessions.
        plan: Rounds and runs in each process.
        rule: How many processes.
    """

    models: tuple[Model, ...]
    started: Mapping[str, Startup]
    failed: Mapping[str, str]
    settings: SessionSettings
    plan: MeasurePlan
    rule: ProcessRule


def _work(
    options: argparse.Namespace, plan: MeasurePlan, rule: ProcessRule, *, repeated: bool = False
) -> Work:
    """Reads and starts the models; one that fails is named, and the others go on."""
    refuse_overwriting(options.output, options.files, "--output")
    settings = settings_of(options)
    models = read_models(options, options.files, repeated=repeated)
    models = with_inputs(models, options.input)
    require_precision(models, options.precision, settings)
    started, failed = start_all(models, settings, plan.seed)
    for error in failed.values():
        warn(f"error: {error}")
    running = tuple(model for model in models if model.key in started)
    reasons = {key: error.received for key, error in failed.items()}
    return Work(running, started, reasons, settings, plan, rule)


def _timed(work: Work, text: str) -> dict[str, Timing]:
    """Times the models behind a progress bar with this text."""
    with Progress(text) as progress:
        return measure_processes(
            work.models, work.settings, work.plan, work.rule, progress=progress
        )


def measure_files(options: argparse.Namespace) -> int:
    """`measure`."""
    processes = options.processes or MEASURE_RULE.processes
    rule = rule_of(options, processes=processes, most=processes)
    work = _work(options, plan_of(options, **vars(MEASURE_PLAN)), rule)
    if not work.models:
        return EXIT_BAD_INPUT
    timings = _timed(work, "measuring")
    document = {
        "schema_version": 3,
        "host": current_host(),
        "settings": work.settings,
        "precision": options.precision,
        "scheme": scheme_of(options),
        "plan": work.plan,
        "rule": work.rule,
        "measurements": {
            key: {**strict_json.encode(timing), "startup": work.started[key]}
            for key, timing in timings.items()
        },
        "failed": work.failed,
    }
    if options.output:
        atomic.keep_json(options.output, strict_json.encode(document))
    if options.json:
        print_json(document)
    else:
        timing_view.print_timings(timings, work.started, work.plan, work.settings)
    return _measured_code(options, work, timings)


def _measured_code(options: argparse.Namespace, work: Work, timings: Mapping[str, Timing]) -> int:
    """Says what is not stable, and how the command ends."""
    loose = {key: timing for key, timing in timings.items() if not timing.stable}
    if loose:
        warn(f"warning: {_instability(options, loose, len(timings))}")
    if work.failed:
        return EXIT_BAD_INPUT
    is_refused = bool(loose) and (options.strict or len(loose) == len(timings))
    return EXIT_CANNOT_TELL if is_refused else EXIT_DONE


def _instability(options: argparse.Namespace, loose: Mapping[str, Timing], count: int) -> str:
    """Names what is not stable, why, and the command that measures it longer."""
    # What cannot be told comes before what is told with a wide interval.
    worst = max(loose, key=lambda key: (bool(loose[key].reason), loose[key].error or 0.0))
    timing = loose[worst]
    why = f"{worst}: {timing.reason}"
    if not timing.reason:
        why = f"the widest interval is +-{timing.error:.1%}, more than {STABLE_ERROR:.0%}: {worst}"
    return (
        f"not stable: {len(loose)} of {count} ({why}); stop other programs, or run: "
        f"{_again(options, timing)}"
    )


def _again(options: argparse.Namespace, timing: Timing) -> str:
    """The command that tells more of a model than the one that was called.

    Args:
        options: Of the command line.
        timing: That does not tell enough.
    """
    made = len(timing.speeds)
    if timing.reason and made > 1:
        seconds = max(MORE_WAIT_SECONDS, 2 * (options.max_wait_seconds or WAIT_SECONDS))
        return next_command(options, max_wait_seconds=f"{seconds:g}")
    return next_command(options, processes=max(MORE_PROCESSES, 2 * made))


def certify(options: argparse.Namespace) -> int:
    """`certify`."""
    margin = percent(options.margin)
    if not 0 < options.target_ms < float("inf"):
        raise InputError(
            "--target_ms above 0", f"--target_ms {options.target_ms}", "ask for milliseconds"
        )
    rule = rule_of(options, precision=min(CAREFUL_PRECISION, margin / 2))
    work = _work(options, plan_of(options, **vars(CAREFUL_PLAN)), rule)
    if not work.models:
        return EXIT_BAD_INPUT
    timings = _timed(work, "certifying")
    found = CertificateFile(
        tuple(
            _certificate(options, work, model, timings[model.key], margin) for model in work.models
        ),
        work.failed,
    )
    if options.output:
        atomic.keep_text(options.output, strict_json.dumps(found))
    if options.json:
        print_json(found)
    else:
        timing_view.print_certificates(found.certificates)
        if options.output:
            say(f"written to {options.output}")
    return _certified_code(work, [certificate.met for certificate in found.certificates])


def _certificate(
    options: argparse.Namespace, work: Work, model: Model, timing: Timing, margin: float
) -> Certificate:
    verdict: Verdict = judge(timing, options.target_ms, margin, _again(options, timing))
    asked = Asked(
        target_ms=options.target_ms,
        margin=margin,
        settings=work.settings,
        plan=work.plan,
        precision=options.precision,
        scheme=scheme_of(options),
        command=next_command(options),
    )
    path = next(path for path in options.files if key_of(path) == model.key)
    file_data = read_bytes(path, MOST_FILE_BYTES)
    return Certificate.of(model, file_data, asked, work.started[model.key], timing, verdict)


def _certified_code(work: Work, mets: Sequence[bool | None]) -> int:
    if work.failed:
        return EXIT_BAD_INPUT
    if any(met is False for met in mets):
        return EXIT_NOT_MET
    return EXIT_DONE if all(mets) else EXIT_CANNOT_TELL


def compare_files(options: argparse.Namespace) -> int:
    """`compare`."""
    if len(options.files) < 2:
        raise InputError(
            "two or more models to compare",
            f"{len(options.files)}",
            "name the one that the others are compared with first",
        )
    default = compare.RULE
    rule = rule_of(
        options, processes=default.processes, most=default.most, precision=default.precision
    )
    work = _work(options, plan_of(options, **vars(CAREFUL_PLAN)), rule, repeated=True)
    if len(work.models) < 2 or work.models[0].key != key_of(options.files[0]):
        warn("error: nothing is compared: the first model and one more have to run")
        return EXIT_BAD_INPUT
    with Progress("comparing") as progress:
        timings, ratios = compare_models(work.models, work.settings, work.plan, work.rule, progress)
    document = {
        "schema_version": 2,
        "host": current_host(),
        "settings": work.settings,
        "plan": work.plan,
        "rule": work.rule,
        "ratios": ratios,
        "measurements": timings,
        "failed": work.failed,
    }
    if options.output:
        atomic.keep_json(options.output, strict_json.encode(document))
    if options.json:
        print_json(document)
    else:
        timing_view.print_ratios(timings, ratios)
    unknown = [ratio for ratio in ratios.values() if ratio.verdict == compare.UNKNOWN]
    if unknown:
        again = _again(options, timings[unknown[0].key])
        warn(f"warning: cannot tell: {unknown[0].reason}; run: {again}")
    if work.failed:
        return EXIT_BAD_INPUT
    return EXIT_CANNOT_TELL if unknown else EXIT_DONE
