#!/usr/bin/env python3
"""Whether a search by trials lost nothing: its decisions made anew from its file alone.

    python benchmarks/tuning_recheck.py RUN

RUN is the folder of a search with `--storage sqlite` that may have been killed and resumed. The
file `trials.db` is read by SQL, and nothing of the program that wrote it is used but the scheduler.
At the beginning of every leg the table of values is made anew, in another order, of those that were
stored by then, and the scheduler is asked what comes next. The exit code is 0 where every check
holds, else 1. See docs/results/trials.md.
"""

from __future__ import annotations

import json
import math
import random
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

from latency import command_line, shell
from latency.cli.parser import Parser
from nas.errors import InputError
from nas.runs.config import read_config
from nas.runs.trials import TrialsConfig
from nas.tuning.scores import Job, RungValue, Running
from nas.tuning.table import RungTable


@dataclass(frozen=True)
class StoredLeg:
    """A leg as its file has it.

    Args:
        number: Of the leg.
        began: When, as text that sorts.
        ended: Likewise; None of one that runs.
        value: What it came to; NaN of one that failed.
        own: Its attributes.
    """

    number: int
    began: str
    ended: str | None
    value: RungValue | None
    own: Mapping[str, Any]

    @property
    def running(self) -> Running:
        """The same as a job that was handed out."""
        return Running(self.own["trial"], self.own["rung"], self.own["bracket"])


def stored_legs(path: Path, objectives: int) -> list[StoredLeg]:
    """All legs of a file, by their numbers.

    Args:
        path: Of the file; it is not written.
        objectives: Values of a leg.
    """
    found = []
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as file:
        sql = "SELECT trial_id, number, state, datetime_start, datetime_complete FROM trials"
        for trial_id, number, state, began, ended in file.execute(f"{sql} ORDER BY number"):
            sql = "SELECT key, value_json FROM trial_user_attributes WHERE trial_id = ?"
            own = {key: json.loads(text) for key, text in file.execute(sql, (trial_id,))}
            sql = "SELECT objective, value FROM trial_values WHERE trial_id = ? ORDER BY objective"
            values = tuple(value for _, value in file.execute(sql, (trial_id,)))
            if state == "FAIL":
                values = (math.nan,) * objectives
            value = None
            if state != "RUNNING":
                missed = own.get("violation", 0.0)
                value = RungValue(own["trial"], own["rung"], values, missed, own["bracket"])
            found.append(StoredLeg(number, began, ended, value, own))
    return found


def other_decisions(config: TrialsConfig, legs: Sequence[StoredLeg]) -> Iterator[str]:
    """Legs that the scheduler would not have begun, with what it would have.

    Args:
        config: Of the search.
        legs: By their numbers.
    """
    chance = random.Random(0)
    for leg in legs:
        before = legs[: leg.number]
        ended = [one for one in before if one.ended is not None and one.ended <= leg.began]
        values = [one.value for one in ended if one.value is not None]
        chance.shuffle(values)
        table = RungTable(config.parsed_objectives, values)
        done = {one.number for one in ended}
        running = [one.running for one in before if one.number not in done]
        wanted = config.scheduler.next_job(table, running)
        trials = len({one.own["trial"] for one in before})
        if not isinstance(wanted, Job):
            yield f"leg {leg.number}: {wanted}"
        elif wanted.running(trials if wanted.trial is None else wanted.trial) != leg.running:
            yield f"leg {leg.number}: {wanted}, not {leg.running}"


def faults(config: TrialsConfig, legs: Sequence[StoredLeg]) -> Iterator[str]:
    """What is lost, there twice, or otherwise than it should be.

    Args:
        config: Of the search.
        legs: By their numbers.
    """
    trials = sorted({leg.own["trial"] for leg in legs})
    if trials != list(range(config.max_trials)):
        yield f"trials {trials} of {config.max_trials}"
    for (trial, rung), count in Counter((g.own["trial"], g.own["rung"]) for g in legs).items():
        if count > 1:
            yield f"trial {trial} trained {count} times to rung {rung}"
    for leg in legs:
        if leg.value is None:
            yield f"leg {leg.number} runs"
        if leg.own["attempts"]:
            yield f"leg {leg.number} failed by {', '.join(leg.own['attempts'])}"
    for trial in trials:
        curves = [leg.own.get("curve", ()) for leg in legs if leg.own["trial"] == trial]
        steps = [row["step"] for curve in curves for row in curve]
        if steps != sorted(set(steps)):
            yield f"trial {trial} has rows at steps {steps}"
    yield from too_many(config, legs)


def too_many(config: TrialsConfig, legs: Sequence[StoredLeg]) -> Iterator[str]:
    """Rungs of asynchronous halving that more trials went on from than may.

    Args:
        config: Of the search.
        legs: By their numbers.
    """
    if config.method != "asha":
        return
    for moment in sorted({leg.began for leg in legs}):
        for rung in range(config.rungs - 1):
            here = sum(
                g.own["rung"] == rung and g.ended is not None and g.ended <= moment for g in legs
            )
            above = sum(g.own["rung"] == rung + 1 and g.began <= moment for g in legs)
            if above > here // config.reduction:
                yield f"rung {rung} at {moment}: {above} of {here} went on"


def main(arguments: list[str] | None = None) -> int:
    """Prints what was found."""
    parser = Parser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of the search")
    options = parser.parse_args(arguments)
    config = read_config(options.run)
    if not isinstance(config, TrialsConfig) or config.storage != "sqlite":
        raise InputError(
            "a search by trials with --storage sqlite", str(options.run), "name its folder"
        )
    legs = stored_legs(options.run / "trials.db", len(config.parsed_objectives))
    words = arguments if arguments is not None else sys.argv[1:]
    print(command_line.join(["python", "benchmarks/tuning_recheck.py", *words]))
    ended = Counter(leg.own["rung"] for leg in legs if leg.value is not None)
    print(f"trials: {len({leg.own['trial'] for leg in legs})} of {config.max_trials}")
    print(f"ended at rungs 0 to {config.rungs - 1}: {[ended[r] for r in range(config.rungs)]}")
    others = list(other_decisions(config, legs))
    print(f"decisions that are those made anew: {len(legs) - len(others)} of {len(legs)}")
    found = [*others, *faults(config, legs)]
    print("\n".join(found) or "nothing is lost, and nothing was trained twice")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
