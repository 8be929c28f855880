"""A sweep: several goals from one table and one warmed-up supernet, and their Pareto front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from latency import atomic
from nas.cost.constraints import Bounds
from nas.data import Dataset
from nas.hardware.predictor import SpaceLatency
from nas.pipeline.search import SearchRun
from nas.pipeline.supernet import SupernetStage, search_note
from nas.pipeline.table import run_table
from nas.report.pareto import write_pareto
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.runs.sweep import WarmUp
from nas.search_space.space import Space
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Goal, parse_goals
from nas.system.console import bar, out
from nas.system.interrupt import Interrupter


@dataclass
class SweepRun:
    """Runs one search a goal below one folder; each can go on alone and be retrained.

    Args:
        folder: Of the sweep, with config.json.
        space: With the data's classes.
        dataset: Images.
        config: What config.json holds; see `nas.cli.search`.
        interrupter: Asked whether to stop.
    """

    folder: RunFolder
    space: Space
    dataset: Dataset
    config: dict[str, Any]
    interrupter: Interrupter

    def run(self) -> bool | None:
        """Everything; whether all targets are met, None if none was asked for."""
        table = run_table(self.folder, self.space, self.config)
        latency = SpaceLatency.from_table(self.space, table)
        goals = self._goals(latency)
        if self.config["search"]["method"] != "random":
            self._warm_up(latency)
        certificates = [self._one(goal) for goal in goals]
        page = write_pareto(self.folder.path, [goal.label for goal in goals])
        out.print(f"Sweep: {self.folder.path}    Pareto front: {page}", markup=False)
        out.print(f"Next: python main.py --run {self.folder.path}", markup=False)
        met = [c.met for c in certificates if c.met is not None]
        return all(met) if met else None

    def _goals(self, latency: SpaceLatency) -> tuple[Goal, ...]:
        """All goals; refused before any training if one of them cannot be reached."""
        flags = self.config["flags"]
        goals = parse_goals(flags.get("lambda"), flags.get("target_ms"))
        bounded = BoundedSpace(self.space, latency, Bounds(**self.config["bounds"]))
        low, high = bounded.range_ms()
        out.print(f"Space {self.space.name}: {low:.3f} to {high:.3f} ms predicted, 1 thread.")
        for goal in goals:
            target_ms = goal.resolved_ms(low, high)
            if target_ms is not None:
                bounded.check_target(target_ms)
        return goals

    def _warm_up(self, latency: SpaceLatency) -> None:
        """What all searches of the sweep have in common: no goal matters before the gates learn."""
        if self.folder.has(WarmUp) or self.config.get("supernet"):
            return
        out.print("Warming up the supernet for all goals ...")
        stage = SupernetStage(
            self.folder, self.space, latency, self.dataset, self.config, self.interrupter
        )
        searcher = stage.searcher()
        with bar("Warming up") as progress:
            searcher.run(
                lambda state: progress.update(
                    state.step, searcher.warmup_steps, note=search_note(state.history[-1])
                ),
                only_warm_up=True,
            )
        self.folder.write(WarmUp(searcher.warmup_steps))

    def _one(self, goal: Goal) -> Certificate:
        path = self.folder.path / goal.label
        out.print(f"\n{goal.label}", style="bold", markup=False)
        if (path / "config.json").is_file():
            folder = RunFolder.open(path)
            config = folder.read_json("config.json")
        else:
            config = self._config(goal)
            folder = RunFolder.create(path, config, goal.label)
        warm, own = self.folder.checkpoint("search"), folder.checkpoint("search")
        if warm.is_file() and not own.is_file() and not folder.has("search.json"):
            atomic.write_bytes(own, warm.read_bytes())
        with folder.alone():
            run = SearchRun(folder, self.space, self.dataset, config, self.interrupter)
            certificate = run.run()
        if self.config["search"]["method"] != "random":
            import keras

            keras.backend.clear_session()  # the next goal builds a supernet of its own
        return certificate

    def _config(self, goal: Goal) -> dict[str, Any]:
        """Of one goal's run, as if it had been started alone."""
        inherited = {k: v for k, v in self.config.items() if k not in ("schema_version", "name")}
        flag = "lambda" if goal.penalty is not None else "target_ms"
        value = goal.penalty if goal.penalty is not None else goal.target_ms
        text = f"{goal.target_percent:g}%" if value is None else f"{value:g}"
        return {
            **inherited,
            "kind": "search",
            "flags": {**self.config["flags"], flag: text},
            "lambda": goal.penalty,
            "target_ms": goal.target_ms,
            "target_percent": goal.target_percent,
            "table": str((self.folder.path / "table.json").absolute()),
        }
