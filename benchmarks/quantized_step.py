#!/usr/bin/env python3
"""What a fake-quantised training step costs beside the float step of the same network.

    python benchmarks/quantized_step.py --json

Each network and its float twin, which is the same network without formats, take turns in random
order, on the same batch, and all networks take turns in each round. Steps are told in processor
time, which other programs lengthen less than they do the clock's. The rounds end where the next one
would not fit into `--seconds`. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
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
from nas.search_space.knob_spaces.cnv import CNV_SMALL
from nas.system import backend
from nas.system.console import bar, out
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
    small = arch_text.to_text(CNV_SMALL.network(CNV_SMALL.original))
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
    """A training step on one random batch, which returns its seconds of processor time."""
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
        begun = time.process_time()
        model.train_on_batch(images, targets)
        return time.process_time() - begun

    return step


def steps_of(text: str, batch_size: int) -> dict[str, Callable[[], float]]:
    """Both steps of a network, traced and warm."""
    found = {
        "quantized": step_of(arch_text.loads(text), batch_size),
        "float": step_of(float_twin(text), batch_size),
    }
    for step in found.values():
        step(), step()
    return found


def measure(
    texts: Mapping[str, str], batch_size: int, rounds: int, seconds: float
) -> dict[str, list[dict[str, float]]]:
    """Seconds of both steps of every network in every round.

    Args:
        texts: Name -> network.
        batch_size: Images a step.
        rounds: At most, and at least one.
        seconds: That building and all rounds may take together.
    """
    end = time.monotonic() + seconds
    with bar("Building") as shown:
        steps = {}
        for done, (name, text) in enumerate(texts.items()):
            shown.update(done, len(texts), note=name)
            steps[name] = steps_of(text, batch_size)
    turns = [(name, kind) for name, both in steps.items() for kind in both]
    rng = np.random.default_rng(1)
    times: dict[str, list[dict[str, float]]] = {name: [] for name in steps}
    longest = 0.0
    with bar("Rounds") as shown:
        for done in range(rounds):
            begun = time.monotonic()
            if done and begun + longest > end:
                break
            for found in times.values():
                found.append({})
            for turn in rng.permutation(len(turns)):
                name, kind = turns[turn]
                times[name][-1][kind] = steps[name][kind]()
            longest = max(longest, time.monotonic() - begun)
            shown.update(done + 1, rounds, note="")
    return times


def figures(times: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Medians and quartiles of a network's rounds."""
    quantized, plain = (np.array([one[kind] for one in times]) for kind in ("quantized", "float"))
    ratios = quantized / plain
    return {
        "quantized_over_float": float(np.median(ratios)),
        "quartiles": [float(q) for q in np.quantile(ratios, (0.25, 0.75))],
        "quantized_ms": 1e3 * float(np.median(quantized)),
        "float_ms": 1e3 * float(np.median(plain)),
    }


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("--networks", help=f"names with commas; all of {', '.join(networks())}")
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=15, help="at most")
    parser.add_argument("--seconds", type=float, default=200.0, help="for all of it (200)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one round, batch 4")
    flags = parser.parse_args(arguments)
    for name in ("batch_size", "rounds", "seconds"):
        if not getattr(flags, name) >= 1:
            value = getattr(flags, name)
            parser.error(f"expected --{name} of 1 or more, received {value}; raise it")
    flags.names = (flags.networks or ",".join(networks())).split(",")
    for name in flags.names:
        if name not in networks():
            known = ", ".join(networks())
            parser.error(f"expected --networks of {known}, received {name!r}; correct it")
    if flags.smoke:
        flags.rounds, flags.batch_size = 1, 4
    return flags


def show(result: dict[str, Any]) -> None:
    """The result as a table for people."""
    table = Table(
        *("network", "over float", "quartiles", "quantised ms", "float ms"),
        caption=f"Processor time, medians of {result['rounds']} rounds of "
        f"{result['batch_size']} images.",
    )
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
    asked = {name: texts[name] for name in flags.names}
    times = measure(asked, flags.batch_size, flags.rounds, flags.seconds)
    result = {
        "networks": {name: figures(found) for name, found in times.items()},
        "batch_size": flags.batch_size,
        "rounds": min(map(len, times.values())),
        "time": "processor",
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
