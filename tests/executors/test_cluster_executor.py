"""Workers on nodes of a cluster: who gets work, what travels, and what is refused before it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.errors import InputError
from nas.executors import cluster_executor, job_workers, places
from nas.executors.cluster import LostError, Node
from nas.executors.cluster_executor import ROOM_SECONDS, ClusterExecutor, Shared
from nas.executors.messages import Done, Event, Failed, Job, Progress
from nas.executors.needs import ExecutorConfig, Needs
from nas.executors.packages import fingerprint
from nas.executors.places import LOOK_SECONDS, MOST_BEGINNINGS
from nas.executors.relay import HELD, PREFIX, Order, Relay
from tests.support import stand_in_cluster
from tests.support.stand_in_cluster import Call, StandInCluster

TASK = "tests.support.stand_in_cluster:counts"
ONE_CORE = Needs()
ONE = Node("1", "ash", {"CPU": 2.0})
TWO = Node("2", "oak", {"CPU": 1.0, "GPU": 1.0, "device:pi": 1.0})


class Clock:
    """Seconds that pass where somebody sleeps, and a little with each look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        self.now_s += 0.001
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Clock:
    # Relays that no test closes leave nothing outside of the tests' own folder.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("node")))
    stand_in_cluster.in_process(monkeypatch)
    made = Clock()
    for module in (cluster_executor, job_workers, places):
        monkeypatch.setattr(
            module, "time", SimpleNamespace(**{"monotonic": made.monotonic, "sleep": made.sleep})
        )
    return made


def state(payload: Mapping[str, Any]) -> Sequence[str]:
    return (f"checkpoints/{payload['name']}.npz",)


def made(
    cluster: StandInCluster,
    root: Path,
    needs: Needs = ONE_CORE,
    workers: int | None = None,
    paths: tuple[str, ...] = (),
) -> ClusterExecutor:
    (root / "config.json").write_text("asked", "utf-8")
    shared = Shared(root, ("config.json",), state, paths, ("numpy",))
    return ClusterExecutor(cluster, root / "workers", TASK, shared, needs, workers, {})


def opened(cluster: StandInCluster, root: Path, **given: Any) -> ClusterExecutor:
    executor = made(cluster, root, **given)
    executor.open()
    return executor


def job(name: str, root: Path, **more: Any) -> Job:
    return Job(name, {"run_dir": str(root), "name": name, **more})


def ends(executor: ClusterExecutor, calls: int = 3) -> list[Event]:
    found = [event for _ in range(calls) for event in executor.events(0.1)]
    return [event for event in found if not isinstance(event, Progress)]


def test_jobs_go_on_from_the_drivers_file_which_the_driver_alone_writes(tmp_path: Path) -> None:
    cluster = StandInCluster([ONE])
    executor = opened(cluster, tmp_path, needs=Needs(cpus=2))
    executor.submit(job("a", tmp_path, fails=True))
    (failed,) = ends(executor)
    assert failed == Failed("a", "error", f"on {_host()}: the first try")
    kept = tmp_path / "checkpoints" / "a.npz"
    assert kept.read_text("utf-8") == "1"
    # Another program wrote it meanwhile: what stands here holds, and not what a worker had.
    kept.write_text("41", "utf-8")
    executor.submit(job("a", tmp_path, fails=True))
    assert ends(executor) == [Done("a", {"count": 42, "config": "asked"})]
    assert kept.read_text("utf-8") == "42"
    # A job without a file does not find that of another one.
    kept.unlink()
    executor.submit(job("a", tmp_path))
    assert ends(executor) == [Done("a", {"count": 1, "config": "asked"})]
    log = (tmp_path / "workers" / "worker_0.log").read_text("utf-8")
    assert log == "2 threads\n"
    copies = [one.relay._folder for one in cluster.started if one.relay is not None]
    executor.close()
    assert cluster.is_closed and copies and not any(path.exists() for path in copies)


def _host() -> str:
    import socket

    return socket.gethostname()


