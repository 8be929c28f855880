"""The commands that time ONNX files and that read tables."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency import atomic
from latency.cli import text_view
from latency.cli.options import flags_text, plan_of, settings_of
from latency.device import strict_json
from latency.device.host import current_host
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.measurement.measure import Measurement, Model, measure
from latency.onnx_files.features import row_features, vector_channels
from latency.onnx_files.model_file import parse_input_shape, read_model
from latency.onnx_files.operators import row_operators
from latency.onnx_files.precision import convert, default_scheme, require_fp16_compute
from latency.tables.check import GOOD, STALE, check_table
from latency.tables.table import LatencyTable
from latency.terminal import say, warn

EXIT_DONE, EXIT_STALE, EXIT_CANNOT_TELL = 0, 3, 4


class InputError(LatencyError):
    """Files or options that no command can work with."""


def read_models(options: argparse.Namespace, paths: list[Path]) -> list[Model]:
    """Reads ONNX files in the asked precision and with the asked input shapes.

    Raises:
        LatencyError: A file cannot be measured, or no file has an input that was named.
    """
    shapes = dict(parse_input_shape(text) for text in options.input_shape or [])
    models = []
    for path in dict.fromkeys(paths):
        data = convert(
            read_model(path, shapes), options.precision, scheme=options.scheme or "", seed=0
        )
        models.append(Model(str(path), data, str(path)))
    return models


def scheme_of(options: argparse.Namespace) -> str:
    """The int8 scheme of a command; empty for other precisions."""
    return (options.scheme or default_scheme()) if options.precision == "int8" else ""


def require_precision(models: list[Model], precision: str, settings: SessionSettings) -> None:
    """Refuses fp16 where the provider would compute in fp32 behind casts.

    Raises:
        PrecisionError: As said.
    """
    if precision == "fp16" and models:
        require_fp16_compute(models[0].data, settings)


def require_file(path: Path, flag: str = "--output") -> None:
    """Refuses a place where nothing can be written, before minutes are spent on measuring.

    Raises:
        InputError: As said.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise InputError(
            f"a file in an existing folder as {flag}",
            f"{flag} {path}",
            "make the folder first, or name a file",
        )


def measure_files(options: argparse.Namespace) -> int:
    """`measure`."""
    if options.output:
        require_file(options.output)
    settings, plan = settings_of(options), plan_of(options)
    models = read_models(options, options.files)
    require_precision(models, options.precision, settings)
    with text_view.Progress("measuring") as progress:
        measured = measure(models, settings, plan, progress=progress)
    document = {
        "schema_version": 1,
        "host": current_host(),
        "settings": settings,
        "precision": options.precision,
        "scheme": scheme_of(options),
        "plan": plan,
        "measurements": measured,
    }
    if options.output:
        atomic.keep_json(options.output, strict_json.encode(document))
    if options.json:
        print_json(document)
    else:
        text_view.print_measurements(measured, current_host(), settings)
    for warning in _instability(measured, options, plan):
        warn(f"warning: {warning}")
    return EXIT_DONE


def _instability(
    measured: Mapping[str, Measurement], options: argparse.Namespace, plan: MeasurePlan
) -> list[str]:
    """Says what is not stable and the command that measures it longer."""
    loose = [value for value in measured.values() if not value.stable]
    if not loose:
        return []
    widest = max(loose, key=lambda value: (value.high_ms - value.low_ms) / value.latency_ms)
    width = (widest.high_ms - widest.low_ms) / widest.latency_ms
    files = shlex.join(map(str, options.files))
    return [
        f"not stable: {len(loose)} of {len(measured)} intervals are wider than "
        f"{plan.relative_tolerance:.0%} (widest {width:.1%}: {widest.key}); stop other programs or "
        f"run: python -m latency measure {files}{flags_text(options)} "
        f"--max_rounds {4 * plan.max_rounds}"
    ]


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
    settings = settings_of(options, table.settings)
    with text_view.Progress("checking") as progress:
        found = check_table(table, settings, progress=progress)
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
    table = LatencyTable.load(options.table, allow_other_host=True)
    if options.csv:
        require_file(options.csv, "--csv")
        table.to_csv(options.csv)
    if options.json:
        print_json(table.to_json())
    else:
        text_view.print_table(table)
    return EXIT_DONE


def predict(options: argparse.Namespace) -> int:
    """`predict`."""
    table = LatencyTable.load(options.table, allow_other_host=True)
    if table.row_model is None:
        raise InputError(
            f"a table with enough rows to learn from in {options.table}",
            f"{len(table.rows)} rows",
            "measure this row itself",
        )
    short = read_model(options.short) if options.short else None
    vector = vector_channels(table.host.isa_flags)
    long = read_model(options.long)
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


def print_json(value: Any) -> None:
    """Prints one JSON object, of a record or of values with records inside."""
    print(json.dumps(strict_json.encode(value), indent=1, allow_nan=False))
