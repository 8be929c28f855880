"""Searches of other libraries, replayed on recorded curves; nothing else needs these libraries.

    pip install 'optuna>=5,<6' 'syne-tune==0.16.0'

What was corrected in Syne Tune's MOASHA is said at `_corrected_priority`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np

from benchmarks.tuning_players import Deck, Leg, Ours, Reached, StopOrGo
from nas.tuning.asha import Asha
from nas.tuning.ladder import Ladder
from nas.tuning.table import RungTable

# With fewer values at a rung, TPE learns from the one below it, and at the first one from none.
LEAST_VALUES = 10


def _sampler(kind: str, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if kind == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


def _distributions(deck: Deck) -> dict[str, Any]:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    curves = deck.curves
    found: dict[str, Any] = {
        f"choice_{number}": CategoricalDistribution(list(range(count)))
        for number, count in enumerate(curves.options.tolist())
    }
    low, high = float(curves.learning_rate.min()), float(curves.learning_rate.max())
    found["learning_rate"] = FloatDistribution(low, high, log=True)
    return found


def _parameters(deck: Deck, configuration: int) -> dict[str, Any]:
    choices = deck.curves.choices[configuration].tolist()
    found: dict[str, Any] = {f"choice_{n}": option for n, option in enumerate(choices)}
    found["learning_rate"] = float(deck.curves.learning_rate[configuration])
    return found


def _nearest(deck: Deck, asked: dict[str, Any]) -> int:
    count = len(deck.curves.options)
    return deck.nearest([asked[f"choice_{n}"] for n in range(count)], asked["learning_rate"])


class OptunaHalving(StopOrGo):
    """Optuna's SuccessiveHalvingPruner, with one objective.

    A trial of Optuna's random sampler gets the next configuration, the same as ours. One of TPE
    gets the recorded configuration that is nearest to what TPE asks for.

    Args:
        ladder: Whose rung k is reported as step eta^k.
        deck: Configurations.
        sampler: `random` or `tpe`.
        seed: Of the sampler.
    """

    def __init__(self, ladder: Ladder, deck: Deck, sampler: str, seed: int) -> None:
        import optuna

        super().__init__(ladder)
        self._deck, self._sampler, self._ladder = deck, sampler, ladder
        made = _sampler(sampler, seed)
        pruner = optuna.pruners.SuccessiveHalvingPruner(1, ladder.reduction, 0)
        self._study = optuna.create_study(direction="maximize", sampler=made, pruner=pruner)
        self._trials: list[Any] = []

    def begin(self) -> int | None:
        """A configuration by the sampler."""
        if not self._deck:
            return None
        self._trials.append(self._study.ask(_distributions(self._deck)))
        if self._sampler == "random":
            return self._deck.next()
        return _nearest(self._deck, self._trials[-1].params)

    def goes_on(self, leg: Leg, reached: Reached) -> bool:
        """Whether the pruner lets it."""
        import optuna

        trial = self._trials[leg.trial]
        trial.report(reached.top1, self._ladder.reduction**leg.rung)
        is_pruned = bool(trial.should_prune()) or math.isnan(reached.top1)
        if is_pruned:
            self._study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif leg.rung == self._ladder.last:
            self._study.tell(trial, reached.top1)
        return not is_pruned


def ours_with_tpe(ladder: Ladder, deck: Deck, max_trials: int, objectives: int, seed: int) -> Ours:
    """Our halving, with Optuna's TPE of the highest rung that has enough values.

    Args:
        ladder: Lengths.
        deck: Configurations.
        max_trials: Trials in all.
        objectives: 1 or 2.
        seed: Of the sampler.
    """
    return Ours(Asha(ladder, max_trials), _tpe(deck, ladder, objectives, seed), objectives)


def _tpe(
    deck: Deck, ladder: Ladder, objectives: int, seed: int
) -> Callable[[RungTable, list[int]], int | None]:
    import optuna

    directions = ["maximize", "minimize"][:objectives]
    distributions = _distributions(deck)

    def deal(table: RungTable, configurations: list[int]) -> int | None:
        if not deck:
            return None
        rungs = [
            {t: v for t, v in table.values(rung).items() if v.is_finite}
            for rung in range(ladder.rungs)
        ]
        values = next((v for v in reversed(rungs) if len(v) >= LEAST_VALUES), None)
        if values is None:
            return deck.next()
        sampler = _sampler("tpe", seed + len(configurations))
        study = optuna.create_study(directions=directions, sampler=sampler)
        for trial, value in sorted(values.items()):
            parameters = _parameters(deck, configurations[trial])
            study.add_trial(
                optuna.create_trial(
                    params=parameters, distributions=distributions, values=value.values
                )
            )
        return _nearest(deck, study.ask(distributions).params)

    return deal


class SyneTune(StopOrGo):
    """Syne Tune's ASHA with one objective, or its MOASHA, corrected, with two.

    Configurations are ours, in the same random order: MOASHA draws at random only, and ASHA is
    asked to.

    Args:
        ladder: Whose rung k is reported as time eta^k.
        deck: Configurations.
        objectives: 1 or 2.
        seed: Of what the scheduler draws.
    """

    def __init__(self, ladder: Ladder, deck: Deck, objectives: int, seed: int) -> None:
        from syne_tune.config_space import randint
        from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving
        from syne_tune.optimizer.schedulers.multiobjective.moasha import MOASHA

        super().__init__(ladder)
        self._deck, self._ladder = deck, ladder
        self._largest = float(deck.curves.cost.max())
        options: dict[str, Any] = {
            "config_space": {"number": randint(0, len(deck.curves) - 1)},
            "time_attr": "time",
            "max_t": ladder.reduction**ladder.last,
            "grace_period": 1,
            "reduction_factor": ladder.reduction,
            "random_seed": seed,
        }
        if objectives == 1:
            self._scheduler = AsynchronousSuccessiveHalving(metric="error", **options)
        else:
            self._scheduler = MOASHA(
                metrics=["error", "cost"],
                multiobjective_priority=_corrected_priority(),
                **options,
            )
        self._trials: list[Any] = []

    def begin(self) -> int | None:
        """The next configuration."""
        from syne_tune.backend.trial_status import Trial

        if not self._deck:
            return None
        configuration = self._deck.next()
        self._trials.append(Trial(len(self._trials), {"number": configuration}, datetime.now()))
        self._scheduler.on_trial_add(self._trials[-1])
        return configuration

    def goes_on(self, leg: Leg, reached: Reached) -> bool:
        """Whether the scheduler lets it."""
        # What diverged is worse than everything; the scheduler compares no NaN.
        error = 1.0 if math.isnan(reached.top1) else 1 - reached.top1
        result = {
            "time": self._ladder.reduction**leg.rung,
            "error": error,
            "cost": reached.cost / self._largest,
        }
        decision = self._scheduler.on_trial_result(self._trials[leg.trial], result)
        return bool(decision == "CONTINUE")


def _corrected_priority() -> Any:
    """The priority by fronts of Syne Tune 0.16.0, with two corrections.

    1. `NonDominatedPriority` gives the trials in their order; its reader, `Bracket.on_result`,
       takes what it gives for the priority of each trial. Here the priority of a trial is its
       place in this order.
    2. Within a front, `nondominated_sort` takes the ranks of `compute_epsilon_net` for an order.
       Here they are taken for ranks.
    """
    from syne_tune.optimizer.schedulers.multiobjective import multiobjective_priority as given
    from syne_tune.optimizer.schedulers.multiobjective import non_dominated_priority as fronts

    class Corrected(given.NonDominatedPriority):
        def priority_unsafe(self, objectives: np.ndarray) -> np.ndarray:
            places = np.empty(len(objectives), np.int64)
            left, before = np.arange(len(objectives)), 0
            while len(left):
                is_first = fronts.pareto_efficient(objectives[left])
                front = left[is_first]
                places[front] = before + fronts.compute_epsilon_net(objectives[front], self.dim)
                left, before = left[~is_first], before + len(front)
            return places

    return Corrected()
