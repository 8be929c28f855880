"""The images and the space that a run asks for."""

from __future__ import annotations

from nas.data import Dataset, load_dataset
from nas.errors import InputError
from nas.recipes.scales import Scale
from nas.runs.config import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.search_space.named import get_space, space_for
from nas.search_space.space import Space
from nas.system.console import out


def load_data(source: DataSource, sizes: Scale, seed: int, given: Dataset | None = None) -> Dataset:
    """Loads the images of a run and says what they are.

    Args:
        source: The images that are asked for.
        sizes: With the number of images of the embedded sample.
        seed: Of the division where the images' layout has none.
        given: Images that a program handed over; None if they are to be read.

    Raises:
        InputError: Images that were handed over to the run are missing now.
        DataError: They are missing, broken or of no known layout.
    """
    if given is None and source.kind == "memory":
        raise InputError(
            "the images that a program handed over to this run",
            "none",
            "go on from that program, or name files with the same images by --data_dir",
        )
    if given is not None and source.verify_data:
        raise InputError(
            "files of images with --verify_data",
            "images that a program handed over",
            "leave it out",
        )
    if given is None:
        if source.kind == "sample":
            out.print("No --data_dir: using the embedded sample, images drawn by this program.")
        given = load_dataset(
            source.path,
            image_size=source.image_size,
            resize=source.resize,
            skip_bad_images=source.skip_bad_images,
            verify_data=source.verify_data,
            seed=seed,
            sample_size=sizes.sample,
        )
    out.print(
        f"Data: {given.name}, {given.num_classes} classes, {len(given.train.labels)} "
        f"training and {len(given.evaluation.labels)} evaluation images of "
        f"{given.image_size} px.",
        markup=False,
    )
    for note in given.notes:
        out.print(f"  {note}", markup=False)
    return given


def keep_data(folder: RunFolder, dataset: Dataset) -> DataRecord:
    """Writes down which images a run has; refuses others once that is done.

    Args:
        folder: Of the run.
        dataset: Its images.

    Returns:
        The record in data.json.

    Raises:
        InputError: Not the images that the run began with.
    """
    if not folder.has(DataRecord):
        folder.write(DataRecord.of(dataset))
    record = folder.read(DataRecord)
    if not dataset.has_fingerprint(record.fingerprint):
        raise InputError(
            f"the images that the run began with (fingerprint {record.fingerprint})",
            f"other images ({dataset.fingerprint})",
            "give the same --data_dir, or begin another run; main.py --arch trains the network "
            "of a run on other images",
        )
    return record


def space_of(name: str | None, dataset: Dataset) -> Space:
    """The named space, or one that fits the images, at their size and number of classes.

    Args:
        name: Of the space; None for one that fits.
        dataset: The images.
    """
    if name is None:
        name = "sample" if dataset.is_sample else space_for(dataset.image_size)
    return get_space(name, dataset.image_size, dataset.num_classes)
