"""The program of a job's folder, in process: what it prints, and how it ends."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from latency.device import __main__ as program
from latency.device.errors import WorkerError
from latency.device.meter import Progress
from tests.support.fake_clock import FakeClock


class ClosedPipe(io.StringIO):
    """Standard output after its reader has gone."""

    tries = 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise BrokenPipeError(text)


@pytest.fixture(autouse=True)
def hangup() -> Iterator[None]:
    """Takes back what the program decides for its whole process."""
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The seconds that the program sees."""
    clock = FakeClock()
    monkeypatch.setattr(program, "time", SimpleNamespace(monotonic=clock))
    return clock


def job_of(seconds: list[float], clock: FakeClock) -> Callable[..., str]:
    """Returns a job whose visits end at these times and whose result lies in its folder."""

    def run(folder: str, progress: Progress | None, asked: object) -> str:
        for number, at in enumerate(seconds, start=1):
            clock.seconds = at
            if progress is not None:
                progress(number, len(seconds), seconds[-1] - at)
        return os.path.join(folder, "result.json")

    return run


@pytest.mark.parametrize("arguments", [[], ["--progress"], ["a", "b"], ["a", "--prog"]])
def test_anything_but_one_folder_is_wrong_usage(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(program, "run_job", lambda folder, *_: calls.append(folder))
    with pytest.raises(SystemExit) as ended:
        program.main(arguments)
    assert ended.value.code == 2 and calls == []
    assert capsys.readouterr().err.startswith("usage: python3 -m device [-h] [--progress]")


def test_the_command_line_alone_says_which_code_is_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, object]] = []

    def run(folder: str, progress: Progress | None, loading: dict[str, object]) -> str:
        asked.append(loading)
        return "done"

    monkeypatch.setattr(program, "run_job", run)
    assert program.main(["job", "--provider_library", "p.so", "--provider_option", "a=b"]) == 0
    assert program.main(["job"]) == 0
    assert asked == [{"provider_library": "p.so", "provider_options": {"a": "b"}}, {}]
    assert program.main(["job", "--provider_option", "a"]) == 2
    assert "Expected --provider_option NAME=VALUE" in capsys.readouterr().err


def test_progress_is_printed_at_most_once_a_second(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "run_job", job_of([5.0, 5.5, 6.0, 6.9, 7.5], clock))
    assert program.main(["job", "--progress"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "progress 1 5 2.5",
        "progress 3 5 1.5",
        "progress 5 5 0.0",
        "result job/result.json",
    ]


def test_without_progress_the_path_of_the_result_is_all_that_is_printed(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "run_job", job_of([1.0, 3.0], clock))
    assert program.main(["job"]) == 0
    assert capsys.readouterr() == ("job/result.json\n", "")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (WorkerError("a core", "none", "name one"), "Expected a core.\nReceived: none.\nFix: name"),
        (PermissionError(13, "Permission denied", "job.json"), "Permission denied: 'job.json'"),
    ],
)
def test_a_job_that_cannot_run_is_one_message_and_exit_code_2(
    error: Exception,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(folder: str, progress: Progress | None, asked: object) -> str:
        raise error

    monkeypatch.setattr(program, "run_job", refuse)
    assert program.main(["job"]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: ") and text in printed.err


def test_a_reader_that_has_gone_does_not_stop_the_measurement(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = ClosedPipe()
    monkeypatch.setattr(sys, "stdout", pipe)
    monkeypatch.setattr(program, "run_job", job_of([1.0, 3.0, 5.0], clock))
    assert program.main(["job", "--progress"]) == 0
    # The interpreter flushes standard output at its end, which the closed pipe would refuse.
    with sys.stdout as replaced:
        assert replaced.name == os.devnull
    assert pipe.tries == 1


def test_a_link_that_hangs_up_does_not_end_the_program(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    finish = job_of([1.0], clock)

    def hung_up(folder: str, progress: Progress | None, asked: object) -> str:
        signal.raise_signal(signal.SIGHUP)
        return finish(folder, progress, asked)

    # Without the program's own handler, this one would fail the test, not end pytest.
    signal.signal(signal.SIGHUP, lambda *_: pytest.fail("the signal reached the program"))
    monkeypatch.setattr(program, "run_job", hung_up)
    assert program.main(["job"]) == 0
    assert capsys.readouterr().out == "job/result.json\n"