def test_workers_are_where_there_is_room_and_a_late_node_gets_work(
    tmp_path: Path, clock: Clock
) -> None:
    cluster = StandInCluster([ONE])
    executor = opened(cluster, tmp_path)
    assert executor.free == 2
    for name in "ab":
        executor.submit(job(name, tmp_path))
    assert executor.free == 0
    with pytest.raises(RuntimeError, match="none waits for a job"):
        executor.submit(job("c", tmp_path))
    cluster.there.append(TWO)
    clock.sleep(LOOK_SECONDS)
    assert [event.id for event in ends(executor)] == ["a", "b"]
    assert [one.node for one in cluster.started] == [ONE, ONE, TWO]
    assert executor.free == 3
    # Whoever names a number of workers has no more, wherever there is room.
    assert opened(StandInCluster([ONE, TWO]), tmp_path, workers=2).free == 2


def test_lost_node_fails_its_job_and_takes_no_other(tmp_path: Path, clock: Clock) -> None:
    cluster = StandInCluster([ONE, TWO])
    executor = opened(cluster, tmp_path)
    places = [executor.submit(job(name, tmp_path)) for name in "abc"]
    assert [place.worker.split(" on ")[1] for place in places] == ["ash", "ash", "oak"]
    cluster.there.remove(ONE)
    clock.sleep(LOOK_SECONDS)
    found = ends(executor)
    assert found[:2] == [Failed(n, "died", "on ash: the node is gone") for n in "ab"]
    assert [event.id for event in found[2:]] == ["c"] and executor.free == 1
    # An idle worker whose node is gone gets no job, which would count as a failure of the job.
    cluster.there[:] = [ONE]
    clock.sleep(LOOK_SECONDS)
    assert ends(executor) == [] and executor.free == 2
    assert all(worker.node == ONE for worker in executor._workers.values())


def test_killed_job_says_nothing_more_and_its_place_is_filled(tmp_path: Path) -> None:
    cluster = StandInCluster([TWO])
    executor = opened(cluster, tmp_path)
    executor.submit(job("a", tmp_path))
    executor.kill("b")
    executor.kill("a")
    assert executor.free == 0 and len(cluster.ended) == 1
    assert ends(executor) == [] and executor.free == 1


def test_stop_tells_what_became_of_jobs_and_ends_all_workers(tmp_path: Path) -> None:
    told: list[str] = []
    cluster = StandInCluster([ONE], called=told)
    executor = opened(cluster, tmp_path)
    executor.submit(job("a", tmp_path))
    assert [event.id for event in executor.stop(5.0)] == ["a"]
    assert (tmp_path / "checkpoints" / "a.npz").read_text("utf-8") == "1"
    executor.close()
    assert len(cluster.ended) == 2 and told.count("close") == 2


@pytest.mark.parametrize(
    ("needs", "expected", "received"),
    [
        (Needs(cpus=4), "4 CPU", "ash with 2 CPU; oak with 1 CPU, 1 GPU, 1 device:pi"),
        (Needs(gpus=2), "1 CPU, 2 GPU", "ash with 2 CPU"),
        (Needs(memory_bytes=2**31), "2.0 GiB of memory", "ash with 2 CPU"),
        (Needs(device="phone"), "the device phone", "pi in the cluster"),
    ],
)
def test_room_that_never_comes_is_told_with_what_the_cluster_has(
    needs: Needs, expected: str, received: str, tmp_path: Path, clock: Clock
) -> None:
    executor = made(StandInCluster([ONE, TWO]), tmp_path, needs)
    with pytest.raises(InputError) as caught:
        executor.open()
    assert expected in caught.value.expected and received in caught.value.received
    assert ROOM_SECONDS < clock.now_s < ROOM_SECONDS + 2 * LOOK_SECONDS
    assert f"after {ROOM_SECONDS:.0f} s" in caught.value.received
    assert not (tmp_path / "checkpoints").exists()


