"""A search by trials whose records are made up: the scheduler decides, and nothing is trained."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.interface.trials_config import AskedTrials, trials_config
from nas.pipeline.trial_candidates import candidates_of, original_of
from nas.recipes.scales import SMOKE
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.runs.trials_record import Searched, csv_rows, curve_rows, trials_record
from nas.search_space.knob_space import KnobSpace
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.tuning.candidates import NetworkCandidates
from nas.tuning.legs import Leg, Plan, SearchState
from nas.tuning.parameters import Configuration, key_of
from nas.tuning.scores import Pause

OPTIONS: dict[str, Any] = {
    "method": "asha",
    "space": "small",
    "smoke": True,
    "image_size": 32,
    "max_trials": 12,
    "max_epochs": 4.0,
    "reduction": 2,
    "rungs": 3,
    "workers": 1,
    "objectives": "top1,params",
    "tune": "learning_rate=log[1e-3,1],batch_size={16,32}",
}


def made_search(
    path: Path,
    *,
    network: Architecture | None = None,
    knob_space: KnobSpace | None = None,
    most_legs: int = 100_000,
    failing: int | None = None,
    **options: Any,
) -> Path:
    """The folder of a search, as the program leaves it.

    Args:
        path: Of the folder.
        network: Of all trials; None where each has one of the space.
        knob_space: That networks come from in place of a space of choices.
        most_legs: After so many, the last of which runs, the search was killed.
        failing: Number of a trial that fails.
        **options: Beside `OPTIONS`; None leaves one out.
    """
    if knob_space is not None:
        # The space brings its own knobs of the recipe.
        options = {"space": knob_space.name, "tune": None, **options}
    asked = {name: v for name, v in {**OPTIONS, **options}.items() if v is not None}
    source = DataSource(image_size=32)
    config = trials_config(AskedTrials(source, asked), SMOKE, network, knob_space)
    space = knob_space or _space(config, network)
    candidates = candidates_of(config, space)
    folder = RunFolder.create(path, config, "made")
    state = SearchState(config.parsed_objectives)
    is_finished = _search(state, config, candidates, most_legs, failing)
    searched = Searched(
        folder.run_id,
        config,
        candidates.parameters,
        original_of(config, space, candidates),
        lambda found: to_text(candidates.network(found)),
    )
    record = trials_record(state, searched, is_finished)
    folder.write(record)
    folder.write_csv("trials.csv", list(csv_rows(record)))
    folder.write_csv("trial_curves.csv", list(curve_rows(state)))
    return path


def _space(config: TrialsConfig, network: Architecture | None) -> Space:
    if network is None:
        return get_space(str(config.space), 32, 12)
    return Space("network", network.image_size, network.layers)


def _search(
    state: SearchState,
    config: TrialsConfig,
    candidates: NetworkCandidates,
    most_legs: int,
    failing: int | None,
) -> bool:
    """One leg after the other; says whether the search came to its end."""
    rng = np.random.default_rng(config.seed)
    while len(state.legs) < most_legs:
        job = config.scheduler.next_job(state.table, state.running.values())
        if isinstance(job, Pause):
            return True
        trial = len(state.trials) if job.trial is None else job.trial
        configuration = (
            _drawn(candidates, rng)
            if job.trial is None
            else state.last_leg(job.trial).plan.configuration
        )
        known = candidates.known(configuration)
        plan = Plan(trial, job.rung, job.epochs, job.bracket, configuration, known)
        leg = Leg(len(state.legs), plan)
        state.begin(leg)
        if len(state.legs) == most_legs:
            return False
        state.end(_failed(leg, state) if trial == failing else _done(leg, state))
    return False


def _drawn(candidates: NetworkCandidates, rng: np.random.Generator) -> Configuration:
    """A configuration that has a network; of a knob space most draws have none."""
    while True:
        found = candidates.draw(rng)
        if all(margin <= 0.0 for margin in candidates.margins(found).values()):
            return found


def _done(leg: Leg, state: SearchState) -> Leg:
    reached = {**_values(leg.plan.configuration, leg.plan.epochs), **leg.plan.known}
    values = tuple(reached[objective.text] for objective in state.table.objectives)
    before = [state.legs[n].plan.epochs for n in state.trials[leg.plan.trial] if n < leg.number]
    ends = [e for e in np.arange(0.5, leg.plan.epochs + 0.1, 0.5) if e > max(before, default=0.0)]
    curve = tuple({"step": int(12 * e), "epoch": float(e), "loss": 2.5 / (1 + e)} for e in ends)
    facts = {"seconds": 1.5}
    return replace(leg, state="done", values=values, reached=reached, curve=curve, facts=facts)


def _failed(leg: Leg, state: SearchState) -> Leg:
    none = (float("nan"),) * len(state.table.objectives)
    message = "the process ended with <b>signal 9</b>"
    return replace(leg, state="failed", values=none, attempts=("died",) * 2, message=message)


def _values(configuration: Configuration, epochs: float) -> dict[str, float]:
    """Shares that a learning rate near 0.03 makes great, with some chance for each trial."""
    digest = hashlib.sha256(key_of(configuration).encode()).hexdigest()
    rate = float(configuration.get("learning_rate", 0.03))  # type: ignore[arg-type]
    best = 0.8 - 0.25 * abs(np.log10(rate / 0.03)) + 0.1 * int(digest[:4], 16) / 0xFFFF
    top1 = float(max(best, 0.05) * epochs / (epochs + 1.0))
    return {"top1": top1, "top5": min(1.0, 1.5 * top1), "cross_entropy": 1.0 - top1}
