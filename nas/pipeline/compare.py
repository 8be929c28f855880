"""`main.py --compare`: each network a resumable training, then one measurement of all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from latency.device.clock import now_text
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.deployment.formats import AskedExports
from nas.errors import InputError
from nas.hardware.measurement import TimedNetworks, measure_networks, without_emulated
from nas.hardware.tables import DEPLOYED
from nas.pipeline.inputs import keep_data
from nas.pipeline.stage_workers import StageWorkers
from nas.recipes.scales import Scale
from nas.report.compared import compared_table, compared_warnings, write_compared_page
from nas.report.seeds import missing_text
from nas.runs.compared import (
    ComparedCells,
    ComparedNetworks,
    ComparedRow,
    seconds_per_epoch,
)
from nas.runs.config import (
    ComparisonConfig,
    ComparisonEntry,
    GivenNetworkConfig,
    RunSettings,
    TrainingConfig,
)
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.history import read_history
from nas.runs.measured import Conditions
from nas.runs.records import Certificate, TrainedRecord
from nas.selection.success_rate import SuccessRate
from nas.system.console import bar, out
from nas.system.environment import environment
from nas.system.interrupt import Interrupter
from nas.training.history import TrainingRow

if TYPE_CHECKING:
    from nas.pipeline.retrain import RetrainRun
    from nas.pipeline.teaching import Teaching


@dataclass(frozen=True)
class Compared:
    """A comparison that can go on.

    Args:
        folder: Of the comparison.
        config: What it was asked for.
        training: The recipe of every network that it trains itself; None where it trains none.
        dataset: Images; None where it trains none.
        interrupter: Asked whether to stop.
        teaching: Teacher of the recipe; None where it has none, or where all is trained.
        exports: Files that are asked for beside model.onnx, of the networks that it trains.
        workers: That train; None where this program does.
    """

    folder: RunFolder
    config: ComparisonConfig
    training: TrainingConfig | None
    dataset: Dataset | None
    interrupter: Interrupter
    teaching: Teaching | None = None
    exports: AskedExports = AskedExports()
    workers: StageWorkers | None = None

    def run(self) -> ComparedNetworks:
        """Trains what is not trained, measures everything together, and writes it down.

        A network whose first training loses its weights is missing; the others are compared.

        Raises:
            LostWeightsError: All networks that it trains lost theirs.
        """
        entries = self.config.networks
        own = [entry for entry in entries if entry.run is None]
        runs = {entry.name: self._retraining(entry) for entry in own}
        trained: dict[str, list[list[TrainedRecord]]] = {}
        if self.workers is not None:
            from nas.pipeline.retrain_jobs import train_ahead

            train_ahead(list(runs.values()), self.workers)
        for number, entry in enumerate(own, start=1):
            out.print(f"{entry.name} ({number} of {len(own)}): {entry.text}", markup=False)
            trained[entry.name] = runs[entry.name].train()
        losses = {name: run.loss for name, run in runs.items()}
        lost = {name: loss.reason for name, loss in losses.items() if loss is not None}
        if own and len(lost) == len(own):
            runs[own[0].name].refuse_lost()
        entries = tuple(entry for entry in entries if entry.name not in lost)
        files = {entry.name: self._model(entry).read_bytes() for entry in entries}
        timed = measured_together(files, self.config.sizes)
        for name, run in runs.items():
            if name in lost:
                continue
            # Networks whose formats are emulated have no timing.
            own_timing = {"searched": timed[name]} if name in timed else {}
            run.certify(trained[name], TimedNetworks(own_timing))
        return self._written(entries, lost, timed)

    def _retraining(self, entry: ComparisonEntry) -> RetrainRun:
        """The training of one network in a run folder of its own, begun or to go on."""
        from nas.pipeline.retrain import RetrainRun

        training, dataset = self.trained_by()
        network = arch_text.parse(entry.text, entry.name)
        folder = self._begun(entry, network)
        return RetrainRun(
            folder,
            network,
            dataset,
            training.recipe,
            training.seed,
            (),
            None,
            None,
            self.config.sizes,
            self.interrupter,
            seeds=training.seeds,
            teaching=self.teaching,
            goal_top1=training.goal_top1,
            metrics=training.metrics,
            selection=training.selection,
            exports=self.exports,
            title=entry.name,
            others_go_on=True,
        )

    def _begun(self, entry: ComparisonEntry, network: Architecture) -> RunFolder:
        """The folder of a network's run; each of its files is written when it is missing."""
        path = entry.folder_in(self.folder.path)
        (path / "checkpoints").mkdir(parents=True, exist_ok=True)
        folder = RunFolder(path)
        if not folder.has(GivenNetworkConfig):
            names = [entry.name for entry in fields(RunSettings)]
            settings = {name: getattr(self.config, name) for name in names}
            folder.write(GivenNetworkConfig(**settings))
        if not folder.has("architecture.json"):
            folder.write_json("architecture.json", arch_text.to_json(network))
        training, dataset = self.trained_by()
        keep_data(folder, dataset)
        folder.write(training)
        return folder

    def trained_by(self) -> tuple[TrainingConfig, Dataset]:
        """The recipe and the images of what the comparison trains.

        Raises:
            InputError: It has none, though a network is to be trained.
        """
        if self.training is None or self.dataset is None:
            raise InputError("a recipe and images", "none", "begin the comparison again")
        return self.training, self.dataset

    def _model(self, entry: ComparisonEntry) -> Path:
        return entry.folder_in(self.folder.path) / "model.onnx"

    def _written(
        self, entries: Sequence[ComparisonEntry], lost: Mapping[str, str], timed: TimedNetworks
    ) -> ComparedNetworks:
        """compared.json, compared.csv, the pictures and the page, with why networks are missing."""
        rows = tuple(self._row(entry, timed) for entry in entries)
        plan = self.config.sizes.measuring.certificate
        now, first = environment(), next(iter(timed.values()), None)
        found = ComparedNetworks(
            date=now_text(),
            environment=now,
            conditions=None if first is None else Conditions.of(first, DEPLOYED, plan),
            warnings=(
                *(missing_text(name, reason) for name, reason in lost.items()),
                *compared_warnings(rows, now.host_fingerprint, self.config.is_smoke),
            ),
            networks=rows,
        )
        self.folder.write(found)
        self.folder.write_csv(ComparedCells.FILE, [ComparedCells.of(row).cells() for row in rows])
        page = write_compared_page(self.folder.path)
        out.print(compared_table(found))
        for warning in found.warnings:
            out.print(f"Warning: {warning}", markup=False)
        out.print(
            f"Comparison: {self.folder.path} (compared.json, compared.csv, compared.png, "
            f"curves.png)    Page: {page}",
            markup=False,
        )
        return found

    def _row(self, entry: ComparisonEntry, timed: TimedNetworks) -> ComparedRow:
        folder = RunFolder(entry.folder_in(self.folder.path))
        certificate, data = folder.read(Certificate), folder.read(DataRecord)
        rows = read_history(TrainingRow, folder.path / TrainingRow.FILE)
        network = arch_text.parse(entry.text, entry.name)
        path = self._model(entry)
        goal = self.config.goal_top1
        seeds = certificate.known_trainings
        lost = [0.0] * certificate.lost_trainings
        return ComparedRow.of(
            network,
            timed.get(entry.name),
            None,
            None,
            name=entry.name,
            text=entry.text,
            run=entry.run or path.parent.relative_to(self.folder.path).as_posix(),
            is_trained_here=entry.run is None,
            trained_on=certificate.environment.host_fingerprint,
            recipe=certificate.recipe,
            top1=certificate.top1,
            top5=certificate.top5,
            file_bytes=path.stat().st_size,
            train_top1=certificate.train_top1,
            evaluation_images=certificate.evaluation_images,
            trainings=seeds,
            # A goal that is asked for now is that of all networks, whatever their runs asked for.
            success=certificate.success
            if goal is None or seeds is None
            else SuccessRate.of(goal, (*seeds.top1, *lost)),
            metrics=certificate.metrics,
            metric_spreads=certificate.metric_spreads,
            seconds_per_epoch=seconds_per_epoch(
                rows, certificate.images_seen or 0, data.train_images
            ),
        )


def measured_together(files: Mapping[str, bytes], sizes: Scale) -> TimedNetworks:
    """Times networks in one session of new processes, their visits in random order.

    Args:
        files: Name -> ONNX file; all of them become as precise as a certificate is.
        sizes: The size of the job.
    """
    files = without_emulated(files)
    if not files:
        return TimedNetworks()
    plans = sizes.measuring
    with bar("Measuring all networks together in new processes") as shown:
        return measure_networks(
            files,
            DEPLOYED,
            plans.certificate,
            plans.certificate_rule,
            progress=lambda done, most, left: shown.update(
                done, most, note=f"{left:.0f} s left at most"
            ),
        )
