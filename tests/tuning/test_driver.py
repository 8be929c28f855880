"""The loop of a search: whatever becomes of workers and of the program, no trial is lost."""

from __future__ import annotations

import collections
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from latency.shell import Interrupted
from nas.errors import InputError
from nas.executors.executor import Place
from nas.executors.messages import Done, Event, Failed, Job, Progress, Stopped
from nas.system.interrupt import Interrupter
from nas.tuning.asha import Asha
from nas.tuning.budgets import parse_budget
from nas.tuning.driver import Driver
from nas.tuning.leases import LeasePolicy
from nas.tuning.legs import Leg, Plan, SearchState
from nas.tuning.objectives import Objective
from nas.tuning.parameters import Configuration
from nas.tuning.samplers import SAMPLERS, EvolutionSampler, best_trials
from nas.tuning.storage import TrialStore, direction
from tests.support.fake_search import LADDER, STUDY, FakeCandidates, search, top1

# What a job comes to: (job, how often it was begun) -> its events; none for silence.
Behaviour = Callable[[Job, int], Sequence[Event]]


def answers(job: Job, begun: int) -> Sequence[Event]:
    reached = top1(job.payload["configuration"], job.payload["epochs"])
    return [
        Progress(job.id, {}),
        Done(job.id, {"values": {"top1": reached}, "curve": [], "facts": {}}),
    ]


class FakeExecutor:
    """Runs jobs at once, each as it is told."""

    def __init__(self, behaviour: Behaviour, clock: list[float], workers: int) -> None:
        self.behaviour, self.clock, self.workers = behaviour, clock, workers
        self.begun: collections.Counter[str] = collections.Counter()
        self.jobs: dict[str, Job] = {}
        self.killed: list[str] = []

    @property
    def free(self) -> int:
        return self.workers - len(self.jobs)

    def submit(self, job: Job) -> Place:
        self.begun[job.id] += 1
        self.jobs[job.id] = job
        return Place("worker_0", 7)

    def events(self, timeout_s: float) -> Sequence[Event]:
        self.clock[0] += timeout_s
        found: list[Event] = []
        for job in list(self.jobs.values()):
            events = self.behaviour(job, self.begun[job.id])
            found += events
            if any(not isinstance(event, Progress) for event in events):
                del self.jobs[job.id]
        return found

    def kill(self, job_id: str) -> None:
        self.killed.append(job_id)
        del self.jobs[job_id]

    def stop(self, grace_s: float) -> Sequence[Event]:
        return [Stopped(job_id) for job_id in self.jobs]


def memory_store() -> TrialStore:
    """A store whose file is none."""
    storage = optuna.storages.InMemoryStorage()
    wanted = [direction(objective) for objective in STUDY.objectives]
    study_id = storage.create_new_study(wanted, STUDY.run_id)
    return TrialStore(Path("none"), STUDY, storage, study_id)


def run(
    behaviour: Behaviour = answers,
    *,
    store: TrialStore | None = None,
    sampler: str = "random",
    workers: int = 1,
    trials: int = 16,
    clock: list[float] | None = None,
    **more: Any,
) -> tuple[SearchState, FakeExecutor]:
    """A search in this process, whose state has to be what is stored at its end."""
    clock = [1e9] if clock is None else clock
    executor = FakeExecutor(behaviour, clock, workers)
    candidates = FakeCandidates()
    store = store or memory_store()
    driver = Driver(
        store,
        store.state(),
        Asha(LADDER, trials),
        SAMPLERS[sampler](candidates, 3, STUDY.objectives),
        candidates,
        executor,
        lambda leg: {
            "configuration": dict(leg.plan.configuration),
            "epochs": leg.plan.epochs,
            "trial": leg.plan.trial,
        },
        policy=LeasePolicy(seconds=20.0),
        clock=lambda: clock[0],
        **more,
    )
    state = driver.run()
    assert store.state() == state
    return state, executor


def counts(state: SearchState) -> list[int]:
    return [state.table.count(rung) for rung in range(3)]


