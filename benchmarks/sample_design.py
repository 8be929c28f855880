#!/usr/bin/env python3
"""Whether the sample rewards milliseconds: smallest, random and largest networks, trained.

    python benchmarks/sample_design.py [--seeds 1,2,3] [--random 3] [--jobs 2] [--json FILE]

Every network is trained by main.py's recipe for the sample, once a seed; the networks are measured
together before that. Nothing is searched: this is how the sample was designed before any search.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from rich.table import Table

from latency import atomic, shell
from latency.cli.parser import OutputFile, Parser
from latency.device.settings import SessionSettings
from latency.measurement.timing import Timing
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.hardware.measurement import measure_networks, network_bytes
from nas.recipes.scales import Scale
from nas.report.seeds import spread_text
from nas.search_space.named import get_space
from nas.selection.seed_spread import SeedSpread
from nas.system.console import out

# Which random networks; fixed, so that nobody can choose them by their result.
RANDOM_NETWORKS_SEED = 1


def networks(count: int) -> dict[str, Architecture]:
    """Smallest, random and largest networks of the space.

    Args:
        count: Random ones, 0 or more.
    """
    space = get_space("sample")
    rng = np.random.default_rng(RANDOM_NETWORKS_SEED)
    random = {f"random {i}": space.sample(rng) for i in range(1, count + 1)}
    return {"smallest": space.smallest(), **random, "largest": space.largest()}


def train(text: str, seed: int, smoke: bool) -> float:
    """Top-1 of one training; runs in a process of its own.

    Args:
        text: The network.
        seed: Of weights and data order.
        smoke: Toy size.
    """
    from nas.data.load import load_sample
    from nas.training.loop import Control
    from nas.training.trainer import train_network

    scale = Scale.fitting(is_sample=True, smoke=smoke)
    data = load_sample(is_toy=scale.is_toy)
    recipe = scale.recipe_for(is_sample=True)
    result = train_network(arch_text.parse(text), data, recipe, Control(), seed=seed)
    return result.evaluation.top1


def record(name: str, network: Architecture, timing: Timing, top1: list[float]) -> Any:
    """A network's row of the JSON.

    Args:
        name: For people.
        network: The network.
        timing: Its milliseconds.
        top1: Of each seed, from 0 to 1.
    """
    return {
        "name": name,
        "text": arch_text.to_text(network),
        "latency_ms": timing.latency_ms,
        "top1": top1,
        "mean": float(np.mean(top1)),
        "sd": float(np.std(top1, ddof=1)) if len(top1) > 1 else None,
    }


def main(arguments: list[str] | None = None) -> int:
    """Measures, trains and prints; returns the exit code.

    Args:
        arguments: Command line; None for the program's own.
    """
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="1,2,3", help="of weights and data order")
    parser.add_argument("--random", type=int, default=3, help="random networks")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--json", action=OutputFile, type=Path, help="file for the figures")
    parser.add_argument("--smoke", action="store_true", help="toy size")
    args = parser.parse_args(arguments)
    seeds = [int(text) for text in args.seeds.split(",")]
    found = networks(args.random)
    files = {name: network_bytes(network) for name, network in found.items()}
    measuring = Scale.fitting(is_sample=True, smoke=args.smoke).measuring
    rule = measuring.certificate_rule
    timings = measure_networks(files, SessionSettings(), measuring.choice, rule)
    # TensorFlow reads these when a job's process imports it.
    share = str(max(1, (os.cpu_count() or 1) // args.jobs))
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, share)
    with ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn")) as pool:
        work = {
            name: [pool.submit(train, arch_text.to_text(net), s, args.smoke) for s in seeds]
            for name, net in found.items()
        }
        rows = []
        for name, network in found.items():
            top1 = [future.result() for future in work[name]]
            rows.append(record(name, network, timings[name], top1))
            # Written each time: trainings take minutes, and what is done must not be lost.
            out.print(f"{name}: {rows[-1]['mean']:.2%}")
            if args.json:
                atomic.keep_json(args.json, {"seeds": seeds, "networks": rows})
    table = Table("network", "ms", "top-1 mean", "sd", "each seed")
    for row in sorted(rows, key=lambda r: r["latency_ms"]):
        each = ", ".join(f"{value:.1%}" for value in row["top1"])
        spread = "" if row["sd"] is None else f"{row['sd']:.1%}"
        table.add_row(row["name"], f"{row['latency_ms']:.4f}", f"{row['mean']:.1%}", spread, each)
    out.print(table)
    trainings = [SeedSpread.of(dict(zip(seeds, row["top1"], strict=True))) for row in rows]
    out.print(spread_text(trainings))
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
