"""Where configurations of new trials come from: chance, evolution, TPE of Optuna, or a list.

None of them remembers anything: what they learn from is the state of the search, and their chance
is that of (seed, trial, attempt).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from nas.ranges import check_count, check_number
from nas.registry import Registry
from nas.tuning.candidates import Candidates, Sampler
from nas.tuning.grid import GridSampler
from nas.tuning.legs import SearchState
from nas.tuning.objectives import Objective
from nas.tuning.order import order_of
from nas.tuning.parameters import Configuration, Range, Value
from nas.tuning.scores import RungValue

# Trials with values before anything is learned from them.
LEAST_OBSERVATIONS = 10
# Of the trials with values, one in as many is a parent; and how many are at least.
PARENTS_SHARE, LEAST_PARENTS = 5, 4
# Proposals of one trial that may be turned down before chance takes over.
MOST_ATTEMPTS = 50


class RandomSampler:
    """Chance.

    Args:
        candidates: What there is.
        seed: Of all chance, 0 or more.
    """

    def __init__(self, candidates: Candidates, seed: int) -> None:
        check_count("seed", seed, least=0)
        self.candidates, self._seed = candidates, seed

    def propose(self, trial: int, attempt: int, state: SearchState) -> Configuration:
        """A configuration drawn without looking at any other.

        Args:
            trial: Number of the new trial.
            attempt: How many proposals for it were turned down.
            state: Not looked at.
        """
        del state
        return self.candidates.draw(np.random.default_rng((self._seed, 21, trial, attempt)))


class EvolutionSampler(RandomSampler):
    """Children of the best trials: two are crossed or one is taken, and decisions are changed.

    Parents are the best of the highest rungs. After Real et al. 2019, arXiv 1802.01548, for the
    tournament and the single mutations; its age limit is left out, since rungs already let early
    luck be overtaken. As long as there are few trials, so are the parents: else nearly all children
    would be those of trials that are no better than chance.

    Args:
        candidates: What there is.
        seed: Of all chance, 0 or more.
        population: Parents at most, 2 or more.
        tournament: Parents that are drawn, of which the best becomes one; 1 or more.
        crossing: How often two parents are crossed, 0 to 1.
    """

    def __init__(
        self,
        candidates: Candidates,
        seed: int,
        population: int = 20,
        tournament: int = 4,
        crossing: float = 0.5,
    ) -> None:
        super().__init__(candidates, seed)
        check_count("population", population, least=2)
        check_count("tournament", tournament)
        check_number("crossing", crossing, least=0, most=1)
        self._population, self._tournament, self._crossing = population, tournament, crossing

    def propose(self, trial: int, attempt: int, state: SearchState) -> Configuration:
        """A child, or chance as long as there are few trials with values.

        Args:
            trial: Number of the new trial.
            attempt: How many proposals for it were turned down.
            state: Whose best trials are the parents.
        """
        parents = self.parents(state)
        if not parents or attempt >= MOST_ATTEMPTS:
            return super().propose(trial, attempt, state)
        rng = np.random.default_rng((self._seed, 22, trial, attempt))
        child = dict(self._parent(parents, state, rng))
        if rng.random() < self._crossing:
            other = self._parent(parents, state, rng)
            child = {name: (child, other)[int(rng.integers(2))][name] for name in child}
        return self._mutated(child, rng)

    def parents(self, state: SearchState) -> list[int]:
        """The best fifth of the trials with values, best first; none while these are few.

        Args:
            state: Of the search.
        """
        ranked = best_trials(state, PARENTS_SHARE * self._population)
        if len(ranked) < LEAST_OBSERVATIONS:
            return []
        share = max(LEAST_PARENTS, len(ranked) // PARENTS_SHARE)
        return ranked[: min(share, self._population)]

    def _parent(
        self, parents: Sequence[int], state: SearchState, rng: np.random.Generator
    ) -> Configuration:
        # Parents stand in their order, so that the best of those drawn is the first of them.
        drawn = rng.integers(len(parents), size=self._tournament)
        return state.last_leg(parents[int(drawn.min())]).plan.configuration

    def _mutated(self, child: dict[str, Value], rng: np.random.Generator) -> Configuration:
        parameters = self.candidates.parameters
        sure = int(rng.integers(len(parameters)))
        for number, parameter in enumerate(parameters):
            if number != sure and rng.random() * len(parameters) >= 1:
                continue
            value = child[parameter.name]
            if isinstance(parameter, Range) and isinstance(value, int | float):
                child[parameter.name] = parameter.moved(value, rng)
            else:
                child[parameter.name] = parameter.draw(rng)
        return child


class OriginalFirst:
    """Another sampler, whose first trial is a configuration that is known to be a good one.

    What learns from trials, learns from it too, and a search never ends below it.

    Args:
        sampler: Of all other trials, and of the first one where this configuration breaks a budget.
        configuration: Of the first trial.
    """

    def __init__(self, sampler: Sampler, configuration: Configuration) -> None:
        self._sampler, self._configuration = sampler, configuration

    def propose(self, trial: int, attempt: int, state: SearchState) -> Configuration | None:
        """The known configuration for the first trial, else what the other sampler proposes.

        Args:
            trial: Number of the new trial.
            attempt: How many proposals for it were turned down.
            state: All that is known.
        """
        if trial == 0 and attempt == 0:
            return self._configuration
        return self._sampler.propose(trial, attempt, state)


class TpeSampler(RandomSampler):
    """Optuna's tree-structured Parzen estimators, of all objectives.

    It learns from the highest rung that enough trials have come to, as BOHB does (Falkner et al.
    2018, arXiv 1807.01774, section 3): lower rungs are more trials and say less. Configurations
    that are being trained count as bad ones, so that workers spread. Those that break a budget
    which is known after training alone count as worse than all that keep theirs.

    Args:
        candidates: What there is.
        seed: Of all chance, 0 or more.
        objectives: In the order of the values.
    """

    def __init__(self, candidates: Candidates, seed: int, objectives: Sequence[Objective]) -> None:
        super().__init__(candidates, seed)
        self._objectives = objectives

    def propose(self, trial: int, attempt: int, state: SearchState) -> Configuration:
        """What TPE asks for, or chance as long as there are few trials with values.

        Args:
            trial: Number of the new trial.
            attempt: How many proposals for it were turned down.
            state: That it learns from.
        """
        values = _learned_from(state)
        if not values or attempt >= MOST_ATTEMPTS:
            return super().propose(trial, attempt, state)
        import optuna

        from nas.tuning.storage import direction, distribution

        distributions = {p.name: distribution(p) for p in self.candidates.parameters}
        sequence = np.random.SeedSequence((self._seed, 23, trial, attempt))
        with without_news():
            study = optuna.create_study(
                directions=[direction(objective) for objective in self._objectives],
                sampler=optuna.samplers.TPESampler(
                    seed=int(sequence.generate_state(1)[0]), n_startup_trials=0
                ),
            )
            has_broken = any(found.violation for found in values.values())
            for number, found in sorted(values.items()):
                configuration = state.last_leg(number).plan.configuration
                study.add_trial(
                    optuna.trial.create_trial(
                        params=dict(configuration),
                        distributions=distributions,
                        values=found.values,
                        constraints={"budgets": found.violation} if has_broken else None,
                    )
                )
            for number in sorted({run.trial for run in state.running.values()} - set(values)):
                configuration = state.last_leg(number).plan.configuration
                study.add_trial(
                    optuna.trial.create_trial(
                        state=optuna.trial.TrialState.RUNNING,
                        params=dict(configuration),
                        distributions=distributions,
                    )
                )
            asked: Configuration = study.ask(fixed_distributions=distributions).params
        return asked


def _learned_from(state: SearchState) -> dict[int, RungValue]:
    """Trial -> what it reached at the highest rung with enough trials; empty where none has."""
    rungs = {leg.plan.rung for leg in state.legs.values()}
    for rung in sorted(rungs, reverse=True):
        finite = [value for value in state.values_at(rung) if value.is_finite]
        if len(finite) >= LEAST_OBSERVATIONS:
            return {value.trial: value for value in finite}
    return {}


@contextlib.contextmanager
def without_news() -> Iterator[None]:
    """Keeps what Optuna says of its own studies and experiments from users."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        optuna.logging.set_verbosity(before)


def best_trials(state: SearchState, count: int) -> list[int]:
    """Trials with finite values, those of the highest rung first, each rung from its best on.

    Args:
        state: Of the search.
        count: How many at most.
    """
    found: dict[int, None] = {}
    rungs = {leg.plan.rung for leg in state.legs.values()}
    for rung in sorted(rungs, reverse=True):
        finite = [value for value in state.values_at(rung) if value.is_finite]
        found |= dict.fromkeys(order_of(state.table.objectives, finite).best_first())
        if len(found) >= count:
            break
    return list(found)[:count]


# (what there is, seed, objectives) -> a sampler.
MakeSampler = Callable[[Candidates, int, Sequence[Objective]], Sampler]
SAMPLERS: Registry[MakeSampler] = Registry("sampler")
# What the first trial is: what the sampler proposes, or the original that trials stand beside.
FIRST_TRIALS = ("sampled", "original")
SAMPLERS.register("random", lambda candidates, seed, _: RandomSampler(candidates, seed))
SAMPLERS.register("tpe", TpeSampler)
SAMPLERS.register("evolution", lambda candidates, seed, _: EvolutionSampler(candidates, seed))
SAMPLERS.register("grid", lambda candidates, seed, _: GridSampler(candidates, seed))