def decisions(state: SearchState) -> list[tuple[Any, ...]]:
    """What was decided, without who trained it and when."""
    return [
        (leg.plan.trial, leg.plan.rung, leg.plan.configuration, leg.plan.refused, repr(leg.values))
        for leg in state.legs.values()
    ]


@pytest.fixture(scope="module")
def calm() -> SearchState:
    """The search of one worker that nothing disturbs."""
    return run()[0]


def test_search_ends_with_whole_trainings_and_never_trains_what_breaks_a_budget(
    calm: SearchState,
) -> None:
    assert len(calm.trials) == 16 and not calm.running
    assert counts(calm) == [16, 8, 4]
    assert calm.refused > 0
    assert all(leg.values[1] <= 100.0 for leg in calm.legs.values())


def test_program_that_ends_at_any_leg_goes_on_as_if_it_had_not(calm: SearchState) -> None:
    class Stop(BaseException):
        pass

    store, moments = memory_store(), 0

    def stops(state: SearchState) -> None:
        nonlocal moments
        moments += 1
        if moments % 3 == 0:
            raise Stop

    while True:
        try:
            again, _ = run(store=store, on_change=stops)
            break
        except Stop:
            continue
    assert moments > 50
    assert decisions(again) == decisions(calm)


@pytest.mark.parametrize("sampler", ["tpe", "evolution"])
def test_samplers_go_on_as_they_would_have_from_what_is_stored(
    calm: SearchState, sampler: str
) -> None:
    class Stop(BaseException):
        pass

    def stops(state: SearchState) -> None:
        if len(state.legs) == 24:
            raise Stop

    store = memory_store()
    with pytest.raises(Stop):
        run(store=store, sampler=sampler, on_change=stops)
    again, _ = run(store=store, sampler=sampler)
    whole, _ = run(sampler=sampler)
    assert decisions(again) == decisions(whole)
    assert decisions(calm) != decisions(whole)


@pytest.mark.parametrize("sampler", ["tpe", "evolution"])
def test_samplers_learn_which_configurations_keep_what_training_tells(sampler: str) -> None:
    objectives, candidates = (Objective("macs"),), FakeCandidates()

    def proposed(least_width: int) -> list[int]:
        state = SearchState(objectives)
        for trial in range(40):
            drawn: Mapping[str, Any] = candidates.draw(np.random.default_rng(trial))
            missed = max(0.0, 1 - drawn["width"] / least_width)
            leg = Leg(trial, Plan(trial, 0, 1.0, 0, drawn, {}))
            state.begin(leg)
            macs = (candidates.known(drawn)["macs"],)
            state.end(replace(leg, state="done", values=macs, violation=missed))
        learned = SAMPLERS[sampler](candidates, 0, objectives)
        found: list[Any] = [learned.propose(trial, 0, state) for trial in range(40, 60)]
        return [configuration["width"] for configuration in found]

    # Fewer operations are better, unless what is narrower breaks the budget.
    assert sum(width == 8 for width in proposed(8)) > 10
    assert sum(width == 32 for width in proposed(32)) > 10


def test_parents_are_the_best_fifth_and_grow_with_the_trials(calm: SearchState) -> None:
    many, _ = run(trials=60)
    for state, population, count in ((calm, 20, 4), (many, 20, 12), (many, 6, 6), (calm, 2, 2)):
        sampler = EvolutionSampler(FakeCandidates(), 0, population)
        assert sampler.parents(state) == best_trials(state, 64)[:count]
    assert EvolutionSampler(FakeCandidates(), 0).parents(SearchState(STUDY.objectives)) == []


@pytest.mark.parametrize("cause", ["error", "died", "memory"])
def test_training_that_fails_once_is_tried_again_and_changes_nothing(
    calm: SearchState, cause: Any
) -> None:
    def fails_once(job: Job, begun: int) -> Sequence[Event]:
        failing = job.id in ("3", "17") and begun == 1
        return [Failed(job.id, cause, "a reason")] if failing else answers(job, begun)

    state, executor = run(fails_once)
    assert executor.begun["3"] == executor.begun["17"] == 2
    assert state.legs[3].attempts == (cause,) and state.legs[3].state == "done"
    assert decisions(state) == decisions(calm)


