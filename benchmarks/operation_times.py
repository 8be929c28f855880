#!/usr/bin/env python3
"""Which operation costs TensorFlow more than PyTorch: forward and backward, one at a time.

    python benchmarks/operation_times.py --twin_python PYTHON_WITH_TORCH

Both frameworks take turns, a process each time; see benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

# As in the 64 px networks: name -> (height and width, channels, output channels or kernel).
SHAPES = {
    "widening 1x1": (16, 24, 144),
    "narrowing 1x1": (16, 144, 40),
    "depthwise 3x3": (16, 144, 3),
    "depthwise 5x5": (16, 144, 5),
    "depthwise 7x7": (16, 144, 7),
    "batch norm": (16, 144, 0),
    "relu6": (16, 144, 0),
}


def tensorflow_steps(batch_size: int) -> dict[str, Callable[[], None]]:
    """Name -> one forward and backward pass, as the networks of this project run it."""
    from nas.system import backend

    backend.start()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)

    from nas.layers.fast import batch_norm_training, pointwise_conv

    def step(name: str, size: int, channels: int, extra: int) -> Callable[[], None]:
        x = tf.random.normal((batch_size, size, size, channels))
        parameters: list[Any] = [x]
        if "1x1" in name:
            parameters.append(tf.random.normal((1, 1, channels, extra)))
        elif "depthwise" in name:
            parameters.append(tf.random.normal((extra, extra, channels, 1)))
        elif name == "batch norm":
            parameters += [tf.ones(channels), tf.zeros(channels)]

        def forward() -> tf.Tensor:
            if "1x1" in name:
                return pointwise_conv(*parameters)
            if "depthwise" in name:
                return tf.nn.depthwise_conv2d(*parameters, [1, 1, 1, 1], "SAME")
            if name == "batch norm":
                pixels, gamma, beta = parameters
                return batch_norm_training(pixels, gamma, beta, 1e-3)[0]
            return tf.nn.relu6(x)

        direction = tf.random.normal(forward().shape)

        def both() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(parameters)
                y = forward()
            gradients: list[tf.Tensor] = tape.gradient(y, parameters, output_gradients=direction)
            return gradients

        compiled = tf.function(both)
        return lambda: compiled()[0].numpy()

    return {name: step(name, *shape) for name, shape in SHAPES.items()}


def torch_steps(batch_size: int) -> dict[str, Callable[[], None]]:
    """The same, channels last."""
    import torch
    from torch.nn import functional

    def step(name: str, size: int, channels: int, extra: int) -> Callable[[], None]:
        def image(count: int) -> torch.Tensor:
            values = torch.randn(batch_size, count, size, size)
            return values.to(memory_format=torch.channels_last)

        x = image(channels).requires_grad_()
        if "1x1" in name:
            layer = torch.nn.Conv2d(channels, extra, 1, bias=False)
        elif "depthwise" in name:
            layer = torch.nn.Conv2d(
                channels, channels, extra, padding=extra // 2, groups=channels, bias=False
            )
        elif name == "batch norm":
            layer = torch.nn.BatchNorm2d(channels)
        else:
            layer = functional.relu6
        if isinstance(layer, torch.nn.Module):
            layer = layer.to(memory_format=torch.channels_last)
        direction = image(extra if "1x1" in name else channels)

        def both() -> None:
            x.grad = None
            layer(x).backward(direction)

        return both

    return {name: step(name, *shape) for name, shape in SHAPES.items()}


def times_ms(steps: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each, taking turns in random order."""
    rng = np.random.default_rng(0)
    found: dict[str, list[float]] = {name: [] for name in steps}
    for name in steps:
        steps[name]()
    for _ in range(rounds):
        for name in rng.permutation(list(steps)).tolist():
            begun = time.perf_counter()
            steps[name]()
            found[name].append(1e3 * (time.perf_counter() - begun))
    return {name: median(values) for name, values in found.items()}


def child_ms(python: str, framework: str, flags: argparse.Namespace) -> dict[str, float]:
    """`times_ms` of one framework in a new process."""
    sizes = ["--batch_size", f"{flags.batch_size}", "--rounds", f"{flags.rounds}"]
    command = [python, str(Path(__file__).resolve()), "--framework", framework, *sizes]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"Expected times of {framework} from {python}.\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main(argv: list[str] | None = None) -> int:
    """Measures and prints JSON: milliseconds and ratios of each operation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--twin_python", help="an interpreter with PyTorch")
    parser.add_argument("--framework", choices=["tensorflow", "torch"], help="only this one, here")
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15, help="of each process")
    parser.add_argument("--processes", type=int, default=4, help="of each framework")
    flags = parser.parse_args(argv)
    if flags.framework is not None:
        make = tensorflow_steps if flags.framework == "tensorflow" else torch_steps
        print(json.dumps(times_ms(make(flags.batch_size), flags.rounds)))
        return 0
    if flags.twin_python is None:
        parser.error("--twin_python must name an interpreter with PyTorch and NumPy")
    runs: dict[str, list[dict[str, float]]] = {"tensorflow": [], "torch": []}
    for _ in range(flags.processes):
        runs["tensorflow"].append(child_ms(sys.executable, "tensorflow", flags))
        runs["torch"].append(child_ms(flags.twin_python, "torch", flags))
    result = {}
    for name in SHAPES:
        ours, theirs = ([run[name] for run in runs[key]] for key in ("tensorflow", "torch"))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        result[name] = {
            "tensorflow_ms": median(ours),
            "torch_ms": median(theirs),
            "ratio": median(ratios),
            "ratio_least": min(ratios),
            "ratio_greatest": max(ratios),
        }
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
