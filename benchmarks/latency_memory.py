#!/usr/bin/env python3
"""Whether models that wait for memory need a second probe in the speed gate.

    python benchmarks/latency_memory.py --output memory.json

Two models are larger than the caches, one fits into a core's second cache. They run alone and
beside a program that walks over memory, in turn. The criterion stands in docs/log.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.latency_load import LINE_BYTES, loaded, other_cores
from benchmarks.latency_recording import Recording, record
from latency import atomic, shell
from latency.cli.parser import OutputFile, Parser
from latency.device.probe import Gauge, Probe, make_probe
from latency.device.runner import ModelRunner
from latency.device.settings import SessionSettings
from latency.device.speed import GATE

# A walk varies more than a computation that stays in the first cache.
WALK_GATE, WALK_BYTES = 1.10, 4 * 2**20
QUANTILE = 10
ALONE, ALONE_ONE_PROBE, BESIDE = "alone", "alone, one probe", "beside a walk"


@dataclass(frozen=True)
class Chain:
    """Fully connected layers one after another.

    Args:
        side: Inputs and outputs of each.
        layers: How many.
        batch: Rows of the input.
    """

    side: int
    layers: int
    batch: int


CHAINS = {
    "64 MB": Chain(4096, 1, 1),
    "192 MB": Chain(4096, 3, 1),
    "0.5 MB": Chain(128, 8, 16),
}
SMOKE_CHAINS = {"4 MB": Chain(1024, 1, 1), "0.5 MB": Chain(128, 8, 16)}


def chain_bytes(chain: Chain) -> bytes:
    """Returns the ONNX file of a chain with random weights.

    Args:
        chain: Its sizes.
    """
    rng = np.random.default_rng(0)
    # Outputs stay near 1 in the mean, so that nothing becomes a denormal number.
    scale = 2 / chain.side
    shape = (chain.side, chain.side)
    weights = [scale * rng.random(shape, np.float32) for _ in range(chain.layers)]
    nodes = [
        helper.make_node("Gemm", [f"x{i}", f"w{i}"], [f"x{i + 1}"]) for i in range(chain.layers)
    ]
    sizes = [chain.batch, chain.side]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, sizes)],
        [helper.make_tensor_value_info(f"x{chain.layers}", TensorProto.FLOAT, sizes)],
        [numpy_helper.from_array(weight, f"w{i}") for i, weight in enumerate(weights)],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def walk_probe() -> Probe:
    """Returns a walk over a buffer that no second cache of a core holds."""
    lines = np.ones(WALK_BYTES // 4, np.float32)[:: LINE_BYTES // 4]
    return Probe(f"walk over {WALK_BYTES // 2**20} MiB", lambda: lines.sum())


def joined(parts: list[Recording]) -> Recording:
    """Several recordings as one; times of day are of no use then."""
    first = parts[0]
    return Recording(
        np.concatenate([part.at_s for part in parts]),
        np.concatenate([part.runs_ms for part in parts]),
        {n: np.concatenate([part.before_us[n] for part in parts]) for n in first.before_us},
        {n: np.concatenate([part.after_us[n] for part in parts]) for n in first.after_us},
    )


def recorded(
    chains: Mapping[str, Chain], blocks: int, seconds: float
) -> dict[str, dict[str, Recording]]:
    """Model -> condition -> everything recorded in all blocks of it.

    Args:
        chains: Name -> sizes.
        blocks: Of each condition, alone and beside the walk in turn.
        seconds: Of each block and model.
    """
    gate, walk = Gauge(make_probe()), Gauge(walk_probe())
    settings = SessionSettings()
    runners = {name: ModelRunner(chain_bytes(c), settings, 0) for name, c in chains.items()}
    conditions = (ALONE, ALONE_ONE_PROBE, BESIDE)
    parts = {name: {c: list[Recording]() for c in conditions} for name in runners}
    for _ in range(blocks):
        for condition in (ALONE, BESIDE):
            with ExitStack() as stack:
                if condition == BESIDE:
                    stack.enter_context(loaded("memory", other_cores()))
                for name, run in runners.items():
                    both = {"walk": walk, "gate": gate}
                    parts[name][condition].append(record(run, both, seconds))
                    if condition == ALONE:
                        one = record(run, {"gate": gate}, seconds)
                        parts[name][ALONE_ONE_PROBE].append(one)
    return {name: {c: joined(p) for c, p in found.items()} for name, found in parts.items()}


def figures(found: Mapping[str, Mapping[str, Recording]]) -> list[dict[str, Any]]:
    """For each model and condition: p10 of all runs, and of those that each gate keeps.

    Args:
        found: Model -> condition -> recording.
    """
    everything = [part for of_model in found.values() for part in of_model.values()]
    gate_us = GATE * min(part.full_speed_us("gate") for part in everything)
    values = []
    for name, of_model in found.items():
        # The walk's own full speed depends on what a model leaves in the caches.
        walks = [part for part in of_model.values() if "walk" in part.before_us]
        walk_us = WALK_GATE * min(part.full_speed_us("walk") for part in walks)
        for condition, part in of_model.items():
            kept = part.kept("gate", gate_us)
            both = kept & part.kept("walk", walk_us) if "walk" in part.before_us else None
            values.append(
                {
                    "model": name,
                    "condition": condition,
                    "runs": len(part.runs_ms),
                    "all_ms": quantile_ms(part.runs_ms),
                    "gate_share": float(kept.mean()),
                    "gate_ms": quantile_ms(part.runs_ms[kept]),
                    "both_share": None if both is None else float(both.mean()),
                    "both_ms": None if both is None else quantile_ms(part.runs_ms[both]),
                }
            )
    return values


def quantile_ms(runs_ms: np.ndarray) -> float | None:
    """The statistic of the gate; None where there is no run."""
    return float(np.percentile(runs_ms, QUANTILE)) if len(runs_ms) else None


def main(arguments: list[str] | None = None) -> int:
    """Records all models and writes the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=6, help="of each condition (6)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a block and model (4)")
    parser.add_argument("--output", action=OutputFile, type=Path, required=True, help="JSON")
    parser.add_argument("--smoke", action="store_true", help="toy size; figures mean nothing")
    options = parser.parse_args(arguments)
    chains = SMOKE_CHAINS if options.smoke else CHAINS
    blocks, seconds = (1, 0.05) if options.smoke else (options.blocks, options.seconds)
    values = figures(recorded(chains, blocks, seconds))
    atomic.write_json(options.output, values)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
