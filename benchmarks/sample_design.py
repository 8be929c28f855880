#!/usr/bin/env python3
"""Whether the sample rewards milliseconds: smallest, random and largest networks, trained.

    python benchmarks/sample_design.py [--seeds 1,2,3] [--random 3] [--jobs 2] [--json FILE]

Every network is trained by main.py's recipe for the sample, once a seed; the networks are measured
together before that. Nothing is searched: this is how the sample was designed before any search.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from rich.table import Table

from latency import atomic
from latency.session import SessionSettings
from nas import arch_text, settings
from nas.console import out
from nas.measuring import NetworkTiming, measure_networks, network_bytes
from nas.spaces import get_space
from nas.spec import Architecture

# Which random networks; fixed, so that nobody can choose them by their result.
RANDOM_NETWORKS_SEED = 1


def networks(count: int) -> dict[str, Architecture]:
    """Smallest, `count` random and largest network of the space."""
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
    from nas.data import load_dataset
    from nas.interrupt import Interrupter
    from nas.train import TrainConfig, train_network

    epochs = settings.defaults(True, smoke)["epochs"]
    config = TrainConfig(epochs=epochs, seed=seed, **settings.recipe(True, smoke))
    data = load_dataset(None, smoke=smoke)
    network = arch_text.parse(text)
    result = train_network(network, data, config, None, Interrupter(), lambda state, total: None)
    return result.evaluation.top1


def record(name: str, network: Architecture, timing: NetworkTiming, top1: list[float]) -> Any:
    """A network's row of the JSON."""
    return {
        "name": name,
        "text": arch_text.to_text(network),
        "latency_ms": timing.latency_ms,
        "top1": top1,
        "mean": float(np.mean(top1)),
        "sd": float(np.std(top1, ddof=1)) if len(top1) > 1 else None,
    }


def main(arguments: list[str]) -> int:
    """Measures, trains and prints."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--random", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args(arguments)
    seeds = [int(text) for text in args.seeds.split(",")]
    found = networks(args.random)
    files = {name: network_bytes(network) for name, network in found.items()}
    plan = settings.choice_plan(args.smoke)
    timings = measure_networks(files, SessionSettings(), plan, processes=1 if args.smoke else 3)
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
                atomic.write_json(args.json, {"seeds": seeds, "networks": rows})
    table = Table("network", "ms", "top-1 mean", "sd", "each seed")
    for row in sorted(rows, key=lambda r: r["latency_ms"]):
        each = ", ".join(f"{value:.1%}" for value in row["top1"])
        spread = "" if row["sd"] is None else f"{row['sd']:.1%}"
        table.add_row(row["name"], f"{row['latency_ms']:.4f}", f"{row['mean']:.1%}", spread, each)
    out.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
