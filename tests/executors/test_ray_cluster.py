"""What is refused before Ray does anything, and Ray's own words for it; no Ray is needed."""

from __future__ import annotations

import importlib.metadata
import signal
import socket
import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from nas.errors import InputError
from nas.executors import choice, ray_cluster
from nas.executors.cluster import LostError
from nas.executors.needs import ExecutorConfig
from nas.executors.ray_cluster import RayCluster, check_ray


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
