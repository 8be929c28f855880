#!/usr/bin/env python3
"""Records runs of one model and the probes around them, as the speed gate sees them.

    python benchmarks/latency_recording.py model.onnx --seconds 3 --output recording.json

scripts/draw_speed_gate.py makes a picture of it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from latency import atomic, shell
from latency.cli.parser import OutputFile, Parser
from latency.device.gate import Gate
from latency.device.host import current_host
from latency.device.probe import Gauge
from latency.device.runner import ModelRunner
from latency.device.settings import SessionSettings
from latency.device.speed import GATE
from latency.device.watch import FULL_SPEED_QUANTILE

WARM_UP_RUNS = 5


@dataclass(frozen=True)
class Recording:
    """Runs one after another, each between two readings of every probe.

    Args:
        at_s: When each run began, since the recording's start.
        runs_ms: Duration of each run.
        before_us: Probe -> reading before each run.
        after_us: Probe -> reading after each run.
    """

    at_s: np.ndarray
    runs_ms: np.ndarray
    before_us: Mapping[str, np.ndarray]
    after_us: Mapping[str, np.ndarray]

    def full_speed_us(self, probe: str) -> float:
        """The probe at full speed, as this recording alone knows it."""
        both = np.concatenate([self.before_us[probe], self.after_us[probe]])
        return float(np.quantile(both, FULL_SPEED_QUANTILE))

    def kept(self, probe: str, limit_us: float) -> np.ndarray:
        """Which runs lie between two readings of a probe of at most so long."""
        worst: np.ndarray = np.maximum(self.before_us[probe], self.after_us[probe])
        return worst <= limit_us


def record(
    run: Callable[[], Any],
    gauges: Mapping[str, Gauge],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> Recording:
    """Runs a model for some time; waits for nothing.

    Args:
        run: Runs the model once.
        gauges: Probe -> what times it; the last one is read next to the run on both sides.
        seconds: How long.
        clock: Seconds.
    """
    for _ in range(WARM_UP_RUNS):
        run()
    at_s, runs_ms = list[float](), list[float]()
    before = {name: list[float]() for name in gauges}
    after = {name: list[float]() for name in gauges}
    begun = clock()
    while not runs_ms or clock() - begun < seconds:
        for name, gauge in gauges.items():
            before[name].append(gauge.read_us())
        start = clock()
        run()
        runs_ms.append(1e3 * (clock() - start))
        at_s.append(start - begun)
        for name, gauge in reversed(list(gauges.items())):
            after[name].append(gauge.read_us())
    return Recording(
        np.array(at_s),
        np.array(runs_ms),
        {name: np.array(values) for name, values in before.items()},
        {name: np.array(values) for name, values in after.items()},
    )


def main(arguments: list[str] | None = None) -> int:
    """Records one model and writes it."""
    parser = Parser(description=__doc__)
    parser.add_argument("model", type=Path, help="ONNX file")
    parser.add_argument("--seconds", type=float, default=3.0, help="(3)")
    parser.add_argument("--output", action=OutputFile, type=Path, required=True, help="JSON")
    options = parser.parse_args(arguments)
    settings = SessionSettings()
    gate = Gate.of(settings, 30.0, current_host(), time.perf_counter)
    if gate.watch is None:
        raise RuntimeError(f"the default settings are not gated: {gate.reason}")
    gate.watch.look()
    run = ModelRunner(options.model.read_bytes(), settings, 0)
    found = record(run, {"gate": gate.watch.gauge}, options.seconds)
    full_speed_us = min(gate.watch.full_speed_us, found.full_speed_us("gate"))
    speed = gate.close()
    value = {
        "model": options.model.stem,
        "probe": speed.probe,
        "full_speed_us": full_speed_us,
        "limit_us": round(GATE * full_speed_us, 3),
        "at_s": found.at_s.round(5).tolist(),
        "runs_ms": found.runs_ms.round(4).tolist(),
        "before_us": found.before_us["gate"].round(2).tolist(),
        "after_us": found.after_us["gate"].round(2).tolist(),
    }
    atomic.write_json(options.output, value)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
