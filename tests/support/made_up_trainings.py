"""Trainings that take no time: what is reached follows from network and seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nas.architecture import text as arch_text
from nas.pipeline.retrain import RetrainRun
from nas.training.evaluation import Accuracy
from nas.training.lost import check_loss
from nas.training.trainer import TrainResult
from tests.support.toy_stages import exported_file


class KilledError(BaseException):
    """Stands for a program that is killed: nothing catches it."""


@dataclass
class MadeUpTrainings:
    """Stands in for `train_network`: what is reached follows from network and seed.

    Args:
        most: Trainings after which the program is killed.
        begun: Text and seed of each.
        exported: Seeds whose weights became files.
        lost: Text and seed of those that lose their weights.
    """

    most: int = 1000
    begun: list[tuple[str, int]] = field(default_factory=list)
    exported: list[float] = field(default_factory=list)
    lost: set[tuple[str, int]] = field(default_factory=set)

    def train(self, network: Any, *_: Any, seed: int, **__: Any) -> TrainResult:
        if len(self.begun) == self.most:
            raise KilledError
        text = arch_text.to_text(network)
        self.begun.append((text, seed))
        if (text, seed) in self.lost:
            check_loss(float("nan"), 3, 0.1)
        reached = Accuracy(0.5 + len(text) / 1000 + 0.01 * seed, 0.9, 1.0, 24)
        return TrainResult(None, reached, reached, 0.6, 60, 1.0, [])

    def export(self, run: RetrainRun, result: TrainResult, network: Any) -> None:
        self.exported.append(result.evaluation.top1)
        (run.folder.path / "model.onnx").write_bytes(exported_file(network))
