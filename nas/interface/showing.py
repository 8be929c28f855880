"""What there is of networks without training them: layers, curves, predictions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nas.architecture.spec import Architecture
from nas.errors import InputError
from nas.interface.named_networks import check_one_network, check_trained, folders_of, name_networks
from nas.pipeline.predict import MOST_DRAWN, predict
from nas.runs.config import CONFIG_FILE
from nas.runs.folder import RunFolder
from nas.runs.history import read_history
from nas.runs.predictions import Predictions
from nas.system.paths import exists, own_path
from nas.training.history import TrainingRow

CURVES_OF_SEVERAL = "curves-of-several.png"


@dataclass(frozen=True)
class ShownNetwork:
    """A network whose layers are shown.

    Args:
        name: For people.
        architecture: Its layers.
        notes: What of a published network is not as it was published.
    """

    name: str
    architecture: Architecture
    notes: tuple[str, ...] = ()


def shown_networks(words: Sequence[str], image_size: int | None = None) -> list[ShownNetwork]:
    """Networks with their names and their own numbers of classes.

    Args:
        words: Names, run folders, files, architecture strings; a sweep or a comparison stands for
            all of its networks.
        image_size: Height and width in pixels; None for each network's own.

    Raises:
        InputError: One names no network, or a network of another size.
    """
    spread: list[str] = []
    for word in words:
        path = own_path(word)
        is_run = exists(word) and (path / CONFIG_FILE).is_file()
        spread += map(str, folders_of(path)) if is_run else [word]
    found = [
        ShownNetwork(network.name, network.built(image_size, None), network.notes(image_size))
        for network in name_networks(spread)
    ]
    for network in found:
        own = network.architecture.image_size
        if image_size not in (None, own):
            raise InputError(
                f"--image_size {own}, that of {network.name}", f"{image_size}", "leave it out"
            )
    return found


def draw_curves(paths: Sequence[Path]) -> Path:
    """Draws the trainings of runs in one picture.

    Args:
        paths: Folders of runs, one or more; a sweep or a comparison stands for all of its runs.

    Returns:
        The picture: `curves.png` in the folder of the one that was named, or in that of the first
        one `curves-of-several.png`.

    Raises:
        InputError: A run is not trained.
    """
    from nas.report.curves import PICTURE_NAME, TrainingCurve, write_curves

    folders = [folder for path in paths for folder in folders_of(path)]
    for folder in folders:
        check_trained(RunFolder.open(folder))
    names = [network.name for network in name_networks([str(folder) for folder in folders])]
    curves = [
        TrainingCurve(name, read_history(TrainingRow, folder / TrainingRow.FILE))
        for name, folder in zip(names, folders, strict=True)
    ]
    picture = PICTURE_NAME if len(paths) == 1 else CURVES_OF_SEVERAL
    return write_curves(curves, paths[0] / picture)


def predict_images(
    folder: RunFolder,
    words: Sequence[str],
    int8: bool = False,
    tell: Callable[[Predictions], None] = lambda _: None,
) -> tuple[Predictions, list[str]]:
    """Predicts images, and writes what was said into the run's folder.

    Args:
        folder: Of the run.
        words: Paths of images and folders.
        int8: With the exported file of 8 bits.
        tell: Told what was predicted before anything is written.

    Returns:
        What was predicted, and lines that say what was written and what to know.

    Raises:
        InputError: No paths, no exported network, or nothing can be written.
    """
    from nas.report.predictions import write_sheets

    check_one_network(folder)
    found = predict(folder, words, int8)
    predictions = found.predictions
    tell(predictions)
    folder.write(predictions)
    lines = [f"Predictions: {folder.path_of(Predictions)} (by {predictions.model})"]
    try:
        sheets = write_sheets(folder.path_of(Predictions).parent, predictions, found.pictures)
        lines += [f"Picture: {path}" for path in sheets]
    except OSError as error:
        lines.append(f"Warning: the pictures cannot be written: {error}")
    if len(predictions.images) > MOST_DRAWN:
        lines.append(f"The first {MOST_DRAWN} of {len(predictions.images)} images are drawn.")
    if not predictions.is_preparation_known:
        size = predictions.preparation.image_size
        lines.append(
            f"Warning: the run does not know how its images became arrays of {size} px; these were "
            "squeezed to that size, which keeps no proportions."
        )
    return predictions, lines
