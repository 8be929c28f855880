"""Schedulers at work on made-up learning curves, and slow definitions that they are held to."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from nas.tuning.objectives import Objective
from nas.tuning.scheduler import Scheduler
from nas.tuning.scores import Job, Pause, RungValue, Running
from nas.tuning.table import RungTable

Curve = Callable[[int, int], tuple[tuple[float, ...], float]]
NAMES = ("top1", "ms", "params", "macs")


def objectives(count: int) -> tuple[Objective, ...]:
    return tuple(Objective(name) for name in NAMES[:count])


@dataclass
class Work:
    """What happened in a search.

    Args:
        table: All values.
        decisions: In their order, each with what was stored and what ran before it.
    """

    table: RungTable
    decisions: list[tuple[tuple[RungValue, ...], tuple[Running, ...], Job | Pause]] = field(
        default_factory=list
    )
    stored: list[RungValue] = field(default_factory=list)

    @property
    def jobs(self) -> list[tuple[int | None, int]]:
        return [(d.trial, d.rung) for _, _, d in self.decisions if isinstance(d, Job)]


def work(
    scheduler: Scheduler,
    count: int,
    curve: Curve,
    *,
    workers: int = 1,
    seed: int = 0,
) -> Work:
    """Runs a search to its end; of the running jobs, random ones end next.

    Args:
        scheduler: Whose search it is.
        count: Objectives.
        curve: (trial, rung) -> values and violation.
        workers: Jobs at a time.
        seed: Of which ones end.
    """
    rng = random.Random(seed)
    done = Work(RungTable(objectives(count)))
    running: list[Running] = []
    started = 0
    while True:
        decision = scheduler.next_job(done.table, running)
        done.decisions.append((tuple(done.stored), tuple(running), decision))
        if decision is Pause.FINISHED:
            return done
        if isinstance(decision, Job):
            trial = started if decision.trial is None else decision.trial
            started += decision.trial is None
            running.append(decision.running(trial))
        if decision is Pause.WAIT or len(running) == workers:
            # Several may end before somebody asks again, so that several rungs have a place.
            for _ in range(rng.randint(1, len(running))):
                job = running.pop(rng.randrange(len(running)))
                values, violation = curve(job.trial, job.rung)
                value = RungValue(job.trial, job.rung, values, violation, job.bracket)
                done.stored.append(value)
                done.table.add(value)


def at_rung(rung: int, values: Iterable[RungValue], running: Iterable[Running]) -> set[int]:
    """Trials that are in a rung or train to its end."""
    trained = {job.trial for job in running if job.rung == rung}
    return {value.trial for value in values if value.rung == rung} | trained


def random_curve(
    count: int, seed: int, *, nan: float = 0.0, infeasible: float = 0.0, levels: int = 6
) -> Curve:
    """Coarse values, so that ties happen; the same for the same trial and rung.

    Args:
        count: Objectives.
        seed: Of everything.
        nan: Share of values that are NaN.
        infeasible: Share of values that miss a budget, by coarse violations.
        levels: Different values of an objective.
    """

    def curve(trial: int, rung: int) -> tuple[tuple[float, ...], float]:
        rng = random.Random(f"{seed} {trial} {rung}")
        values = tuple(float(rng.randrange(levels)) for _ in range(count))
        if rng.random() < nan:
            values = (*values[:-1], rng.choice([math.nan, math.inf, -math.inf]))
        violation = float(rng.randrange(1, 4)) if rng.random() < infeasible else 0.0
        return values, violation

    return curve


def dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    """By the definition, less being better."""
    return all(x <= y for x, y in zip(a, b, strict=True)) and tuple(a) != tuple(b)


def slow_fronts(costs: dict[int, tuple[float, ...]]) -> dict[int, int]:
    """By the definition: what nothing dominates is taken away, again and again."""
    found: dict[int, int] = {}
    left = dict(costs)
    for front in range(len(costs)):
        best = [t for t in left if not any(dominates(left[o], left[t]) for o in left)]
        for trial in best:
            found[trial] = front
            del left[trial]
    return found


def slow_crowding(costs: dict[int, tuple[float, ...]]) -> dict[int, float]:
    """Of the trials of one front, as Deb et al. 2002 write it; copies get -1."""
    first: dict[tuple[float, ...], int] = {}
    for trial in sorted(costs):
        first.setdefault(costs[trial], trial)
    found = dict.fromkeys(costs, -1.0)
    for trial in first.values():
        found[trial] = 0.0
    for column in range(len(next(iter(costs.values())))):
        order = sorted(first.values(), key=lambda t: (costs[t][column], t))
        values = [costs[t][column] for t in order]
        spread = values[-1] - values[0]
        if spread > 0:
            found[order[0]] = found[order[-1]] = math.inf
            for place in range(1, len(order) - 1):
                found[order[place]] += (values[place + 1] - values[place - 1]) / spread
    return found


def slow_order(asked: Sequence[Objective], values: Iterable[RungValue]) -> list[int]:
    """All trials from the best to the last, by the definition."""
    found: list[int] = []
    finite = [v for v in values if v.is_finite]
    for violation in sorted({v.violation for v in finite}):
        costs = {
            v.trial: tuple(o.cost(x) for o, x in zip(asked, v.values, strict=True))
            for v in finite
            if v.violation == violation
        }
        fronts = slow_fronts(costs)
        for front in sorted(set(fronts.values())):
            members = {t: costs[t] for t in costs if fronts[t] == front}
            crowding = slow_crowding(members)
            found += sorted(members, key=lambda t: (-crowding[t], t))
    return found + sorted(v.trial for v in values if not v.is_finite)
