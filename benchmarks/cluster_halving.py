#!/usr/bin/env python3
"""Halving on a real Ray cluster of this machine, with a node killed on the way.

    python benchmarks/cluster_halving.py [--trials 40] [--epochs 3] [--rounds 2]
                                         [--kill_after_s 120] [--folder FOLDER] [--smoke]

The same search by trials runs several times: by two workers of this machine, and on a cluster of a
head and two nodes of one core each. Each round has one of both, and each second round has them in
the other order, so that a machine which becomes slower by and by favours neither. A last search
has one node killed and another one joining. Printed are, as JSON, the seconds of each, the seconds
of a leg, how many trials came to the end of each rung, and whether all that two searches trained
alike came to the same values. With --folder, the same command goes on after it was stopped:
searches that are done are not run again, and one that was stopped on the way begins anew, since
its seconds are lost. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

from benchmarks.cluster_nodes import ENVIRONMENT, ROOT, Nodes, cluster_nodes
from latency import atomic, command_line, shell
from latency.cli.parser import Parser, Value
from latency.device.clock import now_text
from nas.executors.ray_cluster import check_ray
from nas.ranges import check_count
from nas.system.environment import environment

NODES = 2
POLL_SECONDS = 0.2
KILLED = "ray_killed"


@dataclass(frozen=True)
class Searched:
    """What a search came to.

    Args:
        seconds: Of the whole program.
        reached: (Trial, rung) -> top-1 at its end.
        leg_s: Mean seconds of a leg.
        least_leg_s: Of the shortest one.
        failures: Legs that were lost and trained once more.
        load: One-minute load of the machine before it.
    """

    seconds: float
    reached: dict[tuple[int, int], float]
    leg_s: float
    least_leg_s: float
    failures: int
    load: float

    @property
    def outside_s(self) -> float:
        """Seconds that all workers together had, less those of legs."""
        return NODES * self.seconds - len(self.reached) * self.leg_s

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


def searched(folder: Path, seconds: float, load: float) -> Searched:
    """What the run of a folder came to.

    Args:
        folder: Of the run.
        seconds: Of the whole program.
        load: One-minute load of the machine before it.
    """
    record: dict[str, Any] = json.loads((folder / "trials.json").read_text("utf-8"))
    reached, legs_s, failures = {}, [], 0
    for trial in record["trials"]:
        failures += sum(len(rung["failures"]) for rung in trial["rungs"])
        for rung in (one for one in trial["rungs"] if one["state"] == "done"):
            reached[trial["number"], rung["rung"]] = rung["reached"]["top1"]
            legs_s.append(rung["seconds"])
    mean_s = sum(legs_s) / len(legs_s)
    return Searched(seconds, reached, mean_s, min(legs_s), failures, load)


def once(folder: Path, run: Callable[[], None]) -> Searched:
    """What a search comes to; one that is done is not run again.

    Args:
        folder: Of the run; beside it stands a file with what was measured of it.
        run: Does the search.
    """
    kept = folder.with_name(f"{folder.name}.json")
    if not kept.is_file():
        shutil.rmtree(folder, ignore_errors=True)  # of a search that was stopped on the way
        load, began_s = os.getloadavg()[0], time.monotonic()
        run()
        facts = {"seconds": time.monotonic() - began_s, "load": load}
        atomic.write_bytes(kept, json.dumps(facts).encode())
    facts = json.loads(kept.read_text("utf-8"))
    return searched(folder, facts["seconds"], facts["load"])


def search(
    folder: Path, words: list[str], kill_after_s: float | None = None, nodes: Nodes | None = None
) -> None:
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
    first_s: float | None = None
    with subprocess.Popen(command, stdout=sys.stderr, env={**os.environ, **ENVIRONMENT}) as program:
        while program.poll() is None:
            time.sleep(POLL_SECONDS)
            if first_s is None and any((folder / "workers").glob("*.log")):
                first_s = time.monotonic()
            if nodes is None or kill_after_s is None or first_s is None:
                continue
            if time.monotonic() - first_s > kill_after_s:
                nodes.kill(nodes.started[-1])
                nodes.add()
                kill_after_s = None
    if program.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {program.returncode}")
    if kill_after_s is not None:
        raise RuntimeError("a search that ended before its node was killed; lower --kill_after_s")


def search_by_ray(folder: Path, words: list[str], kill_after_s: float | None) -> None:
    """Runs a search on a cluster of its own.

    Args:
        folder: Of the run.
        words: Flags of nas.py.
        kill_after_s: As `search` takes it.
    """
    # Sockets lie below it, and their paths have to be short.
    with tempfile.TemporaryDirectory(prefix="r") as made, cluster_nodes(Path(made), NODES) as nodes:
        by_ray = ["--executor", "ray", "--ray_address", nodes.address]
        search(folder, [*words, *by_ray], kill_after_s, nodes)


def plan(rounds: int) -> list[str]:
    """Names of the searches in the order in which they run.

    Args:
        rounds: Searches of either kind, without the one whose node is killed.
    """
    names: list[str] = []
    for number in range(1, rounds + 1):
        pair = [f"local_{number}", f"ray_{number}"]
        names += pair if number % 2 else pair[::-1]
    return [*names, KILLED]


def overheads(found: Mapping[str, Searched], rounds: int) -> dict[str, Any]:
    """How much longer the cluster takes than this machine's workers.

    Args:
        found: Name, as in `plan` -> search.
        rounds: As `plan` takes it.
    """
    pairs = [(found[f"ray_{number}"], found[f"local_{number}"]) for number in range(1, rounds + 1)]
    parts: Mapping[str, Callable[[Searched], float]] = {
        "overhead": lambda one: one.seconds,
        "overhead_of_legs": lambda one: one.leg_s,
    }
    shares: dict[str, Any] = {}
    for name, part in parts.items():
        of_all = sum(part(ray) for ray, _ in pairs) / sum(part(local) for _, local in pairs)
        shares[name] = round(of_all - 1, 4)
        shares[f"{name}_each"] = [round(part(ray) / part(local) - 1, 4) for ray, local in pairs]
    return shares


def main(arguments: list[str] | None = None) -> int:
    """Runs the searches, and prints what they came to."""
    parser = Parser(description=__doc__)
    parser.add_argument("--trials", action=Value, type=int, default=40, help="in all (40)")
    parser.add_argument("--epochs", action=Value, type=float, default=3.0, help="of a training (3)")
    parser.add_argument("--rounds", action=Value, type=int, default=2, help="of both kinds (2)")
    parser.add_argument("--kill_after_s", action=Value, type=float, default=120.0, help="(120)")
    parser.add_argument("--folder", type=Path, help="of the runs; default: one that is removed")
    parser.add_argument("--smoke", action="store_true", help="toy size, to try it")
    options = parser.parse_args(arguments)
    check_count("rounds", options.rounds)
    version = check_ray()
    common = ["--method", "asha", "--max_trials", str(options.trials), "--reduction", "2"]
    common += ["--rungs", "3", "--max_epochs", str(options.epochs), "--objectives", "top1"]
    common += ["--smoke"] if options.smoke else []
    with tempfile.TemporaryDirectory(prefix="r") as made:
        folder = options.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        found: dict[str, Searched] = {}
        for name in plan(options.rounds):
            if name.startswith("local"):
                words = [*common, "--workers", str(NODES)]
                run = partial(search, folder / name, words)
            else:
                kill_after_s = options.kill_after_s if name == KILLED else None
                run = partial(search_by_ray, folder / name, common, kill_after_s)
            found[name] = once(folder / name, run)
    words = arguments if arguments is not None else sys.argv[1:]
    about = {
        "command": command_line.join(["python", "benchmarks/cluster_halving.py", *words]),
        "date": now_text(),
        "seconds": {name: round(one.seconds, 1) for name, one in found.items()},
        "leg_seconds": {name: round(one.leg_s, 2) for name, one in found.items()},
        "least_leg_seconds": {name: round(one.least_leg_s, 2) for name, one in found.items()},
        "ended_at_rungs": {name: one.ended for name, one in found.items()},
        "legs_trained_again": {name: one.failures for name, one in found.items()},
        "outside_of_legs_seconds": {name: round(one.outside_s, 1) for name, one in found.items()},
        **overheads(found, options.rounds),
        "same_values": {name: one.agrees(found["local_1"]) for name, one in found.items()},
        "load_average_before": {name: round(one.load, 2) for name, one in found.items()},
        "ray": version,
        "environment": vars(environment()),
    }
    print(json.dumps(about, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
