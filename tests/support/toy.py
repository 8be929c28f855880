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
    for key, row in table.rows.items():
        units = 5 / len(fixed) if key in fixed else 1 if "_e3_" in key else 2
        ms = units * unit_ms
        rows[key] = replace(row, latency_ms=ms, low_ms=0.99 * ms, high_ms=1.01 * ms)
    if table.calibration is None:
        raise RuntimeError(f"{path} has no calibration")
    calibration = replace(table.calibration, a=1.0, b_ms=0.0)
    replace(table, rows=rows, calibration=calibration).save(path)


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
        changes: Top-level keys.
    """
    data = json.loads(table.read_text("utf-8"))
    path.write_text(json.dumps({**data, **changes}), "utf-8")
    return path
