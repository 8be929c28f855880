"""`python3 -m device.startup FOLDER`: what a model costs and gives before it is timed.

A process of its own for one model: nothing else has taken memory or filled caches, and a model
that ends its process ends no measurement of others.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Optional

import numpy as np

from . import strict_json
from .errors import LatencyError, WorkerError
from .files import keep_text
from .flags import add_loading_flags, asked_loading
from .inputs import integer_ranges, random_inputs, read_arrays
from .job import Model, read_job
from .runner import ends_of, run_checked
from .sessions import create_session, pinned
from .settings import SessionSettings
from .text import visible

STARTUP_FILE = "startup.json"
# Outputs are compared in thousandths of the largest one: other kernels round the last digits.
OUTPUT_STEPS = 1000


@dataclass(frozen=True)
class Startup:
    """The content of startup.json: a model's first moments, in a process of its own.

    Args:
        session_ms: Time to create the session: reading, optimising, laying out weights.
        first_run_ms: Time of the first run, which allocates.
        peak_bytes: Most memory that the process took for the model, above what it had before;
            None where the system does not say.
        outputs_sha256: SHA-256 of the outputs on the first input of the seed. Each output is
            divided by its own largest magnitude and rounded to thousandths.
    """

    SCHEMA_VERSION: ClassVar[int] = 1

    session_ms: float
    first_run_ms: float
    peak_bytes: Optional[int]
    outputs_sha256: str


def start(model: Model, settings: SessionSettings, seed: int) -> Startup:
    """Loads a model and runs it: once timed, then on the least and the greatest integers.

    Ids that are drawn later lie between these: a model that takes both takes all of them.

    Args:
        model: That is started.
        settings: Of the session.
        seed: Of drawn inputs.

    Raises:
        WorkerError: It does not load, or does not run.
    """
    before_bytes = _memory_bytes("VmRSS")
    _forget_peak()
    begun = time.perf_counter()
    session = create_session(model.data, settings)
    session_ms = (time.perf_counter() - begun) * 1e3
    given = read_arrays(model.inputs)
    ranges = integer_ranges(session, model.data, given)
    feeds = random_inputs(session, seed, given, ranges)
    names = [output.name for output in session.get_outputs()]
    begun = time.perf_counter()
    outputs = run_checked(partial(session.run, names, feeds))
    first_run_ms = (time.perf_counter() - begun) * 1e3
    peak_bytes = _memory_bytes("VmHWM")
    for ends in ends_of(feeds, ranges):
        values = ", ".join(f"{name} of {int(array.flat[0])}" for name, array in ends.items())
        run_checked(partial(session.run, names, {**feeds, **ends}), f" on {values}")
    known = before_bytes is not None and peak_bytes is not None
    return Startup(
        round(session_ms, 3),
        round(first_run_ms, 3),
        max(0, peak_bytes - before_bytes) if known else None,  # type: ignore[operator]
        outputs_sha256(outputs),
    )


def outputs_sha256(outputs: Sequence[Any]) -> str:
    """SHA-256 of outputs, each in thousandths of its own largest magnitude.

    Args:
        outputs: Of one run; what is no array of numbers counts by its type alone.
    """
    digest = hashlib.sha256()
    for output in outputs:
        is_numbers = isinstance(output, np.ndarray) and output.dtype.kind in "fiub"
        digest.update(_thousandths(output) if is_numbers else type(output).__name__.encode())
    return digest.hexdigest()


def _thousandths(output: np.ndarray) -> bytes:
    values = np.nan_to_num(output.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    largest = float(np.max(np.abs(values), initial=0.0))
    steps = np.rint(values / (largest or 1.0) * OUTPUT_STEPS).astype("<i2")
    return repr(output.shape).encode() + steps.tobytes()


def _memory_bytes(name: str) -> int | None:
    """Resident memory now (VmRSS) or at most (VmHWM), as Linux tells it."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as stream:
            lines = dict(line.split(":", 1) for line in stream if ":" in line)
        return int(lines[name].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _forget_peak() -> None:
    """Begins a new count of the most memory; without it, importing libraries may hide a model."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
            stream.write("5")
    except OSError:
        return  # Not this system's way, or not allowed: the peak since the process began, then.


def main(arguments: Sequence[str]) -> int:
    """Starts the one model of a job's folder and writes startup.json beside it."""
    parser = argparse.ArgumentParser(
        prog="python3 -m device.startup", description="Starts one model.", allow_abbrev=False
    )
    parser.add_argument("folder", metavar="FOLDER")
    add_loading_flags(parser)
    options = parser.parse_args(arguments)
    # Said by numpy wherever denormals count as zero, as they do here on purpose.
    warnings.filterwarnings("ignore", message="The value of the smallest subnormal")
    try:
        work, _ = read_job(options.folder, asked_loading(options))
        if len(work.models) != 1:
            raise WorkerError("a job of one model", f"{len(work.models)}", "give each its own")
        with pinned(work.settings.affinity):
            found = start(work.models[0], work.settings, work.plan.seed)
        keep_text(os.path.join(options.folder, STARTUP_FILE), strict_json.dumps(found))
    except (OSError, LatencyError) as error:
        print(f"error: {visible(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
