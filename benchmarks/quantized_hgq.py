#!/usr/bin/env python3
"""Networks that a gradient search found, beside those of HGQ2 with as many bit operations.

    python benchmarks/quantized_hgq.py --ours runs/gradient-1,runs/gradient-2,runs/gradient-3
        --record runs/hgq.jsonl [--values 12] [--json] [--smoke]

Every run of ours is a sweep that `main.py --run` has trained, each with another seed. For each of
its goals HGQ2 trains the same network with the images, batches, epochs and optimizer of ours, with
one price of its bit operations (beta) for all seeds. Beta is looked for by bisection until the mean
bit operations of the seeds are within 5 % of ours, by our definition. No evaluation image has a
part in that. What was trained stands in the record, and the same command goes on. See
benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from rich.table import Table

from benchmarks.hgq_trainings import MARGIN, Record, Task, matched
from latency import shell
from latency.cli.parser import Parser
from latency.device import strict_json
from nas.architecture import text as arch_text
from nas.errors import InputError
from nas.metrics import AskedMetrics
from nas.pipeline.inputs import load_data
from nas.runs.config import RunConfig, read_config
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.system import backend
from nas.system.console import out
from nas.system.environment import environment
from nas.training.recipe import Recipe

RECIPE_FIELDS = tuple(field.name for field in dataclasses.fields(Recipe))
FORMATS = re.compile(r"_[wabni]q[buf][\d.]+[a-z]*")
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Own:
    """A network that was found and trained.

    Args:
        goal: What its search was asked for.
        seed: Of its training.
        text: Of the network.
        bops: Bit operations of one image.
        weight_bits: Of all kernels.
        efficiency: Of the metric, on the evaluation images.
        inherits: Whether it started from the weights of its supernet.
    """

    goal: str
    seed: int
    text: str
    bops: int
    weight_bits: int
    efficiency: float
    inherits: bool = False


def compared(ours: Sequence[float], others: Sequence[float]) -> dict[str, Any]:
    """The difference of means with its interval (Welch), and what it says.

    Args:
        ours: Values of a seed each.
        others: Likewise.
    """
    from scipy.stats import ttest_ind

    difference = fmean(ours) - fmean(others)
    found: dict[str, Any] = {"difference": difference, "low": None, "high": None}
    if min(len(ours), len(others)) > 1 and (np.ptp(ours) or np.ptp(others)):
        interval = ttest_ind(ours, others, equal_var=False).confidence_interval(CONFIDENCE)
        found |= {"low": float(interval.low), "high": float(interval.high)}
    high = found["high"]
    # Not worse by more than the half-width of the interval: 0 is within it, or below it.
    found["equal_or_better"] = None if high is None else high >= 0
    found["ahead"] = "ours" if difference > 0 else "hgq2" if difference < 0 else "neither"
    return found


def own_networks(folders: Sequence[Path]) -> tuple[list[Own], Task]:
    """What the runs found, and what HGQ2 gets.

    Args:
        folders: Of sweeps, trained.

    Raises:
        InputError: They are not trained, or not of the same network, images, recipe or metric.
    """
    owns: list[Own] = []
    parts: dict[str, list[Any]] = {name: [] for name in ("network", "recipe", "images", "metric")}
    for path in folders:
        for goal, folder in _searches(path):
            certificate = folder.read(Certificate)
            recipe, metrics = certificate.recipe, certificate.metrics
            if recipe is None or metrics is None or certificate.bops is None:
                raise InputError(
                    "networks that were trained and judged by a metric",
                    f"{folder.path}",
                    f"run python main.py --run {path} --metrics tpr_at_rate=10kHz",
                )
            own = asdict_of(certificate, "text", "bops", "weight_bits")
            value, inherits = metrics.values[0].value, recipe.inherits
            owns.append(Own(goal, recipe.seed, efficiency=value, inherits=inherits, **own))
            parts["network"].append(FORMATS.sub("", certificate.text))
            parts["recipe"].append(Recipe(**asdict_of(recipe, *RECIPE_FIELDS)))
            parts["images"].append(folder.read(DataRecord).fingerprint)
            asked = (metrics.values[0].metric, metrics.signal_class, metrics.background_rate_hz)
            parts["metric"].append(asked)
    for name, values in parts.items():
        if any(value != values[0] for value in values):
            raise InputError(
                f"runs with one {name}, which HGQ2 gets, too",
                "different ones",
                "name runs of one space, images, recipe and metric by --ours",
            )
    check_trainings(owns)
    text, recipe, fingerprint, asked = (values[0] for values in parts.values())
    config = read_config(folders[0])
    dataset = load_data(config.data, config.sizes, config.seed)
    if not dataset.has_fingerprint(fingerprint):
        raise InputError(
            "the images of the runs", f"fingerprint {dataset.fingerprint}", "bring them back"
        )
    return owns, Task(arch_text.loads(text), recipe, dataset, AskedMetrics.of(*asked))


def check_trainings(owns: Sequence[Own]) -> None:
    """Refuses trainings that HGQ2 cannot have in the same way, or that are one and the same.

    Args:
        owns: Networks of all goals and runs.

    Raises:
        InputError: One began with the weights of a supernet, or two of a goal have one seed.
    """
    if inheriting := [own.goal for own in owns if own.inherits]:
        raise InputError(
            "networks that start from random weights, as those of HGQ2 do",
            f"weights of a supernet for {inheriting[0]}",
            "run python main.py --run RUN --noinherit --restart",
        )
    for goal in dict.fromkeys(own.goal for own in owns):
        seeds = [own.seed for own in owns if own.goal == goal]
        if len(set(seeds)) < len(seeds):
            raise InputError(
                "trainings of different seeds",
                f"seeds {', '.join(map(str, seeds))} for {goal}",
                "run python main.py --run RUN --seed N --restart, with another N for each run",
            )


def _searches(path: Path) -> Iterator[tuple[str, RunFolder]]:
    """Each goal of a run with the folder of its network."""
    config = read_config(path)
    if not isinstance(config, RunConfig):
        raise InputError("runs of a gradient search", f"{path}", "name folders of nas.py")
    for goal in config.goals:
        yield goal.label, RunFolder.open(path / goal.label if config.is_sweep else path)


def asdict_of(record: Any, *names: str) -> dict[str, Any]:
    """Some attributes of a record by their names."""
    return {name: getattr(record, name) for name in names}


def goal_figures(task: Task, owns: Sequence[Own], record: Record, values: int) -> dict[str, Any]:
    """Both sides of one goal.

    Args:
        task: What both sides have in common.
        owns: Networks of the goal, one a seed.
        record: Takes the trainings.
        values: Of beta, at most.
    """
    target = fmean(own.bops for own in owns)
    goal, seeds = owns[0].goal, [own.seed for own in owns]
    bits, others = matched(task, goal, target, seeds, record, values)
    ratio = fmean(one.bops for one in others) / target
    return {
        "goal": goal,
        "ours": [asdict(own) for own in owns],
        "hgq2": [asdict(one) for one in others],
        "beta": 10.0 ** others[0].exponent,
        "first_bits": bits,
        "hgq2_bops_over_ours": ratio,
        "is_equal_cost": abs(ratio - 1) <= MARGIN,
        **compared([own.efficiency for own in owns], [one.efficiency for one in others]),
    }


def parse_flags(arguments: list[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("--ours", help="run folders of sweeps with commas", required=True)
    parser.add_argument("--record", type=Path, help="file of lines of JSON", required=True)
    parser.add_argument("--values", type=int, default=12, help="of beta, a goal, at most (12)")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="one value of beta for one goal")
    flags = parser.parse_args(arguments)
    if not flags.values >= 1:
        parser.error(f"expected --values of 1 or more, received {flags.values}; raise it")
    if flags.smoke:
        flags.values = 1
    return flags


def show(result: dict[str, Any]) -> None:
    """The result as a table for people."""
    table = Table(*("goal", "BOPs", "HGQ2 over ours", "ours", "HGQ2", "difference", "verdict"))
    for row in result["goals"]:
        own, other = (fmean(one["efficiency"] for one in row[side]) for side in ("ours", "hgq2"))
        span = "" if row["low"] is None else f" ({row['low']:+.2%} to {row['high']:+.2%})"
        table.add_row(
            row["goal"],
            f"{fmean(one['bops'] for one in row['ours']):,.0f}",
            f"{row['hgq2_bops_over_ours']:.3f}",
            f"{own:.2%}",
            f"{other:.2%}",
            f"{row['difference']:+.2%}{span}",
            {None: "-", True: "equal or better", False: "worse"}[row["equal_or_better"]],
        )
    out.print(table)


def main(arguments: list[str]) -> int:
    """Trains what is not trained yet, and prints."""
    flags = parse_flags(arguments)
    backend.start()
    from benchmarks.hgq_network import check_installed

    check_installed()
    owns, task = own_networks([Path(name) for name in flags.ours.split(",")])
    same = {
        "ours": [asdict(own) for own in owns],
        "recipe": strict_json.encode(task.recipe),
        "images": task.dataset.fingerprint,
    }
    record = Record(flags.record, same)
    goals = list(dict.fromkeys(own.goal for own in owns))[: 1 if flags.smoke else None]
    rows = [
        goal_figures(task, [own for own in owns if own.goal == goal], record, flags.values)
        for goal in goals
    ]
    result = {
        "goals": rows,
        "metric": task.asked.metrics[0],
        "network": arch_text.to_text(task.twin),
        "trainings": len(record.trained),
        "environment": strict_json.encode(environment()),
        "command": " ".join(["python benchmarks/quantized_hgq.py", *arguments]),
    }
    if flags.json:
        print(json.dumps(result, indent=1))
    else:
        show(result)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
