"""Searches of other libraries, replayed on recorded curves; nothing else needs these libraries.

    pip install 'optuna>=5,<6' 'syne-tune==0.16.0'

What was corrected in Syne Tune's MOASHA is said at `_corrected_priority`.
"""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

import numpy as np

from benchmarks.tuning_players import Deck, Leg, Reached, StopOrGo
from nas.tuning.ladder import Ladder


def _sampler(kind: str, seed: int) -> Any:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if kind == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed)


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

        from nas.tuning.storage import distribution

        super().__init__(ladder)
        self._deck, self._sampler = deck, sampler
        self._distributions = {p.name: distribution(p) for p in deck.parameters}
        made = _sampler(sampler, seed)
        pruner = optuna.pruners.SuccessiveHalvingPruner(1, ladder.reduction, 0)
        self._study = optuna.create_study(direction="maximize", sampler=made, pruner=pruner)
        self._trials: list[Any] = []

    def begin(self) -> int | None:
        """A configuration by the sampler."""
        if not self._deck:
            return None
        self._trials.append(self._study.ask(self._distributions))
        if self._sampler == "random":
            return self._deck.next()
        return self._deck.nearest_to(self._trials[-1].params)

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
        self._deck = deck
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
