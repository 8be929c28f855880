"""The teacher of a run: read and tried before anything trains, and what may teach later runs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from latency import atomic
from nas.architecture.spec import Architecture
from nas.builders.keras_model import weights_by_name
from nas.builders.onnx_model import to_onnx
from nas.data import Dataset
from nas.data.look import Looks
from nas.deployment.metadata import metadata_for, with_metadata
from nas.pipeline.before_images import check_classes
from nas.report import numbers
from nas.runs.folder import RunFolder
from nas.system.console import out
from nas.training.evaluation import accuracy
from nas.training.recipe import Recipe
from nas.training.teachers.reading import EXPORTED, read_teacher
from nas.training.teachers.teacher import Teacher
from nas.training.trainer import TrainResult

# Training images that a teacher is tried on.
TRIED_IMAGES = 500
# So rarely would a network that knows nothing of the classes reach what was found.
CHANCE = 0.01
# The largest network of a space lies below the run that trained it.
LARGEST = "largest"


@dataclass(frozen=True)
class Teaching:
    """A teacher that was read and tried.

    Args:
        teacher: The network.
        warnings: For people.
    """

    teacher: Teacher
    warnings: tuple[str, ...] = ()


def teaching_for(recipe: Recipe, dataset: Dataset) -> Teaching | None:
    """Reads the teacher of a recipe, tries it, and says what it is; None where there is none.

    Args:
        recipe: Of all trainings of a run.
        dataset: Whose classes it has to know.

    Raises:
        LatencyError: It cannot teach these classes.
    """
    teacher = read_teacher(recipe.distillation, dataset.image_size)
    if teacher is None:
        return None
    rng = np.random.default_rng(0)
    tried = np.sort(rng.permutation(len(dataset.train.labels))[:TRIED_IMAGES])
    check_classes(teacher, Looks.of(dataset))
    found = accuracy(teacher.scores, dataset.train, indices=tried)
    settings = recipe.distillation
    out.print(
        f"Teacher: {teacher.path} (SHA-256 {settings.teacher_sha256[:16]}), {teacher.input.text}; "
        f"top-1 {found.top1:.2%} on {found.count} training images. Weight "
        f"{settings.teacher_weight:g}, temperature {settings.teacher_temperature:g}.",
        markup=False,
    )
    frequent = float(np.bincount(dataset.train.labels[tried]).max() / found.count)
    return Teaching(teacher, _warnings(teacher, found.top1, found.count, frequent))


def _warnings(teacher: Teacher, top1: float, images: int, frequent: float) -> tuple[str, ...]:
    """A warning where the teacher seems to know nothing of the classes.

    Args:
        teacher: That was tried.
        top1: Share of the images that it got right.
        images: How many.
        frequent: Share of the most frequent class: what naming it always would reach.
    """
    from scipy.stats import binomtest  # takes a moment to load

    if frequent == 1.0:
        return ()
    test = binomtest(round(top1 * images), images, frequent, alternative="greater")
    if test.pvalue <= CHANCE:
        return ()
    order = "" if teacher.class_names else "its classes may stand in another order, or "
    return (
        f"The teacher's top-1 is {numbers.share(top1)} on {images} training images, not clearly "
        f"more than naming one class always would reach ({numbers.share(frequent)}): {order}its "
        f"pixels may be meant otherwise than {teacher.input.scaling} ({teacher.input.told_by}). "
        "Check the file.",
    )


def keep_largest(
    result: TrainResult, network: Architecture, dataset: Dataset, folder: RunFolder
) -> None:
    """Writes the largest network of a space, so that it can teach others: `--teacher RUN/largest`.

    Args:
        result: Of its training.
        network: Its architecture.
        dataset: For the class names.
        folder: Of the run.
    """
    weights = weights_by_name(result.model, network)
    metadata = metadata_for(network, dataset, folder.run_id)
    own = folder.path / LARGEST
    own.mkdir(exist_ok=True)
    atomic.write_bytes(own / EXPORTED, with_metadata(to_onnx(network, weights), metadata))
