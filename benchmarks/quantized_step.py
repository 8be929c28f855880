#!/usr/bin/env python3
"""What a fake-quantised training step costs beside the float step of the same network.

    python benchmarks/quantized_step.py --json

Each network and its float twin, which is the same network without formats, take turns in random
order in one run, on the same batch. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
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

from latency import shell
from latency.cli.parser import Parser
from latency.device import strict_json
from nas.architecture import text as arch_text
from nas.architecture.references.named import reference
from nas.architecture.spec import Architecture
from nas.system import backend
from nas.system.console import out
from nas.system.environment import environment

_FORMATS = re.compile(r"_[wabn]q[buf][\d.]+[a-z]*")


def _trigger(formats: str, norm: str = "") -> str:
    return (
        f"in_s16 cn_r1_k3_s1_c4_nre_{formats}{norm} mp_k2 cn_r1_k3_s1_c8_nre_{formats}{norm} mp_k2 "
        f"flat fc_c64_bn_nre_{formats}{norm} fc_c2_{formats}"
    )


def networks() -> dict[str, str]:
    """Name -> text of each network that is measured."""
    found = {name: arch_text.to_text(reference(name, 32)) for name in ("cnv_w1a1", "cnv_w2a2")}
    small = re.sub(r"_c(64|128|256|512)\b", lambda m: f"_c{int(m[1]) // 4}", found["cnv_w1a1"])
    learned = re.sub(r"_(wq|aq)b1", r"_\1b4l", small)
    return {
        **found,
        "cnv_small_w1a1": small,
        "cnv_small_w4a4": re.sub(r"_(wq|aq)b1", r"_\1b4", small),
        "cnv_small_w4a4_learned": learned,
        "trigger_f8": _trigger("wqf8.4_aqf16.6"),
        "trigger_f8_norm": _trigger("wqf8.4_aqf16.6", "_nqf16.6"),
    }


def float_twin(text: str) -> Architecture:
    """The same network without formats."""
    return arch_text.loads(_FORMATS.sub("", text))


def step_of(architecture: Architecture, batch_size: int) -> Callable[[], float]:
    """A training step on one random batch, which returns its seconds."""
    import keras

    from nas.builders.keras_model import build_model

    rng = np.random.default_rng(0)
    size = architecture.image_size
    images = rng.uniform(0, 255, (batch_size, size, size, 3)).astype(np.float32)
    labels = rng.integers(0, architecture.num_classes, batch_size)
    targets = np.eye(architecture.num_classes, dtype=np.float32)[labels]
    model = build_model(architecture)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    # An optimizer that makes its variables in the first step has that step traced twice.
    optimizer.build(model.trainable_variables)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False)

    def step() -> float:
        begun = time.perf_counter()
        model.train_on_batch(images, targets)
        return time.perf_counter() - begun

    return step


def measure(text: str, batch_size: int, rounds: int) -> dict[str, Any]:
    """Seconds of both steps in every round, in random order within a round, as figures."""
    steps = {
        "quantized": step_of(arch_text.loads(text), batch_size),
        "float": step_of(float_twin(text), batch_size),
    }
    for step in steps.values():
        step(), step()
    rng = np.random.default_rng(1)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name in rng.permutation(list(steps)):
            times[name].append(steps[name]())
    ratios = np.array(times["quantized"]) / np.array(times["float"])
    return {
        "quantized_over_float": float(np.median(ratios)),
        "quartiles": [float(q) for q in np.quantile(ratios, (0.25, 0.75))],
        "quantized_ms": 1e3 * float(np.median(times["quantized"])),
        "float_ms": 1e3 * float(np.median(times["float"])),
    }


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("--networks", help=f"names with commas; all of {', '.join(networks())}")
    parser.add_argument("--batch_size", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one round, batch 4")
    flags = parser.parse_args(arguments)
    for name in ("batch_size", "rounds"):
        if getattr(flags, name) < 1:
            value = getattr(flags, name)
            parser.error(f"Expected --{name} above 0. Received: {value}. Fix: raise it.")
    flags.names = (flags.networks or ",".join(networks())).split(",")
    for name in flags.names:
        if name not in networks():
            known = ", ".join(networks())
            parser.error(f"Expected --networks of {known}. Received: {name!r}. Fix: correct it.")
    if flags.smoke:
        flags.rounds, flags.batch_size = 1, 4
    return flags


def show(result: dict[str, Any]) -> None:
    """The result as a table for people."""
    table = Table("network", "over float", "quartiles", "quantised ms", "float ms")
    for name, row in result["networks"].items():
        low, high = row["quartiles"]
        table.add_row(
            name,
            f"{row['quantized_over_float']:.2f}",
            f"{low:.2f} to {high:.2f}",
            f"{row['quantized_ms']:.1f}",
            f"{row['float_ms']:.1f}",
        )
    out.print(table)


def main(arguments: list[str]) -> int:
    """Measures and prints."""
    flags = parse_flags(arguments)
    backend.start()
    import keras

    keras.utils.set_random_seed(0)
    load_before = os.getloadavg()[0]
    texts = networks()
    result = {
        "networks": {
            name: measure(texts[name], flags.batch_size, flags.rounds) for name in flags.names
        },
        "batch_size": flags.batch_size,
        "rounds": flags.rounds,
        "load_average_before": load_before,
        "environment": strict_json.encode(environment()),
        "command": " ".join(["python benchmarks/quantized_step.py", *arguments]),
        "date": datetime.date.today().isoformat(),
    }
    if flags.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
