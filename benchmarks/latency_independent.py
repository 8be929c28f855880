#!/usr/bin/env python3
"""Times ONNX files with onnxruntime alone, as somebody would who has never heard of Stopwatch.

    python benchmarks/latency_independent.py a.onnx b.onnx --output times.json

Nothing of this repository is imported. Each network runs in several passes over all of them; the
best of its runs and their low quantiles are what it takes on a core that nobody disturbs.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

WARM_UP_RUNS = 20
PASSES = 10


def session_of(path: Path) -> Any:
    """Returns a session of one thread that counts denormal numbers as zero.

    Args:
        path: Of the ONNX file.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def time_runs_ms(session: Any, runs: int) -> list[float]:
    """Times runs one after another, after some that are not timed.

    Args:
        session: Of a network with float32 inputs of fixed shapes.
        runs: How many are timed.
    """
    rng = np.random.default_rng(0)
    feeds = {entry.name: rng.random(entry.shape, np.float32) for entry in session.get_inputs()}
    for _ in range(WARM_UP_RUNS):
        session.run(None, feeds)
    found = []
    for _ in range(runs):
        start = time.perf_counter()
        session.run(None, feeds)
        found.append(1e3 * (time.perf_counter() - start))
    return found


def main(arguments: list[str] | None = None) -> int:
    """Times the files and writes what was found."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--runs", type=int, default=10_000, help="of each network (10,000)")
    parser.add_argument("--output", type=Path, required=True, help="JSON")
    options = parser.parse_args(arguments)
    sessions = {path.stem: session_of(path) for path in options.files}
    times_ms: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(PASSES):
        for name, session in sessions.items():
            times_ms[name] += time_runs_ms(session, max(1, options.runs // PASSES))
    networks = {
        name: {
            "best_ms": min(values),
            "p2_ms": float(np.percentile(values, 2)),
            "p50_ms": float(np.percentile(values, 50)),
        }
        for name, values in times_ms.items()
    }
    value = {"runs": options.runs, "onnxruntime": onnxruntime.__version__, "networks": networks}
    part = options.output.with_name(options.output.name + ".part")
    part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    part.replace(options.output)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
