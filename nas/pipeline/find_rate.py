"""`main.py --find_learning_rate`: tries rates on the network of a run, and draws the curve."""

from __future__ import annotations

from collections.abc import Mapping

from latency.command_line import join, with_flags
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.report.learning_rates import write_picture
from nas.runs.config import TrainingConfig
from nas.runs.folder import RunFolder
from nas.system.console import bar, out
from nas.system.interrupt import Interrupter
from nas.system.program import go_on_command
from nas.training.rate_curve import RateCurve, RatePlan
from nas.training.rate_finder import try_rates
from nas.training.rates import cut_text


def find_rate(
    folder: RunFolder,
    architecture: Architecture,
    dataset: Dataset,
    training: TrainingConfig,
    interrupter: Interrupter,
    plan: RatePlan,
    said: Mapping[str, object],
) -> RateCurve:
    """Tries rates, writes the curve and its picture, and says what to do with it.

    Args:
        folder: Of the run.
        architecture: The network, with the data's classes.
        dataset: Training images.
        training: What the network would be trained with.
        interrupter: Asked whether to stop.
        plan: Which rates are tried.
        said: Flags that the training needs again, as they were given.
    """
    with bar("Trying learning rates") as progress:
        curve = try_rates(
            architecture,
            dataset,
            training.recipe,
            plan,
            seed=training.seed,
            interrupter=interrupter,
            on_progress=lambda done, total: progress.update(done, total, note=""),
        )
    folder.write(curve)
    picture = write_picture(folder.path, curve)
    for line in curve_lines(curve):
        out.print(line, markup=False)
    if cut := cut_text(training.recipe.batch_size, len(dataset.train.labels)):
        out.print(f"Steps had {curve.batch_size} images{cut}.", markup=False)
    out.print(f"Picture: {picture}", markup=False)
    if curve.suggested_rate is not None:
        command = go_on_command("retrain", folder.path.absolute())
        words = join(with_flags((), {**said, "learning_rate": f"{curve.suggested_rate:.2g}"}))
        out.print(f"Train with it: {command} {words}", markup=False)
    return curve


def curve_lines(curve: RateCurve) -> tuple[str, ...]:
    """What a curve says, in words.

    Args:
        curve: Of rates that were tried.
    """
    tried = (
        f"{len(curve.rates)} learning rates from {curve.rates[0]:.2g} to {curve.rates[-1]:.2g}, "
        f"by {curve.optimizer} with {curve.batch_size} images a step"
    )
    if curve.suggested_rate is None:
        return (
            f"{tried}: the loss never fell, so that no rate is suggested.",
            "Look at the images and labels, or begin from another --learning_rate.",
        )
    return (
        f"{tried}.",
        f"The loss falls fastest at {curve.steepest_rate:.2g} and is lowest at "
        f"{curve.lowest_rate:.2g}.",
        f"Suggested peak: {curve.suggested_rate:.2g}, a tenth of the latter; the recipe has "
        f"{curve.recipe_rate:.2g}. It is a beginning: short trainings with it, with a third of it "
        "and with three times as much tell more.",
    )
