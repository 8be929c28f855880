"""Workers on a real Ray cluster of this machine; skipped where Ray is missing, as in CI."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.cluster_nodes import ENVIRONMENT, Nodes, cluster_nodes
from nas.executors.choice import executor_of
from nas.executors.cluster_executor import ClusterExecutor, Shared
from nas.executors.messages import Done, Event, Failed, Job, Progress
from nas.executors.needs import ExecutorConfig, Needs
from nas.runs.folder import RunFolder
from nas.runs.trials_record import TrialsRecord
from tests.support.programs import run_program

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray here"),
    pytest.mark.filterwarnings("ignore"),  # of Ray's own code
]
TASK = "tests.support.worker_tasks:obedient"
WAIT_S = 120.0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # Names of sockets may have 107 bytes, which pytest's own folders use up.
    with tempfile.TemporaryDirectory(prefix="r") as folder, cluster_nodes(Path(folder)) as made:
        yield made


def opened(
    cluster: Nodes, root: Path, needs: Needs | None = None, workers: int | None = None
) -> ClusterExecutor:
    asked = ExecutorConfig("ray", cluster.address, needs or Needs())
    shared = Shared(root, (), lambda payload: ("state.txt",))
    made = executor_of(asked, TASK, root / "workers", workers, shared)
    assert isinstance(made, ClusterExecutor)
    return made


def ends(executor: ClusterExecutor, count: int = 1) -> list[Event]:
    found: list[Event] = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        found += [event for event in executor.events(1.0) if not isinstance(event, Progress)]
    return found


def wait_until(is_so: object) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.1)


def test_job_is_done_on_a_node_and_its_log_comes_back(cluster: Nodes, tmp_path: Path) -> None:
    executor = opened(cluster, tmp_path)
    try:
        executor.submit(Job("a", {"do": "answer", "value": 21}))
        (done,) = ends(executor)
        assert isinstance(done, Done) and done.result["twice"] == 42
        log = (tmp_path / "workers" / "worker_0.log").read_text("utf-8")
        assert "printed by the task" in log
    finally:
        executor.close()


@pytest.mark.cluster
def test_killed_node_fails_its_job_and_a_late_one_takes_it(cluster: Nodes, tmp_path: Path) -> None:
    executor = opened(cluster, tmp_path)
    try:
        there = tmp_path / "there"
        executor.submit(Job("a", {"do": "hang", "file": str(there), "is_deaf": True}))
        wait_until(lambda: bool(executor.events(0.1)) or there.exists())
        cluster.kill(cluster.started[-1])
        cluster.add()
        (failed,) = ends(executor)
        assert isinstance(failed, Failed) and failed.cause == "died"
        wait_until(lambda: bool(executor.events(1.0)) or executor.free)
        executor.submit(Job("a", {"do": "answer", "value": 1}))
        assert isinstance(ends(executor)[0], Done)
    finally:
        executor.close()


@pytest.mark.cluster
def test_jobs_of_a_device_run_where_it_hangs_and_one_at_a_time(
    cluster: Nodes, tmp_path: Path
) -> None:
    cluster.add(cpus=4, **{"device:pi": 1})
    executor = opened(cluster, tmp_path, Needs(device="pi"))
    try:
        assert executor.free == 1
        for name in "ab":
            executor.submit(Job(name, {"do": "answer", "value": 1}))
            assert executor.free == 0
            assert isinstance(ends(executor)[0], Done)
    finally:
        executor.close()


@pytest.mark.cluster
def test_search_on_a_cluster_comes_to_the_values_of_one_machine(
    cluster: Nodes, tmp_path: Path
) -> None:
    words = ["--method", "asha", "--smoke", "--image_size", "32"]
    words += ["--network", "in_s32 cn_k3_s2_c8 gap fc_c12", "--tune", "learning_rate=log[1e-2,1]"]
    words += ["--max_trials", "4", "--reduction", "2", "--rungs", "2", "--max_epochs", "2"]
    words += ["--workers", "1", "--storage", "journal"]
    on_ray = ["--executor", "ray", "--ray_address", cluster.address]
    found = []
    for name, more in (("local", []), ("ray", on_ray)):
        done = run_program("nas.py", *words, *more, "--run_dir", str(tmp_path / name))
        assert done.exit_code == 0, done.err
        record = RunFolder(tmp_path / name).read(TrialsRecord)
        # All but what was measured: one worker makes the whole search a function of its seed.
        found.append(
            [
                (trial.configuration, [(rung.rung, dict(rung.reached)) for rung in trial.rungs])
                for trial in record.trials
            ]
        )
    assert found[0] == found[1] and any(len(rungs) == 2 for _, rungs in found[0])
    # What ended on the cluster is finished here, without Ray.
    done = run_program(
        "nas.py", "--run_dir", str(tmp_path / "ray"), "--resume", "--executor", "local"
    )
    assert done.exit_code == 0, done.err


@pytest.mark.cluster
def test_program_that_is_killed_leaves_no_worker(cluster: Nodes, tmp_path: Path) -> None:
    there = tmp_path / "there"
    code = f"""
from pathlib import Path
from nas.executors.messages import Job
from tests.programs import test_ray
from benchmarks.cluster_nodes import Nodes
made = test_ray.opened(Nodes(Path("."), {cluster.port}), Path({str(tmp_path)!r}))
made.submit(Job("a", {{"do": "hang", "file": {str(there)!r}, "is_deaf": True}}))
while True:
    made.events(1.0)
"""
    import sys

    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as driver:
        wait_until(there.exists)
        driver.kill()
    executor = opened(cluster, tmp_path)
    try:
        assert executor.free == 1
    finally:
        executor.close()
