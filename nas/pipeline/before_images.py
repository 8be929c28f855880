"""What is refused before images are decoded, by what is known of them without that."""

from __future__ import annotations

from collections.abc import Callable

from nas.data.look import Looks
from nas.deployment.formats import AskedExports
from nas.deployment.int8 import calibration_images
from nas.errors import FieldError
from nas.metrics.asked import NOT_JUDGED, Judging
from nas.runs.data import class_differences
from nas.training.last_or_average import divided
from nas.training.recipe import Recipe
from nas.training.teachers.reading import read_teacher
from nas.training.teachers.teacher import Teacher


def check_before_images(
    look: Callable[[], Looks],
    recipe: Recipe | None,
    exports: AskedExports,
    judging: Judging = NOT_JUDGED,
) -> None:
    """Refuses what cannot be done with these images; they are looked at only where that tells.

    Args:
        look: Gives what is known of the images.
        recipe: Of the trainings that are still to come; None where all are done.
        exports: The files that are asked for.
        judging: The metrics that are asked for.

    Raises:
        LatencyError: Metrics that these images cannot tell, a teacher of other classes, images of
            a class that cannot be divided, more images to calibrate on than there are.
    """
    count = exports.calibration_images
    if count is None and not _asks(recipe) and not judging:
        return
    looks = look()
    judging.metrics.check(looks.evaluation_labels, looks.class_names)
    judging.selection.check(looks.train_labels, looks.class_names)
    if count is not None:
        calibration_images(count, len(looks.train_labels))
    if recipe is not None:
        divided(recipe, looks.train_labels)
        teacher = read_teacher(recipe.distillation, looks.image_size)
        if teacher is not None:
            check_classes(teacher, looks)


def _asks(recipe: Recipe | None) -> bool:
    """Whether a recipe says something that not all images allow."""
    if recipe is None:
        return False
    return recipe.evaluate_every is not None or recipe.distillation.teacher is not None


def check_classes(teacher: Teacher, looks: Looks) -> None:
    """Refuses a teacher of other classes.

    Args:
        teacher: That was read.
        looks: Images whose classes it has to know.

    Raises:
        FieldError: Their number, or as far as its file names them, their names or order differ.
    """
    names = teacher.class_names
    differences = [] if names is None else class_differences(looks.class_names, names)
    if teacher.classes != looks.num_classes and not differences:
        differences = [f"{teacher.classes} classes instead of {looks.num_classes}"]
    if differences:
        raise FieldError(
            f"a teacher of the {looks.num_classes} classes of {looks.name}, in their order",
            f"{teacher.path}, with {'; '.join(differences)}",
            "name a teacher that was trained on these classes, such as the run of a larger network",
            "teacher",
        )
