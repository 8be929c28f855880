"""A machine on loopback and a job for it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from latency.jobs import ssh
from latency.jobs.ssh import SshTarget
from tests.support.loopback_sshd import HOST, LoopbackSshd, loopback_sshd
from tests.support.ssh_jobs import FAKE_WORKER, PROGRAM, ROUNDS, script


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackSshd]:
    with loopback_sshd(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def device(tmp_path: Path) -> Path:
    """The job's folder on the other side, with a blank and quotes in its name."""
    return tmp_path / 'it\'s "$HOME" there' / "job"


@pytest.fixture(scope="module")
def quick_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python that imports two empty modules for numpy and onnxruntime, which take a second."""
    folder = tmp_path_factory.mktemp("python")
    for name in ("numpy", "onnxruntime"):
        (folder / f"{name}.py").touch()
    command = f'PYTHONPATH={shlex.quote(str(folder))} exec {sys.executable} -S "$@"'
    return script(folder / "python", command)


@pytest.fixture
def target(sshd: LoopbackSshd, device: Path, quick_python: str) -> SshTarget:
    return SshTarget(HOST, sshd.options, quick_python, str(device))


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three models, and a program that only counts in the place of our own."""
    folder = tmp_path / "job"
    (folder / "models").mkdir(parents=True)
    (folder / "device").mkdir()
    (folder / PROGRAM).write_text(FAKE_WORKER)
    monkeypatch.setattr(ssh, "device_program", lambda: {PROGRAM: folder / PROGRAM})
    (folder / "manifest.json").write_text("{}")
    for number in range(3):
        (folder / f"models/{number:04d}.onnx").write_bytes(bytes([number + 1]) * 300_000)
    (folder / "job.json").write_text(json.dumps({"rounds": ROUNDS}))
    return folder
