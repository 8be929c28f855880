"""`main.py`: train, export, measure, certify; baselines by the same recipe; resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

from latency.device.clock import now_text
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.deployment.export import export
from nas.deployment.formats import AskedExports
from nas.deployment.metadata import metadata_for
from nas.deployment.records import Exports, Parity
from nas.hardware.measurement import (
    KnownNetworks,
    TimedNetworks,
    network_bytes,
)
from nas.metrics import AskedMetrics, spreads
from nas.pipeline.certify import conditions_of, file_hashes, fresh_timings, predicted_ms
from nas.pipeline.company import earlier_certificate, training_warnings, verdict_on_search
from nas.pipeline.deploy import Deployment
from nas.pipeline.evaluating import held_out_lines, training_lines
from nas.pipeline.inherit import Weights
from nas.pipeline.metrics import MetricJudge, smoothness_of
from nas.pipeline.teaching import Teaching, keep_largest
from nas.recipes.scales import Scale
from nas.report.exports import print_exports
from nas.report.metrics import judged_lines
from nas.report.page import REPORT_NAME, write_report
from nas.report.seeds import MoreSeeds
from nas.report.terminal import terminal_table, verdict_lines
from nas.runs.folder import RunFolder, disk_error
from nas.runs.records import (
    Baselines,
    Certificate,
    CertifiedNetwork,
    ComparedNetwork,
    SeededRecipe,
    TrainedRecord,
    values_of,
)
from nas.runs.tensorboard import write_events
from nas.selection.diagnostics import few_steps_warning
from nas.selection.seed_spread import SeedSpread
from nas.selection.success_rate import SuccessRate
from nas.system.console import bar, out
from nas.system.environment import environment
from nas.system.interrupt import Interrupter
from nas.system.program import go_on_command
from nas.training.guides import Guides
from nas.training.history import TrainingRow
from nas.training.last_or_average import divided
from nas.training.loop import Control
from nas.training.rates import recipe_text
from nas.training.recipe import Recipe
from nas.training.trainer import TrainResult, train_network

# Compared before a file is written; the exported files are then compared on every image.
PARITY_IMAGES = 16


@dataclass
class RetrainRun:
    """One run of `main.py`; each network's training is a stage of its own.

    Args:
        folder: Run folder.
        architecture: The network to retrain.
        dataset: Images.
        recipe: The same for every network.
        seed: Of each network's first training, whose weights are exported.
        others: Baselines, as in comparison.json.
        asked_ms: Of the search; None with `--lambda`.
        device: The search's `--device`: nothing is measured here.
        scale: The size of the job.
        interrupter: Asked whether to stop.
        known: Measured beside them, so that a busy machine is noticed.
        initial_weights: Name of a network -> what it starts from; others start at random.
        seeds: Trainings of each network, 1 or more; every network gets the same seeds, `seed` and
            those that follow it.
        said_again: Words that a command with more seeds needs beside the run's name.
        teaching: Teacher of the recipe; None where it has none, or where all is trained.
        goal_top1: Share of the evaluation images to reach, 0 to 1; None where nobody asked.
        inherits: Whether networks start from a supernet's weights, also where all are trained and
            none of these weights is needed any more.
        exports: Files that are asked for.
        title: What the found network is called while it trains.
        metrics: What every trained network is judged by beside top-1 and top-5.
        selection: The metric on held-out images that chooses between last and averaged weights;
            top-1 where it is empty.
    """

    folder: RunFolder
    architecture: Architecture
    dataset: Dataset
    recipe: Recipe
    seed: int
    others: Sequence[ComparedNetwork]
    asked_ms: float | None
    device: str | None
    scale: Scale
    interrupter: Interrupter
    known: KnownNetworks | None = None
    initial_weights: Mapping[str, Weights] = field(default_factory=dict)
    seeds: int = 1
    said_again: Sequence[str] = ()
    teaching: Teaching | None = None
    goal_top1: float | None = None
    inherits: bool = False
    exports: AskedExports = AskedExports()
    title: str = "searched"
    metrics: AskedMetrics = AskedMetrics()
    selection: AskedMetrics = AskedMetrics()

    def run(self) -> Certificate:
        """Everything; returns the certificate."""
        trained = self.train()
        certificate, baselines = self.certify(trained, self.measure(trained))
        self._print(certificate, baselines)
        return certificate

    def train(self, says_recipe: bool = True) -> list[list[TrainedRecord]]:
        """Trains each network with each seed, or reads what an earlier call reached.

        Args:
            says_recipe: Whether the recipe is printed, and what speaks against it.

        Returns:
            The trainings of each network, the found one first, first seed first.
        """
        if says_recipe:
            self._say_recipe()
        self._judge.check([entry.name for entry in self._entries], self.seed, self.seeds)
        deployment = self._deployment
        deployment.check()
        trained = self._trained(self._entries)
        deployment.bring_up_to_date()
        return trained

    def _say_recipe(self) -> None:
        recipe = recipe_text(self.recipe, self._learned_images)
        if self.is_trained:
            out.print(f"Trained already by {recipe}. Nothing is trained anew.", markup=False)
            return
        out.print(f"Training by {recipe}.", markup=False)
        labels, log_every = self.dataset.train.labels, self.scale.pace.log_every
        for line in held_out_lines(self.recipe, labels, log_every):
            out.print(line, markup=False)
        for warning in self._early_warnings:
            out.print(f"Warning: {warning}", markup=False)

    @property
    def _entries(self) -> list[ComparedNetwork]:
        """The found network and those beside it."""
        found = ComparedNetwork("searched", "searched", arch_text.to_text(self.architecture))
        return [found, *self.others]

    @property
    def networks(self) -> dict[str, Architecture]:
        """Name -> network of the found one, which is the first, and of those beside it."""
        return {entry.name: self._network(entry) for entry in self._entries}

    @property
    def is_trained(self) -> bool:
        """Whether every training is done, so that `train` only reads."""
        names = [entry.name for entry in self._entries]
        keys = TrainedRecord.keys(names, self.seed, self.seeds)
        return all(self.folder.has(TrainedRecord, name=key) for key in keys)

    def measure(self, trained: Sequence[Sequence[TrainedRecord]]) -> TimedNetworks:
        """Times all networks together; nothing with `--device`.

        Args:
            trained: As `train` returns it.
        """
        if self.device is not None:
            return TimedNetworks()
        return fresh_timings(self.files(trained), self.scale, self.known)

    def files(self, trained: Sequence[Sequence[TrainedRecord]]) -> dict[str, bytes]:
        """Name of each network -> the ONNX file that is timed; the found one's as it ships.

        Args:
            trained: As `train` returns it.
        """
        files = {first.name: network_bytes(self._network(first)) for first, *_ in trained[1:]}
        return {"searched": self._model_file(), **files}

    def certify(
        self,
        trained: Sequence[Sequence[TrainedRecord]],
        timed: TimedNetworks,
        measured_by: RunFolder | None = None,
    ) -> tuple[Certificate, Baselines | None]:
        """Writes down what was reached and measured, and the page about it.

        Args:
            trained: As `train` returns it.
            timed: Of the same networks by their names.
            measured_by: Folder of the sweep whose command measures again; None for this run's.

        Returns:
            The certificate, and the networks beside it where there are any.
        """
        exports = self._deployment.run()
        again = go_on_command("retrain", (measured_by or self.folder).path.absolute())
        records = self._certified(trained, timed, exports, again)
        baselines = Baselines(self.seeded_recipe, records) if self.others else None
        if baselines is not None:
            self.folder.write(baselines)
        certificate = self._certificate(records, timed, exports)
        self.folder.write(certificate)
        write_report(self.folder.path)
        return certificate, baselines

    def _print(self, certificate: Certificate, baselines: Baselines | None) -> None:
        out.print(terminal_table(certificate, baselines))
        more = MoreSeeds(self.folder.path, self.said_again)
        for line in verdict_lines(certificate, baselines, more):
            out.print(line, markup=False)
        if certificate.exports is not None:
            print_exports(certificate.exports, self.folder.path, self.device)
        for warning in certificate.warnings:
            out.print(f"Warning: {warning}", markup=False)
        out.print(
            f"Run folder: {self.folder.path} (model.keras, model.onnx, certificate.json)    "
            f"Report: {self.folder.path / REPORT_NAME}",
            markup=False,
        )

    @property
    def seeded_recipe(self) -> SeededRecipe:
        """What all networks of the run are trained by."""
        return SeededRecipe(
            **values_of(self.recipe),
            seed=self.seed,
            inherits=self.inherits or bool(self.initial_weights),
            seeds=self.seeds,
        )

    @property
    def _deployment(self) -> Deployment:
        return Deployment(
            self.folder,
            self.architecture,
            self.dataset,
            self.exports,
            self.seed,
            self.device is None,
            self.scale,
        )

    def _network(self, entry: ComparedNetwork | TrainedRecord) -> Architecture:
        is_found = entry.role == "searched"
        return self.architecture if is_found else arch_text.parse(entry.text)

    def _title(self, entry: ComparedNetwork) -> str:
        return self.title if entry.role == "searched" else entry.name

    def _trained(self, entries: Sequence[ComparedNetwork]) -> list[list[TrainedRecord]]:
        """All trainings of each network, first seed first.

        All networks train with one seed before the next one begins, so that a run that was stopped
        has compared whole sets of networks.
        """
        seeds = range(self.seed, self.seed + self.seeds)
        found: dict[str, list[TrainedRecord]] = {entry.name: [] for entry in entries}
        total = len(entries) * len(seeds)
        for number, (seed, entry) in enumerate(product(seeds, entries), start=1):
            with_seed = f", seed {seed}" if len(seeds) > 1 else ""
            label = f"Training {self._title(entry)}{with_seed} ({number} of {total})"
            found[entry.name].append(self._train(entry, seed, label))
        return list(found.values())

    def _train(self, entry: ComparedNetwork, seed: int, label: str) -> TrainedRecord:
        """Trains one network, or reads what an earlier call reached."""
        key = TrainedRecord.key(entry.name, seed, self.seed)
        if self.folder.has(TrainedRecord, name=key):
            return self._judge.completed(self.folder.read(TrainedRecord, name=key), key)
        network = self._network(entry)
        with bar(label) as progress:
            result = train_network(
                network,
                self.dataset,
                self.recipe,
                Control(
                    self.folder.checkpoint(f"retrain_{key}"),
                    self.scale.pace,
                    self.interrupter,
                    lambda state, total: progress.update(
                        state.step, total, note=_train_note(state.history[-1])
                    ),
                ),
                seed=seed,
                initial_weights=self.initial_weights.get(entry.name),
                guides=Guides(self.teaching.teacher if self.teaching else None, self.selection),
            )
        parity = None
        # One training makes all files of the run: the first one, which nobody picked.
        if entry.role == "searched" and seed == self.seed:
            parity = self._export(result, network)
            self.folder.write_csv(TrainingRow.FILE, result.history)
            write_events(self.folder.path / "tensorboard", result.history, "retrain/")
        if entry.role == "largest" and seed == self.seed:
            keep_largest(result, network, self.dataset, self.folder)
        self.folder.write(
            TrainedRecord(
                name=entry.name,
                role=entry.role,
                text=arch_text.to_text(network),
                top1=result.evaluation.top1,
                top5=result.evaluation.top5,
                evaluation_images=result.evaluation.count,
                train_top1=result.train.top1,
                running_accuracy=result.running_accuracy,
                images_seen=result.images_seen,
                seconds=result.seconds,
                parity=parity,
                seed=seed,
                weights=result.weights,
                held_out=result.held_out,
                smoothness=smoothness_of(result.held_out),
                metrics=self._judge.of(result.model),
            ),
            name=key,
        )
        self.folder.checkpoint(f"retrain_{key}").unlink(missing_ok=True)
        title = self._title(entry)
        name = title if self.seeds == 1 else f"{title}, seed {seed}"
        out.print(
            f"{name}: top-1 {result.evaluation.top1:.2%}, top-5 {result.evaluation.top5:.2%} "
            f"on {result.evaluation.count} images; on training images {result.train.top1:.2%}"
        )
        record = self.folder.read(TrainedRecord, name=key)
        for line in (*training_lines(result), *judged_lines(record)):
            out.print(f"  {line}", markup=False)
        return record

    def _export(self, result: TrainResult, network: Architecture) -> Parity:
        count = min(PARITY_IMAGES, len(self.dataset.evaluation.labels))
        images = np.asarray(self.dataset.evaluation.images[:count], np.float32)
        metadata = metadata_for(network, self.dataset, self.folder.run_id)
        try:
            return export(result.model, network, metadata, self.folder.path, images)
        except OSError as error:
            raise disk_error(self.folder.path / "model.onnx", error) from error

    def _certified(
        self,
        trained: Sequence[Sequence[TrainedRecord]],
        timed: TimedNetworks,
        exports: Exports,
        again: str,
    ) -> tuple[CertifiedNetwork, ...]:
        """What was trained, counted, measured and predicted."""
        table = self._table()

        def certified(records: Sequence[TrainedRecord]) -> CertifiedNetwork:
            first = records[0]
            network = self._network(first)
            asked_ms = self.asked_ms if first.role == "searched" else None
            values = values_of(first)
            del values["seed"], values["held_out"]  # stand among the trainings
            if first.role == "searched":
                values["parity"] = exports.parity or first.parity
            top1 = {self.seed + i: record.top1 for i, record in enumerate(records)}
            return CertifiedNetwork.of(
                network,
                timed.get(first.name),
                predicted_ms(table, network),
                asked_ms,
                timed.verdict(first.name, asked_ms, again),
                **values,
                trainings=SeedSpread.of(top1),
                metric_spreads=spreads(
                    {self.seed + i: r.metrics for i, r in enumerate(records)}, self.metrics.goals
                ),
                success=self._success(records),
            )

        return tuple(certified(records) for records in trained)

    def _success(self, records: Sequence[TrainedRecord]) -> SuccessRate | None:
        if self.goal_top1 is None:
            return None
        curves = [record.curve for record in records]
        return SuccessRate.of(self.goal_top1, [record.top1 for record in records], curves)

    def _model_file(self) -> bytes:
        return (self.folder.path / "model.onnx").read_bytes()

    def _table(self) -> LatencyTable | None:
        path = self.folder.path / "table.json"
        return LatencyTable.load(path, allow_other_host=True) if path.is_file() else None

    def _certificate(
        self, records: Sequence[CertifiedNetwork], timed: TimedNetworks, exports: Exports
    ) -> Certificate:
        """What this call found, and of the search's certificate what it did not make anew."""
        own = records[0]
        before = earlier_certificate(self.folder, self.seeded_recipe)
        by_role = {
            role: tuple(r for r in records if r.role == role)
            for role in ("largest", "uniform", "random")
        }
        parity = own.parity
        random = by_role["random"] or (before.random if before else ())
        search = verdict_on_search(own, random)
        return Certificate(
            **values_of(own),
            method=before.method if before else None,
            supernet_top1=before.supernet_top1 if before else None,
            supernet_top5=before.supernet_top5 if before else None,
            largest=next(iter(by_role["largest"]), before.largest if before else None),
            uniform=next(iter(by_role["uniform"]), before.uniform if before else None),
            random=random,
            device=self.device,
            date=now_text(),
            environment=environment(),
            conditions=conditions_of(timed, self.scale),
            hashes=file_hashes(self._model_file()),
            file_bytes=int(parity.file_bytes) if parity else None,
            onnx_max_abs_difference=parity.max_abs_difference if parity else None,
            recipe=self.seeded_recipe,
            warnings=(
                *self._early_warnings,
                *training_warnings(own, search),
            ),
            search_verdict=search,
            run_id=self.folder.run_id,
            exports=exports,
        )

    @property
    def _judge(self) -> MetricJudge:
        return MetricJudge(self.folder, self.metrics, self.dataset)

    @property
    def _learned_images(self) -> int:
        return len(divided(self.recipe, self.dataset.train.labels)[0])

    @property
    def _early_warnings(self) -> tuple[str, ...]:
        """What is known before anything trains."""
        findings = few_steps_warning(self.recipe, self.recipe.steps(self._learned_images))
        teaching = self.teaching.warnings if self.teaching else ()
        return (*(finding.text for finding in findings), *teaching, *self._judge.warnings)


def _train_note(row: Mapping[str, Any]) -> str:
    kind = "accuracy" if row["accuracy"] is not None else "dominant_accuracy"
    text = (
        f"epoch {row['epoch']:.2f}  loss {row['loss']:.3f}  {kind.replace('_', ' ')} "
        f"{row[kind]:.1%}  {row['examples_per_s']:.0f} images/s"
    )
    if row.get("val_top1") is None:
        return text
    return f"{text}  held out {max(row['val_top1'], row['val_top1_average'] or 0):.1%}"
