"""--first_trial: a search by trials may begin with the original that its trials stand beside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from nas.runs.config import read_config
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.runs.trials_record import TrialsRecord
from tests.support.in_process import train_in_process
from tests.support.programs import Done, is_refusal, run_program

LOCAL = ("--smoke", "--workers", "1", "--storage", "journal", "--max_epochs", "2")
MANY = ("--max_trials", "3", *LOCAL)
CNV = (
    *("--space", "cnv_small", "--method", "asha", "--objectives", "top1,bops", *LOCAL),
    *("--max_trials", "3", "--reduction", "2", "--rungs", "1"),
)
FIRST = ("--first_trial", "original")


@pytest.fixture(autouse=True)
def _without_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    train_in_process(monkeypatch)


def search(path: Path, words: Sequence[str], *more: str) -> Done:
    return run_program("nas.py", *words, *more, "--run_dir", str(path))


def test_the_first_trial_is_the_original_and_the_others_are_those_of_the_sampler(
    tmp_path: Path,
) -> None:
    begun = search(tmp_path / "original", CNV, *FIRST)
    other = search(tmp_path / "sampled", CNV)
    assert (begun.exit_code, other.exit_code) == (0, 0), begun.err + other.err
    record = RunFolder(tmp_path / "original").read(TrialsRecord)
    sampled = RunFolder(tmp_path / "sampled").read(TrialsRecord)
    first, *more = record.trials
    assert first.configuration == record.original.configuration
    assert first.network == record.original.network != sampled.trials[0].network
    assert [trial.configuration for trial in more] == [
        trial.configuration for trial in sampled.trials[1:]
    ]
    config = read_config(tmp_path / "original")
    assert isinstance(config, TrialsConfig) and config.first_trial == "original"
    # A run that goes on keeps its first trial, and says so where another one is asked for.
    asked = search(tmp_path / "original", ("--resume", "--first_trial", "sampled"))
    assert is_refusal(asked.err) and "first_trial" in asked.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*CNV, *FIRST, "--max_bops", "1000000"), "on the wrong side of it"),
        (("--space", "trigger", "--method", "asha", *MANY, *FIRST), "an original with values of"),
        (("--space", "trigger", "--method", "grid", *LOCAL, *FIRST), "trains every configuration"),
        ((*CNV, *FIRST, "--sampler", "grid"), "a configuration for each trial"),
        ((*CNV, "--first_trial", "best"), "original"),
    ],
)
def test_an_original_that_no_trial_may_be_is_refused_before_anything_trains(
    tmp_path: Path, words: Sequence[str], said: str
) -> None:
    done = search(tmp_path / "run", words)
    assert is_refusal(done.err) and said in done.err, done.err
