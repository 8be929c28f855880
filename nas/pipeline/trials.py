"""`nas.py --method asha`: trials in worker processes, their front, their records."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latency.device import strict_json
from latency.shell import Interrupted
from nas.architecture.text import to_text
from nas.data import Dataset
from nas.errors import InputError
from nas.executors.choice import executor_of
from nas.executors.executor import WORKERS_FOLDER, Executor
from nas.executors.locks import ORPHAN_SECONDS, wait_for_locks
from nas.hardware.predictor import SpaceLatency
from nas.pipeline.device_table import DeviceMeasuring
from nas.pipeline.table import run_table
from nas.pipeline.trial_bench import checkpoint_name
from nas.pipeline.trial_candidates import candidates_of, original_of, sampler_of
from nas.pipeline.trial_evaluation import EvaluationJob
from nas.pipeline.trial_jobs import TASK, shared_of
from nas.pipeline.trial_task import LegJob
from nas.pipeline.trials_check import check_ms
from nas.pipeline.trials_end import FinalEvaluation, Repetition
from nas.pipeline.trials_files import TrialFiles
from nas.report.trials import print_trials
from nas.report.trials_progress import TrialsProgress
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.runs.trial_evaluations import RepeatedTrial
from nas.runs.trials import STORAGES, TrialsConfig
from nas.runs.trials_record import Searched, Trial, TrialsRecord
from nas.search_space.knob_space import KnobSpace
from nas.search_space.space import Space
from nas.system.console import bar
from nas.system.interrupt import Interrupter
from nas.training.recipe import Recipe
from nas.tuning.candidates import NetworkCandidates
from nas.tuning.driver import Driver
from nas.tuning.legs import Leg, SearchState
from nas.tuning.objectives import Objective
from nas.tuning.storage import Study, TrialStore


@dataclass
class TrialsRun:
    """One search by trials; it goes on wherever it was killed.

    Args:
        folder: Run folder with config.json.
        space: That networks come from; without a choice where there is one network.
        dataset: Images.
        source: Where workers find them now.
        config: What was asked for.
        interrupter: Asked whether to stop.
    """

    folder: RunFolder
    space: Space | KnobSpace
    dataset: Dataset
    source: DataSource
    config: TrialsConfig
    interrupter: Interrupter

    def run(self) -> TrialsRecord:
        """Everything; writes the records and the page, and prints the front."""
        config = self.config
        candidates = candidates_of(config, self.space, self._latency())
        with ExitStack() as stack:
            study = self._study(candidates)
            path = self.folder.path / STORAGES[self.config.storage]
            self._check_kept(path)
            store = stack.enter_context(TrialStore.open(path, study))
            workers = self.folder.path / WORKERS_FOLDER
            wait_for_locks(workers, ORPHAN_SECONDS)
            shared = shared_of(self.folder, self.source, self.config.blocks)
            executor = executor_of(config.executor, TASK, workers, config.workers, shared)
            stack.enter_context(closing(executor))
            progress = stack.enter_context(bar("Trials"))
            state = store.state()
            files = TrialFiles(self.folder, self._searched(candidates))
            shown = TrialsProgress(self.config.scheduler, progress)
            files.keep(state)  # what a killed search had come to by its last moment

            def changed(state: SearchState) -> None:
                shown.show(state)
                files.look(state)

            driver = Driver(
                store,
                state,
                self.config.scheduler,
                sampler_of(self.config, candidates),
                candidates,
                executor,
                lambda leg: self._payload(candidates, state, leg),
                budgets=[b for b in self.config.parsed_budgets if not _is_known(b.objective)],
                interrupter=self.interrupter,
                on_change=changed,
            )
            try:
                driver.run()
                record = files.write(state)
                progress.update(1, 1, note="")
                record = self._evaluated(candidates, record, executor)
            except Interrupted:
                files.keep(state)
                raise
        return self._end(files, record, state, driver.is_exhausted)

    def _check_kept(self, path: Path) -> None:
        """Refuses to begin anew beside what trials have left, whose file is lost."""
        left = [self.folder.path / TrialsRecord.FILE, *self.folder.path.glob("checkpoints/trial_*")]
        if not path.exists() and any(file.exists() for file in left):
            raise InputError(
                f"{path}, which says what the trials of this run came to",
                "no such file, beside what trials have left",
                "bring the file back, or begin another run with another --run_dir",
            )

    def _latency(self) -> SpaceLatency | None:
        """Predicted milliseconds, where they are an objective or have a budget."""
        if not self.config.asks_for_ms or isinstance(self.space, KnobSpace):
            return None
        measuring = DeviceMeasuring(self.config.executor, self.interrupter)
        is_remote = self.config.executor.kind == "ray"
        table = run_table(self.folder, self.space, self.config, measuring if is_remote else None)
        latency = SpaceLatency.from_table(self.space, table)
        check_ms(self.config, self.space.name, latency)
        return latency

    def _study(self, candidates: NetworkCandidates) -> Study:
        space_hash = f"{self.space.fingerprint()}:{self.config.tune or ''}"
        return Study(
            self.folder.run_id,
            space_hash,
            self.config.parsed_objectives,
            candidates.parameters,
        )

    def _payload(
        self, candidates: NetworkCandidates, state: SearchState, leg: Leg
    ) -> Mapping[str, Any]:
        configuration = leg.plan.configuration
        before = [n for n in state.trials[leg.plan.trial] if n < leg.number]
        job = LegJob(
            str(self.folder.path.resolve()),
            self.source,
            leg.plan.trial,
            leg.plan.rung,
            state.legs[before[-1]].plan.rung if before else None,
            to_text(candidates.network(configuration)),
            self.recipe(candidates, configuration),
        )
        encoded: dict[str, Any] = strict_json.encode(job)
        return encoded

    def recipe(self, candidates: NetworkCandidates, configuration: Mapping[str, Any]) -> Recipe:
        """The recipe of a trial's whole training.

        Args:
            candidates: That the configuration is one of.
            configuration: Of the trial.
        """
        return self.config.recipe.changed(**candidates.changes(configuration))

    def _searched(self, candidates: NetworkCandidates) -> Searched:
        """What the records are of."""

        def network(configuration: Mapping[str, Any]) -> str:
            return to_text(candidates.network(configuration))

        return Searched(
            self.folder.run_id,
            self.config,
            candidates.parameters,
            original_of(self.config, self.space, candidates),
            network,
        )

    def _evaluated(
        self, candidates: NetworkCandidates, record: TrialsRecord, executor: Executor
    ) -> TrialsRecord:
        """The front on the evaluation images, and its first trial with further seeds."""
        if not record.front:
            return record
        config, front = self.config, record.front
        asked = config.judged
        own = [Repetition(trial, config.seed) for trial in front]
        seeds = range(config.seed + 1, config.seed + config.seeds)
        others = [Repetition(front[0], seed) for seed in seeds]
        with bar("Evaluation of the front") as progress:
            found = FinalEvaluation(
                self.folder,
                executor,
                lambda training: self._job(candidates, record.trials[training.trial], training),
                asked,
                self.dataset.class_names,
                self.interrupter,
                on_change=lambda done, total: progress.update(done, total),
            ).run([*own, *others])
        first, further = found[: len(own)], found[len(own) :]
        repeated = (
            RepeatedTrial.of([first[0], *further], asked.goals) if others or asked.goals else None
        )
        return replace(record, evaluated=first, repeated=repeated)

    def _job(
        self, candidates: NetworkCandidates, trial: Trial, training: Repetition
    ) -> EvaluationJob:
        is_own = training.seed == self.config.seed
        return EvaluationJob(
            str(self.folder.path.resolve()),
            self.source,
            checkpoint_name(trial.number) if is_own else training.name,
            training.seed,
            trial.network,
            self.recipe(candidates, trial.configuration),
            self.config.judged,
        )

    def _end(
        self, files: TrialFiles, record: TrialsRecord, state: SearchState, is_exhausted: bool
    ) -> TrialsRecord:
        """Writes and prints what the trials came to."""
        record = replace(record, is_finished=True)
        files.write_record(record, state)
        # A whole training goes on no more; checkpoints of the front may be wanted.
        for trial in state.trials:
            if trial not in record.front:
                self.folder.checkpoint(checkpoint_name(trial)).unlink(missing_ok=True)
        print_trials(record, self.folder.path, self.config, is_exhausted)
        return record


def _is_known(objective: Objective) -> bool:
    return objective.quantity.before_training
