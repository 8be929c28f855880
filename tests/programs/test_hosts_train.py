"""A search and a retraining by two processes on one host, on JAX: the run of one process."""

from __future__ import annotations

import csv
import importlib.util
import signal
from pathlib import Path

import pytest

from nas.system.hosts import free_port
from tests.support.programs import begun

pytestmark = [
    pytest.mark.slow,
    pytest.mark.cluster,
    # Four runs one after the other, two of them by two processes.
    pytest.mark.timeout(1800),
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="jax is not installed"),
]
WAIT_SECONDS = 900


def losses(path: Path) -> list[float]:
    with open(path, encoding="utf-8", newline="") as stream:
        return [float(row["loss"]) for row in csv.DictReader(stream) if row["loss"]]


def check_alike(one: list[float], two: list[float]) -> None:
    """The first loss is the same sum in another order, in float32.

    Adam then makes whole steps of gradients that are nothing but rounding, and toy batches have 16
    images: to turn the batches of one process around changes a sixth loss by 1.4 %, too.
    """
    assert two[0] == pytest.approx(one[0], rel=1e-6)
    assert two == pytest.approx(one, rel=0.05)


def by_two(monkeypatch: pytest.MonkeyPatch, program: str, *words: str) -> None:
    """Runs a program as two processes, and waits for both."""
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    hosts = ("--coordinator", f"127.0.0.1:{free_port()}", "--processes", "2")
    with (
        begun(program, *hosts, "--process_id", "1") as other,
        begun(program, *words, "--data_parallel", *hosts) as leader,
    ):
        _, said = leader.communicate(timeout=WAIT_SECONDS)
        assert leader.returncode in (0, 4), said
        _, said = other.communicate(timeout=WAIT_SECONDS)
        assert other.returncode == 0, said


def by_one(monkeypatch: pytest.MonkeyPatch, program: str, *words: str) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with begun(program, *words) as alone:
        _, said = alone.communicate(timeout=WAIT_SECONDS)
        assert alone.returncode in (0, 4), said


def test_two_processes_search_and_retrain_like_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    search = ("--target_bops", "50%", "--smoke", "--random_networks", "0", "--run_dir")
    by_one(monkeypatch, "nas.py", *search, str(one))
    by_two(monkeypatch, "nas.py", *search, str(two))
    check_alike(losses(one / "history.csv"), losses(two / "history.csv"))
    retrain = ("--smoke", "--nobaselines", "--run", str(two))
    by_two(monkeypatch, "main.py", *retrain)
    together = losses(two / "retrain_history.csv")
    by_one(monkeypatch, "main.py", *retrain, "--restart")
    check_alike(losses(two / "retrain_history.csv"), together)


def test_a_process_that_is_killed_ends_the_others_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    run = tmp_path / "run"
    hosts = ("--coordinator", f"127.0.0.1:{free_port()}", "--processes", "2")
    words = ("--target_bops", "50%", "--smoke", "--random_networks", "0", "--run_dir", str(run))
    with (
        begun("nas.py", *hosts, "--process_id", "1") as other,
        begun("nas.py", *words, "--data_parallel", *hosts) as leader,
    ):
        while not (run / "config.json").exists():
            assert leader.poll() is None
        other.send_signal(signal.SIGKILL)
        _, said = leader.communicate(timeout=WAIT_SECONDS)
    assert leader.returncode == 2 and "it has gone" in said
    by_two(monkeypatch, "nas.py", "--run_dir", str(run), "--resume")
    assert (run / "certificate.json").exists()
