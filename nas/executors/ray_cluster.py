"""A Ray cluster. Nothing else in this program imports Ray; it is the extra `[cluster]`.

Relays are Ray actors, so that a worker keeps its framework and images between jobs. Ray Tune and
Ray Train are not used, see docs/decisions/0064.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nas.errors import InputError
from nas.executors.cluster import LostError, Node
from nas.executors.messages import Cause
from nas.executors.needs import Needs, host_and_port
from nas.executors.packages import package_folders
from nas.executors.relay import Order, Relay

LEAST_RAY = (2, 50)
CONNECT_SECONDS = 20.0
# One call of a relay's may wait while it is told to stop.
CALLS_AT_A_TIME = 2
# Of the messages of Ray's errors, the rest of which are traces of its own.
MOST_TEXT = 400
_INSTALL = (
    "install the extra on every node: pip install 'stopwatch-nas[cluster]', or in a checkout "
    "pip install -e '.[cluster]'"
)
_OUT_OF_MEMORY = ("out of memory", "out-of-memory", "memory monitor", "oom")


def check_ray() -> str:
    """The version of Ray that is here.

    Raises:
        InputError: It is missing, or too old.
    """
    wanted = f"Ray {'.'.join(map(str, LEAST_RAY))} or later, for --executor ray"
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        raise InputError(wanted, "no Ray", _INSTALL) from None
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < LEAST_RAY:
        raise InputError(wanted, f"Ray {version}", _INSTALL)
    return version


class RayCluster:
    """The nodes of a Ray cluster, and actors on them.

    Args:
        address: `auto`, `local`, HOST:PORT or ray://HOST:PORT.
        connect_s: Seconds after which an address counts as unreachable; None for 20.

    Raises:
        InputError: No Ray here, no cluster there, or one of other versions.
    """

    def __init__(self, address: str, connect_s: float | None = None) -> None:
        check_ray()
        self._ray = _connected(address, CONNECT_SECONDS if connect_s is None else connect_s)
        self._actor = self._ray.remote(Relay)

    def nodes(self) -> Sequence[Node]:
        """The machines that are there now."""
        return [
            Node(node["NodeID"], node["NodeManagerHostname"], dict(node["Resources"]))
            for node in self._ray.nodes()
            if node["Alive"]
        ]

    def start(self, node: Node, needs: Needs, order: Order) -> Any:
        """Begins an actor on a machine as soon as it has what is needed.

        Args:
            node: One of `nodes`.
            needs: That the actor has to itself.
            order: What it is told.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        resources = dict(needs.resources)
        options: dict[str, Any] = {
            "num_cpus": resources.pop("CPU", 0),
            "num_gpus": resources.pop("GPU", 0),
            "memory": resources.pop("memory", None),
        }
        made = self._actor.options(
            **options,
            resources=resources,
            max_concurrency=CALLS_AT_A_TIME,
            # What becomes of a lost one is the executor's to decide.
            max_restarts=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False),
        )
        return made.remote(order)

    def call(self, relay: Any, method: str, *arguments: Any) -> Any:
        """Calls an actor's method.

        Args:
            relay: As `start` gives it.
            method: Its name.
            *arguments: Plain data.
        """
        return getattr(relay, method).remote(*arguments)

    def wait(self, calls: Sequence[Any], timeout_s: float) -> Sequence[Any]:
        """Those of the calls that have an answer.

        Args:
            calls: One or more.
            timeout_s: Seconds to wait for a first one at most.
        """
        first, rest = self._ray.wait(list(calls), timeout=timeout_s)
        if not first or not rest:
            return list(first)
        more, _ = self._ray.wait(rest, num_returns=len(rest), timeout=0)
        return [*first, *more]

    def answer(self, call: Any) -> Any:
        """What a call gives.

        Args:
            call: That has an answer.

        Raises:
            LostError: The actor or its machine is gone.
        """
        try:
            return self._ray.get(call)
        except self._ray.exceptions.RayError as error:
            # Of what was raised there, without the traces that Ray puts before it.
            text = " ".join(str(getattr(error, "cause", None) or error).split())
            raise LostError(_cause(text), text[:MOST_TEXT]) from error

    def end(self, relay: Any) -> None:
        """Ends an actor at once.

        Args:
            relay: As `start` gives it.
        """
        self._ray.kill(relay)

    def close(self) -> None:
        """Leaves the cluster; one of this program's own ends."""
        self._ray.shutdown()