def test_hung_worker_is_ended_and_its_leg_trained_again_then_given_up() -> None:
    def hangs(job: Job, begun: int) -> Sequence[Event]:
        return [] if job.id == "2" else answers(job, begun)

    state, executor = run(hangs, workers=2)
    assert executor.killed == ["2", "2"]
    assert state.legs[2].state == "failed" and state.legs[2].attempts == ("hung", "hung")
    assert counts(state) == [16, 8, 4]


def test_sign_of_life_renews_a_lease() -> None:
    asked = 0

    def is_slow(job: Job, begun: int) -> Sequence[Event]:
        nonlocal asked
        asked += job.id == "2"
        return answers(job, begun) if job.id != "2" or asked == 100 else [Progress(job.id, {})]

    state, executor = run(is_slow, workers=2)
    assert asked == 100  # seconds, of which a lease has 20
    assert not executor.killed and not state.legs[2].attempts


def test_machine_that_slept_takes_nobody_for_hung(calm: SearchState) -> None:
    clock, asked = [1e9], 0

    def sleeps(job: Job, begun: int) -> Sequence[Event]:
        nonlocal asked
        asked += 1
        if asked == 5:
            clock[0] += 3600.0
            return []
        return answers(job, begun)

    state, executor = run(sleeps, clock=clock)
    assert not executor.killed
    assert decisions(state) == decisions(calm)


def test_score_that_is_no_number_ranks_last_and_is_not_tried_again() -> None:
    def loses(job: Job, begun: int) -> Sequence[Event]:
        if job.payload["trial"] == 1:
            return [Done(job.id, {"values": {"top1": None}, "curve": [], "facts": {}})]
        if job.payload["trial"] == 4:
            return [Failed(job.id, "diverged", "NaN")]
        return answers(job, begun)

    state, executor = run(loses)
    assert set(state.table.order(0).best_first()[-2:]) == {1, 4}
    for trial in (1, 4):
        leg = state.last_leg(trial)
        assert leg.state == "failed" and leg.attempts == ("diverged",)
        assert executor.begun[str(leg.number)] == 1


def test_trainings_that_fail_one_and_all_end_the_search() -> None:
    def fails(job: Job, begun: int) -> Sequence[Event]:
        return [Failed(job.id, "error", "no such file")]

    with pytest.raises(InputError, match="none that is done; the last one: no such file"):
        run(fails)


def test_search_in_which_no_score_is_a_number_ends_with_all_trials_counted() -> None:
    def diverges(job: Job, begun: int) -> Sequence[Event]:
        return [Failed(job.id, "diverged", "NaN")]

    state, executor = run(diverges)
    assert counts(state) == [16, 0, 0]
    assert set(executor.begun.values()) == {1}


def test_disk_without_room_ends_the_search_which_goes_on_later(calm: SearchState) -> None:
    def is_full(job: Job, begun: int) -> Sequence[Event]:
        return [Failed(job.id, "disk", "none left")] if job.id == "5" else answers(job, begun)

    store = memory_store()
    with pytest.raises(InputError, match="room on the disk"):
        run(is_full, store=store)
    assert store.state().legs[5].state == "running"
    state, _ = run(store=store)
    assert [leg.values for leg in state.legs.values()] == [leg.values for leg in calm.legs.values()]


def test_trials_that_miss_a_trained_budget_rank_behind_those_that_keep_it() -> None:
    state, _ = run(budgets=[parse_budget("top1>=0.3")])
    order = state.table.order(0).best_first()
    kept = [state.legs[state.trials[trial][0]].reached["top1"] >= 0.3 for trial in order]
    assert any(kept) and not all(kept)
    assert kept == sorted(kept, reverse=True)
    missed = [leg for leg in state.legs.values() if leg.reached["top1"] < 0.3]
    assert all(leg.violation == pytest.approx(1 - leg.reached["top1"] / 0.3) for leg in missed)


