#!/usr/bin/env python3
"""A device of a Ray cluster measures while this host's other core trains: does its clock tell?

    python benchmarks/cluster_latency.py --folder FOLDER [--space tiny] [--rounds 3] [--smoke]

A head and a node with the resource `device:bench` are started; the node has the first core of this
host to itself. The latency table of a space is measured through that resource, in turns on an idle
host and while a search trains two trials on the last core. Compared are the milliseconds of whole
networks, as their busy reading over the idle one of the same round. The same command goes on with
the tables that are there. Printed is one JSON object. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks.cluster_nodes import ENVIRONMENT, ROOT, Nodes, cluster_nodes
from latency import command_line, shell
from latency.cli.parser import Parser, Value
from latency.device.clock import now_text
from latency.tables.table import LatencyTable
from nas.errors import InputError
from nas.executors.needs import ExecutorConfig
from nas.executors.ray_cluster import check_ray
from nas.hardware.plans import FULL, TOY
from nas.hardware.tables import table_job
from nas.pipeline.device_table import DeviceMeasuring
from nas.pipeline.table import TABLE_FILE
from nas.search_space.named import get_space
from nas.system.environment import environment
from nas.system.interrupt import Interrupter

DEVICE = "bench"
STATES = ("idle", "busy")
CLASSES = 10
TRIALS_AT_A_TIME = 2
# More than are trained while a table is measured; the search is ended with it.
TRIALS = 1000
POLL_SECONDS = 0.2
BEGIN_SECONDS = 300.0


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in the block runs on one core.

    Args:
        core: Its number.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def trained(folder: Path, core: int) -> Iterator[None]:
    """Two trials train on a core for the length of the block.

    Args:
        folder: Of their run; it is removed.
        core: Its number.

    Raises:
        TimeoutError: They have not begun after some minutes.
    """
    words = ["--method", "asha", "--max_trials", str(TRIALS), "--workers", str(TRIALS_AT_A_TIME)]
    command = [sys.executable, str(ROOT / "nas.py"), *words, "--run_dir", str(folder)]
    shutil.rmtree(folder, ignore_errors=True)
    with on_core(core):
        program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + BEGIN_SECONDS
        while not (folder / "trial_curves.csv").is_file():
            if program.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"no trial that trains after {BEGIN_SECONDS:g} s")
            time.sleep(POLL_SECONDS)
        yield
    finally:
        program.terminate()
        try:
            program.wait(60)
        except subprocess.TimeoutExpired:
            program.kill()
            program.wait()
        shutil.rmtree(folder, ignore_errors=True)


def table(folder: Path, name: str, space_name: str, smoke: bool, nodes: Nodes) -> LatencyTable:
    """A table that was measured through the resource, or is measured now.

    Args:
        folder: Of all tables.
        name: Of this one.
        space_name: Of the search space.
        smoke: Whether it is of toy size.
        nodes: The cluster.
    """
    path = folder / name / TABLE_FILE
    if not path.is_file():
        space = get_space(space_name, num_classes=CLASSES)
        job = table_job(space, 0, TOY if smoke else FULL)
        asked = ExecutorConfig("ray", nodes.address)
        measuring = DeviceMeasuring(asked, Interrupter())
        path.parent.mkdir(parents=True, exist_ok=True)
        measuring.table(job, DEVICE, path)
    return LatencyTable.load(path, allow_other_host=True)


def ratios(busy: LatencyTable, idle: LatencyTable) -> list[float]:
    """Busy milliseconds of each whole network over its idle ones.

    Args:
        busy: Table that was measured while others trained.
        idle: Of the same models.
    """
    return [
        network.measurement.latency_ms / idle.networks[key].measurement.latency_ms
        for key, network in busy.networks.items()
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measures the tables in turns, and prints how far they are apart."""
    parser = Parser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the tables")
    parser.add_argument("--space", default="tiny", help="search space (tiny)")
    parser.add_argument("--rounds", action=Value, type=int, default=3, help="idle and busy (3)")
    parser.add_argument("--smoke", action="store_true", help="toy size, to try it")
    options = parser.parse_args(arguments)
    version = check_ray()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise InputError("two cores or more", f"{len(cores)}", "run it on another machine")
    os.environ.update(ENVIRONMENT)
    folder: Path = options.folder.resolve()
    found, loads = [], []
    with (
        tempfile.TemporaryDirectory(prefix="r") as made,
        cluster_nodes(Path(made) / "s", 0) as nodes,
    ):
        with on_core(cores[0]):
            nodes.add(1, **{f"device:{DEVICE}": 1.0})
        nodes.wait()
        for number in range(options.rounds):
            loads.append(round(os.getloadavg()[0], 2))
            one = (options.space, options.smoke, nodes)
            idle = table(folder, f"idle_{number}", *one)
            if (folder / f"busy_{number}" / TABLE_FILE).is_file():
                busy = table(folder, f"busy_{number}", *one)
            else:
                with trained(folder / "trials", cores[-1]):
                    busy = table(folder, f"busy_{number}", *one)
            found.append(ratios(busy, idle))
    medians = [float(np.median(one)) for one in found]
    words = arguments if arguments is not None else sys.argv[1:]
    about = {
        "command": command_line.join(["python", "benchmarks/cluster_latency.py", *words]),
        "date": now_text(),
        "networks": len(found[0]),
        "busy_over_idle": [round(median, 4) for median in medians],
        "farthest_from_1": round(max(abs(median - 1) for median in medians), 4),
        "single_networks_from": round(min(map(min, found)), 4),
        "single_networks_to": round(max(map(max, found)), 4),
        "load_average_before": loads,
        "ray": version,
        "environment": vars(environment()),
    }
    print(json.dumps(about, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
