#!/usr/bin/env python3
"""Records learning curves for tuning_replay.py: many configurations, each trained whole once.

    python benchmarks/tuning_record.py --folder FOLDER --output FILE.npz [--space small]
        [--data_dir DIR] [--configurations 200] [--rates 1] [--epochs 32] [--judging_share 0.2]
        [--jobs 2] [--smoke]

A configuration is a random network of a space and a learning rate, drawn evenly by its logarithm.
With `--rates N` every N configurations have one network, which is built once and trained with one
rate after the other, from the same weights: building takes longer than a short training. All train
on the same part of the training images, by the recipe of the images' scale, and are judged on the
others by their last weights and by the average that trials have. That is done where the rungs of a
search may end: after an eighth, a quarter and a half of an epoch and after every whole one. FOLDER
gets a file for each network, so that the same command goes on with a recording that was stopped;
FILE is written when all are there. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks import tuning_curves
from benchmarks.tuning_curves import Curves
from benchmarks.tuning_trainings import Recording, train
from latency import atomic, command_line, shell
from latency.cli.parser import Parser, Value
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.system.environment import environment


def record(recording: Recording, folder: Path, count: int, jobs: int) -> None:
    """Trains what is not in the folder yet, and keeps each network's curves there.

    Args:
        recording: What is recorded.
        folder: Of the curves.
        count: Configurations.
        jobs: Trainings at a time.
    """
    networks = [n for n in range(count // recording.rates) if not _file(folder, n).exists()]
    with pool_of(jobs) as pool:
        work = {
            pool.submit(train, recording, recording.numbers_of(network), recording.seed): network
            for network in networks
        }
        for done, future in enumerate(as_completed(work), 1):
            found = future.result()
            atomic.write_json(_file(folder, work[future]), {"curves": found})
            last = [curve["last"][-1] for curve in found]
            ends = ", ".join("diverged" if end is None else f"{end:.2%}" for end in last)
            print(f"{done} of {len(networks)}: network {work[future]}: {ends}", flush=True)


def pool_of(jobs: int) -> ProcessPoolExecutor:
    """Processes that share the cores.

    Args:
        jobs: Trainings at a time.
    """
    # TensorFlow reads these when a job's process imports it.
    share = str(max(1, (os.cpu_count() or 1) // jobs))
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, share)
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"))


def _file(folder: Path, network: int) -> Path:
    return folder / f"curves-{network:05d}.json"


def gathered(recording: Recording, folder: Path, count: int, about: dict[str, Any]) -> Curves:
    """The curves of a folder that has them all.

    Args:
        recording: What was recorded.
        folder: Of the curves.
        count: Configurations.
        about: What is told of the recording.
    """
    space = recording.space_for(recording.dataset())
    drawn = [recording.configuration(space, number) for number in range(count)]
    networks = range(count // recording.rates)
    files = [json.loads(_file(folder, network).read_text("utf-8")) for network in networks]
    rows = [curve for file in files for curve in file["curves"]]
    costs = [architecture_cost(space.decode(choices)).macs for choices, _ in drawn]
    return Curves(
        np.array(recording.points),
        np.array([row["last"] for row in rows], np.float32),
        np.array(costs, np.float64),
        np.array("macs"),
        np.array([choices for choices, _ in drawn], np.int16),
        np.array([len(choice.options) for choice in space.choices], np.int16),
        np.array([rate for _, rate in drawn]),
        np.array(json.dumps(about)),
        np.array([row["average"] for row in rows], np.float32),
    )


def _check_folder(recording: Recording, folder: Path) -> None:
    """Refuses a folder with curves of another recording."""
    folder.mkdir(parents=True, exist_ok=True)
    path, asked = folder / "recording.json", asdict(recording)
    if not path.exists():
        atomic.write_json(path, asked)
    found = json.loads(path.read_text("utf-8"))
    if found != asked:
        raise InputError(f"a folder for {asked}", f"{path} with {found}", "choose another --folder")


def main(arguments: list[str] | None = None) -> int:
    """Trains, and writes the file."""
    parser = Parser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="of the single curves")
    parser.add_argument("--output", type=Path, required=True, help="file, .npz")
    parser.add_argument("--space", default="small", help="of the networks (small)")
    parser.add_argument("--data_dir", help="images; default: the sample")
    parser.add_argument("--configurations", action=Value, type=int, default=200, help="(200)")
    parser.add_argument("--rates", action=Value, type=int, default=1, help="a network (1)")
    parser.add_argument("--epochs", action=Value, type=int, default=32, help="of each (32)")
    parser.add_argument(
        "--judging_share", action=Value, type=float, default=0.2, help="of the images (0.2)"
    )
    parser.add_argument("--learning_rates", default="0.0003,0.1", help="least and greatest")
    parser.add_argument("--seed", action=Value, type=int, default=0, help="of everything (0)")
    parser.add_argument("--jobs", action=Value, type=int, default=2, help="at a time (2)")
    parser.add_argument("--smoke", action="store_true", help="toy size")
    options = parser.parse_args(arguments)
    slowest, fastest = map(float, options.learning_rates.split(","))
    recording = Recording(
        options.space,
        options.data_dir,
        options.epochs,
        options.seed,
        slowest,
        fastest,
        options.rates,
        options.judging_share,
        options.smoke,
    )
    count = options.configurations
    if not 1 <= recording.rates <= count or count % recording.rates:
        raise InputError(
            "--configurations that --rates, 1 or more, divides",
            f"{count} and {recording.rates}",
            "change one of the two",
        )
    _check_folder(recording, options.folder)
    words = arguments if arguments is not None else sys.argv[1:]
    about = {
        "command": command_line.join(["python", "benchmarks/tuning_record.py", *words]),
        "date": datetime.now(UTC).date().isoformat(),
        "recording": asdict(recording),
        "environment": asdict(environment()),
    }
    record(recording, options.folder, count, options.jobs)
    tuning_curves.save(gathered(recording, options.folder, count, about), options.output)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