def _cause(text: str) -> Cause:
    return "memory" if any(word in text.lower() for word in _OUT_OF_MEMORY) else "died"


def _connected(address: str, connect_s: float) -> Any:
    """Ray, connected to a cluster; within seconds, and with this program's handlers of signals."""
    _check_reachable(address, connect_s)
    # Nothing is told to anybody about a cluster that this program begins.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if address == "local":
        # Its processes end with the thread that began them.
        with _own_handler():
            try:
                _initialize(ray, address, include_dashboard=False)
            # Ray raises plain exceptions where its processes do not start in time.
            except Exception as failure:
                raise _not_begun(failure) from failure
        return ray
    failures: list[BaseException] = []

    def connect() -> None:
        try:
            _initialize(ray, address)
        except BaseException as failure:
            failures.append(failure)

    # Another thread cannot replace the handlers of signals, and may be left alone with its wait.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(connect_s)
    if thread.is_alive():
        raise _silent(address, connect_s)
    if failures:
        raise _refusal(address, failures[0]) from failures[0]
    return ray


def _initialize(ray: Any, address: str, **options: Any) -> None:
    ray.init(
        address=address,
        runtime_env={
            "py_modules": [str(folder) for folder in package_folders()],
            "excludes": ["**/__pycache__", "*.pyc"],
        },
        logging_level="error",
        # What workers print comes by their relays.
        log_to_driver=False,
        **options,
    )


@contextmanager
def _own_handler() -> Iterator[None]:
    """Keeps this program's answer to SIGTERM, which Ray replaces."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _check_reachable(address: str, connect_s: float) -> None:
    """Refuses an address where nobody listens: Ray tries for minutes."""
    if address in ("auto", "local"):
        return
    host, port = host_and_port(address)
    try:
        socket.create_connection((host, int(port)), timeout=connect_s).close()
    except OSError as error:
        why = f"no answer within {connect_s:g} s" if isinstance(error, TimeoutError) else error
        raise _unreachable(address, str(why)) from None


def _unreachable(address: str, why: str) -> InputError:
    return InputError(
        f"a Ray cluster at {address}",
        why,
        "start its head by `ray start --head`, and give --ray_address auto on that machine or "
        "ray://HOST:10001 elsewhere",
    )


def _not_begun(failure: BaseException) -> InputError:
    return InputError(
        "a Ray cluster that begins with this program",
        " ".join(str(failure).split())[:MOST_TEXT],
        "try again when less runs on this machine, or start one by `ray start --head` and give "
        "--ray_address auto",
    )


def _silent(address: str, waited_s: float) -> InputError:
    return InputError(
        f"a Ray cluster at {address}",
        f"no answer within {waited_s:g} s",
        "look whether its head runs; where it asks for a token, set RAY_AUTH_MODE=token here, too",
    )


def _refusal(address: str, failure: BaseException) -> InputError:
    """Why Ray did not connect, in words of ours."""
    text = " ".join(str(failure).split())
    if "version mismatch" in text.lower() or "different version" in text.lower():
        import ray

        return InputError(
            f"Ray {ray.__version__} and Python {platform.python_version()} on the cluster, as here",
            text[:MOST_TEXT],
            "install the same versions on all machines",
        )
    if address == "auto" and isinstance(failure, ConnectionError):
        return _unreachable(address, "no cluster on this machine")
    return _unreachable(address, text[:MOST_TEXT])
