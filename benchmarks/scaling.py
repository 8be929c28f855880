#!/usr/bin/env python3
"""Halving on 10 to 10,000 workers, by a virtual clock: where does its speed-up flatten, and why?

    python benchmarks/scaling.py --curves docs/results/trials-cifar.npz [--picture FILE.png]
    python benchmarks/scaling.py --made_up

Nothing is trained. Trials are drawn from recorded learning curves. Each search trains the same
trials on more and more workers, with and without slow legs and lost workers, several times with
other draws. Printed are the speed-up over one worker, the share of time in which workers train,
and what the cost model of docs/scaling.md predicts, in Markdown. See benchmarks/README.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks import tuning_curves
from benchmarks.scaling_halving import Costs, Played, play
from latency import command_line, shell
from latency.cli.parser import OutputFile, Parser, Value
from nas.tuning.ladder import Ladder

WORKERS = (1, 10, 30, 100, 300, 1000, 3000, 10_000)
# What happens to legs: name -> costs. A worker that is lost every 12 hours on average is a
# machine that is lent while nobody else wants it.
PLAIN = Costs()
CASES: Mapping[str, Costs] = {
    "nothing happens": PLAIN,
    "one leg in 20 takes 5 times as long": replace(PLAIN, slow_share=0.05),
    "a worker is lost every 12 h": replace(PLAIN, failures_an_hour=1 / 12),
    "both": replace(PLAIN, slow_share=0.05, failures_an_hour=1 / 12),
}


@dataclass(frozen=True)
class Row:
    """One case on one number of workers; values are one a repetition.

    Args:
        workers: That train at a time.
        seconds: Of the search.
        speed_up: Over one worker to which nothing happens.
        busy: Share of the workers' time in which they train.
        predicted_s: By the cost model.
        best: The greatest top-1 of a whole training.
    """

    workers: int
    seconds: np.ndarray
    speed_up: np.ndarray
    busy: np.ndarray
    predicted_s: float
    best: np.ndarray


def predicted_seconds(ladder: Ladder, trials: int, workers: int, costs: Costs) -> float:
    """What the cost model says: all work over all workers, or the driver's, and one whole training.

    Graham's bound for lists of jobs, 1969: what is left when the first worker has nothing more to
    do is at most one chain of jobs that wait for each other, here a trial from its first leg on.
    Of many trials in the last rung one is slow there, and all others are done before it.

    Args:
        ladder: Lengths of the rungs.
        trials: In all.
        workers: That train at a time.
        costs: Of legs and of the driver; slow legs count by their mean, losses likewise.
    """
    slower = costs.slow_factor - 1
    legs = work_s = chain_s = 0.0
    for rung, epochs in enumerate(np.diff([0.0, *ladder.epochs])):
        own_s = costs.leg_s + float(epochs) * costs.epoch_s
        again_s = costs.replacement_s + min(costs.checkpoint_s, own_s) / 2 + costs.leg_s
        lost_s = costs.failures_an_hour * own_s / 3600 * again_s
        count = trials // ladder.reduction**rung
        is_any_slow = 1 - (1 - costs.slow_share) ** count
        waits = is_any_slow if rung == ladder.last else costs.slow_share
        legs += count
        work_s += count * (own_s * (1 + costs.slow_share * slower) + lost_s)
        chain_s += own_s * (1 + waits * slower) + lost_s
    return max(work_s / workers, legs * costs.driver_s) + (1 - 1 / workers) * chain_s


def drawn(curves: tuning_curves.Curves, ladder: Ladder, trials: int, seed: int) -> np.ndarray:
    """Top-1 at the ends of the rungs of some trials, a row a trial.

    Args:
        curves: That each trial has one of; more trials than curves have the same ones again.
        ladder: Lengths of the rungs.
        trials: How many.
        seed: Of the draw.
    """
    rows = np.random.default_rng(seed).integers(0, len(curves), trials)
    found: np.ndarray = curves.top1[rows][:, curves.points_of(ladder.epochs)]
    return found


def rows_of(
    curves: tuning_curves.Curves,
    ladder: Ladder,
    trials: int,
    costs: Costs,
    repetitions: int,
    workers: tuple[int, ...] = WORKERS,
) -> list[Row]:
    """A search on more and more workers.

    Args:
        curves: See `drawn`.
        ladder: Lengths of the rungs.
        trials: In all.
        costs: Of legs and of the driver.
        repetitions: With other trials and other events each, 1 or more.
        workers: Their numbers.
    """
    found: dict[int, list[Played]] = {number: [] for number in workers}
    alone: list[float] = []
    for seed in range(repetitions):
        top1 = drawn(curves, ladder, trials, seed)
        alone.append(play(top1, ladder, 1, PLAIN, np.random.default_rng(seed)).seconds)
        for number, played in found.items():
            rng = np.random.default_rng((seed, number))
            played.append(play(top1, ladder, number, costs, rng))
    return [
        Row(
            number,
            seconds := np.array([one.seconds for one in played]),
            np.array(alone) / seconds,
            np.array([one.busy_s for one in played]) / seconds / number,
            predicted_seconds(ladder, trials, number, costs),
            np.array([one.best for one in played]),
        )
        for number, played in found.items()
    ]


def print_rows(name: str, rows: list[Row]) -> None:
    """Prints a case as Markdown.

    Args:
        name: Of the case.
        rows: A row a number of workers.
    """
    print(f"\n{name[0].upper()}{name[1:]}:\n")
    print("| workers | hours | speed-up | workers train | model says h | best top-1 |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.workers:,} | {row.seconds.mean() / 3600:.2f} | {row.speed_up.mean():,.0f} "
            f"| {row.busy.mean():.0%} | {row.predicted_s / 3600:.2f} | {row.best.mean():.4f} |"
        )


def draw(found: Mapping[str, list[Row]], path: Path, trials: int) -> None:
    """Writes the picture: speed-up and the share of time in which workers train.

    Args:
        found: Case -> its rows.
        path: Of the PNG file.
        trials: Of each search.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 3.8), layout="constrained")
    ends = [WORKERS[0], WORKERS[-1]]
    left.plot(ends, ends, color="0.7", linestyle="--", label="as many times as workers")
    for name, rows in found.items():
        workers = [row.workers for row in rows]
        line = {"marker": "o", "linestyle": ":" if name == "both" else "-", "label": name}
        left.plot(workers, [row.speed_up.mean() for row in rows], **line)
        right.plot(workers, [100 * row.busy.mean() for row in rows], **line)
    left.set(xscale="log", yscale="log", xlabel="workers", ylabel="speed-up over one worker")
    left.set_title(f"{trials:,} trials", loc="left")
    left.legend(fontsize=8, frameon=False)
    right.set(xscale="log", xlabel="workers", ylabel="time in which workers train, %")
    right.set_ylim(0, 105)
    for axes in (left, right):
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main(arguments: list[str] | None = None) -> int:
    """Plays the searches, and prints or draws what they come to."""
    parser = Parser(description=__doc__)
    tuning_curves.add_flags(parser)
    parser.add_argument("--trials", action=Value, type=int, default=10_000, help="(10,000)")
    parser.add_argument("--reduction", action=Value, type=int, default=4, help="eta (4)")
    parser.add_argument("--rungs", action=Value, type=int, default=4, help="of a training (4)")
    parser.add_argument("--repetitions", action=Value, type=int, default=5, help="draws (5)")
    parser.add_argument("--picture", action=OutputFile, type=Path, help="a PNG file")
    options = parser.parse_args(arguments)
    curves = tuning_curves.named(options)
    ladder = Ladder(float(curves.epochs[-1]), options.reduction, options.rungs)
    words = arguments if arguments is not None else sys.argv[1:]
    print(command_line.join(["python", "benchmarks/scaling.py", *words]))
    print(
        f"{options.trials:,} trials of {len(curves)} curves, rungs after "
        f"{', '.join(f'{epochs:g}' for epochs in ladder.epochs)} epochs of {PLAIN.epoch_s:g} s, "
        f"{PLAIN.leg_s:g} s a leg beside them, {1000 * PLAIN.driver_s:g} ms of the driver; n = "
        f"{options.repetitions}"
    )
    found = {}
    for name, costs in CASES.items():
        found[name] = rows_of(curves, ladder, options.trials, costs, options.repetitions)
        print_rows(name, found[name])
    if options.picture is not None:
        draw(found, options.picture, options.trials)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
