"""`main.py`: train, export, measure, certify; baselines by the same recipe; resumable."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latency.device import strict_json
from latency.device.settings import SessionSettings
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.builders.export import export
from nas.data import Dataset
from nas.hardware.measurement import KnownNetworks, measure_networks, network_bytes
from nas.hardware.rows import architecture_row_keys
from nas.pipeline.inherit import Weights
from nas.recipes.scales import Scale
from nas.report.page import write_report
from nas.report.terminal import terminal_table
from nas.runs.folder import RunFolder
from nas.runs.records import network_record
from nas.runs.tensorboard import write_events
from nas.selection.diagnostics import comparison_warning, label_warning
from nas.system.console import bar, out
from nas.system.environment import environment
from nas.system.interrupt import Interrupter
from nas.training.loop import Control
from nas.training.recipe import Recipe
from nas.training.trainer import TrainResult, train_network

PARITY_IMAGES = 16


@dataclass
class RetrainRun:
    """One run of `main.py`; each network's training is a stage of its own.

    Args:
        folder: Run folder.
        architecture: The network to retrain.
        dataset: Images.
        recipe: The same for every network.
        seed: Of every training.
        others: Baselines: name, role, architecture.
        asked_ms: Of the search; None with `--lambda`.
        device: The search's `--device`: nothing is measured here.
        scale: The size of the job.
        interrupter: Asked whether to stop.
        known: Measured beside them, so that a busy machine is noticed.
        initial_weights: Name of a network -> what it starts from; others start at random.
    """

    folder: RunFolder
    architecture: Architecture
    dataset: Dataset
    recipe: Recipe
    seed: int
    others: list[tuple[str, str, Architecture]]
    asked_ms: float | None
    device: str | None
    scale: Scale
    interrupter: Interrupter
    known: KnownNetworks | None = None
    initial_weights: Mapping[str, Weights] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        """Everything; returns the certificate."""
        networks = [("searched", "searched", self.architecture), *self.others]
        (self.folder.path / "retrained").mkdir(exist_ok=True)
        records = [
            self._train(number, len(networks), *network)
            for number, network in enumerate(networks, start=1)
        ]
        measured = self._measure({name: net for name, _, net in networks})
        predicted = self._predicted()
        for record, (name, _, network) in zip(records, networks, strict=True):
            asked = self.asked_ms if name == "searched" else None
            timing = network_record(network, measured.get(name), predicted(network), asked)
            timing.pop("top1"), timing.pop("top5")
            record.update(timing)
        if self.others:
            self.folder.write_json(
                "baselines.json", {"recipe": self._recipe_json(), "networks": records}
            )
        certificate = self._certificate(records)
        report = write_report(self.folder.path)
        baselines = self.folder.read_json("baselines.json") if self.others else None
        out.print(terminal_table(certificate, baselines))
        for warning in certificate["warnings"]:
            out.print(f"Warning: {warning}", markup=False)
        out.print(
            f"Run folder: {self.folder.path} (model.keras, model.onnx, certificate.json)    "
            f"Report: {report}",
            markup=False,
        )
        return certificate

    def _recipe_json(self) -> dict[str, Any]:
        return {
            **strict_json.encode(self.recipe),
            "seed": self.seed,
            "inherits": bool(self.initial_weights),
        }

    def _train(
        self, number: int, count: int, name: str, role: str, network: Architecture
    ) -> dict[str, Any]:
        """Trains one network, or reads what an earlier call reached."""
        key = name.replace(" ", "_")
        done = f"retrained/{key}.json"
        if self.folder.has(done):
            return self.folder.read_json(done)
        label = f"Training {name} ({number} of {count})"
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
                seed=self.seed,
                initial_weights=self.initial_weights.get(name),
            )
        record = {
            "name": name,
            "role": role,
            "text": arch_text.to_text(network),
            "top1": result.evaluation.top1,
            "top5": result.evaluation.top5,
            "evaluation_images": result.evaluation.count,
            "train_top1": result.train.top1,
            "running_accuracy": result.running_accuracy,
            "images_seen": result.images_seen,
            "seconds": result.seconds,
            "parity": self._export(result, network) if name == "searched" else None,
        }
        if name == "searched":
            self.folder.write_csv("retrain_history.csv", result.history)
            write_events(self.folder.path / "tensorboard", result.history, "retrain/")
        self.folder.write_json(done, record)
        self.folder.checkpoint(f"retrain_{key}").unlink(missing_ok=True)
        out.print(
            f"{name}: top-1 {result.evaluation.top1:.2%}, top-5 {result.evaluation.top5:.2%} on "
            f"{result.evaluation.count} images; on training images {result.train.top1:.2%}"
        )
        return self.folder.read_json(done)

    def _export(self, result: TrainResult, network: Architecture) -> dict[str, float]:
        count = min(PARITY_IMAGES, len(self.dataset.evaluation.labels))
        images = np.asarray(self.dataset.evaluation.images[:count], np.float32)
        return export(result.model, network, self.dataset, self.folder.path, images)

    def _measure(self, networks: Mapping[str, Architecture]) -> dict[str, Any]:
        """All networks in one fresh process; the searched one as the file that ships."""
        if self.device is not None:
            return {}
        files = {name: network_bytes(network) for name, network in networks.items()}
        files["searched"] = (self.folder.path / "model.onnx").read_bytes()
        plans = self.scale.measuring
        out.print("Certificate: fresh measurements in new processes ...")
        return measure_networks(
            files,
            SessionSettings(),
            plans.certificate,
            plans.certificate_processes,
            plans.certificate_precision,
            known=self.known,
        )

    def _predicted(self) -> Any:
        path = self.folder.path / "table.json"
        if not path.is_file():
            return lambda network: None
        table = LatencyTable.load(path, allow_other_host=True)

        def predict(network: Architecture) -> float | None:
            keys = architecture_row_keys(network)
            # A uniformly scaled network has rows that were never measured.
            return table.predict_ms(keys) if all(key in table.rows for key in keys) else None

        return predict

    def _certificate(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        own = dict(records[0])
        before = (
            self.folder.read_json("certificate.json") if self.folder.has("certificate.json") else {}
        )
        by_role: dict[str, list[Any]] = {
            role: [r for r in records if r["role"] == role]
            for role in ("largest", "uniform", "random")
        }
        certificate = {
            **before,
            **own,
            "file_bytes": int(own["parity"]["file_bytes"]),
            "onnx_max_abs_difference": own["parity"]["max_abs_difference"],
            "largest": (by_role["largest"] or [before.get("largest")])[0],
            "uniform": (by_role["uniform"] or [before.get("uniform")])[0],
            "random": by_role["random"] or before.get("random", []),
            "recipe": self._recipe_json(),
            "device": self.device,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "environment": strict_json.encode(environment()),
            "warnings": label_warning(own["running_accuracy"], own["train_top1"])
            + comparison_warning(own["top1"], [r["top1"] for r in by_role["random"]]),
        }
        self.folder.write_json("certificate.json", certificate)
        return certificate


def _train_note(row: Mapping[str, Any]) -> str:
    return (
        f"epoch {row['epoch']:.2f}  loss {row['loss']:.3f}  accuracy {row['accuracy']:.1%}  "
        f"{row['examples_per_s']:.0f} images/s"
    )
