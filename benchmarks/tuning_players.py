"""Searches that are replayed on recorded curves: ours, and chance."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from benchmarks.tuning_curves import Curves
from nas.tuning.asha import Asha
from nas.tuning.candidates import Sampler
from nas.tuning.ladder import EvenLadder, Ladder
from nas.tuning.legs import Leg as StoredLeg
from nas.tuning.legs import Plan, SearchState
from nas.tuning.objectives import Objective
from nas.tuning.parameters import Configuration, OneOfList, Parameter, Range
from nas.tuning.scheduler import Scheduler
from nas.tuning.scores import Job, Running
from nas.tuning.table import RungTable

OBJECTIVES = (Objective("top1"), Objective("macs"))


@dataclass(frozen=True)
class Leg:
    """A part of a training.

    Args:
        trial: Number of the trial, by the search that asks.
        configuration: Row of the curves.
        rung: The rung whose end it trains to.
    """

    trial: int
    configuration: int
    rung: int


@dataclass(frozen=True)
class Reached:
    """What a leg came to.

    Args:
        top1: At its end; NaN where the training diverged.
        cost: Of its configuration.
    """

    top1: float
    cost: float


class Player(Protocol):
    """A search: asked what to train, and told what came of it."""

    @property
    def ladder(self) -> Ladder | EvenLadder:
        """Lengths that trainings are looked at."""

    def ask(self) -> Leg | None:
        """What trains next; None for nothing now."""

    def tell(self, leg: Leg, reached: Reached) -> None:
        """What a leg came to.

        Args:
            leg: That was asked for.
            reached: At its end.
        """


class Deck:
    """The recorded configurations, each of which is dealt once.

    Args:
        curves: Where they stand.
        seed: Of their order.
    """

    def __init__(self, curves: Curves, seed: int) -> None:
        self.curves = curves
        self._left = np.random.default_rng(seed).permutation(len(curves)).tolist()

    def __bool__(self) -> bool:
        return bool(self._left)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Of every configuration, as samplers know them."""
        counts = self.curves.options.tolist()
        rates = self.curves.learning_rate
        return (
            *(OneOfList(f"choice_{n}", tuple(range(count))) for n, count in enumerate(counts)),
            Range("learning_rate", float(rates.min()), float(rates.max()), is_log=True),
        )

    def values(self, configuration: int) -> dict[str, int | float]:
        """Parameter -> value.

        Args:
            configuration: Row of the curves.
        """
        choices = self.curves.choices[configuration].tolist()
        rate = float(self.curves.learning_rate[configuration])
        return {
            **{f"choice_{n}": option for n, option in enumerate(choices)},
            "learning_rate": rate,
        }

    def draw(self, rng: np.random.Generator) -> Configuration:
        """Values by chance, of a configuration that may not have been recorded.

        Args:
            rng: Generator of this draw.
        """
        return {parameter.name: parameter.draw(rng) for parameter in self.parameters}

    def canonical(self, configuration: Configuration) -> Configuration:
        """The same one.

        Args:
            configuration: A value for each parameter.
        """
        return configuration

    def known(self, _configuration: Configuration) -> Mapping[str, float]:
        """Nothing: costs are told with the values."""
        return {}

    def margins(self, _configuration: Configuration) -> Mapping[str, float]:
        """No budgets."""
        return {}

    def next(self) -> int:
        """The next one in a random order, the same for all searches of one seed."""
        return int(self._left.pop(0))

    def nearest_to(self, asked: Configuration) -> int:
        """The one that is nearest to the values of a sampler, as `nearest` says.

        Args:
            asked: A value for each parameter.
        """
        choices = [int(str(asked[f"choice_{n}"])) for n in range(len(self.curves.options))]
        return self.nearest(choices, float(str(asked["learning_rate"])))

    def nearest(self, choices: list[int], learning_rate: float) -> int:
        """The one that is nearest to what a sampler asks for and was not dealt yet.

        The distance is the share of choices that differ, and the decades between the learning rates
        over those of the whole recording, each with the weight of one choice.

        Args:
            choices: Option at each choice.
            learning_rate: That it asks for.
        """
        left = np.array(self._left)
        rates = np.log10(self.curves.learning_rate)
        differ = (self.curves.choices[left] != np.array(choices)).sum(1)
        decades = abs(rates[left] - math.log10(learning_rate)) / max(np.ptp(rates), 1e-9)
        place = int(np.argmin(differ + decades))
        return int(self._left.pop(place))


