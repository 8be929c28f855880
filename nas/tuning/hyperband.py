"""Hyperband: several halvings that begin with many short or with few long trainings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from nas.errors import InputError
from nas.ranges import check_count
from nas.tuning.ladder import Ladder
from nas.tuning.scheduler import pause
from nas.tuning.scores import Job, Pause, Running
from nas.tuning.table import RungTable


@dataclass(frozen=True)
class Bracket:
    """One halving.

    Args:
        number: 0 for the one that begins first.
        first_rung: Of the ladder; where its trials begin.
        trials: That begin, 1 or more.
    """

    number: int
    first_rung: int
    trials: int

    def sizes(self, ladder: Ladder) -> tuple[int, ...]:
        """Trials in each of its rungs: n_i = floor(n / eta^i).

        Args:
            ladder: Whose rungs these are.
        """
        rungs = range(ladder.rungs - self.first_rung)
        return tuple(self.trials // ladder.reduction**rung for rung in rungs)


def brackets(ladder: Ladder) -> tuple[Bracket, ...]:
    """The brackets of one round, that of the shortest trainings first.

    With eta the reduction, s_max = rungs - 1 and s = s_max, ..., 0, a bracket begins with
    n = ceil((s_max + 1) eta^s / (s + 1)) trials of R / eta^s epochs.

    Source: Li et al. 2018, JMLR 18(185), algorithm 1, where B = (s_max + 1) R.

    Args:
        ladder: R as its epochs, and the number of rungs for floor(log_eta(R)) + 1.
    """
    found = []
    for number, s in enumerate(reversed(range(ladder.rungs))):
        trials = -(-ladder.rungs * ladder.reduction**s // (s + 1))
        found.append(Bracket(number, ladder.last - s, trials))
    return tuple(found)


def trials_of_round(ladder: Ladder) -> int:
    """Trials that begin in all brackets of one round.

    Args:
        ladder: Of the rounds.
    """
    return sum(bracket.trials for bracket in brackets(ladder))


@cache
def plan(ladder: Ladder, max_trials: int) -> tuple[Bracket, ...]:
    """Rounds of brackets until all trials have a place in one.

    The last bracket has what is left. Where fewer are left than its halvings need, it begins at a
    later rung, so that one of its trials is trained whole all the same.

    Args:
        ladder: Of the rounds.
        max_trials: Trials in all, 1 or more.
    """
    found: list[Bracket] = []
    left = max_trials
    round_of = brackets(ladder)
    while left:
        bracket = round_of[len(found) % len(round_of)]
        trials, first = min(left, bracket.trials), bracket.first_rung
        while ladder.reduction ** (ladder.last - first) > trials:
            first += 1
        found.append(Bracket(len(found), first, trials))
        left -= trials
    return tuple(found)


@dataclass(frozen=True)
class Hyperband:
    """Brackets by the published formula, each of them halved at once.

    A rung of a bracket has to be complete before its best floor(n / eta) trials go on. Whoever has
    nothing to do in a bracket works for the next one, so that brackets overlap and only the end of
    the last one is waited for.

    Trials whose values are not finite count in n and never go on.

    Source: Li et al. 2018, JMLR 18(185), algorithm 1.

    Args:
        ladder: Lengths, and eta as its reduction.
        max_trials: Trials in all, 1 or more. `trials_of_round` are one round; more begin another
            one, and fewer cut it.

    Raises:
        InputError: A number is out of range.
    """

    ladder: Ladder
    max_trials: int

    def __post_init__(self) -> None:
        check_count("max_trials", self.max_trials)

    @property
    def brackets(self) -> tuple[Bracket, ...]:
        """All brackets that trials begin in, the first one first."""
        return plan(self.ladder, self.max_trials)

    def next_job(
        self, table: RungTable, running: Iterable[Running], *, can_begin: bool = True
    ) -> Job | Pause:
        """What the first bracket with something to do has to do, or why there is nothing.

        Args:
            table: All stored values.
            running: Jobs without a stored value, also those that wait for a worker again.
            can_begin: Whether there is a configuration for a new trial.
        """
        pending = table.pending(running)
        for bracket in self.brackets:
            going = {(job.trial, job.rung) for job in pending if job.bracket == bracket.number}
            job = self._job(bracket, table, going, can_begin)
            if job is not None:
                return job
        return pause(pending)

    def _job(
        self, bracket: Bracket, table: RungTable, going: set[tuple[int, int]], can_begin: bool
    ) -> Job | None:
        number, first = bracket.number, bracket.first_rung
        earlier = any(table.count(rung, number) for rung in range(first))
        begun = table.values(first, number)
        if earlier or not table.values(first + 1, number).keys() <= begun.keys():
            raise _began_otherwise(bracket)
        members = {*begun, *(t for t, rung in going if rung == first)}
        if can_begin and len(members) < bracket.trials:
            return Job(None, first, self.ladder.epochs[first], number)
        for rung in range(first, self.ladder.last):
            ended, above = table.values(rung, number), table.values(rung + 1, number)
            if not members <= ended.keys():
                return None
            order = table.order(rung, number)
            places = len(members) // self.ladder.reduction
            best = order.best_first()[: min(places, order.finite)]
            members = set(best)
            if not above.keys() <= members:
                raise _began_otherwise(bracket)
            for trial in best:
                if trial not in above and (trial, rung + 1) not in going:
                    return Job(trial, rung + 1, self.ladder.epochs[rung + 1], number)
        return None


def _began_otherwise(bracket: Bracket) -> InputError:
    return InputError(
        f"a bracket {bracket.number} of {bracket.trials} trials that begin at rung "
        f"{bracket.first_rung}",
        "stored values of another one",
        "go on with the max_trials, reduction and rungs that the search began with",
    )
