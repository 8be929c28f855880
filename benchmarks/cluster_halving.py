#!/usr/bin/env python3
"""Halving on a real Ray cluster of this machine, with a node killed on the way.

    python benchmarks/cluster_halving.py [--trials 40] [--epochs 4] [--kill_after_s 120]
                                         [--folder FOLDER] [--smoke]

The same search by trials runs three times: by two workers of this machine, on a cluster of a head
and two nodes of one core each, and there with one node killed and another one joining. Printed are,
as JSON, the seconds of each, the seconds of a leg, how many trials came to the end of each rung,
and whether all that two searches trained alike came to the same values. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

from benchmarks.cluster_nodes import ENVIRONMENT, ROOT, cluster_nodes
from latency import command_line, shell
from latency.cli.parser import Parser, Value
from latency.device.clock import now_text
from nas.executors.ray_cluster import check_ray
from nas.system.environment import environment

NODES = 2
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Searched:
    """What a search came to.

    Args:
        seconds: Of the whole program.
        reached: (Trial, rung) -> top-1 at its end.
        leg_s: Mean seconds of a leg.
    """

    seconds: float
    reached: dict[tuple[int, int], float]
    leg_s: float

    @property
    def ended(self) -> list[int]:
        """How many trials came to the end of each rung."""
        counts = Counter(rung for _, rung in self.reached)
        return [counts[rung] for rung in sorted(counts)]

    def agrees(self, other: Searched) -> bool:
        """Whether legs that both trained came to the same values, bit by bit.

        Args:
            other: Of another search of the same trials.
        """
        both = self.reached.keys() & other.reached.keys()
        return all(self.reached[leg] == other.reached[leg] for leg in both)


def searched(folder: Path, seconds: float) -> Searched:
    """What the run of a folder came to.

    Args:
        folder: Of the run.
        seconds: Of the whole program.
    """
    record: dict[str, Any] = json.loads((folder / "trials.json").read_text("utf-8"))
    reached, legs_s = {}, []
    for trial in record["trials"]:
        for rung in (one for one in trial["rungs"] if one["state"] == "done"):
            reached[trial["number"], rung["rung"]] = rung["reached"]["top1"]
            legs_s.append(rung["seconds"])
    return Searched(seconds, reached, sum(legs_s) / len(legs_s))


def search(
    folder: Path, words: list[str], kill_after_s: float | None, nodes: Any = None
) -> Searched:
    """Runs a search, and kills a node on the way if that is asked for.

    Args:
        folder: Of the run.
        words: Flags of nas.py.
        kill_after_s: Seconds after the first trial began; None to kill none.
        nodes: The cluster, of which the last node is killed.

    Raises:
        RuntimeError: The search failed.
    """
    command = [sys.executable, str(ROOT / "nas.py"), *words, "--run_dir", str(folder)]
    began_s = time.monotonic()
    first_s: float | None = None
    with subprocess.Popen(command, stdout=sys.stderr, env={**os.environ, **ENVIRONMENT}) as program:
        while program.poll() is None:
            time.sleep(POLL_SECONDS)
            if first_s is None and any((folder / "workers").glob("*.log")):
                first_s = time.monotonic()
            late = first_s is not None and kill_after_s is not None
            if late and time.monotonic() - (first_s or 0.0) > (kill_after_s or 0.0):
                nodes.kill(nodes.started[-1])
                nodes.add()
                kill_after_s = None
    if program.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {program.returncode}")
    if kill_after_s is not None:
        raise RuntimeError("a search that ended before its node was killed; lower --kill_after_s")
    return searched(folder, time.monotonic() - began_s)


def main(arguments: list[str] | None = None) -> int:
    """Runs the three searches, and prints what they came to."""
    parser = Parser(description=__doc__)
    parser.add_argument("--trials", action=Value, type=int, default=40, help="in all (40)")
    parser.add_argument("--epochs", action=Value, type=int, default=4, help="of a training (4)")
    parser.add_argument("--kill_after_s", action=Value, type=float, default=120.0, help="(120)")
    parser.add_argument("--folder", type=Path, help="of the runs; default: one that is removed")
    parser.add_argument("--smoke", action="store_true", help="toy size, to try it")
    options = parser.parse_args(arguments)
    version = check_ray()
    common = ["--method", "asha", "--max_trials", str(options.trials), "--reduction", "2"]
    common += ["--rungs", "3", "--max_epochs", str(options.epochs), "--objectives", "top1"]
    common += ["--smoke"] if options.smoke else []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="r") as made:
        folder = options.folder or Path(made)
        local = search(folder / "local", [*common, "--workers", str(NODES)], None)
        found = {"local": local}
        for name, kill_after_s in (("ray", None), ("ray_killed", options.kill_after_s)):
            with cluster_nodes(Path(made) / name[-1], NODES) as nodes:
                words = [*common, "--executor", "ray", "--ray_address", nodes.address]
                found[name] = search(folder / name, words, kill_after_s, nodes)
    words = arguments if arguments is not None else sys.argv[1:]
    about = {
        "command": command_line.join(["python", "benchmarks/cluster_halving.py", *words]),
        "date": now_text(),
        "seconds": {name: round(one.seconds, 1) for name, one in found.items()},
        "leg_seconds": {name: round(one.leg_s, 2) for name, one in found.items()},
        "ended_at_rungs": {name: one.ended for name, one in found.items()},
        "overhead": round(found["ray"].seconds / local.seconds - 1, 4),
        "same_values": {name: one.agrees(local) for name, one in found.items()},
        "load_average_before": round(load, 2),
        "ray": version,
        "environment": vars(environment()),
    }
    print(json.dumps(about, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
