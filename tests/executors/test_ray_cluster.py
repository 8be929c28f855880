"""What is refused before Ray does anything, and Ray's own words for it; no Ray is needed."""

from __future__ import annotations

import importlib.metadata
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from nas.errors import InputError
from nas.executors import choice, ray_cluster
from nas.executors.cluster import LostError, Node
from nas.executors.cluster_executor import ClusterExecutor, Shared
from nas.executors.local import LocalExecutor
from nas.executors.needs import ExecutorConfig, Needs
from nas.executors.ray_cluster import RayCluster, check_ray
from nas.executors.relay import Relay
from tests.support.stand_in_cluster import StandInCluster


class RayError(Exception):
    """What Ray's errors are."""


class StandInRay(ModuleType):
    """As much of Ray as is called to connect."""

    def __init__(self, connects: Callable[..., None]) -> None:
        super().__init__("ray")
        self.init = connects
        self.__version__ = "2.60.0"
        self.exceptions = ModuleType("ray.exceptions")
        self.exceptions.RayError = RayError  # type: ignore[attr-defined]
        self.is_left = False

    def remote(self, kind: type) -> type:
        return kind

    def shutdown(self) -> None:
        self.is_left = True


@pytest.fixture
def has_ray(monkeypatch: pytest.MonkeyPatch) -> Callable[..., StandInRay]:
    def install(connects: Callable[..., None] = lambda **options: None) -> StandInRay:
        made = StandInRay(connects)
        monkeypatch.setitem(sys.modules, "ray", made)
        monkeypatch.setattr(ray_cluster, "check_ray", lambda: "2.60.0")
        return made

    return install


def test_own_cluster_that_does_not_begin_is_no_defect_of_the_program(
    has_ray: Callable[..., StandInRay],
) -> None:
    def fails(**options: Any) -> None:
        raise Exception("The current node timed out during startup.\nThis could happen")

    has_ray(fails)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(InputError) as caught:
        RayCluster("local")
    assert caught.value.received == ("The current node timed out during startup. This could happen")
    assert "--ray_address auto" in caught.value.fix
    assert signal.getsignal(signal.SIGTERM) is handler


def raises(error: BaseException) -> Callable[..., None]:
    def connect(**options: Any) -> None:
        raise error

    return connect


@pytest.mark.parametrize(
    ("version", "received"), [(None, "no Ray"), ("2.9.3", "Ray 2.9.3"), ("1.13.0", "Ray 1.13.0")]
)
def test_ray_that_is_missing_or_old_is_refused_with_the_extra(
    version: str | None, received: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(package: str) -> str:
        if version is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return version

    monkeypatch.setattr(importlib.metadata, "version", look)
    for refused in (check_ray, lambda: RayCluster("auto")):
        with pytest.raises(InputError) as caught:
            refused()
        assert caught.value.received == received
        assert "Ray 2.50 or later" in caught.value.expected
        assert "pip install 'stopwatch-nas[cluster]'" in caught.value.fix


@pytest.mark.parametrize("version", ["2.50.0", "2.60.0", "3.0.0rc1"])
def test_versions_from_the_least_on_are_taken(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda package: version)
    assert check_ray() == version


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_address_where_nobody_listens_is_refused_before_ray_starts(
    scheme: str, has_ray: Callable[..., StandInRay]
) -> None:
    has_ray(raises(AssertionError("Ray would try for minutes")))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(InputError, match=f"{scheme}127.0.0.1:{port}") as caught:
        RayCluster(f"{scheme}127.0.0.1:{port}")
    assert "refused" in caught.value.received and "ray start --head" in caught.value.fix


def test_cluster_that_does_not_answer_is_left_alone_after_a_while(
    has_ray: Callable[..., StandInRay],
) -> None:
    waits = threading.Event()
    has_ray(lambda **options: waits.wait() and None)
    with pytest.raises(InputError, match="within 0.05 s"):
        RayCluster("auto", connect_s=0.05)
    waits.set()


@pytest.mark.parametrize(
    ("failure", "expected", "received"),
    [
        (ConnectionError("Could not find any"), "a Ray cluster at auto", "no cluster on this"),
        (
            RuntimeError("Version mismatch: The cluster was started with:\n Ray: 2.59.0"),
            "Ray 2.60.0 and Python",
            "The cluster was started with: Ray: 2.59.0",
        ),
        (OSError("no route"), "a Ray cluster at auto", "no route"),
    ],
)
def test_what_ray_says_is_told_in_three_parts(
    failure: Exception, expected: str, received: str, has_ray: Callable[..., StandInRay]
) -> None:
    has_ray(raises(failure))
    with pytest.raises(InputError) as caught:
        RayCluster("auto")
    assert expected in caught.value.expected and received in caught.value.received


def test_own_answer_to_a_signal_stays_and_the_packages_travel(
    has_ray: Callable[..., StandInRay],
) -> None:
    seen: list[dict[str, Any]] = []

    def connect(**options: Any) -> None:
        seen.append(options)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    ray = has_ray(connect)
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        RayCluster("local").close()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN and ray.is_left
        RayCluster("auto")
    finally:
        signal.signal(signal.SIGTERM, before)
    for options in seen:
        folders = options["runtime_env"]["py_modules"]
        assert [folder.rpartition("/")[2] for folder in folders] == ["latency", "nas"]
    assert [options["address"] for options in seen] == ["local", "auto"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("The actor died unexpectedly", "died"),
        ("Task was killed due to the node running low on memory: memory monitor", "memory"),
    ],
)
def test_lost_actors_have_a_cause(
    text: str, cause: str, has_ray: Callable[..., StandInRay]
) -> None:
    ray = has_ray()
    ray.get = raises(RayError(text))  # type: ignore[attr-defined]
    cluster = RayCluster("auto")
    ray.get = lambda call: raises(RayError(text))()  # type: ignore[attr-defined]
    with pytest.raises(LostError, match=text) as caught:
        cluster.answer("a call")
    assert caught.value.cause == cause


