#!/usr/bin/env python3
"""What a supernet's training step costs beside a plain one, and against the machine's limit.

    python benchmarks/supernet_step.py --space mnasnet --image_size 64 --json

Plain step of the space's largest network, masked and sampled weight steps, gate step and a PyTorch
twin take turns in random order in one run, on the same batch. `--twin_python` names an interpreter
with PyTorch; without one the twin's figures are null. `--memory` measures the resident memory of
training a supernet instead. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from rich.table import Table

from benchmarks.twin_process import Twin, has_torch
from latency import shell
from latency.cli.parser import Parser
from latency.device import strict_json
from nas.architecture.text import to_text
from nas.cost.counts import architecture_cost
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.system import backend
from nas.system.console import out
from nas.system.environment import environment

MATMUL_SIZE = 1024
MEMORY_SAMPLE_S = 0.01  # between two looks at the resident memory
BUSY_LOAD = 0.5  # above this, other programs hold a core for a good part of the time


def training_batch(space: Space, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pixels (batch, size, size, 3) from 0 to 255 and one-hot labels (batch, classes)."""
    rng = np.random.default_rng(0)
    shape = (batch_size, space.image_size, space.image_size, 3)
    images = rng.uniform(0, 255, shape).astype(np.float32)
    labels = rng.integers(0, space.num_classes, batch_size)
    return images, np.eye(space.num_classes, dtype=np.float32)[labels]


def compiled(model: Any) -> Any:
    """The model with the optimizer and the loss that every step here uses."""
    import keras

    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    # An optimizer that makes its variables in the first step has that step traced twice.
    optimizer.build(model.trainable_variables)
    model.compile(
        optimizer=optimizer,
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def supernet_steps(space: Space, batch_size: int) -> dict[str, Callable[[], float]]:
    """Masked and sampled weight step and gate step, each with a new draw; they return seconds."""
    from nas.cost.additive import AdditiveCost
    from nas.supernet.model import Supernet
    from nas.supernet.sampling import even_draw, gate_draw
    from nas.supernet.views import GateView, WeightView

    images, labels = training_batch(space, batch_size)
    rng = np.random.default_rng(2)
    network = Supernet(space)
    masked = compiled(WeightView(network))
    sampled = compiled(WeightView(network, "sampled"))
    ones = tuple(np.ones(len(choice.options)) for choice in space.choices)
    gate = compiled(GateView(network, AdditiveCost(ones)))

    def timed(view: Any, draw: Any) -> float:
        begun = time.perf_counter()
        network.gates.set_draw(draw(network, rng))
        view.train_on_batch(images, labels)
        return time.perf_counter() - begun

    return {
        "masked": lambda: timed(masked, even_draw),
        "sampled": lambda: timed(sampled, even_draw),
        "gate": lambda: timed(gate, gate_draw),
    }


def make_steps(space: Space, batch_size: int) -> dict[str, Callable[[], float]]:
    """The steps to be compared, each returning its seconds."""
    import keras

    from nas.builders.keras_model import build_model

    images, labels = training_batch(space, batch_size)
    plain = compiled(build_model(space.largest()))

    def plain_step() -> float:
        begun = time.perf_counter()
        plain.train_on_batch(images, labels)
        return time.perf_counter() - begun

    values = np.random.default_rng(3).standard_normal((MATMUL_SIZE, MATMUL_SIZE))
    matrix = keras.ops.convert_to_tensor(values, "float32")

    def matmul() -> float:
        """Seconds of the fastest of three: the machine's limit, not its average."""
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            keras.ops.convert_to_numpy(keras.ops.matmul(matrix, matrix)[0, 0])
            times.append(time.perf_counter() - begun)
        return min(times)

    return {"plain": plain_step, **supernet_steps(space, batch_size), "matmul": matmul}


def measure(steps: dict[str, Callable[[], float]], rounds: int) -> dict[str, np.ndarray]:
    """Seconds of every step in every round; the order within a round is random."""
    rng = np.random.default_rng(1)
    for step in steps.values():
        step(), step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name in rng.permutation(list(steps)):
            times[name].append(steps[name]())
    return {name: np.array(values) for name, values in times.items()}


def figures(times: dict[str, np.ndarray], macs: int, batch_size: int) -> dict[str, Any]:
    """Ratios by round, and rates from medians."""
    masked = times["masked"] / times["plain"]
    sampled = times["sampled"] / times["plain"]
    plain_rate = batch_size / float(np.median(times["plain"]))
    twin_rate = batch_size / float(np.median(times["twin"])) if "twin" in times else None
    matmul_rate = 2 * MATMUL_SIZE**3 / float(np.median(times["matmul"]))
    # Backwards costs twice the forward pass: gradients of inputs and of weights.
    achieved = 3 * 2 * macs * plain_rate
    return {
        "masked_over_plain": float(np.median(masked)),
        "masked_over_plain_quartiles": [float(q) for q in np.quantile(masked, (0.25, 0.75))],
        "gate_over_plain": float(np.median(times["gate"] / times["plain"])),
        "sampled_over_plain": float(np.median(sampled)),
        "sampled_over_plain_mean": float(np.mean(sampled)),
        "sampled_over_plain_quartiles": [float(q) for q in np.quantile(sampled, (0.25, 0.75))],
        "plain_examples_per_s": plain_rate,
        "twin_examples_per_s": twin_rate,
        "plain_over_twin": float(np.median(times["twin"] / times["plain"]))
        if "twin" in times
        else None,
        "matmul_gflops": matmul_rate / 1e9,
        "matmul_share": achieved / matmul_rate,
        "plain_macs": macs,
    }


def rss_anon_gb() -> float:
    """Anonymous resident memory of this process, in 1e9 bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError(
        "Expected `RssAnon` in /proc/self/status. Received: none. Fix: run on Linux 4.5 or newer."
    )


def peak_memory(space: Space, batch_size: int, rounds: int) -> dict[str, Any]:
    """Peak of the anonymous memory while weight and gate steps take turns as in a search.

    Args:
        space: Its supernet is trained.
        batch_size: Images a step.
        rounds: Of two weight steps and one gate step.
    """
    steps = supernet_steps(space, batch_size)
    built_gb = rss_anon_gb()
    samples = [built_gb]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(MEMORY_SAMPLE_S):
            samples.append(rss_anon_gb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for _ in range(rounds):
            for name in ("masked", "masked", "gate"):
                steps[name]()
    finally:
        done.set()
        watcher.join()
    return {
        "peak_rss_anon_gb": max(samples),
        "built_rss_anon_gb": built_gb,
        "memory_samples": len(samples),
    }


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line; `--memory` has its own defaults, those of a Tiny-ImageNet search."""
    parser = Parser(description=__doc__)
    parser.add_argument("--space", help="default mnasnet, with --memory tiny")
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--batch_size", type=int, help="default 64, with --memory 128")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--twin_python", default=sys.executable, help="has PyTorch")
    parser.add_argument("--no_twin", action="store_true")
    parser.add_argument("--memory", action="store_true", help="peak memory of a supernet instead")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one round, batch 4")
    flags = parser.parse_args(arguments)
    for name in ("image_size", "batch_size", "rounds"):
        value = getattr(flags, name)
        if value is not None and value < 1:
            parser.error(f"expected --{name} above 0, received {value}; raise it")
    flags.space = flags.space or ("tiny" if flags.memory else "mnasnet")
    flags.batch_size = flags.batch_size or (128 if flags.memory else 64)
    if flags.smoke:
        flags.rounds, flags.batch_size = 1, 4
    return flags