def test_budgets_that_nothing_keeps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeCandidates, "margins", lambda self, c: {"macs": 1.0})
    monkeypatch.setattr("nas.tuning.candidates.MOST_DRAWS", 20)
    with pytest.raises(InputError, match="a configuration that keeps macs"):
        run()


def test_space_that_is_exhausted_ends_with_the_trials_that_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def few(self: FakeCandidates, configuration: Configuration) -> Configuration:
        return {**configuration, "learning_rate": 0.1, "is_deep": False}

    monkeypatch.setattr(FakeCandidates, "canonical", few)
    monkeypatch.setattr("nas.tuning.candidates.MOST_DRAWS", 50)
    state, _ = run()
    assert counts(state) == [4, 2, 1]


def test_signal_stops_workers_and_the_search_goes_on_as_if_there_was_none(
    calm: SearchState,
) -> None:
    interrupter = Interrupter()

    def stops(job: Job, begun: int) -> Sequence[Event]:
        if job.id == "5" and not interrupter.pending:
            interrupter._handle(signal.SIGTERM, None)
            return []
        return answers(job, begun)

    store = memory_store()
    with pytest.raises(Interrupted):
        run(stops, store=store, interrupter=interrupter)
    state, _ = run(store=store)
    assert not state.legs[5].attempts
    assert decisions(state) == decisions(calm)


# Programs that are killed.


def program(folder: Path, workers: int, trials: int) -> subprocess.Popen[bytes]:
    words = [
        sys.executable,
        "-m",
        "tests.support.fake_search",
        *map(str, (folder, workers, trials)),
    ]
    return subprocess.Popen(words, start_new_session=True)


def killed_after(folder: Path, workers: int, trials: int, epochs: int) -> bool:
    """Kills a search after so many epochs of all trials; says whether it was still there."""
    with program(folder, workers, trials) as process:
        log = folder / "epochs.txt"
        while process.poll() is None:
            if log.exists() and len(log.read_text("ascii").splitlines()) >= epochs:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.001)
        return process.returncode == -signal.SIGKILL


def check_nothing_is_lost(folder: Path, state: SearchState, kills: int) -> None:
    """Every trial was trained to its last rung, and an epoch twice only where a kill fell."""
    lines = collections.Counter((folder / "epochs.txt").read_text("ascii").splitlines())
    wanted = {
        f"{trial} {epoch}"
        for trial in state.trials
        for epoch in range(1, round(state.last_leg(trial).plan.epochs) + 1)
    }
    assert set(lines) == wanted
    assert sum(lines.values()) - len(lines) <= 2 * kills
    assert len(state.legs) == len({(leg.plan.trial, leg.plan.rung) for leg in state.legs.values()})
    assert not any(leg.attempts for leg in state.legs.values())


def test_killed_search_goes_on_with_the_same_rungs_and_promotions(tmp_path: Path) -> None:
    assert killed_after(tmp_path, workers=1, trials=6, epochs=5)
    state = search(tmp_path, 1, 6, Interrupter())
    check_nothing_is_lost(tmp_path, state, kills=1)
    assert decisions(state) == decisions(run(trials=6)[0])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_search_that_is_killed_at_random_moments_loses_nothing(
    tmp_path: Path, workers: int
) -> None:
    rng = random.Random(workers)
    kills = done = 0
    while killed_after(tmp_path, workers, 16, done + rng.randrange(1, 7)):
        kills += 1
        log = tmp_path / "epochs.txt"
        done = len(log.read_text("ascii").splitlines()) if log.exists() else 0
    assert kills >= 5
    state = search(tmp_path, workers, 16, Interrupter())
    check_nothing_is_lost(tmp_path, state, kills)
    assert counts(state) == [16, 8, 4]
    if workers == 1:
        assert decisions(state) == decisions(run()[0])
