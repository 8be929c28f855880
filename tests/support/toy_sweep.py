"""A finished sweep of the toy space in milliseconds: what it found is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.hardware.predictor import SpaceLatency
from nas.methods.history import SearchEnd
from nas.methods.method import Network
from nas.methods.registry import METHODS
from nas.pipeline.inputs import keep_data
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.selection.goals import Goal, ResolvedTarget
from nas.system.environment import environment
from tests.support.run_config import run_config
from tests.support.timings import timing
from tests.support.toy import toy_space
from tests.support.toy_stages import toy_dataset

SMALLEST = toy_space().encode(toy_space().smallest())
LARGEST = toy_space().encode(toy_space().largest())
# Milliseconds that a sweep asked for -> the network that it found.
ENDS: Mapping[float, Network] = {0.1: SMALLEST, 0.2: LARGEST}


def make_sweep(
    path: Path, table: Path, found: Mapping[float, Network] = ENDS, method: str = "evolution"
) -> RunFolder:
    """Writes the folder of a sweep with a finished search for each goal.

    Args:
        path: Of the new folder.
        table: Of the toy space.
        found: Asked milliseconds -> what was found.
        method: Of all searches.
    """
    goals = tuple(Goal(target=ms) for ms in found)
    config = run_config(*goals, method=method, table=str(table), random_networks=0)
    # Two candidates for each choice: a test asks what becomes of the better one.
    config = replace(config, evolution=replace(config.evolution, population=2, generations=0))
    sweep = RunFolder.create(path, config, "sweep")
    keep_data(sweep, toy_dataset())
    (path / "table.json").write_bytes(table.read_bytes())
    space = toy_space()
    latency = SpaceLatency.from_table(space, LatencyTable.load(table))
    for goal, network in zip(goals, found.values(), strict=True):
        folder = RunFolder.create(path / goal.label, replace(config, goals=(goal,)), "goal")
        keep_data(folder, toy_dataset())
        (folder.path / "table.json").write_bytes(table.read_bytes())
        folder.write(ResolvedTarget.of(goal, *latency.range_ms()))
        architecture = space.decode(network)
        folder.write_json("architecture.json", arch_text.to_json(architecture))
        folder.write(
            Certificate.of(
                architecture,
                timing(1.0),
                latency.predict_ms(network),
                goal.target,
                name="searched",
                role="searched",
                text=arch_text.to_text(architecture),
                method=method,
                supernet_top1=0.3,
                supernet_top5=0.7,
                largest=None,
                uniform=None,
                random=(),
                device=None,
                date="2026-05-04T10:20:30+00:00",
                environment=environment(),
            )
        )
        if METHODS[method].trains_supernet:
            folder.write(SearchEnd(10))
            folder.checkpoint("search").write_bytes(b"weights")
    return sweep
