#!/usr/bin/env python3
"""How well latency tables predict, and whether `check` tells a good table from a stale one.

    python benchmarks/latency_audit.py --folder audits --json

Every table is built in a process of its own by scripts/build_latency_table.py; every check is a
process of its own too. What a folder already holds is not measured again. See benchmarks/README.md.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from rich.table import Table

from latency import atomic, shell
from latency.cli.parser import OutputFolder, Parser
from latency.device import strict_json
from latency.device.host import current_host
from latency.device.settings import SessionSettings
from latency.device.statistics import Visit
from latency.measurement import statistics
from latency.measurement.measure import Model, measure_fresh_process
from latency.tables.predictor import AUDIT_LINES, audit
from latency.tables.table import LatencyTable
from nas.architecture.text import to_text
from nas.hardware.measurement import network_bytes
from nas.hardware.plans import CHOICE_PLAN, SMOKE_PLAN
from nas.hardware.predictor import SpaceLatency
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.system.console import err, out

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "scripts" / "build_latency_table.py"
# Space, image size and precision; the last two are printed whatever they are.
CASES = (
    ("tiny", 64, "fp32"),
    ("cifar", 32, "fp32"),
    ("tiny_se", 64, "fp32"),
    ("tiny", 64, "int8"),
)
SCALE = 1.15
OTHER_LEVEL = "extended"


def build(case: tuple[str, int, str], seed: int, folder: Path, flags: list[str]) -> dict[str, Any]:
    """Builds one table in a fresh process, or reads what an earlier run measured."""
    space, size, precision = case
    name = "-".join([space, f"{size}px", precision, f"seed{seed}", *_short(flags)])
    table, figures = folder / f"{name}.json", folder / f"{name}.figures.json"
    if not figures.is_file():
        command = [sys.executable, str(SCRIPT), "--json", "--space", space]
        command += ["--image_size", str(size), "--precision", precision, "--seed", str(seed)]
        command += ["--output", str(table), *flags]
        err.print(f"building {name}", markup=False)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
        atomic.write_text(figures, done.stdout)
    values: dict[str, Any] = json.loads(figures.read_text(encoding="utf-8"))
    return {**values, "space": space, "precision": precision, "seed": seed, "table": str(table)}


def _short(flags: list[str]) -> list[str]:
    return ["_".join(flags).replace("--", "")] if flags else []


def scaled(table: LatencyTable, factor: float) -> LatencyTable:
    """The table as it would be if this machine had been slower by a factor."""

    def times(visits: Sequence[Visit]) -> tuple[Visit, ...]:
        return tuple(
            replace(visit, runs_ms=tuple(run * factor for run in visit.runs_ms)) for visit in visits
        )

    rows = {
        key: replace(
            row,
            latency_ms=row.latency_ms * factor,
            low_ms=row.low_ms * factor,
            high_ms=row.high_ms * factor,
            visits={name: times(visits) for name, visits in row.visits.items()},
        )
        for key, row in table.rows.items()
    }
    networks = {}
    for key, network in table.networks.items():
        reading = network.measurement
        measurement = replace(reading, visits=times(reading.visits))
        networks[key] = replace(network, measurement=measurement)
    c = table.calibration
    calibration = replace(c, b_ms=c.b_ms * factor, c_ms=c.c_ms * factor) if c else None
    a = table.audit
    points = tuple((key, p * factor, m * factor) for key, p, m in a.points) if a else ()
    audit = replace(a, points=points) if a else None
    return replace(table, rows=rows, networks=networks, calibration=calibration, audit=audit)


def check(table: Path, flags: Sequence[str] = ()) -> dict[str, Any]:
    """`python -m latency check` in a fresh process."""
    command = [sys.executable, "-m", "latency", "check", str(table), "--json", *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, cwd=ROOT)
    value = json.loads(done.stdout)
    residuals = [abs(point["residual_percent"]) for point in value["points"]]
    kept = ("verdict", "drift", "stored_drift", "fast_drift", "other_cores", "seconds")
    return {
        **{name: value[name] for name in kept},
        "largest_residual_percent": max(residuals),
        "exit_code": done.returncode,
    }


def checks(
    good: Path, other_level: Path, folder: Path, times: int, flags: Sequence[str]
) -> list[dict[str, Any]]:
    """The good table several times, then the two stale ones."""
    path = folder / "checks.json"
    found: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    table = LatencyTable.load(good)
    stale = folder / "scaled.json"
    scaled(table, SCALE).save(stale)
    # Says of itself that it was measured as networks are deployed, which is not so.
    wrong = folder / "wrong-level.json"
    replace(LatencyTable.load(other_level), settings=SessionSettings()).save(wrong)
    cases = [("good", good)] * times
    cases += [(f"scaled by {SCALE}", stale), (f"measured at {OTHER_LEVEL}", wrong)]
    for number, (name, file) in enumerate(cases):
        if number >= len(found):
            found.append({"table": name, **check(file, flags)})
            err.print(f"check {number}: {name}: {found[-1]['verdict']}", markup=False)
            atomic.write_json(path, found)
    return found


def uniform_networks(space: Space, count: int, seed: int) -> list[tuple[int, ...]]:
    """Plain random draws, which crowd in the middle of the range: the hardest to rank."""
    rng = np.random.default_rng((seed, 77))
    return list({space.even_indices(rng): None for _ in range(count)})


def uniform_audit(table_path: Path, space: Space, count: int, smoke: bool) -> dict[str, Any]:
    """Judges a table by uniformly drawn networks, measured in a process of their own."""
    latency = SpaceLatency.from_table(space, LatencyTable.load(table_path))
    drawn = uniform_networks(space, count, 0)
    names = {to_text(space.decode(indices)): indices for indices in drawn}
    plan = SMOKE_PLAN if smoke else CHOICE_PLAN
    graphs = {name: network_bytes(space.decode(indices)) for name, indices in names.items()}
    models = [Model(name, data, name) for name, data in graphs.items()]
    measured = measure_fresh_process(models, SessionSettings(), plan)
    found = audit(
        {name: latency.predict_ms(indices) for name, indices in names.items()},
        {name: reading.latency_ms for name, reading in measured.items()},
        {
            name: statistics.half_values([reading.runs_ms], [1.0], reading.quantile, 0)
            for name, reading in measured.items()
        },
    )
    figures: dict[str, Any] = strict_json.encode(found)
    del figures["points"]
    return figures


def view(results: list[dict[str, Any]]) -> Table:
    """One line a table; the noise floor of each figure in brackets."""
    table = Table(title="Audits (noise floor in brackets)", title_justify="left")
    for title in ("table", "s", "graphs", "n", *(title for title, _, _ in AUDIT_LINES)):
        table.add_column(title)
    for value in results:
        figures, noise = value["audit"], value["audit"]["noise"]
        cells = [
            f"{form.format(figures[name])} ({form.format(noise[name])})"
            for _, name, form in AUDIT_LINES
        ]
        label = f"{value['space']} {value['precision']}, seed {value['seed']}"
        seconds, graphs = f"{value['seconds']['all']:.0f}", str(value["graphs"])
        table.add_row(label, seconds, graphs, str(figures["n"]), *cells)
    return table


def main(arguments: list[str] | None = None) -> int:
    """Measures everything and prints it."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--folder", action=OutputFolder, type=Path, required=True, help="keeps tables and figures"
    )
    parser.add_argument("--runs", type=int, default=3, help="tables of each case (3)")
    parser.add_argument("--checks", type=int, default=10, help="checks of the good table (10)")
    parser.add_argument("--uniform", type=int, default=50, help="uniformly drawn networks (50)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--smoke", action="store_true", help="toy size; figures mean nothing")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    flags = ["--smoke"] if options.smoke else []
    cases = [("toy", 32, "fp32"), ("toy", 32, "int8")] if options.smoke else CASES
    results = [
        build(case, seed, options.folder, flags) for case in cases for seed in range(options.runs)
    ]
    space = get_space(cases[0][0], cases[0][1])
    first = Path(results[0]["table"])
    uniform = [
        {
            "table": result["table"],
            **uniform_audit(Path(result["table"]), space, count, options.smoke),
        }
        for result in results[: options.runs]
        for count in [options.uniform]
        if count
    ]
    short = ["--max_rounds", "12", "--max_wait_seconds", "0"] if options.smoke else []
    level_flags = [*flags, "--graph_level", OTHER_LEVEL]
    other = build(cases[0], 0, options.folder, level_flags)
    found = (
        checks(first, Path(other["table"]), options.folder, options.checks, short)
        if options.checks
        else []
    )
    value = {
        "audits": results,
        "uniform": uniform,
        "checks": found,
        "host": current_host().to_json(),
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.date.today().isoformat(),
    }
    atomic.write_json(options.folder / "latency_audit.json", value)
    if options.json:
        print(json.dumps(value, indent=1))
        return 0
    out.print(view(results))
    for entry in found:
        out.print(entry, markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
