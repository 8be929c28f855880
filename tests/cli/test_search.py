"""`nas.py` after its flags were read: which search is asked for, and what a profile ends with."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nas.cli import search as search_module
from nas.cli.program import run_search
from nas.interface.asked import AskedSearch
from nas.interface.trials_config import AskedTrials
from nas.runs.outcome import Outcome
from nas.selection.goals import Goal

PROFILE = ("nas.py", "--profile", "--space", "toy", "--image_size", "32")


def profiled(*words: str) -> int:
    return run_search([*PROFILE, *words])


def test_a_profile_ends_with_whether_everything_can_be_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert profiled("--max_params", "1000000") == 0
    told = capsys.readouterr().out
    assert "Space toy" in told and "1.00 M" in told
    assert "No latency table of this device yet. Make one: " in told
    assert profiled("--max_params", "1") == 5
    assert "CANNOT be kept" in capsys.readouterr().out
    # Without a table nobody knows.
    assert profiled("--target_ms", "1") == 4
    assert "No latency table" in capsys.readouterr().out


def test_a_profile_that_is_asked_for_more_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert profiled("--lambda", "0.1") == 2
    told = capsys.readouterr().err
    assert "Expected --profile with a space" in told and "Received: --lambda as well" in told
    assert "Fix: leave --lambda out" in told


class Searches:
    """Stands in for both searches; keeps what they were asked for."""

    def __init__(self) -> None:
        self.found: list[tuple[str, Any, Path | None]] = []
        self.of_trials = Outcome.MET

    def usual(self, asked: AskedSearch, path: Path | None, *_: Any) -> tuple[None, Outcome]:
        self.found.append(("usual", asked, path))
        return None, Outcome.NOT_MET

    def by_trials(self, asked: AskedTrials, path: Path | None, *_: Any) -> tuple[None, Any]:
        self.found.append(("trials", asked, path))
        return None, SimpleNamespace(outcome=self.of_trials)


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> Searches:
    found = Searches()
    monkeypatch.setattr(search_module, "run_search", found.usual)
    monkeypatch.setattr(search_module, "run_trials", found.by_trials)
    return found


def test_flags_say_which_search_is_made(searches: Searches, tmp_path: Path) -> None:
    new = str(tmp_path / "new")
    trials = ("--method", "asha", "--max_trials", "8", "--image_size", "32", "--run_dir", new)
    assert run_search(["nas.py", *trials]) == 0
    assert run_search(["nas.py", "--lambda", "0.1,0.5", "--image_size", "32"]) == 5
    (kind, asked, path), (other, usual, nowhere) = searches.found
    assert (kind, path) == ("trials", Path(new)) and (other, nowhere) == ("usual", None)
    assert asked.options["max_trials"] == 8 and asked.source.image_size == 32
    assert usual.goals == (Goal(penalty=0.1), Goal(penalty=0.5)) and usual.source.image_size == 32
    # The record says how it was started.
    assert "--max_trials 8" in asked.command and "--lambda 0.1,0.5" in usual.command


def test_search_by_trials_without_a_front_has_not_met_what_was_asked(searches: Searches) -> None:
    searches.of_trials = Outcome.NOT_MET
    words = ("--method", "asha", "--max_trials", "8", "--image_size", "32")
    assert run_search(["nas.py", *words, "--budgets", "top1>=0.99"]) == 5


def test_goals_of_a_run_that_goes_on_are_its_own(searches: Searches, toy_run: Path) -> None:
    words = ("--resume", "--run_dir", str(toy_run))
    assert run_search(["nas.py", *words]) == 5
    assert run_search(["nas.py", *words, "--target_ms", "3"]) == 5
    (_, own, _), (_, named, _) = searches.found
    assert own.goals == () and named.goals == (Goal(target=3.0),)
