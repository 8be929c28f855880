"""The smallest whole run: the space `toy` at 32 px on a few images of the sample.

Made once a session and shared by all worker processes; a test that changes it takes a copy.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from latency.device.statistics import Visit
from latency.tables import seal
from latency.tables.build import audit_networks
from latency.tables.networks import fit_networks
from latency.tables.rows import Row
from latency.tables.table import LatencyTable
from nas.hardware.rows import architecture_row_keys
from nas.search_space.named import get_space
from nas.search_space.space import Space
from tests.support.programs import run_program

IMAGE_SIZE = 32
SAMPLE_CLASSES = 12
# What makes a run a toy.
TOY = ("--smoke", "--space", "toy", "--image_size", str(IMAGE_SIZE))


def toy_space() -> Space:
    """The space of toy runs, with the sample's classes."""
    return get_space("toy", IMAGE_SIZE, SAMPLE_CLASSES)


def once(folder: Path, name: str, make: Callable[[Path], None]) -> Path:
    """What the first process to ask makes, and the others wait for.

    Args:
        folder: Shared by the processes.
        name: Of the file or folder below it.
        make: Makes it at the path that it gets.
    """
    path, made = folder / name, folder / f"{name}.made"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            # Half of it may be there from a process that failed.
            shutil.rmtree(path, ignore_errors=True)
            make(path)
            made.touch()
    return path


def make_table(path: Path) -> None:
    """A table of the toy space: measured on this host, then with milliseconds that are made up.

    A few rounds say little, and tests must not depend on it. All that is read of a row is its
    latency: an expansion of 3 is one unit, of 6 two units, whatever the kernel, and everything
    fixed together five. The space then has networks of 6, 7, 8 and 9 units, several of each.

    Args:
        path: Of the file.
    """
    flags = ("--num_classes", str(SAMPLE_CLASSES), "--output", str(path))
    done = run_program("scripts/build_latency_table.py", *TOY, *flags)
    if done.exit_code:
        raise RuntimeError(done.err)
    table, space = LatencyTable.load(path), toy_space()
    fixed = {key for key in table.rows if "_e3_" not in key and "_e6_" not in key}
    # A network's milliseconds stay about what this host takes for it.
    unit_ms = table.predict_ms(architecture_row_keys(space.largest())) / 9
    rows = {}
    for number, (key, row) in enumerate(table.rows.items()):
        units = 5 / len(fixed) if key in fixed else 1 if "_e3_" in key else 2
        rows[key] = _row_of(row, units * unit_ms, number)
    networks = {}
    for number, (key, network) in enumerate(table.networks.items(), start=len(rows)):
        ms = sum(rows[name].latency_ms for name in network.row_keys)
        measurement = replace(network.measurement, visits=_visits(ms, number))
        networks[key] = replace(network, measurement=measurement)
    calibration = fit_networks(rows, networks)
    if calibration is None:
        raise RuntimeError(f"{path} has no calibration")
    # They are that but for the last digits.
    calibration = replace(calibration, a=1.0, b_ms=0.0)
    audit = audit_networks(rows, networks, calibration, table.run_overhead_ms)
    replace(table, rows=rows, networks=networks, calibration=calibration, audit=audit).save(path)


def _row_of(row: Row, ms: float, number: int) -> Row:
    """A row with samples that give these milliseconds; `number` is another one for each."""
    short_ms = 0.01
    visits = {
        "long": _visits(short_ms + row.divisor * ms, number),
        "short": _visits(short_ms, number),
    }
    count = sum(len(visit.runs_ms) for visit in visits["long"])
    return replace(
        row, latency_ms=ms, low_ms=0.99 * ms, high_ms=1.01 * ms, visits=visits, count=count
    )


def _visits(ms: float, number: int) -> tuple[Visit, ...]:
    """Visits whose lower quantiles are these milliseconds; no two numbers give the same."""
    return (Visit((ms, ms, ms, ms * (1.5 + 0.001 * number))),) * 10


def make_run(path: Path, table: Path) -> None:
    """A finished search of the toy space, `nas.py --lambda 0.1`.

    Args:
        path: Run folder.
        table: From `make_table`.
    """
    files = ("--table", str(table), "--run_dir", str(path))
    done = run_program("nas.py", "--lambda", "0.1", *TOY, *files)
    if done.exit_code:
        raise RuntimeError(done.err)
    # Tests read what the program said, too.
    (path / "stdout.txt").write_text(done.out, "utf-8")


def make_retrained(path: Path, run: Path) -> None:
    """The same run after `main.py`, with its baselines.

    Args:
        path: Run folder.
        run: From `make_run`; it is copied.
    """
    shutil.copytree(run, path)
    done = run_program("main.py", "--run", str(path))
    if done.exit_code:
        raise RuntimeError(done.err)


def changed_table(table: Path, path: Path, **changes: object) -> Path:
    """Writes a table with other values of some keys.

    Args:
        table: Taken as it is but for the changes.
        path: Where the other one is written.
        changes: Top-level keys, sealed as if the program had written them.
    """
    data = seal.unsealed(json.loads(table.read_text("utf-8")))
    path.write_text(json.dumps(seal.sealed({**data, **changes})), "utf-8")
    return path
