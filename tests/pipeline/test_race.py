"""The race of a run: who takes part, what is kept of it, who wins; trainings are made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.constraints import Bounds
from nas.data import Dataset
from nas.errors import InputError
from nas.methods.method import Method
from nas.methods.random import RandomMethod
from nas.pipeline.race import RaceRun
from nas.runs.config import RaceConfig, RunConfig
from nas.runs.folder import RunFolder
from nas.search_space.space import Space
from nas.selection.choice import Attempt, Choice
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal
from nas.selection.race_field import READINGS
from nas.selection.successive_halving import CandidateScore, Field, RaceResult
from nas.system.interrupt import Interrupter
from nas.training import trainer
from nas.training.evaluation import Accuracy
from tests.support.run_config import run_config
from tests.support.toy import toy_space
from tests.support.toy_stages import toy_costs, toy_dataset, toy_latency


@dataclass
class FakeTrainings:
    """Stands in for `train_network`: accuracies by a network's text, or by chance.

    Args:
        top1: Text -> share; others reach 0.5.
        fails_after: Trainings after which the program is stopped.
    """

    top1: Mapping[str, float] = field(default_factory=dict)
    fails_after: int = 1000
    calls: list[dict[str, Any]] = field(default_factory=list)

    def __call__(
        self, network: Architecture, dataset: Dataset, recipe: Any, control: Any, **others: Any
    ) -> trainer.TrainResult:
        if len(self.calls) == self.fails_after:
            raise KeyboardInterrupt
        text = arch_text.to_text(network)
        self.calls.append({"text": text, "epochs": recipe.epochs, **others})
        accuracy = Accuracy(self.top1.get(text, 0.5), 0.9, 1.5, 40)
        return trainer.TrainResult(None, accuracy, accuracy, 0.5, 100, 2.0, [])


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> FakeTrainings:
    fake = FakeTrainings()
    monkeypatch.setattr(trainer, "train_network", fake)
    return fake


@pytest.fixture
def space() -> Space:
    return toy_space()


@pytest.fixture
def config() -> RunConfig:
    return replace(run_config(Goal(target=0.7)), race=RaceConfig(candidates=4, epochs=2.0), seed=3)


@pytest.fixture
def race(tmp_path: Path, space: Space, config: RunConfig) -> RaceRun:
    folder = RunFolder.create(tmp_path / "run", config, "race")
    measure = _measure(space, {})
    return RaceRun(folder, space, toy_costs(space), toy_dataset(), config, measure, Interrupter())


def _measure(space: Space, slower: Mapping[str, float]) -> Any:
    """Every network takes what is predicted, or so many times as long."""
    latency = toy_latency(space)

    def measure(networks: Mapping[str, Architecture]) -> dict[str, float]:
        return {
            name: latency.predict_ms(space.encode(network))
            * slower.get(arch_text.to_text(network), 1.0)
            for name, network in networks.items()
        }

    return measure


def chosen(space: Space, indices: Sequence[int]) -> Choice:
    attempt = Attempt(tuple(indices), 0.7, (), None, None, None)
    return Choice.of([attempt], attempt, 0.7)


def methods(race: RaceRun) -> Mapping[str, Method]:
    bounded = BoundedSpace(race.space, race.costs.cost, Bounds())
    return {"search": RandomMethod(bounded, 1), "random": RandomMethod(bounded, 2)}


def run(race: RaceRun) -> Architecture:
    return race.run(chosen(race.space, (0, 0)), lambda: methods(race))


def test_the_most_accurate_of_equal_networks_wins(race: RaceRun, trainings: FakeTrainings) -> None:
    run(race)
    candidates = race.folder.read(Field).candidates
    assert candidates[0].indices == (0, 0) and candidates[0].origin == "search"
    assert {c.predicted_ms for c in candidates} == {candidates[0].predicted_ms}
    assert len({c.indices for c in candidates}) == len(candidates) >= 3
    best = candidates[2]
    for path in [race.folder.path / "race.json", *race.folder.path.glob("race/*-*.json")]:
        path.unlink()
    trainings.top1 = {best.text: 0.6}
    assert run(race) == race.space.decode(best.indices)
    result = race.folder.read(RaceResult)
    assert result.winner == best.name and result.candidates == candidates
    assert result.images_seen == 100 * sum(len(rung.results) for rung in result.rungs)


def test_rounds_grow_and_the_evaluation_images_never_choose(
    race: RaceRun, trainings: FakeTrainings
) -> None:
    run(race)
    count = len(race.folder.read(Field).candidates)
    assert [call["epochs"] for call in trainings.calls] == [1.0] * count + [2.0] * 2
    assert [call["seed"] for call in trainings.calls] == [3] * count + [4] * 2
    learned, judging = trainings.calls[0]["division"]
    everything = np.concatenate([learned, judging])
    assert sorted(everything) == list(range(len(race.dataset.train.labels)))


def test_a_finished_race_is_read_and_not_run_again(race: RaceRun, trainings: FakeTrainings) -> None:
    winner = run(race)
    before = (race.folder.path / "race.json").read_bytes()
    trainings.fails_after = len(trainings.calls)
    assert run(race) == winner
    assert (race.folder.path / "race.json").read_bytes() == before


def test_a_stopped_race_goes_on_with_what_is_not_trained_yet(
    race: RaceRun, trainings: FakeTrainings
) -> None:
    trainings.fails_after = 2
    with pytest.raises(KeyboardInterrupt):
        run(race)
    assert len(list(race.folder.path.glob("race/0-*.json"))) == 2
    assert race.folder.has(CandidateScore, name="0-search_1")
    trainings.fails_after = 1000
    run(race)
    texts = [call["text"] for call in trainings.calls if call["epochs"] == 1.0]
    assert len(texts) == len(set(texts)) == len(race.folder.read(Field).candidates)


def test_who_measures_slower_than_the_choice_takes_no_part(
    race: RaceRun, trainings: FakeTrainings
) -> None:
    race.config = replace(race.config, scale="sample")  # with a margin of 2 %
    others = {
        arch_text.to_text(race.space.decode((i, j))): 1.03
        for i in range(len(race.space.choices[0].options))
        for j in range(len(race.space.choices[1].options))
        if (i, j) != (0, 0)
    }
    race.measure = _measure(race.space, others)
    assert run(race) == race.space.decode((0, 0))
    result = race.folder.read(RaceResult)
    assert (result.rungs, result.images_seen, trainings.calls) == ((), 0, [])


def asked(race: RaceRun, target_ms: float, accepted: bool) -> Choice:
    """A choice that was measured, for a target."""
    reading = target_ms if accepted else 1.5 * target_ms
    attempt = Attempt((0, 0), 0.7, (reading, reading), reading, None, None)
    return Choice.of([attempt], attempt, target_ms)


def test_who_misses_the_target_takes_no_part_though_equal_to_the_choice(
    race: RaceRun, trainings: FakeTrainings
) -> None:
    race.config = replace(race.config, scale="sample")  # with a margin of 2 %
    aim_ms = race.costs.cost.of((0, 0))
    everybody = {
        arch_text.to_text(race.space.decode((i, j))): 1.025
        for i in range(len(race.space.choices[0].options))
        for j in range(len(race.space.choices[1].options))
    }
    race.measure = _measure(race.space, everybody)
    # All take 2.5 % more than was asked, the choice too, though it was read otherwise before.
    race.run(asked(race, aim_ms, accepted=True), lambda: methods(race))
    assert [c.indices for c in race.folder.read(Field).candidates] == [(0, 0)]
    assert trainings.calls == []


def test_a_choice_that_misses_the_target_leaves_the_race_to_those_who_keep_it(
    race: RaceRun, trainings: FakeTrainings
) -> None:
    race.config = replace(race.config, scale="sample")  # with a margin of 2 %
    aim_ms = race.costs.cost.of((0, 0))
    own = arch_text.to_text(race.space.decode((0, 0)))
    race.measure = _measure(race.space, {own: 1.03})
    race.run(asked(race, aim_ms, accepted=False), lambda: methods(race))
    candidates = race.folder.read(Field).candidates
    assert len(candidates) >= 2 and all(c.indices != (0, 0) for c in candidates)
    assert {c.measured_ms for c in candidates} == {aim_ms}


def test_candidates_are_read_in_several_processes(race: RaceRun, trainings: FakeTrainings) -> None:
    calls: list[int] = []
    measure = _measure(race.space, {})

    def counted(networks: Mapping[str, Architecture]) -> dict[str, float]:
        calls.append(len(networks))
        # The second process is slow for all: the median does not follow it.
        slower = 1.1 if len(calls) == 2 else 1.0
        return {name: slower * ms for name, ms in measure(networks).items()}

    race.measure = counted
    run(race)
    assert len(calls) == READINGS and len(set(calls)) == 1
    candidates = race.folder.read(Field).candidates
    assert {c.measured_ms for c in candidates} == {candidates[0].predicted_ms}


def test_for_another_device_the_table_alone_says_who_is_equal(
    race: RaceRun, trainings: FakeTrainings
) -> None:
    race.measure = None
    run(race)
    candidates = race.folder.read(Field).candidates
    assert len(candidates) > 1 and {c.measured_ms for c in candidates} == {None}


def test_without_a_race_in_the_configuration_there_is_none(
    race: RaceRun, trainings: FakeTrainings
) -> None:
    race.config = replace(race.config, race=None)
    with pytest.raises(InputError, match="--race"):
        run(race)