def test_cluster_is_asked_for_before_images_are_read(
    has_ray: Callable[..., StandInRay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "check_ray", lambda: "2.60.0")
    ray = has_ray()
    choice.check_executor(ExecutorConfig())
    assert not ray.is_left
    choice.check_executor(ExecutorConfig("ray", "auto"))
    assert ray.is_left


def test_machines_and_actors_are_those_of_ray(
    has_ray: Callable[..., StandInRay], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    killed: list[object] = []
    actor = SimpleNamespace(job=SimpleNamespace(remote=lambda *values: ("call", values)))

    class Actor:
        @staticmethod
        def options(**options: Any) -> Any:
            made.append(options)
            return SimpleNamespace(remote=lambda order: actor)

    ray: Any = has_ray()
    ray.remote = lambda kind: Actor if kind is Relay else None
    alive = {"NodeID": "1", "NodeManagerHostname": "ash", "Resources": {"CPU": 2.0}, "Alive": True}
    ray.nodes = lambda: [alive, {**alive, "NodeID": "2", "Alive": False}]
    ray.kill = killed.append
    ray.get = lambda call: f"answer to {call}"
    ray.wait = lambda calls, timeout, num_returns=1: (calls[:num_returns], calls[num_returns:])
    strategies = ModuleType("ray.util.scheduling_strategies")
    strategies.NodeAffinitySchedulingStrategy = (  # type: ignore[attr-defined]
        lambda node, soft: (node, soft)
    )
    for name, module in {
        "util": ModuleType("ray.util"),
        "util.scheduling_strategies": strategies,
    }.items():
        monkeypatch.setitem(sys.modules, f"ray.{name}", module)
    cluster = RayCluster("auto")
    node = Node("1", "ash", {"CPU": 2.0})
    assert cluster.nodes() == [node], "one that is gone is none"
    relay = cluster.start(node, Needs(cpus=1, memory_bytes=5), object())  # type: ignore[arg-type]
    (options,) = made
    assert options["num_cpus"] == 1 and options["memory"] == 5 and options["num_gpus"] == 0
    # A relay that is lost begins nowhere else by itself: the executor decides.
    assert options["max_restarts"] == 0 and options["scheduling_strategy"] == ("1", False)
    assert cluster.call(relay, "job", 3) == ("call", (3,))
    assert cluster.wait(["a", "b", "c"], 0.1) == ["a", "b", "c"]
    ray.wait = lambda calls, timeout, num_returns=1: ([], calls)
    assert cluster.wait(["a"], 0.1) == []
    assert cluster.answer("a") == "answer to a"
    cluster.end(relay)
    assert killed == [relay]


SHARED = Shared(Path("run"), (), lambda payload: (), (), ("numpy",))
COUNTS = "tests.support.stand_in_cluster:counts"


def test_executor_is_the_one_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    local = choice.executor_of(ExecutorConfig(), COUNTS, tmp_path / "local", 2, SHARED)
    assert isinstance(local, LocalExecutor) and local.free == 2
    local.close()
    clusters: list[StandInCluster] = []

    def connected(address: str) -> StandInCluster:
        clusters.append(StandInCluster([Node("1", "ash", {"CPU": 2.0})]))
        return clusters[-1]

    monkeypatch.setattr(choice, "RayCluster", connected)
    opened: list[ClusterExecutor] = []
    monkeypatch.setattr(ClusterExecutor, "open", lambda executor: opened.append(executor))
    asked = ExecutorConfig("ray", "auto")
    made = choice.executor_of(asked, COUNTS, tmp_path / "ray", None, SHARED)
    assert opened == [made]
    made.close()
    assert clusters[0].is_closed

    def refuses(self: object) -> None:
        raise InputError("room", "none", "add a node")

    monkeypatch.setattr(ClusterExecutor, "open", refuses)
    with pytest.raises(InputError, match="room"):
        choice.executor_of(asked, COUNTS, tmp_path / "full", None, SHARED)
    assert clusters[1].is_closed, "a cluster that has no room is left"
