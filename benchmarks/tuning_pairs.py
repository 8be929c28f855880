#!/usr/bin/env python3
"""Searches by asynchronous halving against random ones of equal epochs, as whole runs of nas.py.

    python benchmarks/tuning_pairs.py --folder FOLDER --data_dir DIR [--seeds 1,2,3,4,5]
        [--space benchmarks/tuning_space.py] [--tune KNOBS] [--max_trials 32] [--max_epochs 8]
        [--reduction 4] [--rungs 3] [--workers 2] [--json FILE] [--smoke]

The two of a pair have one seed, images, space and knobs. `--method random` gets as many whole
trainings as the epochs of halving are worth, rounded down and never below one. Seeds take turns in
which of the two begins. Both choose by top-1 on a part of the training images; told is the chosen
trial's top-1 on the evaluation images. The same command goes on where it was stopped. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks.search_quality import Programs
from benchmarks.tuning_tables import Interval
from latency import atomic, command_line, shell
from latency.cli.parser import OutputFile, Parser, Value
from nas.errors import InputError
from nas.runs.folder import RunFolder
from nas.runs.trials_record import TrialsRecord
from nas.tuning.ladder import Ladder

METHODS = ("asha", "random")


@dataclass(frozen=True)
class Outcome:
    """What a search came to.

    Args:
        seed: Of the search.
        method: One of `METHODS`.
        epochs: Of all its trainings.
        trials: That it began.
        held_out: Top-1 of the chosen trial on the images that it was chosen by.
        evaluation: Top-1 of the chosen trial on the evaluation images.
    """

    seed: int
    method: str
    epochs: float
    trials: int
    held_out: float
    evaluation: float


def halving_epochs(ladder: Ladder, trials: int) -> float:
    """Epochs of a halving that goes through all its trials.

    Args:
        ladder: Lengths of rungs.
        trials: That begin.
    """
    lengths = np.diff([0.0, *ladder.epochs])
    return float(sum(trials // ladder.reduction**k * n for k, n in enumerate(lengths)))


def outcome(run: Path, seed: int, method: str) -> Outcome | None:
    """What a search came to; None of one that is not at its end.

    Args:
        run: Its folder.
        seed: Of the search.
        method: One of `METHODS`.

    Raises:
        InputError: No trial of the search was trained whole.
    """
    if not (run / TrialsRecord.FILE).is_file():
        return None
    record = RunFolder.open(run).read(TrialsRecord)
    if not record.is_finished:
        return None
    if not record.evaluated or record.evaluated[0].metrics is None:
        raise InputError("a trial that was trained whole", f"none in {run}", "look at its log")
    chosen = record.trials[record.front[0]].rungs[-1].reached["top1"]
    evaluation = record.evaluated[0].metrics.value_of("top1").value
    trials = len(record.trials)
    return Outcome(seed, method, record.epochs_trained, trials, chosen, evaluation)


def in_turns(seeds: Sequence[int]) -> list[tuple[int, str]]:
    """Pairs of seed and method; the method that begins alternates.

    Args:
        seeds: Of the pairs.
    """
    orders = (METHODS, METHODS[::-1])
    return [(seed, method) for n, seed in enumerate(seeds) for method in orders[n % 2]]


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Prints the pairs and their differences, as Markdown.

    Args:
        outcomes: Of both methods, of the same seeds.
    """
    of = {(one.seed, one.method): one for one in outcomes}
    print("| seed | epochs of asha, random | top-1 of asha | of random | difference |")
    print("|---|---|---|---|---|")
    leads = []
    for seed in sorted({one.seed for one in outcomes}):
        ours, chance = of[seed, "asha"], of[seed, "random"]
        leads.append(ours.evaluation - chance.evaluation)
        print(
            f"| {seed} | {ours.epochs:g}, {chance.epochs:g} | {ours.evaluation:.2%} | "
            f"{chance.evaluation:.2%} | {100 * leads[-1]:+.2f} |"
        )
    wins = sum(lead > 0 for lead in leads)
    if len(leads) > 1:
        lead = Interval.of(100 * np.array(leads))
        print(f"\nmean {lead.mean:+.2f} points, 95 % interval {lead.low:+.2f} to {lead.high:+.2f}")
    print(f"\nasha is above random in {wins} of {len(leads)}")


def searched(options: argparse.Namespace) -> list[Outcome]:
    """Runs what is missing.

    Args:
        options: Of the command line.

    Raises:
        InputError: A search did not come to its end.
    """
    ladder = Ladder(options.max_epochs, options.reduction, options.rungs)
    whole = max(1, int(halving_epochs(ladder, options.max_trials) / options.max_epochs))
    lengths = ["--reduction", str(options.reduction), "--rungs", str(options.rungs)]
    own = {
        "asha": ["--max_trials", str(options.max_trials), *lengths],
        "random": ["--max_trials", str(whole)],
    }
    shared = ["--max_epochs", f"{options.max_epochs:g}", "--objectives", "top1"]
    shared += ["--space", options.space, "--tune", options.tune, "--data_dir", options.data_dir]
    shared += ["--smoke"] if options.smoke else []
    options.folder.mkdir(parents=True, exist_ok=True)
    programs = Programs(options.folder, 1)
    signal.signal(signal.SIGTERM, programs.stop)
    outcomes = []
    for seed, method in in_turns([int(word) for word in options.seeds.split(",")]):
        run = options.folder / f"{method}-{seed}"
        if outcome(run, seed, method) is None:
            begun = ["--resume"] if (run / "config.json").is_file() else None
            fresh = ["--method", method, "--seed", str(seed), *own[method], *shared]
            words = [*(begun or fresh), "--workers", str(options.workers), "--run_dir", str(run)]
            programs.call(run.name, "nas.py", words)
        found = outcome(run, seed, method)
        if found is None:
            raise InputError("a search that is at its end", f"{run}", "look at its log")
        outcomes.append(found)
    return outcomes


def main(arguments: list[str] | None = None) -> int:
    """Runs what is missing, and prints or writes the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the runs")
    parser.add_argument("--data_dir", required=True, help="images")
    parser.add_argument("--space", default="benchmarks/tuning_space.py", help="of the networks")
    parser.add_argument("--tune", default="learning_rate=log[0.0003,0.1]", help="knobs")
    parser.add_argument("--seeds", default="1,2,3,4,5", help="between commas (1,2,3,4,5)")
    parser.add_argument("--max_trials", action=Value, type=int, default=32, help="of asha (32)")
    parser.add_argument("--max_epochs", action=Value, type=float, default=8.0, help="(8)")
    parser.add_argument("--reduction", action=Value, type=int, default=4, help="(4)")
    parser.add_argument("--rungs", action=Value, type=int, default=3, help="(3)")
    parser.add_argument("--workers", action=Value, type=int, default=2, help="at a time (2)")
    parser.add_argument("--json", action=OutputFile, type=Path, help="also written as JSON")
    parser.add_argument("--smoke", action="store_true", help="toy size")
    options = parser.parse_args(arguments)
    outcomes = searched(options)
    words = arguments if arguments is not None else sys.argv[1:]
    command = command_line.join(["python", "benchmarks/tuning_pairs.py", *words])
    print(f"{command}\n")
    print_table(outcomes)
    if options.json is not None:
        rows = [asdict(one) for one in outcomes]
        atomic.write_json(options.json, {"command": command, "outcomes": rows})
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
