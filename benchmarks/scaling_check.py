#!/usr/bin/env python3
"""The cost model of docs/scaling.md beside searches by halving that were recorded.

    python benchmarks/scaling_check.py RUN [RUN ...] [--first 0.25]

RUN is the folder of a search by `--method asha` on one machine or a cluster. The first legs of it
tell how many images a second a worker trains, and what a leg takes beside them. With these two
numbers, the number of trials and of workers, the model predicts how long the whole search takes,
and that is compared with the time from the first leg to the last one. Nothing is trained. See
benchmarks/README.md.
"""

from __future__ import annotations

import csv
import datetime
import json
import sqlite3
import sys
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks.scaling import predicted_seconds
from benchmarks.scaling_halving import Costs
from latency import command_line, shell
from latency.cli.parser import Parser, Value
from nas.errors import InputError
from nas.pipeline.trial_bench import JUDGING_SHARE
from nas.runs.config import read_config
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.tuning.ladder import Ladder

DRIVER_S = 0.005
LEAST_LEGS = 4


@dataclass(frozen=True)
class Leg:
    """One training of a search, as its storage has it.

    Args:
        trial: Its number.
        rung: Its number.
        begun_s: From the beginning of the search.
        ended_s: Likewise.
        epochs: That it trained.
    """

    trial: int
    rung: int
    begun_s: float
    ended_s: float
    epochs: float

    @property
    def seconds(self) -> float:
        """From its beginning to its end, as the driver saw it."""
        return self.ended_s - self.begun_s


@dataclass(frozen=True)
class Checked:
    """A recorded search beside what the model says of it.

    Args:
        name: Of the run's folder.
        trials: In all.
        workers: That trained at a time.
        legs: Of it.
        images_per_s: Of a worker, by the first legs.
        start_s: Of a leg beside its images, by the first legs.
        predicted_s: Of the whole search.
        measured_s: Likewise.
        busy: Share of the workers' time in which they trained.
    """

    name: str
    trials: int
    workers: int
    legs: int
    images_per_s: float
    start_s: float
    predicted_s: float
    measured_s: float
    busy: float


def legs_of(storage: Path, ladder: Ladder) -> list[Leg]:
    """The legs of a search that came to their end, in the order in which they began.

    Args:
        storage: Optuna's SQLite file.
        ladder: Lengths of the rungs.
    """
    query = """
        SELECT t.datetime_start, t.datetime_complete, a.value_json, b.value_json FROM trials t
        JOIN trial_user_attributes a ON a.trial_id = t.trial_id AND a.key = 'trial'
        JOIN trial_user_attributes b ON b.trial_id = t.trial_id AND b.key = 'rung'
        WHERE t.state = 'COMPLETE' ORDER BY t.datetime_start, t.number
    """
    with closing(sqlite3.connect(f"file:{storage}?mode=ro", uri=True)) as connection:
        rows = connection.execute(query).fetchall()
    lengths = np.diff([0.0, *ladder.epochs])
    times = [tuple(map(datetime.datetime.fromisoformat, row[:2])) for row in rows]
    first = min((begun for begun, _ in times), default=datetime.datetime.min)
    return [
        Leg(
            int(json.loads(row[2])),
            int(json.loads(row[3])),
            (begun - first).total_seconds(),
            (ended - first).total_seconds(),
            float(lengths[int(json.loads(row[3]))]),
        )
        for row, (begun, ended) in zip(rows, times, strict=True)
    ]


def seconds_an_image(curves: Path) -> dict[tuple[int, int], float]:
    """(Trial, rung) -> seconds of a worker for an image, as the rows of its history say.

    A leg's first row has the tracing in it, which is no image's; legs without another one tell
    nothing.

    Args:
        curves: The run's trial_curves.csv.
    """
    rows: dict[tuple[int, int], list[float]] = defaultdict(list)
    with open(curves, encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            rows[int(row["trial"]), int(row["rung"])].append(1 / float(row["examples_per_s"]))
    return {leg: float(np.mean(found[1:])) for leg, found in rows.items() if found[1:]}


def costs_of(legs: list[Leg], images: int, an_image_s: Mapping[tuple[int, int], float]) -> Costs:
    """What an epoch takes a worker, and a leg beside its epochs.

    Args:
        legs: That tell it, one of them with several rows of its history.
        images: Of an epoch.
        an_image_s: See `seconds_an_image`.

    Raises:
        InputError: There is no such leg.
    """
    known = [one for leg in legs if (one := an_image_s.get((leg.trial, leg.rung))) is not None]
    if not known:
        raise InputError(
            "a leg with several rows of its history among the first ones", "none", "raise --first"
        )
    epoch_s = images * float(np.mean(known))
    beside_s = float(np.mean([leg.seconds - leg.epochs * epoch_s for leg in legs]))
    return Costs(epoch_s=epoch_s, leg_s=max(0.0, beside_s), driver_s=DRIVER_S)


def checked(folder: Path, first: float) -> Checked:
    """A recorded search beside what the model says of it.

    Args:
        folder: Of the run.
        first: Share of its legs that tell the two numbers, above 0 and up to 1.

    Raises:
        InputError: It is no search by halving, or too short.
    """
    config = read_config(folder)
    if not isinstance(config, TrialsConfig) or config.method != "asha":
        raise InputError("the folder of a search by --method asha", f"{folder}", "name another run")
    ladder = config.scheduler.ladder
    if not isinstance(ladder, Ladder):
        raise InputError("rungs of halving", type(ladder).__name__, "name another run")
    legs = legs_of(folder / "trials.db", ladder)
    known = legs[: max(LEAST_LEGS, int(first * len(legs)))]
    if len(legs) < 2 * LEAST_LEGS:
        raise InputError(
            f"{2 * LEAST_LEGS} trainings or more in {folder}", f"{len(legs)}", "name a longer run"
        )
    images = round(RunFolder(folder).read(DataRecord).train_images * (1 - JUDGING_SHARE))
    workers, trials = config.workers or 1, config.max_trials
    costs = costs_of(known, images, seconds_an_image(folder / "trial_curves.csv"))
    measured_s = max(leg.ended_s for leg in legs)
    return Checked(
        folder.name,
        trials,
        workers,
        len(legs),
        images / costs.epoch_s,
        costs.leg_s,
        predicted_seconds(ladder, trials, workers, costs),
        measured_s,
        sum(leg.seconds for leg in legs) / measured_s / workers,
    )


def main(arguments: list[str] | None = None) -> int:
    """Prints the searches beside what the model says of them, in Markdown."""
    parser = Parser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="folders of searches by halving")
    parser.add_argument(
        "--first", action=Value, type=float, default=0.25, help="share of legs to learn from (0.25)"
    )
    options = parser.parse_args(arguments)
    words = arguments if arguments is not None else sys.argv[1:]
    print(command_line.join(["python", "benchmarks/scaling_check.py", *words]))
    print(
        "\n| run | trials | workers | legs | images/s | start s | busy | model s | took s | off |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for one in (checked(run, options.first) for run in options.runs):
        off = one.predicted_s / one.measured_s - 1
        print(
            f"| {one.name} | {one.trials} | {one.workers} | {one.legs} | {one.images_per_s:.1f} "
            f"| {one.start_s:.1f} | {one.busy:.0%} | {one.predicted_s:.0f} | {one.measured_s:.0f} "
            f"| {off:+.0%} |"
        )
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