def compare(space: Space, flags: argparse.Namespace) -> dict[str, Any]:
    """Figures of all steps, the twin's among them if PyTorch is there."""
    largest = space.largest()
    steps = make_steps(space, flags.batch_size)
    twin = None
    if not flags.no_twin and has_torch(flags.twin_python):
        twin = Twin(flags.twin_python, to_text(largest), flags.batch_size)
        steps["twin"] = twin.step
    try:
        times = measure(steps, flags.rounds)
    finally:
        if twin is not None:
            twin.close()
    return {
        **figures(times, architecture_cost(largest).macs, flags.batch_size),
        "torch": twin.version if twin else None,
    }


def show(result: dict[str, Any]) -> None:
    """The result as a table for people."""
    table = Table("key", "value", title=f"{result['space']} {result['image_size']} px")
    for name, value in result.items():
        if isinstance(value, list):
            text = " to ".join(f"{part:.4g}" for part in value)
        elif isinstance(value, dict):
            text = ", ".join(f"{key} {part}" for key, part in value.items())
        else:
            text = f"{value:.4g}" if isinstance(value, float) else f"{value}"
        table.add_row(name, "not measured" if value is None else text)
    out.print(table)


def main(arguments: list[str]) -> int:
    """Measures and prints."""
    flags = parse_flags(arguments)
    backend.start()
    import keras

    keras.utils.set_random_seed(0)
    space = get_space(flags.space, flags.image_size)
    load_before = os.getloadavg()[0]
    if flags.memory:
        measured = peak_memory(space, flags.batch_size, flags.rounds)
    else:
        measured = compare(space, flags)
    torch_version = measured.pop("torch", None)
    result = {
        **measured,
        "space": space.name,
        "image_size": space.image_size,
        "batch_size": flags.batch_size,
        "rounds": flags.rounds,
        "load_average_before": load_before,
        "environment": {**strict_json.encode(environment()), "torch": torch_version},
        "command": " ".join(["python benchmarks/supernet_step.py", *arguments]),
        "date": datetime.date.today().isoformat(),
    }
    if flags.json:
        print(json.dumps(result, indent=1))
        return 0
    show(result)
    if load_before > BUSY_LOAD and not flags.memory:
        out.print(
            f"The machine was busy before the run (load {load_before:.1f}): do not compare with "
            "the twin, whose threads wait for each other and lose far more than ours."
        )
    if torch_version is None and not flags.memory:
        reason = "--no_twin" if flags.no_twin else f"no PyTorch in {flags.twin_python}"
        out.print(f"The twin was not measured: {reason}.", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
