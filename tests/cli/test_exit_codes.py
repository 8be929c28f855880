"""What a budget comes to is an exit code, and a code means one thing in all programs."""

from __future__ import annotations

from typing import Any

import pytest

from latency.cli import exit_codes as latency_codes
from latency.cli.exit_codes import EXIT_DONE
from nas.cli.exit_codes import EXIT_CODES, EXIT_TEXT
from nas.cli.program import run_retrain, run_search
from nas.runs.outcome import Outcome


def test_no_code_means_two_things() -> None:
    assert set(EXIT_CODES) == set(Outcome)
    codes = [getattr(latency_codes, name) for name in dir(latency_codes) if name.startswith("EXIT")]
    assert len(set(codes)) == len(codes)
    not_done = [code for code in EXIT_CODES.values() if code != EXIT_DONE]
    assert len(set(not_done)) == len(not_done) == 2
    assert latency_codes.EXIT_STALE not in not_done, "a stale table is no missed budget"


@pytest.mark.parametrize("program", [run_search, run_retrain])
def test_help_names_every_code(program: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert program(["program", "--help"]) == EXIT_DONE
    assert EXIT_TEXT in capsys.readouterr().out
    for code in set(EXIT_CODES.values()):
        assert f"{code} " in EXIT_TEXT


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_search_and_a_retraining_end_with_what_they_came_to(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nas.cli.search.run_search", lambda *_: (None, outcome))
    monkeypatch.setattr("nas.cli.retrain.run_retraining", lambda *_: (None, outcome))
    assert run_search(["nas.py", "--target_ms", "1"]) == EXIT_CODES[outcome]
    assert run_retrain(["main.py"]) == EXIT_CODES[outcome]


def test_a_doubt_is_no_budget_that_is_met_and_a_miss_is_worse() -> None:
    assert Outcome.of(None, None) is Outcome.NOT_ASKED
    assert Outcome.of(None, "too few runs") is Outcome.CANNOT_TELL
    assert (Outcome.of(True, "in"), Outcome.of(False, "out")) == (Outcome.MET, Outcome.NOT_MET)
    assert Outcome.of_all([]) is Outcome.NOT_ASKED
    assert Outcome.of_all([Outcome.MET, Outcome.CANNOT_TELL]) is Outcome.CANNOT_TELL
    assert Outcome.of_all([Outcome.NOT_MET, Outcome.CANNOT_TELL]) is Outcome.NOT_MET
    assert Outcome.of_all([Outcome.NOT_MET, Outcome.MET]) is Outcome.NOT_MET
    assert Outcome.of_all([Outcome.NOT_ASKED, Outcome.MET]) is Outcome.MET
