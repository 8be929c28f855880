"""A search whose trainings take no time and no framework, in a process that can be killed.

    python -m tests.support.fake_search FOLDER WORKERS TRIALS

An epoch adds a line to `epochs.txt`, in which a trial that is trained twice would show.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from latency import atomic
from nas.executors.local import LocalExecutor
from nas.executors.task import Context
from nas.system.interrupt import Interrupter
from nas.tuning.asha import Asha
from nas.tuning.driver import Driver
from nas.tuning.ladder import Ladder
from nas.tuning.legs import Leg, SearchState
from nas.tuning.objectives import parse_objectives
from nas.tuning.parameters import Configuration, OneOfList, Parameter, Range
from nas.tuning.samplers import SAMPLERS
from nas.tuning.storage import Study, TrialStore

EPOCH_SECONDS = 0.004
PARAMETERS: tuple[Parameter, ...] = (
    OneOfList("width", (8, 16, 32, 64)),
    OneOfList("is_deep", (False, True)),
    Range("learning_rate", 1e-3, 1.0, is_log=True),
)
STUDY = Study("fakefakefake", "1", parse_objectives("top1,macs"), PARAMETERS)
LADDER = Ladder(max_epochs=4, reduction=2, rungs=3)


class FakeCandidates:
    """Configurations of `PARAMETERS`, of which the greatest ones break a budget."""

    parameters = PARAMETERS

    def draw(self, rng: np.random.Generator) -> Configuration:
        return {parameter.name: parameter.draw(rng) for parameter in self.parameters}

    def canonical(self, configuration: Configuration) -> Configuration:
        return configuration

    def known(self, configuration: Configuration) -> Mapping[str, float]:
        return {"macs": float(configuration["width"] * (1 + configuration["is_deep"]))}  # type: ignore[operator]

    def margins(self, configuration: Configuration) -> Mapping[str, float]:
        return {"macs": self.known(configuration)["macs"] - 100.0}


def top1(configuration: Mapping[str, Any], epochs: float) -> float:
    """What a fake training reaches."""
    best = 0.5 + 0.1 * np.log2(configuration["width"] / 8) + 0.05 * configuration["is_deep"]
    return float(best - abs(np.log10(configuration["learning_rate"]) + 1) / 4 - 0.5 / (1 + epochs))


def train(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """A training of epochs, with a checkpoint after each of them."""
    folder = Path(payload["folder"])
    checkpoint = folder / f"trial_{payload['trial']}.json"
    rows: list[dict[str, Any]] = json.loads(checkpoint.read_text()) if checkpoint.exists() else []
    with context.interrupter.deferred():
        while len(rows) < payload["epochs"] and not context.interrupter.pending:
            time.sleep(EPOCH_SECONDS)
            rows.append({"epoch": len(rows) + 1, "pid": os.getpid()})
            # In this order: a kill between the two writes a line twice, and leaves none out.
            with open(folder / "epochs.txt", "a", encoding="ascii") as stream:
                stream.write(f"{payload['trial']} {len(rows)}\n")
            atomic.write_text(checkpoint, json.dumps(rows))
            context.progress({"epoch": len(rows)})
    context.interrupter.raise_pending()
    reached = top1(payload["configuration"], payload["epochs"])
    curve = [{"epoch": row["epoch"]} for row in rows]
    return {"values": {"top1": reached}, "curve": curve, "facts": {}}


def search(folder: Path, workers: int, trials: int, interrupter: Interrupter) -> SearchState:
    """The search in a folder, begun or gone on with."""
    candidates = FakeCandidates()
    executor = LocalExecutor("tests.support.fake_search:train", folder / "workers", workers)

    def payload(leg: Leg) -> dict[str, Any]:
        plan = leg.plan
        return {
            "folder": str(folder),
            "trial": plan.trial,
            "epochs": plan.epochs,
            "configuration": dict(plan.configuration),
        }

    with TrialStore.open(folder / "trials.journal", STUDY) as store, closing(executor):
        driver = Driver(
            store,
            store.state(),
            Asha(LADDER, trials),
            SAMPLERS["random"](candidates, 3, STUDY.objectives),
            candidates,
            executor,
            payload,
            interrupter=interrupter,
        )
        return driver.run()


if __name__ == "__main__":
    with Interrupter().installed() as own:
        search(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), own)
