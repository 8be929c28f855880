"""Files of trials: what is written comes back, and what does not fit is refused."""

from __future__ import annotations

import importlib.metadata
import math
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.errors import InputError
from nas.tuning import study_files
from nas.tuning.legs import Lease, Plan, SearchState
from nas.tuning.objectives import parse_objectives
from nas.tuning.parameters import OneOfList, Range
from nas.tuning.storage import Study, TrialStore
from nas.tuning.study_files import repair_journal

PARAMETERS = (
    OneOfList("b1.kernel", (3, 5)),
    OneOfList("b1.skip", (False, True)),
    Range("learning_rate", 1e-3, 1.0, is_log=True),
)
STUDY = Study("0123456789ab", "cafe", parse_objectives("top1,ms"), PARAMETERS)


def plan(trial: int, rung: int = 0) -> Plan:
    configuration = {"b1.kernel": 5, "b1.skip": False, "learning_rate": 0.1}
    return Plan(trial, rung, 4.0**rung, 1, configuration, {"ms": 0.25}, {"params": -7.0}, 2)


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with legs of every kind; its tables take two seconds to make."""
    path = tmp_path_factory.mktemp("sqlite") / "trials.db"
    with filled(path) as (store, state):
        assert store.state() == state
    return path


@pytest.fixture
def path(tmp_path: Path, sqlite_file: Path) -> Path:
    """A copy of that file."""
    return Path(shutil.copy(sqlite_file, tmp_path / "trials.db"))


@contextmanager
def filled(path: Path) -> Iterator[tuple[TrialStore, SearchState]]:
    """A store with legs of every kind, and the state that its writer has kept beside it."""
    with TrialStore.open(path, STUDY) as store:
        state = SearchState(STUDY.objectives)
        done, failed, goes_on, waits = (store.begin(plan(trial)) for trial in range(4))
        for leg in (done, failed, goes_on, waits):
            state.begin(leg)
        leased = store.lease(done, Lease("worker_0", 7, 1e9))
        state.change(leased)
        reached = {"top1": 0.5, "ms": 0.25, "top5": 1.0}
        rows = ({"step": 1, "loss": 2.0},)
        ended = replace(
            leased, values=(0.5, 0.25), reached=reached, violation=0.1, curve=rows, facts={"s": 3.0}
        )
        state.end(store.finish(ended, {"top1>=0.6": 0.1}))
        state.end(store.give_up(store.failed_once(failed, "diverged", "no number")))
        state.change(store.lease(store.failed_once(goes_on, "died", "x"), Lease("w", 8, 2e9)))
        state.begin(store.begin(plan(0, rung=1)))
        yield store, state


def test_journal_says_the_same_as_the_state_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "trials.journal"
    with filled(path) as (store, state):
        assert store.state() == state
    with TrialStore.open(path, STUDY) as store:
        assert store.state() == state
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name, f"{path.name}.writer"]


def test_state_is_what_the_file_says_when_it_is_opened_again(path: Path) -> None:
    with TrialStore.open(path, STUDY) as store:
        again = store.state()
    assert [leg.state for leg in again.legs.values()] == [
        "done",
        "failed",
        "running",
        "running",
        "running",
    ]
    first, failed, third = (again.legs[number] for number in range(3))
    assert first.plan == plan(0) and first.values == (0.5, 0.25)
    assert first.curve == ({"step": 1, "loss": 2.0},) and first.facts == {"s": 3.0}
    assert all(map(math.isnan, failed.values)) and failed.attempts == ("diverged",)
    assert third.lease == Lease("w", 8, 2e9) and third.message == "x"
    assert again.last_leg(0).plan.rung == 1 and again.refused == 8


def test_optuna_itself_reads_the_file(path: Path) -> None:
    import optuna

    study = optuna.load_study(study_name="0123456789ab", storage=f"sqlite:///{path}")
    assert [d.name for d in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["top1", "ms"]
    assert study.user_attrs["schema_version"] == 1 and study.user_attrs["space_hash"] == "cafe"
    assert not study.best_trials  # the one that is done misses a budget
    best = study.trials[0]
    assert best.values == [0.5, 0.25] and best.constraints == {"params": -7.0, "top1>=0.6": 0.1}
    assert best.user_attrs["trial"] == 0 and best.user_attrs["curve"][0]["loss"] == 2.0


@pytest.mark.parametrize(
    ("changes", "expected", "received"),
    [
        ({"space_hash": "beef"}, 'space_hash "beef"', '"cafe"'),
        ({"objectives": parse_objectives("ms,top1")}, r'objectives \["ms", "top1"\]', '"top1"'),
        ({"run_id": "ba9876543210"}, "the study ba9876543210", "study 0123456789ab"),
    ],
)
def test_file_of_another_search_is_refused(
    path: Path, changes: dict[str, Any], expected: str, received: str
) -> None:
    with (
        pytest.raises(InputError, match=f"(?s)Expected.*{expected}.*Received.*{received}.*Fix"),
        TrialStore.open(path, replace(STUDY, **changes)),
    ):
        pass


def test_file_of_another_schema_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nas.tuning.storage.SCHEMA_VERSION", 2)
    with (
        pytest.raises(InputError, match="schema_version 2"),
        TrialStore.open(path, STUDY),
    ):
        pass


def test_file_of_another_major_version_of_optuna_is_refused_before_it_is_changed(
    path: Path,
) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute("UPDATE version_info SET library_version = '4.6.0'")
        file.commit()
    before = path.read_bytes()
    with pytest.raises(InputError, match="Optuna 4.6.0"), TrialStore.open(path, STUDY):
        pass
    assert path.read_bytes() == before


def test_missing_optuna_is_told_with_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(InputError, match=r"stopwatch-nas\[tune\]"):
        study_files.check_optuna()
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "6.0.1")
    with pytest.raises(InputError, match="Optuna 6.0.1"):
        study_files.check_optuna()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite"])
def test_file_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trials.db"
    path.write_bytes(content)
    with pytest.raises(InputError, match="trials of Optuna in"), TrialStore.open(path, STUDY):
        pass
    assert path.read_bytes() == content


def test_database_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trials.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE birds (name)")
        file.commit()
    with pytest.raises(InputError, match="another database"), TrialStore.open(path, STUDY):
        pass


def test_read_only_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    # Rights stop no superuser, whom tests may be run by.
    monkeypatch.setattr(
        sqlite3,
        "connect",
        lambda file, **more: connect(f"file:{file}?mode=ro", uri=True, **more),
    )
    with pytest.raises(InputError, match=r"to write .*readonly"), TrialStore.open(path, STUDY):
        pass


def test_second_program_on_one_file_is_refused(path: Path) -> None:
    with (
        TrialStore.open(path, STUDY),
        pytest.raises(InputError, match="another process that holds"),
        TrialStore.open(path, STUDY),
    ):
        pass


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("database or disk is full", "room on the disk"),
        ("attempt to write a readonly database", "to write"),
        ("database is locked", "for this program alone"),
        ("unable to open database file", "to read and write .*permissions of the file"),
        ("no such table: studies", "trials of Optuna"),
    ],
)
def test_what_sqlite_says_becomes_what_a_user_can_do(path: Path, said: str, expected: str) -> None:
    with pytest.raises(InputError, match=f"(?s){expected}"), study_files.storage_errors(path):
        raise sqlite3.OperationalError(said)


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_torn_line_of_a_journal_is_repaired(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "trials.journal"
    with filled(path):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with TrialStore.open(path, STUDY) as store:
        legs = len(store.legs())
        store.begin(plan(9))
    with TrialStore.open(path, STUDY) as store:
        assert len(store.legs()) == legs + 1
    assert path.read_bytes().startswith(
        whole[:-cut] if cut == 1 else whole[: whole[:-1].rfind(b"\n")]
    )
    assert not repair_journal(path)


@pytest.mark.parametrize("line", [b"hello\n", b"[1, 2]\n", b'{"a": 1}\n', b'{"op_code": 4, "wor\n'])
@pytest.mark.parametrize("place", [0, 3])
def test_journal_with_a_line_of_something_else_is_refused_with_its_number(
    tmp_path: Path, line: bytes, place: int
) -> None:
    path = tmp_path / "trials.journal"
    with filled(path):
        pass
    lines = path.read_bytes().splitlines(keepends=True)
    lines[place] = line
    path.write_bytes(b"".join(lines))
    before = path.read_bytes()
    with pytest.raises(InputError, match=f"line {place + 1}, which"), TrialStore.open(path, STUDY):
        pass
    assert path.read_bytes() == before


def test_journal_goes_on_where_a_killed_program_left_its_lock(tmp_path: Path) -> None:
    path = tmp_path / "trials.journal"
    with filled(path):
        pass
    (tmp_path / "trials.journal.lock").symlink_to(path)
    with TrialStore.open(path, STUDY) as store:
        assert store.begin(plan(9)).number == 5
