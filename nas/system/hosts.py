"""One training by the processes of several hosts: process 0 leads, the others do as they are told.

The leader is the program that a user started: it alone decides, measures and writes the run. Each
of the others waits for orders, and trains beside it when one comes. Orders go over connections of
their own, so that a process which is lost, or cannot take part, is known at once.
"""

from __future__ import annotations

import atexit
import os
import platform
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from nas.errors import InputError
from nas.system import devices
from nas.system.console import err, out
from nas.system.wire import LostError, Message, receive, refusal, send

# Others may be started by hand, one after another.
MEET_SECONDS = 600.0
CONNECT_SECONDS = 20.0
# Of an answer to an order that reads images, which takes minutes.
ANSWER_SECONDS = 3600.0
# For what is left to do where the leader has ended.
LEAVE_SECONDS = 60.0
EXIT_LOST = 2
THREAD = "another process"


@dataclass(frozen=True)
class Greeting:
    """What a process says of itself; all but its host and devices must be the leader's.

    Args:
        host: Its name.
        devices: That it trains on.
        versions: Name -> version of what computes.
    """

    host: str
    devices: int
    versions: Mapping[str, str]


def versions(source: str) -> dict[str, str]:
    """Of all that decides what is computed.

    Args:
        source: Fingerprint of this program.
    """
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "this program": source}
    for name in ("keras", "jax", "jaxlib", "numpy"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def address_of(coordinator: str) -> tuple[str, int]:
    """Host and port of the leader.

    Args:
        coordinator: HOST:PORT; an IPv6 address may stand in brackets.

    Raises:
        InputError: It is none.
    """
    host, _, port = coordinator.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise InputError(
            "--coordinator HOST:PORT",
            repr(coordinator),
            "write for example 10.0.0.1:6400, with an address that all hosts reach",
        )
    return host, int(port)


class Leader:
    """Process 0: waits for the others, and tells them what to do.

    Args:
        coordinator: HOST:PORT at which the others find this process.
        processes: In all, this one among them, 2 or more.
        greeting: Of this process.
        meet_s: Seconds to wait for the others.

    Raises:
        InputError: The address is not of this host or taken, the others do not come, or one of
            them computes with something else.
    """

    def __init__(
        self, coordinator: str, processes: int, greeting: Greeting, meet_s: float = MEET_SECONDS
    ) -> None:
        self.host, port = address_of(coordinator)
        self.processes, self._coordinator = processes, coordinator
        self._others: dict[int, tuple[socket.socket, Greeting]] = {}
        self._answers: queue.Queue[tuple[int, Message]] = queue.Queue()
        self._is_closed = False
        try:
            listening = socket.create_server(
                ("", port), family=socket.AF_INET6 if ":" in self.host else socket.AF_INET
            )
        except OSError as error:
            raise InputError(
                f"to listen at {coordinator}, where the other processes come",
                str(error),
                "give --coordinator an address of this host, with a port that nobody uses",
            ) from error
        try:
            with listening:
                self._meet(listening, greeting, meet_s)
        except BaseException:
            for connection, _ in self._others.values():
                connection.close()
            raise
        self.devices = greeting.devices + sum(one.devices for _, one in self._others.values())
        for number, (connection, other) in self._others.items():
            listener = threading.Thread(
                target=self._listen,
                args=(number, connection, other.host),
                name=THREAD,
                daemon=True,
            )
            listener.start()
        atexit.register(self.close)

    def order(
        self, kind: str, facts: Mapping[str, Any], files: Mapping[str, bytes] | None = None
    ) -> None:
        """Tells all others what to do.

        Args:
            kind: Of the order.
            facts: JSON data.
            files: Name -> content of what they need for it.

        Raises:
            InputError: One of them has gone.
        """
        for connection, other in self._others.values():
            try:
                send(connection, Message(kind, facts, files or {}))
            except LostError as error:
                raise _gone(other.host, str(error)) from error

    def answers(self) -> list[Mapping[str, Any]]:
        """What the others say to the last order, in their order.

        Raises:
            InputError: One of them cannot do it.
        """
        found: dict[int, Mapping[str, Any]] = {}
        deadline = time.monotonic() + ANSWER_SECONDS
        while len(found) < len(self._others):
            try:
                number, message = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                late = next(n for n in self._others if n not in found)
                host = self._others[late][1].host
                raise _gone(host, f"no answer within {ANSWER_SECONDS:g} s") from None
            if message.kind == "refusal":
                expected, received, fix = message.facts["parts"]
                host = self._others[number][1].host
                raise InputError(f"{expected}, on {host}", received, fix)
            found[number] = message.facts
        return [found[number] for number in sorted(found)]

    def close(self) -> None:
        """Lets the others go."""
        if self._is_closed:
            return
        self._is_closed = True
        for connection, _ in self._others.values():
            with suppress(LostError, OSError):
                send(connection, Message("end"))
                connection.shutdown(socket.SHUT_WR)

    def _meet(self, listening: socket.socket, greeting: Greeting, meet_s: float) -> None:
        missing = self.processes - 1
        out.print(f"Waiting for {missing} more processes at {self._coordinator} ...", markup=False)
        deadline = time.monotonic() + meet_s
        while len(self._others) < missing:
            listening.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                connection, _ = listening.accept()
            except TimeoutError:
                raise InputError(
                    f"{missing} more processes at {self._coordinator}",
                    f"{len(self._others)} after {meet_s:g} s",
                    "start each of them: the same program with --coordinator, --processes and its "
                    "own --process_id",
                ) from None
            self._greet(connection, greeting)

    def _greet(self, connection: socket.socket, greeting: Greeting) -> None:
        """Takes a process, or refuses it; one that says nothing of sense is left alone."""
        connection.settimeout(CONNECT_SECONDS)
        try:
            message = receive(connection)
            number, processes = int(message.facts["process_id"]), int(message.facts["processes"])
            other = Greeting(**message.facts["greeting"])
            objection = self._objection(number, processes, other, greeting)
            send(connection, Message("welcome") if objection is None else refusal(objection))
        except (LostError, KeyError, TypeError, ValueError):
            connection.close()
            return
        if objection is not None:
            connection.close()
            raise objection
        connection.settimeout(None)
        self._others[number] = (connection, other)
        out.print(f"Process {number} is on {other.host}.", markup=False)

    def _objection(
        self, number: int, processes: int, other: Greeting, own: Greeting
    ) -> InputError | None:
        """Why a process cannot take part; None where it can."""
        if processes != self.processes or not 0 < number < processes or number in self._others:
            free = [str(n) for n in range(1, self.processes) if n not in self._others]
            return InputError(
                f"--processes {self.processes} and --process_id {' or '.join(free)}",
                f"--processes {processes} and --process_id {number} on {other.host}",
                "give each process the same number of all, and a number of its own",
            )
        names = sorted({*own.versions, *other.versions})
        for name in names:
            mine, theirs = own.versions.get(name, "none"), other.versions.get(name, "none")
            if mine != theirs:
                return InputError(
                    f"{name} {mine} on {other.host}, as on {own.host}",
                    theirs,
                    "install the same versions on all hosts",
                )
        return None

    def _listen(self, number: int, connection: socket.socket, host: str) -> None:
        """Hears answers; ends this program where the other process has gone."""
        while True:
            try:
                self._answers.put((number, receive(connection)))
            except LostError as lost:
                connection.close()
                if not self._is_closed:
                    _end(_gone(f"{host}, process {number},", str(lost)))
                return


class Follower:
    """A process beside the leader; it waits for orders.

    Args:
        coordinator: HOST:PORT of the leader.
        processes: In all.
        process_id: Of this process, 1 or more.
        greeting: Of this process.
        meet_s: Seconds to wait for the leader.

    Raises:
        InputError: The leader does not answer, or refuses this process.
    """

    def __init__(
        self,
        coordinator: str,
        processes: int,
        process_id: int,
        greeting: Greeting,
        meet_s: float = MEET_SECONDS,
    ) -> None:
        self._connection = _connected(coordinator, meet_s)
        own = {"host": greeting.host, "devices": greeting.devices}
        facts = {
            "process_id": process_id,
            "processes": processes,
            "greeting": {**own, "versions": dict(greeting.versions)},
        }
        try:
            send(self._connection, Message("greeting", facts))
            answer = receive(self._connection)
        except LostError as lost:
            self._connection.close()
            raise _gone(coordinator, str(lost)) from lost
        if answer.kind == "refusal":
            self._connection.close()
            raise InputError(*answer.facts["parts"])
        self._orders: queue.Queue[Message | None] = queue.Queue()
        self._is_busy = False
        threading.Thread(target=self._listen, args=(coordinator,), name=THREAD, daemon=True).start()

    def orders(self) -> Iterator[Message]:
        """Orders, until the leader lets this process go.

        Raises:
            InputError: The leader has gone.
        """
        while True:
            order = self._orders.get()
            if order is None:
                raise _gone("process 0", "the connection was closed")
            if order.kind == "end":
                return
            self._is_busy = True
            yield order
            self._is_busy = False

    def answer(self, message: Message) -> None:
        """Answers the order that was given last.

        Args:
            message: To the leader.
        """
        with suppress(LostError):
            send(self._connection, message)

    def _listen(self, coordinator: str) -> None:
        while True:
            try:
                message = receive(self._connection)
            except LostError as lost:
                self._connection.close()
                if self._is_busy:  # its next step would wait for ever
                    _end(_gone(f"process 0 at {coordinator}", str(lost)))
                self._orders.put(None)
                return
            self._orders.put(message)
            if message.kind == "end":
                self._connection.close()
                self._leave(coordinator)
                return

    def _leave(self, coordinator: str) -> None:
        """Ends this process where the leader ended in the middle of a training."""
        deadline = time.monotonic() + LEAVE_SECONDS
        while self._is_busy:
            if time.monotonic() > deadline:
                _end(_gone(f"process 0 at {coordinator}", "it ended within a training"))
                return
            time.sleep(0.2)


def _connected(coordinator: str, meet_s: float) -> socket.socket:
    """A connection to the leader, which may be started later."""
    host, port = address_of(coordinator)
    deadline = time.monotonic() + meet_s
    while True:
        try:
            made = socket.create_connection((host, port), timeout=CONNECT_SECONDS)
            made.settimeout(None)
            return made
        except OSError as error:
            if time.monotonic() > deadline:
                raise InputError(
                    f"process 0 at {coordinator}",
                    str(error),
                    "start it, or correct --coordinator",
                ) from error
            time.sleep(0.2)


def free_port() -> int:
    """A port of this host that nobody listens at now."""
    with socket.socket() as found:
        found.bind(("", 0))
        port: int = found.getsockname()[1]
        return port


def _gone(where: str, why: str) -> InputError:
    return InputError(
        f"the process on {where} to take part in this training",
        f"it has gone: {why}",
        "start all processes again; the command of process 0 goes on from what was saved",
    )


def _end(error: InputError) -> None:
    """Ends this program at once: a step that waits for a lost process never returns."""
    err.print(f"Error: {error}", markup=False)
    sys.stderr.flush()
    sys.stdout.flush()
    os._exit(EXIT_LOST)


_leading: list[Leader] = []
# Where JAX's own coordinator is, and which process this one is, once that is known.
_place: list[tuple[str, int]] = []


def lead(coordinator: str, processes: int, greeting: Greeting) -> Leader:
    """The leader of this program's trainings; the others are waited for once.

    Args:
        coordinator: HOST:PORT at which they find this process.
        processes: In all.
        greeting: Of this process.

    Raises:
        InputError: See `Leader`.
    """
    if not _leading:
        _leading.append(Leader(coordinator, processes, greeting))
    return _leading[0]


def leader() -> Leader | None:
    """Of this process; None where it trains alone, or follows another one."""
    return _leading[0] if _leading else None


def follow_at(address: str, process_id: int) -> None:
    """Says where a process that follows finds the computations of all.

    Args:
        address: HOST:PORT of JAX's own coordinator.
        process_id: Of this process.
    """
    if not _place:
        _place.append((address, process_id))


def join(processes: int, mixed_precision: str, image_size: int | None) -> None:
    """Takes part in the computations of all processes, and has the others do so.

    Args:
        processes: In all.
        mixed_precision: That all start with.
        image_size: Likewise, in pixels.

    Raises:
        InputError: Nobody waited for the others yet.
    """
    leading = leader()
    if leading is not None:
        follow_at(f"{leading.host}:{free_port()}", 0)
        facts = {"mixed_precision": mixed_precision, "image_size": image_size}
        leading.order("start", {**facts, "address": _place[0][0]})
    if not _place:
        raise InputError(
            f"{processes} processes that have found each other",
            "none but this one",
            "train by nas.py or main.py, which wait for the others",
        )
    address, process_id = _place[0]
    devices.join(address, processes, process_id)
    if leading is not None:
        # JAX waits at the end for all processes: the others have to be let go before, and what is
        # registered last comes first.
        atexit.unregister(leading.close)
        atexit.register(leading.close)
