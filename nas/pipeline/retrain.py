"""`main.py`: train, export, measure, certify; baselines by the same recipe; resumable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.deployment.export import export
from nas.deployment.metadata import metadata_for
from nas.deployment.records import Parity
from nas.hardware.measurement import (
    TimedNetworks,
    network_bytes,
)
from nas.pipeline.certify import file_hashes, fresh_timings
from nas.pipeline.deploy import Deployment
from nas.pipeline.evaluating import held_out_lines, training_lines
from nas.pipeline.metrics import smoothness_of
from nas.pipeline.retrain_certificate import certificate_of, certified_networks
from nas.pipeline.retrain_job import RetrainJob
from nas.pipeline.retrain_jobs import checkpoint_name, train_ahead
from nas.pipeline.stage_jobs import OnStep, tell_nobody
from nas.pipeline.teaching import keep_largest
from nas.report.exports import print_exports
from nas.report.metrics import judged_lines
from nas.report.page import REPORT_NAME, write_report
from nas.report.seeds import MoreSeeds
from nas.report.terminal import terminal_table, verdict_lines
from nas.runs.folder import RunFolder, disk_error
from nas.runs.records import (
    Baselines,
    Certificate,
    ComparedNetwork,
    TrainedRecord,
)
from nas.runs.tensorboard import write_events
from nas.runs.trainings import LostRecord, is_over
from nas.system.console import bar, out
from nas.system.program import go_on_command
from nas.training.guides import Guides
from nas.training.history import TrainingRow
from nas.training.loop import Control, LoopState
from nas.training.lost import LostWeightsError
from nas.training.rates import recipe_text
from nas.training.trainer import TrainResult, train_network

# Compared before a file is written; the exported files are then compared on every image.
PARITY_IMAGES = 16
# What is proposed where weights were lost with no bound, or with a greater one.
USUAL_CLIP_NORM = 1.0


@dataclass
class RetrainRun(RetrainJob):
    """One run of `main.py`; each network's training is a stage of its own."""

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
            The trainings of each network, the found one first, first seed first, without those
            whose weights were lost; a network that has lost all of them is left out. Nothing where
            the found network lost the weights of its first training and other runs go on.

        Raises:
            LostWeightsError: It lost them, and this is the only run, or they were lost before.
        """
        if not self.others_go_on:
            self.refuse_lost()
        if says_recipe:
            self.say_recipe()
        self.judge.check([entry.name for entry in self.entries], self.seed, self.seeds)
        deployment = self._deployment
        deployment.check()
        train_ahead([self], self.workers)
        trained = self._trained(self.entries)
        if self.loss is not None:
            return []
        deployment.bring_up_to_date()
        return trained

    def say_recipe(self) -> None:
        """Prints what all networks are trained by, and what speaks against it."""
        recipe = recipe_text(self.recipe, self.learned_images)
        if self.is_trained:
            out.print(f"Trained already by {recipe}. Nothing is trained anew.", markup=False)
            return
        out.print(f"Training by {recipe}.", markup=False)
        labels, log_every = self.dataset.train.labels, self.scale.pace.log_every
        for line in held_out_lines(self.recipe, labels, log_every):
            out.print(line, markup=False)
        for warning in self.early_warnings:
            out.print(f"Warning: {warning}", markup=False)

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
        files = {first.name: network_bytes(self.network_of(first)) for first, *_ in trained[1:]}
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
        records = certified_networks(self, trained, timed, exports, self._table(), again)
        baselines = Baselines(self.seeded_recipe, records) if self.others else None
        if baselines is not None:
            self.folder.write(baselines)
        certificate = certificate_of(self, records, timed, exports, file_hashes(self._model_file()))
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

    def _trained(self, entries: Sequence[ComparedNetwork]) -> list[list[TrainedRecord]]:
        """All trainings of each network, first seed first.

        All networks train with one seed before the next one begins, so that a run that was stopped
        has compared whole sets of networks. A training that loses its weights stops no other one.
        """
        seeds = range(self.seed, self.seed + self.seeds)
        found: dict[str, list[TrainedRecord]] = {entry.name: [] for entry in entries}
        total = len(entries) * len(seeds)
        for number, (seed, entry) in enumerate(product(seeds, entries), start=1):
            if self.loss is not None:
                break  # nothing can be certified beside it
            with_seed = f", seed {seed}" if len(seeds) > 1 else ""
            label = f"Training {self.title_of(entry)}{with_seed} ({number} of {total})"
            record = self._train(entry, seed, label)
            if record is not None:  # earlier versions did not write the first seed down
                found[entry.name].append(replace(record, seed=seed))
        return [records for records in found.values() if records]

    def _train(self, entry: ComparedNetwork, seed: int, label: str) -> TrainedRecord | None:
        """Trains one network, or reads what an earlier call reached; None where it was lost."""
        key = TrainedRecord.key(entry.name, seed, self.seed)
        if self.folder.has(TrainedRecord, name=key):
            return self.judge.completed(self.folder.read(TrainedRecord, name=key), key)
        if not is_over(self.folder, key):
            lines = self.reached(entry, seed, label)
            self.folder.checkpoint(checkpoint_name(key)).unlink(missing_ok=True)
            for line in lines:
                out.print(line, markup=False)
        if self.folder.has(LostRecord, name=key):
            return None
        return self.folder.read(TrainedRecord, name=key)

    def reached(
        self, entry: ComparedNetwork, seed: int, label: str, on_step: OnStep = tell_nobody
    ) -> list[str]:
        """Trains one network with one seed and writes what it reached, and its files.

        Args:
            entry: The network.
            seed: Of the training.
            label: Of the progress bar.
            on_step: Told steps that are done, and how many there are.

        Returns:
            Lines for people.

        Raises:
            LostWeightsError: The found network lost the weights of its first training, which all
                files of the run would be made of, and this is the only run. Else it is written
                down.
        """
        title = self.title_of(entry)
        name = title if self.seeds == 1 else f"{title}, seed {seed}"
        try:
            result = self._fitted(entry, seed, label, on_step)
        except LostWeightsError as lost:
            if self._makes_files(entry, seed) and not self.others_go_on:
                raise self._named(lost, entry, seed) from None
            key = TrainedRecord.key(entry.name, seed, self.seed)
            self.folder.write(LostRecord(name=entry.name, seed=seed, reason=lost.reason), name=key)
            return [f"{name}: its weights were lost: {lost.reason}. All others go on."]
        record = self._kept(result, entry, seed)
        return [
            f"{name}: top-1 {result.evaluation.top1:.2%}, top-5 {result.evaluation.top5:.2%} "
            f"on {result.evaluation.count} images; on training images {result.train.top1:.2%}",
            *(f"  {line}" for line in (*training_lines(result), *judged_lines(record))),
        ]

    def _fitted(
        self, entry: ComparedNetwork, seed: int, label: str, on_step: OnStep
    ) -> TrainResult:
        with bar(label) as progress:

            def show(state: LoopState, total: int) -> None:
                progress.update(state.step, total, note=_train_note(state.history[-1]))
                on_step(state.step, total)

            key = TrainedRecord.key(entry.name, seed, self.seed)
            checkpoint = self.folder.checkpoint(checkpoint_name(key))
            return train_network(
                self.network_of(entry),
                self.dataset,
                self.recipe,
                Control(checkpoint, self.scale.pace, self.interrupter, show),
                seed=seed,
                initial_weights=self.initial_weights.get(entry.name),
                guides=Guides(self.teaching.teacher if self.teaching else None, self.selection),
            )

    def refuse_lost(self) -> None:
        """Refuses to go on without the found network's first training.

        Raises:
            LostWeightsError: It has lost its weights.
        """
        if self.loss is None:
            return
        fix = "train with a lower --learning_rate"
        lost = LostWeightsError("a first training with finite weights", self.loss.reason, fix)
        raise self._named(lost, self.entries[0], self.seed)

    def _named(self, lost: LostWeightsError, entry: ComparedNetwork, seed: int) -> LostWeightsError:
        """The same error with the training that it ended, and what begins the run anew."""
        clip_norm = self.recipe.clip_norm
        is_clipped = clip_norm is not None and clip_norm <= USUAL_CLIP_NORM
        clip = "" if is_clipped else f", or --clip_norm {USUAL_CLIP_NORM:g} beside the same one"
        return LostWeightsError(
            lost.expected,
            f"{lost.received}, in the training of {self.title_of(entry)} with seed {seed}",
            f"{lost.fix}; a run begins anew by --run, --restart and such a rate{clip}",
        )

    def _kept(self, result: TrainResult, entry: ComparedNetwork, seed: int) -> TrainedRecord:
        """Writes what a training reached, last of all that it leaves, and reads it back."""
        key, network = TrainedRecord.key(entry.name, seed, self.seed), self.network_of(entry)
        parity = None
        if self._makes_files(entry, seed):
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
                metrics=self.judge.of(result.model),
            ),
            name=key,
        )
        return self.folder.read(TrainedRecord, name=key)

    def _makes_files(self, entry: ComparedNetwork, seed: int) -> bool:
        """Whether a training makes all files of the run: the first one, which nobody picked."""
        return entry.role == "searched" and seed == self.seed

    def _export(self, result: TrainResult, network: Architecture) -> Parity:
        count = min(PARITY_IMAGES, len(self.dataset.evaluation.labels))
        images = np.asarray(self.dataset.evaluation.images[:count], np.float32)
        metadata = metadata_for(network, self.dataset, self.folder.run_id)
        try:
            return export(result.model, network, metadata, self.folder.path, images)
        except OSError as error:
            raise disk_error(self.folder.path / "model.onnx", error) from error

    def _model_file(self) -> bytes:
        return (self.folder.path / "model.onnx").read_bytes()

    def _table(self) -> LatencyTable | None:
        path = self.folder.path / "table.json"
        return LatencyTable.load(path, allow_other_host=True) if path.is_file() else None


def _train_note(row: Mapping[str, Any]) -> str:
    kind = "accuracy" if row["accuracy"] is not None else "dominant_accuracy"
    text = (
        f"epoch {row['epoch']:.2f}  loss {row['loss']:.3f}  {kind.replace('_', ' ')} "
        f"{row[kind]:.1%}  {row['examples_per_s']:.0f} images/s"
    )
    if row.get("val_top1") is None:
        return text
    return f"{text}  held out {max(row['val_top1'], row['val_top1_average'] or 0):.1%}"
