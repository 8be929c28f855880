"""The latency table of a device that hangs on a node of a cluster, measured there.

The measuring job is the folder that `python -m latency` and ssh know, too. It runs on a node that
offers the device, alone: the device is a resource of which there is one.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from latency.device.job import JOURNAL_FILE, RESULT_FILE
from latency.errors import LatencyError
from latency.jobs.folder import export_job, read_results
from latency.jobs.job import Job as MeasuringJob
from latency.tables.build import table_of
from latency.tables.table import LatencyTable
from nas.errors import InputError
from nas.executors.batch import Batch
from nas.executors.choice import executor_of
from nas.executors.cluster_executor import Shared
from nas.executors.executor import WORKERS_FOLDER
from nas.executors.messages import Failed, Job
from nas.executors.needs import ExecutorConfig
from nas.hardware.device_work import TASK
from nas.system.console import bar, out
from nas.system.interrupt import Interrupter

# Of the run's folder; it is gone once there is a table.
JOB_FOLDER = "device_job"
PACKAGES = ("numpy", "onnxruntime")


@dataclass(frozen=True)
class DeviceMeasuring:
    """Who measures on devices of a cluster.

    Args:
        executor: Where workers run.
        interrupter: Asked whether to stop.
    """

    executor: ExecutorConfig
    interrupter: Interrupter

    def table(self, job: MeasuringJob, device: str, path: Path) -> LatencyTable:
        """Measures a table; a measurement that was stopped goes on with its finished rounds.

        Args:
            job: What is measured.
            device: Name of the device.
            path: Of the table's file in the folder of the run, which keeps the job meanwhile.

        Raises:
            InputError: No node has the device, or it cannot measure.
            Interrupted: A signal came; finished rounds are kept.
        """
        root = path.parent.resolve()
        folder = root / JOB_FOLDER
        export_job(job, folder)
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        names = [path.relative_to(root).as_posix() for path in files]
        # What the program changes goes back and forth; the rest is read alone.
        names += [f"{JOB_FOLDER}/{name}" for name in (JOURNAL_FILE, RESULT_FILE)]
        shared = Shared(root, (), lambda _: tuple(dict.fromkeys(names)), (), PACKAGES)
        asked = replace(self.executor, needs=replace(self.executor.needs, device=device))
        try:
            executor = executor_of(asked, TASK, root / WORKERS_FOLDER, 1, shared)
        except LatencyError:
            if not (folder / JOURNAL_FILE).exists():  # a measurement that never began
                shutil.rmtree(folder)
            raise
        with closing(executor), bar(f"Measuring the latency table on {device}") as shown:
            Batch(
                executor,
                self.interrupter,
                on_done=lambda *_: None,  # result.json is there by now
                on_failed=lambda _, failure: _refuse(device, failure),
                on_change=lambda done, _: shown.update(done, 1, note=""),
            ).run([Job(f"table-{device}", {"run_dir": str(root), "job": JOB_FOLDER})])
        table = table_of(job, read_results(job, folder))
        table.save(path)  # before what it was made of is gone
        shutil.rmtree(folder, ignore_errors=True)
        host = table.host
        out.print(
            f"Measured on {device}: {host.cpu_model} of {host.hostname}, ONNX Runtime "
            f"{host.onnxruntime}",
            markup=False,
        )
        return table


def _refuse(device: str, failure: Failed) -> None:
    raise InputError(
        f"the device {device} to measure the table",
        f"{failure.cause}: {failure.message}",
        "mend what it says and go on with --resume: finished rounds are kept",
    )
