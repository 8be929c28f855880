"""How programs end: exit codes, messages, traces of defects."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from latency import shell
from latency.errors import LatencyError
from nas.errors import ArchitectureError

ROOT = Path(__file__).resolve().parents[2]


def raises(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


def test_the_exit_code_of_the_program_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert [shell.run(lambda code=code: code) for code in (0, 3, 4)] == [0, 3, 4]  # type: ignore[misc]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [LatencyError, ArchitectureError])
def test_an_error_for_the_user_is_three_parts_and_exit_code_2(
    kind: type[LatencyError], capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run(raises(kind("--a above 0", "--a -1", "name --a 1"))) == 2
    printed = capsys.readouterr()
    text = "error: Expected --a above 0.\nReceived: --a -1.\nFix: name --a 1.\n"
    assert printed == ("", text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.ENOSPC, "Expected room on the disk."),
        (errno.EDQUOT, "Expected room on the disk."),
        (errno.EACCES, "may read and write"),
        (errno.EROFS, "may read and write"),
        (errno.ENAMETOOLONG, "a path where a file can lie"),
        (errno.ENOENT, "that are there while"),
        (errno.EEXIST, "that are there while"),
    ],
)
def test_a_full_or_closed_disk_is_told_like_bad_input(
    number: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell.run(raises(OSError(number, os.strerror(number), "here.json"))) == 2
    printed = capsys.readouterr().err
    assert text in printed and "here.json" in printed and "\nFix: " in printed


@pytest.mark.parametrize("error", [ValueError("no words for users"), KeyError("x"), OSError(5, "")])
def test_a_defect_keeps_its_trace_and_asks_for_a_report(error: Exception) -> None:
    with pytest.raises(type(error)) as info:
        shell.run(raises(error))
    assert info.value is error
    assert error.__notes__ == [shell.REPORT]


def test_no_error_is_known_by_its_words() -> None:
    with pytest.raises(ValueError, match="Expected a"):
        shell.run(raises(ValueError("Expected a. Received: b. Fix: c.")))


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_tells_how_to_go_on(
    signum: signal.Signals, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signum)
    path: list[str] = []

    def main() -> int:
        path.append("runs/1")
        signal.raise_signal(signum)
        return 0

    signal.signal(signum, signal.default_int_handler)
    try:
        assert shell.run(main, how_to_resume=lambda: f"Go on with {path[0]}.") == code
        assert signal.getsignal(signum) is signal.default_int_handler
    finally:
        signal.signal(signum, before)
    assert capsys.readouterr().err == f"\nStopped by {signum.name}. Go on with runs/1.\n"


def test_an_ignored_signal_stays_ignored() -> None:
    def main() -> int:
        signal.raise_signal(signal.SIGINT)
        return 0

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert shell.run(main) == 0
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_raised_keyboard_interrupt_is_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run(raises(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "\nStopped by SIGINT. Nothing was written.\n"


def test_it_runs_beside_the_main_thread() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(shell.run(lambda: 3)))
    thread.start()
    thread.join()
    assert codes == [3]


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    code = (
        "from latency import shell\n"
        "def main():\n"
        "    for _ in range(100000): print('line')\n"
        "    return 0\n"
        "raise SystemExit(shell.run(main))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == shell.EXIT_NO_READER
