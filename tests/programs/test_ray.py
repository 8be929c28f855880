"""Workers on a real Ray cluster of this machine; skipped where Ray is missing."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cluster_nodes import ENVIRONMENT, Nodes, cluster_nodes
from nas.errors import InputError
from nas.executors import ray_cluster
from nas.executors.batch import Batch
from nas.executors.choice import executor_of
from nas.executors.cluster_executor import ClusterExecutor, Shared
from nas.executors.messages import Done, Event, Failed, Job, Progress
from nas.executors.needs import ExecutorConfig, Needs
from nas.executors.ray_cluster import RayCluster
from nas.hardware.tables import table_job
from nas.pipeline.device_table import JOB_FOLDER, DeviceMeasuring
from nas.recipes.scales import SMOKE
from nas.runs.folder import RunFolder
from nas.runs.records import TrainedRecord
from nas.runs.trials_record import TrialsRecord
from nas.system.interrupt import Interrupter
from tests.support.programs import ROOT, run_program
from tests.support.toy import toy_space

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray here"),
    pytest.mark.filterwarnings("ignore"),  # of Ray's own code
]
TASK = "tests.support.worker_tasks:obedient"
WAIT_S = 240.0


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nodes]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    # On a machine of which little is left, a cluster that is there takes longer to say so.
    monkeypatch.setattr(ray_cluster, "CONNECT_SECONDS", WAIT_S)
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
def test_job_that_kills_its_worker_is_tried_twice_and_the_others_are_done(
    cluster: Nodes, tmp_path: Path
) -> None:
    executor = opened(cluster, tmp_path)
    done: list[str] = []
    failed: list[tuple[str, str]] = []
    try:
        Batch(
            executor,
            Interrupter(),
            on_done=lambda job, _: done.append(job.id),
            on_failed=lambda job, failure: failed.append((job.id, failure.cause)),
        ).run(
            [
                Job("poisoned", {"do": "die"}),
                *(Job(name, {"do": "answer", "value": 1}) for name in "ab"),
            ]
        )
    finally:
        executor.close()
    assert sorted(done) == ["a", "b"] and failed == [("poisoned", "died")]


@pytest.mark.cluster
def test_a_table_is_measured_where_the_device_hangs_or_the_cluster_is_told(
    cluster: Nodes, tmp_path: Path
) -> None:
    job = table_job(toy_space(), 0, SMOKE.measuring)
    measuring = DeviceMeasuring(ExecutorConfig("ray", cluster.address), Interrupter())
    with pytest.raises(InputError) as caught:
        measuring.table(job, "pi", tmp_path / "table.json")
    assert "the device pi" in caught.value.expected and "1 CPU" in caught.value.received
    assert "no device in the cluster after 30 s" in caught.value.received
    cluster.add(**{"device:pi": 1})
    table = measuring.table(job, "pi", tmp_path / "table.json")
    assert table.job_id == job.workload.job_id and table.host.onnxruntime
    assert not (tmp_path / JOB_FOLDER).exists()


@pytest.mark.cluster
def test_seeds_go_on_after_their_driver_and_the_head_were_killed(
    cluster: Nodes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--smoke", "--seeds", "3", "--network", "in_s32 cn_k3_s2_c8 gap fc_c12"]
    run = tmp_path / "ray"
    on_ray = ["--executor", "ray", "--ray_address"]
    asked = ["main.py", *words, "--run_dir", str(run), *on_ray, cluster.address]
    code = f"""
from nas.cli.start import run_retrain
from nas.executors import ray_cluster
ray_cluster.CONNECT_SECONDS = {WAIT_S}
run_retrain({asked!r})
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as driver:
        wait_until((run / "retrained" / "searched.json").exists)
        driver.kill()
    for node in list(cluster.started):
        cluster.kill(node)
    before = (run / "retrained" / "searched.json").stat().st_mtime_ns
    with tempfile.TemporaryDirectory(prefix="r") as folder, cluster_nodes(Path(folder)) as other:
        done = run_program("main.py", "--run", str(run), *on_ray, other.address)
    assert done.exit_code == 0, done.err
    assert (run / "retrained" / "searched.json").stat().st_mtime_ns == before
    done = run_program("main.py", *words, "--run_dir", str(tmp_path / "here"))
    assert done.exit_code == 0, done.err
    # All but what was measured.
    found = [
        [
            replace(RunFolder(tmp_path / name).read(TrainedRecord, name=key), seconds=0.0)
            for key in TrainedRecord.keys(["searched"], 0, 3)
        ]
        for name in ("here", "ray")
    ]
    assert found[0] == found[1]


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
    with subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2]) as driver:
        wait_until(there.exists)
        driver.kill()
    executor = opened(cluster, tmp_path)
    try:
        assert executor.free == 1
    finally:
        executor.close()


def test_a_node_that_ended_is_told(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(RuntimeError, match="a node of the Ray cluster ended"):
        Nodes(tmp_path, started=[ended]).wait()


@pytest.mark.cluster
def test_a_cluster_of_benchmarks_has_all_of_its_nodes() -> None:
    with tempfile.TemporaryDirectory(prefix="r") as folder, cluster_nodes(Path(folder), 2) as made:
        found = RayCluster(made.address, WAIT_S)
        there = [dict(node.resources).get("CPU", 0) for node in found.nodes()]
        found.close()
        assert sorted(there) == [0, 1, 1]
        made.kill(made.started[-1])
        made.add()
        made.wait()


@pytest.mark.cluster
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("program", "more"),
    [
        ("cluster_jobs", ["--smoke"]),
        (
            "cluster_halving",
            ["--smoke", "--trials", "4", "--rounds", "1", "--epochs", "4", "--kill_after_s", "3"],
        ),
    ],
)
def test_benchmarks_run_at_toy_size(program: str, more: list[str]) -> None:
    path = ROOT / "benchmarks" / f"{program}.py"
    done = subprocess.run([sys.executable, str(path), *more], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    if program == "cluster_halving":
        assert about["ended_at_rungs"]["ray_killed"] == about["ended_at_rungs"]["local_1"]
        assert all(about["same_values"].values())
        assert about["legs_trained_again"]["ray_killed"] >= 1