class Ours:
    """A scheduler and a sampler of `nas.tuning`, with one objective or two.

    Args:
        scheduler: Asked for jobs.
        deck: Configurations.
        objectives: 1 for top-1 alone, 2 for the cost beside it.
        sampler: Whose proposals are taken to the nearest configuration that is left; None for the
            order of the deck.
    """

    def __init__(
        self, scheduler: Scheduler, deck: Deck, objectives: int, sampler: Sampler | None = None
    ) -> None:
        self.state = SearchState(OBJECTIVES[:objectives])
        self._scheduler, self._deck, self._sampler = scheduler, deck, sampler
        self._configurations: list[int] = []

    @property
    def ladder(self) -> Ladder | EvenLadder:
        """The scheduler's."""
        return self._scheduler.ladder

    def ask(self) -> Leg | None:
        """The scheduler's job."""
        state = self.state
        job = self._scheduler.next_job(
            state.table, state.running.values(), can_begin=bool(self._deck)
        )
        if not isinstance(job, Job):
            return None
        trial = job.trial
        if trial is None:
            trial = len(self._configurations)
            self._configurations.append(self._dealt(trial))
        configuration = self._configurations[trial]
        values = self._deck.values(configuration)
        plan = Plan(trial, job.rung, job.epochs, job.bracket, values, {})
        state.begin(StoredLeg(len(state.legs), plan))
        return Leg(trial, configuration, job.rung)

    def _dealt(self, trial: int) -> int:
        if self._sampler is None:
            return self._deck.next()
        proposed = self._sampler.propose(trial, 0, self.state)
        return self._deck.next() if proposed is None else self._deck.nearest_to(proposed)

    def tell(self, leg: Leg, reached: Reached) -> None:
        """Stores the value of a rung.

        Args:
            leg: That was asked for.
            reached: At its end.
        """
        running = self.state.running.items()
        number = next(n for n, run in running if (run.trial, run.rung) == (leg.trial, leg.rung))
        values = (reached.top1, reached.cost)[: len(self.state.table.objectives)]
        self.state.end(replace(self.state.legs[number], state="done", values=values))


class Algorithm2(Asha):
    """Asynchronous halving word by word, without the bound that ours keeps (decision 0046)."""

    def _promotable(self, rung: int, table: RungTable, pending: tuple[Running, ...]) -> int | None:
        above = {*table.values(rung + 1), *(job.trial for job in pending if job.rung == rung + 1)}
        order = table.order(rung)
        places = min(order.finite, table.count(rung) // self.ladder.reduction)
        return next((t for t in order.best_first()[:places] if t not in above), None)


class StopOrGo:
    """A search that only stops: a trial that goes on does so at once.

    Args:
        ladder: Where trials are looked at.
    """

    def __init__(self, ladder: Ladder) -> None:
        self._ladder = ladder
        self._going: list[Leg] = []
        self._count = 0

    @property
    def ladder(self) -> Ladder:
        """Where trials are looked at."""
        return self._ladder

    def ask(self) -> Leg | None:
        """The next leg of a trial that goes on, or a new trial."""
        if self._going:
            return self._going.pop(0)
        configuration = self.begin()
        if configuration is None:
            return None
        self._count += 1
        return Leg(self._count - 1, configuration, 0)

    def tell(self, leg: Leg, reached: Reached) -> None:
        """Asks whether the trial goes on.

        Args:
            leg: That was asked for.
            reached: At its end.
        """
        if self.goes_on(leg, reached) and leg.rung < self._ladder.last:
            self._going.append(Leg(leg.trial, leg.configuration, leg.rung + 1))

    def begin(self) -> int | None:
        """The configuration of a new trial; None where there is none left."""
        raise NotImplementedError

    def goes_on(self, leg: Leg, reached: Reached) -> bool:
        """Whether a trial trains on.

        Args:
            leg: That has ended, also the last one of a trial.
            reached: At its end.
        """
        raise NotImplementedError


class Chance(StopOrGo):
    """Every configuration is trained whole, in random order.

    Args:
        ladder: At whose rungs its values are looked at, too.
        deck: Configurations.
    """

    def __init__(self, ladder: Ladder, deck: Deck) -> None:
        super().__init__(ladder)
        self._deck = deck

    def begin(self) -> int | None:
        """The next configuration."""
        return self._deck.next() if self._deck else None

    def goes_on(self, _leg: Leg, _reached: Reached) -> bool:
        """Always."""
        return True
