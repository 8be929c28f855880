"""Arguments of Python functions, and how a program that called them ends at a signal."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from latency.shell import Interrupted
from nas.interface.arguments import given_options, listed, stoppable


def test_options_that_were_left_out_say_nothing() -> None:
    names = {"epochs": 0, "flip": 0, "seed": 0}
    given = given_options("retrain", {"epochs": None, "flip": False, "seed": 0}, names)
    assert given == {"flip": False, "seed": 0}


def test_unknown_option_is_refused_even_without_a_value() -> None:
    for value in (3, None):
        with pytest.raises(TypeError, match=r"retrain\(\) got an unexpected .* 'epoch'"):
            given_options("retrain", {"epoch": value}, {"epochs": 0})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (0.1, "0.1"),
        (3, "3.0"),
        ("10M", "10M"),
        ([0.1, "20M", 1e-7], "0.1,20M,1e-07"),
        (iter((1, 2)), "1.0,2.0"),
        # No digit is lost on the way through a text.
        (1 / 3, repr(1 / 3)),
        ((), ""),
    ],
)
def test_values_are_listed_as_a_flag_writes_them(value: Any, text: str | None) -> None:
    assert listed(value) == text


def test_signals_end_a_program_as_python_programs_end() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(KeyboardInterrupt) as caught, stoppable():
        signal.raise_signal(signal.SIGINT)
    assert isinstance(caught.value.__cause__, Interrupted)
    with pytest.raises(SystemExit) as ended, stoppable() as interrupter:
        with interrupter.deferred():
            signal.raise_signal(signal.SIGTERM)
            assert interrupter.pending, "the state is saved first"
        interrupter.raise_pending()
    assert ended.value.code == 128 + signal.SIGTERM
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
