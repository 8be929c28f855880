"""What trained networks are judged by beside top-1 and top-5: on the evaluation images, once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from nas.data import Dataset
from nas.deployment.scores import keras_scores
from nas.errors import InputError
from nas.metrics import AskedMetrics, MetricResults, Smoothness, evaluated
from nas.pipeline.deploy import KERAS_FILE
from nas.report.metrics import judged_lines
from nas.runs.folder import RunFolder
from nas.runs.records import TrainedRecord
from nas.system.console import bar, out
from nas.training.last_or_average import HeldOutScore

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class MetricJudge:
    """Judges the trained networks of one run by the metrics that were asked for.

    A network is judged with the weights that are exported, after all choices are made: nothing
    that is trained or chosen depends on it.

    Args:
        folder: Of the run.
        asked: The metrics; none where nobody asked.
        dataset: Its evaluation images judge.
    """

    folder: RunFolder
    asked: AskedMetrics
    dataset: Dataset

    @property
    def warnings(self) -> tuple[str, ...]:
        """Thresholds that rest on few images.

        Raises:
            InputError: The evaluation images cannot tell a metric.
        """
        return self.asked.check(self.dataset.evaluation.labels, self.dataset.class_names)

    def check(self, names: Iterable[str], seed: int, seeds: int) -> None:
        """Refuses what cannot be judged, before anything is trained.

        Args:
            names: Of the networks, `searched` among them.
            seed: Of each network's first training.
            seeds: Trainings of each network, 1 or more.

        Raises:
            InputError: The evaluation images cannot tell a metric, or a training is finished whose
                weights are gone.
        """
        self.asked.check(self.dataset.evaluation.labels, self.dataset.class_names)
        gone = [
            key
            for key in TrainedRecord.keys(names, seed, seeds)
            if self.folder.has(TrainedRecord, name=key) and not self._can_judge(key)
        ]
        if gone:
            raise InputError(
                f"weights of every training, to judge them by {', '.join(self.asked.metrics)}",
                f"none of {', '.join(gone)}, trained before and not judged by all of these: only "
                f"{KERAS_FILE} keeps weights, those of the first training",
                "leave --metrics as they were, or add --restart to train anew",
            )

    def _can_judge(self, key: str) -> bool:
        record = self.folder.read(TrainedRecord, name=key)
        has_weights = key == "searched" and (self.folder.path / KERAS_FILE).is_file()
        return has_weights or self._known(record) is not None or not self.asked

    def _known(self, record: TrainedRecord) -> MetricResults | None:
        found = record.metrics
        return None if found is None else found.asked_alone(self.asked, self.dataset.class_names)

    def of(self, model: keras.Model) -> MetricResults | None:
        """What a network reaches; None where nobody asked.

        Args:
            model: With the weights that are exported.
        """
        if not self.asked:
            return None
        split, names = self.dataset.evaluation, self.dataset.class_names
        with bar(f"{', '.join(self.asked.metrics)} on all evaluation images") as shown:
            scores = keras_scores(model.predict_on_batch, split, shown.update)
        return evaluated(self.asked, scores, split.labels, names)

    def completed(self, record: TrainedRecord, key: str) -> TrainedRecord:
        """A finished training with the metrics that are asked for now, written down again.

        Args:
            record: Of the training.
            key: Of its file.
        """
        found = self._known(record)
        if not self.asked or (found is not None and found == record.metrics):
            return record
        if found is None:
            import keras

            path = self.folder.path / KERAS_FILE
            found = self.of(keras.saving.load_model(path, compile=False))
        completed = replace(record, metrics=found)
        self.folder.write(completed, name=key)
        for line in judged_lines(completed):
            out.print(f"  {line}", markup=False)
        return completed


def smoothness_of(held_out: Sequence[HeldOutScore]) -> tuple[Smoothness, ...]:
    """How smooth the curve of evaluations is, of both kinds of weights.

    Args:
        held_out: Scores on held-out images along a training; none where none were held out.
    """
    kinds: tuple[Literal["last", "average"], ...] = ("last", "average")
    curves = {
        kind: [(score.epoch, top1) for score in held_out if (top1 := score.of(kind)) is not None]
        for kind in kinds
    }
    found = (Smoothness.of(kind, curve) for kind, curve in curves.items())
    return tuple(one for one in found if one is not None)
