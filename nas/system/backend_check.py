"""Whether training will be possible, found out before images are read or anything is measured."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from latency.device.cache_folder import NoHomeError, cache_folder
from latency.measurement.measure import last_words
from nas.errors import InputError
from nas.system.backend import Compute, not_startable
from nas.system.chosen_backend import VARIABLE, chosen_backend, running_backend
from nas.system.devices import own_device_count

# What is imported where a run ends, hours after it began.
LATE_PACKAGES = ("onnx", "onnxruntime", "scipy.optimize", "scipy.special", "scipy.stats")
# A library may end its process where it cannot run, and a table must be measured in a process
# without a framework: the backend is tried in another one.
_TRIAL = """
import json, sys
from latency.errors import LatencyError
from nas.system.backend import Compute, start
try:
    start(Compute(sys.argv[1], sys.argv[2] == "parallel"))
    if sys.argv[2] != "single":
        import keras
        print(len(keras.distribution.list_devices()))
except LatencyError as error:
    print(json.dumps([error.expected, error.received, error.fix]))
    sys.exit(3)
"""
_REFUSED = 3
# Beginnings of the variables that decide whether a framework starts.
READ_VARIABLES = ("CUDA", "JAX", "KERAS", "LD_", "NPROC", "OMP", "PJRT", "PYTORCH", "TF_", "XLA")


def check_starts(compute: Compute) -> int:
    """Refuses a backend that does not start here as a run will start it.

    Args:
        compute: What Keras is to compute with.

    Returns:
        Devices of this host that batches are divided over, 1 where they are not divided.

    Raises:
        InputError: The backend is unknown, not installed, broken or not the one that this process
            runs, or it cannot do what is asked of it.
    """
    compute.check()
    chosen = chosen_backend()
    chosen.check_here()
    if running_backend() is None:
        return _try(compute, chosen.name)
    return own_device_count() if compute.data_parallel else 1


@functools.cache
def _try(compute: Compute, name: str) -> int:
    """Starts the backend in a process of its own; once is enough for one installation.

    Returns:
        Devices that batches are divided over.
    """
    mode = "parallel" if compute.data_parallel else "single"
    if compute.processes > 1:
        mode = "beside others"  # one device of its own is enough then
    compute = compute.alone
    started = _started_file(compute, name, mode)
    if started is not None and started.is_file() and (known := _count(started.read_text("ascii"))):
        return known
    command = [sys.executable, "-P", "-c", _TRIAL, compute.mixed_precision, mode]
    root = str(Path(__file__).resolve().parents[2])
    # What this process finds is what that one must find.
    variables = {"PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)]), VARIABLE: name}
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **variables}, check=False
    )
    if done.returncode == _REFUSED:
        raise InputError(*json.loads(done.stdout.splitlines()[-1]))
    if done.returncode:
        raise not_startable(name, last_words(done))
    devices = _count(done.stdout) or 1
    _keep(started, devices)
    return devices


def _count(text: str) -> int:
    """The number in the last line of a text; 0 where there is none."""
    last = text.split()[-1:]
    return int(last[0]) if last and last[0].isdecimal() else 0


def _started_file(compute: Compute, name: str, mode: str) -> Path | None:
    """Kept once the backend has started here; None where nothing can be kept.

    Its name stands for all that a start depends on: the interpreter, where packages are looked
    for, which are installed and since when, and the variables that frameworks read.
    """
    installed = []
    for folder in sys.path:
        with contextlib.suppress(OSError):
            installed += [
                (entry.path, entry.stat().st_mtime_ns)
                for entry in os.scandir(folder or ".")
                if entry.name.endswith((".dist-info", ".egg-info"))
            ]
    variables = {key: value for key, value in os.environ.items() if key.startswith(READ_VARIABLES)}
    facts = [
        sys.executable,
        sys.version,
        sys.path,
        sorted(installed),
        variables,
        asdict(compute),
        mode,
    ]
    digest = hashlib.sha256(json.dumps([name, *facts], sort_keys=True).encode()).hexdigest()
    with contextlib.suppress(NoHomeError):
        return cache_folder() / "backends" / digest[:24]
    return None


def _keep(started: Path | None, devices: int) -> None:
    if started is None:
        return
    with contextlib.suppress(OSError):  # then it is tried again the next time
        started.parent.mkdir(parents=True, exist_ok=True)
        started.write_text(f"{devices}\n", "ascii")


def check_late_packages() -> None:
    """Imports what a run needs at its end.

    Raises:
        InputError: A package is missing or broken.
    """
    for name in LATE_PACKAGES:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            package = name.partition(".")[0]
            raise InputError(
                f"the package {package}, which the run needs at its end",
                f"{type(error).__name__}: {error}",
                f"`pip install --force-reinstall {package}`",
            ) from error
