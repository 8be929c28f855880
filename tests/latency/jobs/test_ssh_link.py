"""What ssh says when it cannot go on, and which of it is tried again."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from latency.jobs.ssh import SshError, SshTarget
from tests.support.loopback_sshd import LoopbackSshd
from tests.support.ssh_jobs import run, script, with_python


@pytest.mark.parametrize(
    ("options", "received", "fix"),
    [
        ("options_without_host_key", "Host key verification failed", "check the host key"),
        ("options_with_other_host_key", "Host key verification failed", "why the key changed"),
        ("options_with_other_key", "Permission denied (publickey)", "ssh-copy-id"),
    ],
)
def test_a_refusal_is_final(
    job: Path,
    target: SshTarget,
    device: Path,
    sshd: LoopbackSshd,
    options: str,
    received: str,
    fix: str,
) -> None:
    before = sshd.connections
    said: list[str] = []
    refused = dataclasses.replace(target, options=getattr(sshd, options))
    with pytest.raises(SshError) as info:
        run(job, refused, said)
    text = str(info.value)
    assert text.startswith("Expected ") and received in text.split("Received: ")[1]
    assert fix in text.split("Fix: ")[1] and f"ssh -F {refused.options[1]} loopback`" in text
    assert sshd.connections == before + 1 and said == [] and not device.exists()
    assert (sshd.folder / "empty_known_hosts").read_text() == ""


def test_a_machine_out_of_reach_is_tried_a_few_times(job: Path, target: SshTarget) -> None:
    said: list[str] = []
    # Port 1 of loopback: nothing listens there.
    away = dataclasses.replace(target, options=("-p", "1", *target.options))
    with pytest.raises(SshError, match="Expected a link to loopback that holds") as info:
        run(job, away, said)
    assert "3 broken ones in a row" in str(info.value) and "refused" in str(info.value)
    assert len(said) == 2


@pytest.mark.parametrize(
    ("ssh_says", "expected", "tries"),
    [
        ("Could not resolve hostname b: Name or service not known", "the name of a machine", 1),
        ("Could not resolve hostname b: Temporary failure in name resolution", "a link to b", 3),
        ("hostname contains invalid characters", "a host as ssh writes it", 1),
        ("remote username contains invalid characters", "a host as ssh writes it", 1),
        ("something that nobody has thought of", "ssh to reach b", 1),
        ("connect to host b port 22: No route to host", "a link to b", 3),
        ("connect to host b port 22: Connection timed out", "a link to b", 3),
        ("command-line: line 0: Bad configuration option: x", "options and a configuration", 1),
        ("kex_exchange_identification: Connection closed by remote host", "a link to b", 3),
    ],
)
def test_only_what_may_pass_is_tried_again(
    job: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ssh_says: str,
    expected: str,
    tries: int,
) -> None:
    # No real network or resolver can be made to fail in each of these ways.
    calls = tmp_path / "calls"
    script(tmp_path / "ssh", f'echo "$*" >> {calls}\necho "ssh: {ssh_says}" >&2\nexit 255')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(SshError, match=f"Expected {expected}.*\nReceived: .*{ssh_says[-12:]}"):
        run(job, SshTarget("b"))
    assert calls.read_text().count("-- b exec sh -c") == tries


def test_a_machine_without_ssh_is_told_so(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SshError, match="Expected an `ssh` program.\nReceived: none"):
        run(job, SshTarget("b"))


@pytest.mark.parametrize(
    ("python", "expected", "received"),
    [
        ("/no/such/python3", "Expected /no/such/python3 on loopback to compare", "not found"),
        ("no_modules", "Expected numpy and onnxruntime for ", "No module named 'numpy'"),
        ("too_old", "Expected Python 3.9 or newer as ", "Received: Python 3.8.\nFix: name a newer"),
    ],
)
def test_a_python_that_cannot_run_the_worker_is_refused(
    job: Path, target: SshTarget, device: Path, tmp_path: Path, python: str, expected: str,
    received: str,
) -> None:  # fmt: skip
    old = "import sys; sys.version_info = (3, 8, 18); del sys.argv[0]; exec(sys.argv[0])"
    # Without `site`, the installed modules are not found.
    scripts = {
        "no_modules": f'exec {sys.executable} -S "$@"',
        "too_old": f'shift\nexec {sys.executable} -c "{old}" "$@"',
    }
    path = script(tmp_path / python, scripts[python]) if python in scripts else python
    with pytest.raises(SshError) as info:
        run(job, with_python(target, path))
    assert str(info.value).startswith(expected) and received in str(info.value)
    assert not device.exists()
    if python == "no_modules":
        assert f"loopback {path} -m pip install onnxruntime numpy`" in str(info.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: SshTarget(""),
        lambda: SshTarget("-oProxyCommand=touch x"),
        lambda: SshTarget("host\nname"),
        lambda: SshTarget("host", python="-c"),
        lambda: SshTarget("host", python=""),
        lambda: SshTarget("host", folder="-rf"),
    ],
)
def test_a_target_that_ssh_would_misread_is_refused(make: Callable[[], SshTarget]) -> None:
    with pytest.raises(SshError, match="Expected a .*\nReceived: .*\nFix: name "):
        make()


@pytest.mark.parametrize("host", ["bad host", "a,b"])
def test_a_host_that_cannot_be_is_tried_once(job: Path, host: str) -> None:
    said: list[str] = []
    # Earlier versions of ssh look for a name that later ones refuse.
    with pytest.raises(SshError, match=r"Fix: (correct|check the spelling)"):
        run(job, SshTarget(host), said)
    assert said == []
