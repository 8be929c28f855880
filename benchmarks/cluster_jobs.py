#!/usr/bin/env python3
"""Empty jobs through a real Ray cluster of this machine: how many a second, in how much memory?

    python benchmarks/cluster_jobs.py [--jobs 5000] [--nodes 2] [--smoke]

A head and nodes of one core each are started as processes of their own. Jobs do nothing, so that
all of the time is the executor's: the driver, Ray, the relay and the pipe of the worker process.
The driver's memory is taken after the first tenth of the jobs and at the end. Printed is one JSON
object. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

from benchmarks.cluster_nodes import ENVIRONMENT, cluster_nodes
from latency import command_line, shell
from latency.cli.parser import Parser, Value
from latency.device.clock import now_text
from nas.executors.choice import executor_of
from nas.executors.cluster_executor import Shared
from nas.executors.executor import Executor
from nas.executors.messages import Done, Job
from nas.executors.needs import ExecutorConfig
from nas.executors.ray_cluster import check_ray
from nas.executors.task import Context
from nas.system.environment import environment

TASK = "benchmarks.cluster_jobs:nothing"
SMOKE_JOBS = 20


def nothing(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Does nothing.

    Args:
        payload: Likewise.
        context: Of the worker.
    """
    del payload, context
    return {}


def memory_mib() -> float:
    """What this process has in memory now, in MiB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 2**20


def run_jobs(executor: Executor, jobs: int) -> dict[str, float]:
    """Lets jobs be done, as many at a time as there are workers.

    Args:
        executor: That does them.
        jobs: How many, 10 or more.

    Raises:
        RuntimeError: One of them failed.
    """
    begun = done = 0
    early_mib = 0.0
    began_s = time.monotonic()
    while done < jobs:
        while begun < jobs and executor.free:
            executor.submit(Job(str(begun), {}))
            begun += 1
        for event in executor.events(1.0):
            if not isinstance(event, Done):
                raise RuntimeError(f"a job that is not done: {event}")
            done += 1
            if done == jobs // 10:
                early_mib = memory_mib()
    seconds = time.monotonic() - began_s
    return {
        "seconds": round(seconds, 3),
        "jobs_a_second": round(jobs / seconds, 1),
        "driver_mib_after_a_tenth": round(early_mib, 1),
        "driver_mib_at_the_end": round(memory_mib(), 1),
    }


def main(arguments: list[str] | None = None) -> int:
    """Starts a cluster, lets the jobs be done, and prints what it took."""
    parser = Parser(description=__doc__)
    parser.add_argument("--jobs", action=Value, type=int, default=5000, help="in all (5000)")
    parser.add_argument("--nodes", action=Value, type=int, default=2, help="of one core (2)")
    parser.add_argument("--smoke", action="store_true", help="a few jobs, to try it")
    options = parser.parse_args(arguments)
    version = check_ray()
    os.environ.update(ENVIRONMENT)
    jobs = SMOKE_JOBS if options.smoke else options.jobs
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="r") as folder:
        root = Path(folder)
        with cluster_nodes(root / "s", options.nodes) as nodes:
            shared = Shared(root, (), lambda _: ())
            asked = ExecutorConfig("ray", nodes.address)
            executor = executor_of(asked, TASK, root / "workers", options.nodes, shared)
            try:
                found = run_jobs(executor, jobs)
            finally:
                executor.close()
    words = arguments if arguments is not None else sys.argv[1:]
    about = {
        "command": command_line.join(["python", "benchmarks/cluster_jobs.py", *words]),
        "date": now_text(),
        "jobs": jobs,
        "nodes": options.nodes,
        "load_average_before": round(load, 2),
        "ray": version,
        "environment": vars(environment()),
    }
    print(json.dumps({**found, **about}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
