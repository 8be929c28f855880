"""The comparison of searched with random networks: its figures, its processes, one run of it."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.programs import begun, call, load_script

SCRIPT = "benchmarks/search_quality.py"


@pytest.fixture(scope="module")
def quality() -> ModuleType:
    return load_script(SCRIPT)


def test_figures_of_known_accuracies(quality: ModuleType) -> None:
    found = quality.figures([0.9, 0.8, 1.0], [0.5, 0.7, 0.95, 0.6])
    assert found["searched_mean"] == pytest.approx(0.9)
    assert found["searched_sd"] == pytest.approx(0.1)
    assert found["random_best"] == 0.95
    assert found["searched_ranks"] == [2, 2, 1]
    # sqrt(s1^2 / 3 + s2^2 / 4), with s2 of 0.5, 0.7, 0.95 and 0.6.
    assert found["standard_error"] == pytest.approx(math.hypot(0.1 / 3**0.5, 0.193111 / 2), 1e-4)
    assert found["gain"] == pytest.approx(0.9 - 0.6875)
    assert found["above_best_random"] is False
    # About 4.6 degrees of freedom: a quantile between 2.571 (of 5) and 2.776 (of 4).
    half = (found["gain_high"] - found["gain_low"]) / 2
    assert 2.57 < half / found["standard_error"] < 2.78
    assert found["gain_low"] < 0 < found["gain_high"]
    assert quality.spread_text(found).endswith("the search cannot be told from chance.")


def test_a_verdict_needs_several_searches_and_a_clear_gain(quality: ModuleType) -> None:
    better, worse = [0.9, 0.91, 0.92], [0.5, 0.52, 0.51]
    for own, others, said in (
        (better, worse, "the search paid."),
        (worse, better, "the search did not pay."),
        (better[:1], worse, "nothing is said by the gain."),
    ):
        text = quality.spread_text(quality.figures(own, others))
        assert text.startswith("One training of each network") and text.endswith(said)


def test_one_search_has_no_standard_error(quality: ModuleType) -> None:
    found = quality.figures([0.9], [0.5, 0.7])
    assert found["gain_low"] is None and found["gain_high"] is None
    assert found["standard_error"] is None and found["gain_over_standard_error"] is None
    assert found["above_best_random"] is True


def test_ranks_of_equal_scores_are_unknown(quality: ModuleType) -> None:
    assert quality.rank_figures([1, 1, 1], [1, 2, 3])["kendall_tau"] is None
    assert quality.rank_figures([1, 2, 3], [1, 2, 3])["kendall_tau"] == pytest.approx(1.0)
    assert quality.rank_figures([1, 2, 3], [3, 2, 1])["spearman"] == pytest.approx(-1.0)


def test_as_many_programs_at_a_time_as_jobs(quality: ModuleType, tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=30)  # broken unless two run at once
    done: list[int] = []

    def one(number: int) -> None:
        both.wait()
        done.append(number)

    quality.Programs(tmp_path, 2).all(lambda n=n: one(n) for n in range(4))
    assert sorted(done) == [0, 1, 2, 3]


def test_after_a_failure_nothing_more_begins(quality: ModuleType, tmp_path: Path) -> None:
    begun: list[int] = []

    def one(number: int) -> None:
        begun.append(number)
        if number == 1:
            raise SystemExit(2)

    with pytest.raises(SystemExit) as stopped:
        quality.Programs(tmp_path, 1).all(lambda n=n: one(n) for n in range(9))
    assert stopped.value.code == 2
    assert begun == [0, 1]


def test_a_program_that_fails_stops_the_comparison(quality: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        quality.Programs(tmp_path, 1).call("wrong", "nas.py", ["--target_ms", "-1"])
    assert stopped.value.code == 2
    assert "--target_ms" in (tmp_path / "wrong.log").read_text("utf-8")


def test_several_jobs_share_the_cores(
    quality: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setattr(quality.os, "cpu_count", lambda: 8)
    assert quality.Programs(tmp_path, 2)._threads()["TF_NUM_INTRAOP_THREADS"] == "4"
    assert quality.Programs(tmp_path, 99)._threads()["TF_NUM_INTRAOP_THREADS"] == "1"
    assert "TF_NUM_INTRAOP_THREADS" not in quality.Programs(tmp_path, 1)._threads()
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    assert quality.Programs(tmp_path, 2)._threads()["TF_NUM_INTRAOP_THREADS"] == "3"


@pytest.mark.slow
def test_sigterm_stops_the_programs_too(tmp_path: Path) -> None:
    with begun(SCRIPT, "--folder", str(tmp_path), "--case", "planted", "--smoke") as process:
        lock = tmp_path / "search_0" / ".lock"
        deadline = time.monotonic() + 200
        # The lock names its owner as soon as it is held.
        while not (lock.is_file() and lock.read_text("utf-8").endswith("\n")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        searching = int(lock.read_text("utf-8"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=200) == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(searching, 0)
    assert "The state is saved" in (tmp_path / "search_0.log").read_text("utf-8")


@pytest.mark.slow
def test_a_comparison_runs_and_goes_on(tmp_path: Path) -> None:
    flags = ("--folder", str(tmp_path), "--case", "planted", "--smoke", "--json")
    sizes = ("--searches", "2", "--random", "2", "--jobs", "2")
    done = call(SCRIPT, *flags, *sizes)
    assert done.exit_code == 0, done.err
    result = json.loads(done.out)
    assert len(result["searched"]) == 2 and 1 <= len(result["random"]) <= 2
    assert all(0 <= n["top1"] <= 1 for n in (*result["searched"], *result["random"]))
    again = call(SCRIPT, *flags, *sizes)
    repeated = json.loads(again.out)
    # The host's record has the load of the moment.
    assert repeated.pop("host")["cpu_model"] == result.pop("host")["cpu_model"]
    assert repeated == result
    assert "python nas.py" not in again.err and "python main.py" not in again.err
