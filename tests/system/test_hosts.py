"""Processes that find each other, and what they tell each other; nothing is computed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest

from nas.errors import InputError
from nas.system import hosts
from nas.system.hosts import Follower, Greeting, Leader, address_of, free_port
from nas.system.wire import LostError, Message, receive, refusal, send

HERE = Greeting("here", 1, {"python": "3.11", "jax": "0.10"})
THERE = replace(HERE, host="there", devices=2)


@contextmanager
def met(other: Greeting = THERE) -> Iterator[tuple[Leader, Follower]]:
    """A leader and one process beside it."""
    where = f"127.0.0.1:{free_port()}"
    with ThreadPoolExecutor(1) as pool:
        leading: Future[Leader] = pool.submit(Leader, where, 2, HERE, 20.0)
        follower = Follower(where, 2, 1, other, 20.0)
        leader = leading.result()
        try:
            yield leader, follower
        finally:
            follower._is_busy = False  # nobody goes on with its orders
            leader.close()
            for thread in threading.enumerate():
                if thread.name == "another process":  # which closes its connection
                    thread.join(20)


def test_orders_and_files_arrive_and_answers_come_back() -> None:
    with met() as (leader, follower):
        assert leader.devices == 3
        leader.order("images", {"seed": 1}, {"a": b"x" * 3_000_000, "b": b""})
        orders = follower.orders()
        order = next(orders)
        assert (order.kind, order.facts) == ("images", {"seed": 1})
        assert {name: len(content) for name, content in order.files.items()} == {
            "a": 3_000_000,
            "b": 0,
        }
        follower.answer(Message("images", {"fingerprint": "f"}))
        assert leader.answers() == [{"fingerprint": "f"}]
        leader.close()
        assert list(orders) == []


def test_what_a_process_cannot_do_is_an_error_of_the_leader_with_its_host() -> None:
    with met() as (leader, follower):
        leader.order("images", {})
        next(follower.orders())
        follower.answer(refusal(InputError("images at /data", "nothing there", "copy them")))
        with pytest.raises(InputError, match="images at /data, on there") as caught:
            leader.answers()
        assert (caught.value.received, caught.value.fix) == ("nothing there", "copy them")


@pytest.mark.parametrize(
    ("greeting", "processes", "process_id", "expected"),
    [
        (replace(THERE, versions={"python": "3.12", "jax": "0.10"}), 2, 1, "python 3.11 on there"),
        (replace(THERE, versions={"python": "3.11"}), 2, 1, "jax 0.10 on there"),
        (THERE, 3, 1, "--processes 2 and --process_id 1"),
        (THERE, 2, 2, "--processes 2 and --process_id 1"),
    ],
)
def test_a_process_that_computes_otherwise_is_refused_on_both_sides(
    greeting: Greeting, processes: int, process_id: int, expected: str
) -> None:
    where = f"127.0.0.1:{free_port()}"
    with ThreadPoolExecutor(1) as pool:
        leading = pool.submit(Leader, where, 2, HERE, 20.0)
        with pytest.raises(InputError, match=expected):
            Follower(where, processes, process_id, greeting, 20.0)
        with pytest.raises(InputError, match=expected):
            leading.result()


def test_a_leader_that_nobody_comes_to_says_how_to_start_them() -> None:
    with pytest.raises(InputError, match="1 more processes") as caught:
        Leader(f"127.0.0.1:{free_port()}", 2, HERE, 0.05)
    assert "--process_id" in caught.value.fix


def test_a_leader_that_does_not_answer_is_told() -> None:
    with pytest.raises(InputError, match="process 0 at") as caught:
        Follower(f"127.0.0.1:{free_port()}", 2, 1, THERE, 0.05)
    assert "--coordinator" in caught.value.fix


def test_a_leader_that_has_gone_ends_the_wait_for_orders() -> None:
    with met() as (leader, follower):
        leader._is_closed = True  # its own end is no loss
        for connection, _ in leader._others.values():
            connection.shutdown(socket.SHUT_RDWR)
        with pytest.raises(InputError, match="it has gone"):
            next(follower.orders())


def test_a_process_that_is_lost_ends_the_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    errors: list[InputError] = []

    def end(error: InputError) -> None:
        errors.append(error)
        ended.set()

    monkeypatch.setattr(hosts, "_end", end)
    with met() as (_, follower):
        follower._connection.shutdown(socket.SHUT_RDWR)
        assert ended.wait(20)
    assert "process 1" in errors[0].expected and "start all processes again" in errors[0].fix


def test_a_leader_that_ends_within_a_training_ends_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(hosts, "_end", lambda error: ended.set())
    monkeypatch.setattr(hosts, "LEAVE_SECONDS", 0.0)
    with met() as (leader, follower):
        leader.order("training", {})
        next(follower.orders())
        follower._is_busy = True  # a step that waits for the leader's part
        leader.close()
        assert ended.wait(20)


def test_what_is_no_message_of_ours_is_no_message() -> None:
    one, other = socket.socketpair()
    with one, other:
        one.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(LostError, match="no message of this program"):
            receive(other)


def test_a_message_to_a_process_that_has_gone_is_a_loss() -> None:
    one, other = socket.socketpair()
    other.close()
    with one, pytest.raises(LostError):
        send(one, Message("order", {}, {"file": b"x" * 10_000_000}))


@pytest.mark.parametrize("text", ["here", "here:", ":1", "here:0", "here:70000", "here:x"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--coordinator HOST:PORT"):
        address_of(text)
    assert address_of("[::1]:6400") == ("::1", 6400)