def test_node_without_the_data_is_refused_before_work_and_left_out_after_it(
    tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    images = tmp_path / "images"
    with pytest.raises(InputError) as caught:
        opened(StandInCluster([ONE]), tmp_path, paths=(str(images),))
    assert f"nothing at {images} on {_host()}" in caught.value.received
    images.mkdir()
    cluster = StandInCluster([ONE])
    executor = opened(cluster, tmp_path, paths=(str(images),))
    executor.submit(job("a", tmp_path))
    images.rmdir()
    cluster.there.append(Node("2", "oak", {"CPU": 3.0}))
    clock.sleep(LOOK_SECONDS)
    assert [event.id for event in ends(executor, 5)] == ["a"]
    assert [one.node.host for one in cluster.started] == ["ash"] * 2 + ["oak"] * 3
    assert capsys.readouterr().out.count("oak is left out") == 1 and executor.free == 2


def test_copies_of_relays_that_were_killed_are_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    order = Order(TASK, 1, "/run", {}, fingerprint=fingerprint())
    lives, killed = Relay(order), Relay(order)
    killed._held.close()  # as the system does for a process that is gone
    for left in (lives, killed):
        os.utime(left._folder / HELD, (0, 0))
    young = tmp_path / f"{PREFIX}young"
    young.mkdir()
    (young / HELD).touch()
    following = Relay(order)
    assert not killed._folder.exists() and lives._folder.exists() and young.exists()
    for one in (lives, following):
        one.close()
    assert [path.name for path in tmp_path.iterdir()] == [young.name]


@pytest.mark.parametrize(
    ("changes", "expected", "received"),
    [
        ({"fingerprint": "0" * 12}, "0" * 12, fingerprint()),
        ({"packages": ("no_such_package",)}, "no_such_package", "none there"),
    ],
)
def test_machine_of_another_version_is_refused(
    changes: dict[str, Any], expected: str, received: str
) -> None:
    given = {"fingerprint": fingerprint(), **changes}
    made = Relay(Order(TASK, 1, "/run", {}, **given))
    refusal = made.begin().refusal
    made.close()
    assert refusal is not None
    assert expected in refusal[0] and received in refusal[1] and _host() in refusal[0]


def test_node_on_which_no_worker_begins_is_refused_after_some(tmp_path: Path) -> None:
    def fails(call: Call) -> None:
        raise LostError("died", "No module named 'keras'")

    cluster = StandInCluster([TWO], fails)
    with pytest.raises(InputError, match="No module named 'keras'") as caught:
        opened(cluster, tmp_path)
    assert len(cluster.started) == MOST_BEGINNINGS and "oak" in caught.value.expected


@pytest.mark.parametrize(
    ("needs", "has", "workers"),
    [
        (Needs(), {"CPU": 3.0}, 3),
        (Needs(cpus=2), {"CPU": 3.0}, 1),
        (Needs(gpus=1 / 3), {"CPU": 8.0, "GPU": 1.0}, 3),
        (Needs(), {"GPU": 1.0}, 0),
        # One job at a time measures on a device, whatever else its node has.
        (Needs(device="pi"), {"CPU": 8.0, "device:pi": 1.0}, 1),
        (Needs(memory_bytes=2**30), {"CPU": 8.0, "memory": 2.5 * 2**30}, 2),
    ],
)
def test_room_is_that_of_what_is_scarcest(
    needs: Needs, has: dict[str, float], workers: int
) -> None:
    assert needs.room(has) == workers


@pytest.mark.parametrize("address", ["auto", "local", "10.0.0.1:6379", "ray://[::1]:10001"])
def test_addresses_of_clusters_are_kept(address: str) -> None:
    assert ExecutorConfig("ray", address).ray_address == address


@pytest.mark.parametrize("address", ["", "head", "head:", ":6379", "head:0", "head:x", "ray://h"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="ray://HOST:PORT"):
        ExecutorConfig("ray", address)
    with pytest.raises(InputError):
        ExecutorConfig("local", "auto")
