#!/usr/bin/env python3
"""How far seeds alone move what a recording's best configurations come to.

    python benchmarks/tuning_noise.py --curves FILE.npz --folder FOLDER [--best 10] [--seeds 1,2]
        [--jobs 2] [--json FILE]

The configurations with the best last values are trained again with other seeds of weights and data
order, on the same images. A last value is that of the better weights, the last ones or their
average, as a trial keeps them. Printed are these values and the standard deviation between seeds,
pooled over the configurations; the recording's own seed is one of them. FOLDER gets a file for
each training, so that the same command goes on where it was stopped. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks import tuning_curves
from benchmarks.tuning_curves import Curves
from benchmarks.tuning_record import pool_of
from benchmarks.tuning_trainings import Recording, train
from latency import atomic, command_line, shell
from latency.cli.parser import OutputFile, Parser, Value


def best_of(curves: Curves, count: int) -> list[int]:
    """Configurations with the best last values, the best first.

    Args:
        curves: Of the recording.
        count: How many.
    """
    last = np.nan_to_num(curves.top1[:, -1], nan=-1.0)
    found: list[int] = np.argsort(-last, kind="stable")[:count].tolist()
    return found


def pooled_sd(values: np.ndarray) -> float:
    """Standard deviation within rows, pooled over them.

    Args:
        values: A row a configuration, a column a seed, two columns or more.
    """
    return float(np.sqrt(values.var(axis=1, ddof=1).mean()))


def train_again(
    recording: Recording,
    folder: Path,
    numbers: list[int],
    seeds: list[int],
    jobs: int,
    weights: tuple[str, ...],
) -> np.ndarray:
    """Last values of configurations, a row each and a column a seed; NaN of what diverged.

    Args:
        recording: Whose images and recipe are used.
        folder: Of single results.
        numbers: Of the configurations.
        seeds: Of weights and data order.
        jobs: Trainings at a time.
        weights: Of which the better ones count: `last`, and `average`.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def path(number: int, seed: int) -> Path:
        return folder / f"curve-{number:05d}-seed-{seed}.json"

    asked = [(number, seed) for number in numbers for seed in seeds]
    with pool_of(jobs) as pool:
        work = {
            pool.submit(train, recording, [number], seed): (number, seed)
            for number, seed in asked
            if not path(number, seed).exists()
        }
        for future in as_completed(work):
            (curve,) = future.result()
            atomic.write_json(path(*work[future]), curve)
            print(f"configuration {work[future][0]}, seed {work[future][1]}: done", flush=True)
    curves = [json.loads(path(*one).read_text("utf-8")) for one in asked]
    # NaN of what diverged.
    ends = np.array([[curve[kind][-1] for kind in weights] for curve in curves], np.float64)
    best: np.ndarray = ends.max(axis=1)
    return best.reshape(len(numbers), len(seeds))


def main(arguments: list[str] | None = None) -> int:
    """Trains what is missing, and prints or writes the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument("--curves", type=Path, required=True, help="a recording")
    parser.add_argument("--folder", type=Path, required=True, help="of single results")
    parser.add_argument("--best", action=Value, type=int, default=10, help="configurations (10)")
    parser.add_argument("--seeds", default="1,2", help="others than the recording's (1,2)")
    parser.add_argument("--jobs", action=Value, type=int, default=2, help="at a time (2)")
    parser.add_argument("--json", action=OutputFile, type=Path, help="also written as JSON")
    options = parser.parse_args(arguments)
    recorded = tuning_curves.load(options.curves)
    # A recording of an earlier version has the last weights alone.
    weights = ("last",) if recorded.top1_average is None else ("last", "average")
    curves = recorded.judged_by(weights[-1])
    recording = Recording(**json.loads(str(curves.about))["recording"])
    seeds = [int(word) for word in options.seeds.split(",")]
    numbers = best_of(curves, options.best)
    again = train_again(recording, options.folder, numbers, seeds, options.jobs, weights)
    values = np.column_stack((curves.top1[numbers, -1].astype(np.float64), again))
    words = arguments if arguments is not None else sys.argv[1:]
    command = command_line.join(["python", "benchmarks/tuning_noise.py", *words])
    names = [f"seed {seed}" for seed in (recording.seed, *seeds)]
    print(f"{command}\n\n| configuration | {' | '.join(names)} | mean |")
    print("|---|" + "---|" * (len(names) + 1))
    for number, row in zip(numbers, values, strict=True):
        print(f"| {number} | {' | '.join(f'{value:.2%}' for value in (*row, row.mean()))} |")
    print(f"\nstandard deviation between seeds, pooled: {100 * pooled_sd(values):.2f} points")
    print(
        f"means: recording {values[:, 0].mean():.2%}, other seeds {values[:, 1:].mean():.2%}; "
        f"standard deviation of the means {100 * values[:, 1:].mean(1).std(ddof=1):.2f} points"
    )
    if options.json is not None:
        rows = {str(n): row for n, row in zip(numbers, values.tolist(), strict=True)}
        atomic.write_json(options.json, {"command": command, "seeds": names, "top1": rows})
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
