"""The first moments of programs: closed streams, ASCII, Ctrl-C while they import."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from latency import start
from tests.support.programs import ROOT, command_of, environment_of

PROGRAMS = [
    "latency",
    "nas.py",
    "main.py",
    "stopwatch",
    "scripts/build_latency_table.py",
    "scripts/make_sample_data.py",
    "scripts/results_table.py",
    "scripts/make_report_picture.py",
    "scripts/make_file_docs.py",
    "scripts/draw_speed_gate.py",
]
# A module that all of them need, and that takes long in this test: it stops until the signal comes.
SLOW = """
import os, signal, time
os.write(1, b"importing\\n")
signal.pause()
"""


@pytest.mark.parametrize("name", PROGRAMS)
def test_ctrl_c_while_a_program_imports_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "rich").mkdir()
    (tmp_path / "rich" / "__init__.py").write_text(SLOW)
    variables = environment_of(None, PYTHONPATH=f"{tmp_path}:{ROOT}")
    # A background job of a shell inherits that SIGINT is ignored; a user's command does not.
    with subprocess.Popen(
        command_of(name),
        env=variables,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == b"importing\n"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == b"\nStopped by SIGINT.\n"


def run_shell(script: str, **variables: str) -> subprocess.CompletedProcess[bytes]:
    """A shell's redirections around `python -m latency`."""
    command = f"exec {sys.executable} -m latency {script}"
    return subprocess.run(
        ["sh", "-c", command], env=environment_of(None, **variables), cwd=ROOT, capture_output=True
    )


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("--help >&-", 0),
        ("--help <&- >&- 2>&-", 0),
        ("show none.json 2>&-", 2),
        ("show none.json <&- >&- 2>&-", 2),
        ("--help >/dev/full", 2),
        ("show none.json 2>/dev/full", 2),
    ],
)
def test_closed_and_full_streams_are_no_traceback(script: str, code: int) -> None:
    done = run_shell(script)
    assert done.returncode == code and b"Traceback" not in done.stderr + done.stdout
    assert b"Exception ignored" not in done.stderr


def test_what_ascii_does_not_have_is_written_out() -> None:
    done = run_shell("show größe.json", PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and b"gr\\xf6\\xdfe.json" in done.stderr
    c_locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = run_shell("show größe.json", **c_locale)
    assert done.returncode == 2 and b"Fix: " in done.stderr and b"Traceback" not in done.stderr


def test_help_whose_reader_has_gone_is_exit_code_141() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        command_of("latency", "--help"),
        env=environment_of(None),
        cwd=ROOT,
        stdout=write,
        stderr=subprocess.PIPE,
    )
    os.close(write)
    assert done.returncode == 141 and done.stderr == b""


def test_a_removed_current_folder_is_named(tmp_path: Path) -> None:
    script = (
        f"mkdir {tmp_path}/gone && cd {tmp_path}/gone && rmdir {tmp_path}/gone && "
        f"exec {sys.executable} -m latency measure net.onnx --output out.json"
    )
    done = subprocess.run(["sh", "-c", script], env=environment_of(None), capture_output=True)
    assert done.returncode == 2 and b"Traceback" not in done.stderr
    assert b"Fix: " in done.stderr


def test_text_is_shown_in_every_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    found = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(found, encoding="ascii"))
    start.ready_streams()
    print("λ ≥ 1 \udcff", flush=True)
    assert found.getvalue() == b"\\u03bb \\u2265 1 \\udcff\n"


def test_streams_that_python_does_not_have_are_the_null_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    start.ready_streams()
    assert sys.stdout is not None and sys.stdout.fileno() == 1
    # The number stays open: it is not this object's own.
    sys.stdout.close()
    os.fstat(1)


def test_handlers_are_put_back_after_imports() -> None:
    # In the background of a shell, where SIGINT is ignored, it would stay so.
    earlier = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with start.importing():
            assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, earlier)


def test_what_is_ignored_stays_ignored_and_other_threads_change_nothing() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with start.importing():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        found: list[object] = []

        def begin() -> None:
            with start.importing():
                found.append(signal.getsignal(signal.SIGTERM))

        thread = threading.Thread(target=begin)
        thread.start()
        thread.join()
        assert found == [signal.getsignal(signal.SIGTERM)]
    finally:
        signal.signal(signal.SIGINT, before)
