#!/usr/bin/env python3
"""What a supernet's training step costs beside a plain one, and against the machine's limit.

    python benchmarks/supernet_step.py --space mnasnet --image_size 64 --json

Plain step of the space's largest network, masked weight step, gate step and a PyTorch twin take
turns in random order in one run, on the same batch. `--twin_python` names an interpreter with
PyTorch; without one the twin's figures are null. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from nas import backend
from nas.arch_text import to_text
from nas.console import out
from nas.cost import architecture_cost
from nas.environment import environment
from nas.spaces import get_space

MATMUL_SIZE = 1024


class Twin:
    """The PyTorch process; one step a call."""

    def __init__(self, python: str, arch: str, batch_size: int) -> None:
        script = str(Path(__file__).resolve().parent / "torch_twin.py")
        command = [python, script, "--arch", arch, "--batch_size", str(batch_size)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self._read().removeprefix("ready").strip()

    def _read(self) -> str:
        if self.process.stdout is None:
            raise RuntimeError("Expected the twin's output. Received: none. Fix: start it again.")
        return self.process.stdout.readline()

    def step(self) -> float:
        """Seconds of one training step, as the twin itself measured them."""
        if self.process.stdin is not None:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate(timeout=60)


def make_steps(flags: argparse.Namespace) -> tuple[dict[str, Callable[[], float]], Any]:
    """The steps to be compared, each returning its seconds."""
    backend.start()
    import keras

    from nas.draws import even_draw, gumbel_draw
    from nas.keras_model import build_model
    from nas.supernet import Supernet
    from nas.views import GateView, WeightView

    keras.utils.set_random_seed(0)
    space = get_space(flags.space, flags.image_size)
    rng = np.random.default_rng(0)
    shape = (flags.batch_size, space.image_size, space.image_size, 3)
    images = rng.uniform(0, 255, shape).astype(np.float32)
    labels = np.eye(space.num_classes, dtype=np.float32)[
        rng.integers(0, space.num_classes, flags.batch_size)
    ]

    def compiled(model: Any) -> Any:
        model.compile(
            optimizer=keras.optimizers.SGD(0.01, momentum=0.9),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        return model

    plain = compiled(build_model(space.largest()))
    network = Supernet(space)
    masked = compiled(WeightView(network))
    grid = np.ones((len(space.choices), len(network.kernels), len(network.expansions)))
    gate = compiled(GateView(network, grid, 1.0, 1.0))

    def timed(model: Any, draw: Any = None) -> float:
        begun = time.perf_counter()
        if draw is not None:
            network.gates.set_draw(draw(network, rng))
        model.train_on_batch(images, labels)
        return time.perf_counter() - begun

    matrix = keras.ops.convert_to_tensor(rng.standard_normal((MATMUL_SIZE,) * 2), "float32")

    def matmul() -> float:
        """Seconds of the fastest of three: the machine's limit, not its average."""
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            keras.ops.convert_to_numpy(keras.ops.matmul(matrix, matrix)[0, 0])
            times.append(time.perf_counter() - begun)
        return min(times)

    steps = {
        "plain": lambda: timed(plain),
        "masked": lambda: timed(masked, even_draw),
        "gate": lambda: timed(gate, gumbel_draw),
        "matmul": matmul,
    }
    return steps, space


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
    plain_rate = batch_size / float(np.median(times["plain"]))
    twin_rate = batch_size / float(np.median(times["twin"])) if "twin" in times else None
    matmul_rate = 2 * MATMUL_SIZE**3 / float(np.median(times["matmul"]))
    # Backwards costs twice the forward pass: gradients of inputs and of weights.
    achieved = 3 * 2 * macs * plain_rate
    return {
        "masked_over_plain": float(np.median(masked)),
        "masked_over_plain_quartiles": [float(q) for q in np.quantile(masked, (0.25, 0.75))],
        "gate_over_plain": float(np.median(times["gate"] / times["plain"])),
        "sampled_over_plain": None,
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
    """Anonymous resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1e6
    return float("nan")


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--space", default="mnasnet")
    parser.add_argument("--image_size", type=int, default=64)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--twin_python", default=sys.executable, help="has PyTorch")
    parser.add_argument("--no_twin", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one round, batch 4")
    flags = parser.parse_args(arguments)
    if flags.smoke:
        flags.rounds, flags.batch_size = 1, 4
    return flags


def has_torch(python: str) -> bool:
    """Whether an interpreter can import PyTorch."""
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


def main(arguments: list[str]) -> int:
    """Measures and prints."""
    flags = parse_flags(arguments)
    steps, space = make_steps(flags)
    largest = space.largest()
    twin = None
    if not flags.no_twin and has_torch(flags.twin_python):
        twin = Twin(flags.twin_python, to_text(largest), flags.batch_size)
        steps["twin"] = twin.step
    times = measure(steps, flags.rounds)
    result = {
        **figures(times, architecture_cost(largest).macs, flags.batch_size),
        "rss_anon_gb": rss_anon_gb(),
        "space": space.name,
        "image_size": space.image_size,
        "batch_size": flags.batch_size,
        "rounds": flags.rounds,
        "load_average": os.getloadavg()[0],
        "environment": {**environment(), "torch": twin.version if twin else None},
        "keras": metadata.version("keras"),
        "command": " ".join(["python benchmarks/supernet_step.py", *arguments]),
        "date": datetime.date.today().isoformat(),
    }
    if twin is not None:
        twin.close()
    if flags.json:
        print(json.dumps(result, indent=1))
        return 0
    for name, value in result.items():
        out.print(f"{name:<30} {value}", markup=False)
    if twin is None:
        out.print("No PyTorch in --twin_python: the twin was not measured.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
