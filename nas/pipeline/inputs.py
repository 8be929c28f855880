"""The images and the space that a run asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nas.architecture.spec import Architecture
from nas.cost.constraints import Bounds
from nas.data import Dataset, load_dataset
from nas.data.load import SAMPLE_HOLDS, load_sample, refuse_file_options
from nas.data.look import Looks, look_at
from nas.data.samples import LETTERS, SAMPLES
from nas.data.toy import toy_looks, toy_part
from nas.errors import InputError, SpaceError
from nas.pipeline.orders import check_images, order_images
from nas.recipes.scales import Scale
from nas.runs.data import OF_FILES, DataRecord, DataSource, class_differences
from nas.runs.folder import RunFolder
from nas.search_space.bits import BitWidths, with_bits
from nas.search_space.knob_space import KnobSpace
from nas.search_space.named import any_space, get_space
from nas.search_space.space import Space
from nas.selection.default_space import default_space
from nas.system.console import out

NO_BOUNDS = Bounds()
SPACE_OF_LETTERS = "sample"
SAME_IMAGES = (
    "give the same images by --data_dir, or begin another run; `main.py --arch` trains the network "
    "of a run, its architecture.json, on other images"
)


def load_data(
    source: DataSource,
    sizes: Scale,
    seed: int,
    given: Dataset | None = None,
    record: DataRecord | None = None,
) -> Dataset:
    """Loads the images of a run and says what they are.

    Args:
        source: The images that are asked for.
        sizes: Whether few images are used, as at toy size.
        seed: Of the division where the images' layout has none.
        given: Images that a program handed over; None if they are to be read.
        record: The images that the run began with; None where it begins now.

    Raises:
        InputError: Images that were handed over to the run are missing now, or those of a run are
            not where they were.
        DataError: They are missing, broken or of no known layout.
    """
    _check_named(source, given, record)
    asked = source if given is None else DataSource("memory")
    leading = order_images(asked, sizes.name, seed)
    if given is None:
        given = _sample(source, sizes) if source.path is None else _files(source, seed, record)
    if _is_cut(sizes, record, given.train.labels):
        given = toy_part(given)
    out.print(
        f"Data: {given.name}, {given.num_classes} classes, {len(given.train.labels)} "
        f"training and {len(given.evaluation.labels)} evaluation images of "
        f"{given.image_size} px.",
        markup=False,
    )
    for note in given.notes:
        out.print(f"  {note}", markup=False)
    if leading is not None:
        check_images(leading, given)
    return given


def looks_of(
    source: DataSource,
    sizes: Scale,
    seed: int,
    given: Dataset | None = None,
    record: DataRecord | None = None,
) -> Looks:
    """What is known of the images of a run before any of them is decoded.

    Args:
        source: The images that are asked for.
        sizes: Whether few images are used, as at toy size.
        seed: Of the division where the images' layout has none.
        given: Images that a program handed over; None if they are to be read.
        record: The images that the run began with; None where it begins now.

    Raises:
        InputError: As `load_data`.
        DataError: Likewise.
    """
    _check_named(source, given, record)
    if given is not None:
        found = Looks.of(given)
    else:
        sample = source.drawn or LETTERS
        found = look_at(source.path, source.image_size, seed, sample, sizes.is_toy)
        _check_classes(record, source.path, found.class_names)
    return toy_looks(found) if _is_cut(sizes, record, found.train_labels) else found


def _is_cut(sizes: Scale, record: DataRecord | None, labels: np.ndarray) -> bool:
    """Whether few of the images are used; a run that began with all of them goes on with all."""
    return sizes.is_toy and (record is None or record.train_images != len(labels))


def _check_named(source: DataSource, given: Dataset | None, record: DataRecord | None) -> None:
    """Refuses images that nobody handed over, or that are not where they were."""
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
    path = source.path
    if given is None and record is not None and path is not None and not Path(path).exists():
        raise InputError(
            f"the images that the run began with, at {path}",
            "nothing there" + ("" if Path(path).is_absolute() else ", seen from here"),
            "name their folder by --data_dir; they are compared with those of the run",
        )


def _sample(source: DataSource, sizes: Scale) -> Dataset:
    name = source.drawn or LETTERS
    why = "No --data_dir: using" if source.sample is None else "Using"
    title = SAMPLES[name].title
    out.print(f"{why} the {title}, images drawn by this program.", markup=False)
    refuse_file_options(SAMPLE_HOLDS, source.resize, source.skip_bad_images, source.verify_data)
    return load_sample(source.image_size, name=name, is_toy=sizes.is_toy)


def _files(source: DataSource, seed: int, record: DataRecord | None) -> Dataset:
    path = source.path or ""
    return load_dataset(
        path,
        check_classes=partial(_check_classes, record, path),
        image_size=source.image_size,
        resize=source.resize,
        skip_bad_images=source.skip_bad_images,
        verify_data=source.verify_data,
        seed=seed,
    )


def _check_classes(
    record: DataRecord | None, path: str | None, class_names: tuple[str, ...]
) -> None:
    """Refuses other classes before the minutes of decoding; all else is compared after it."""
    if record is None:
        return
    differences = class_differences(record.class_names, class_names)
    if differences:
        raise InputError(
            f"the images that the run began with: {record.summary}",
            f"{path}, with {'; '.join(differences)}",
            SAME_IMAGES,
        )


def source_now(
    recorded: DataSource, named: DataSource | None, options: Mapping[str, Any] | None = None
) -> DataSource:
    """The images of a run that goes on, at the place where they are now.

    Args:
        recorded: What the run was asked for.
        named: The place that is named now; None for the recorded one.
        options: Of how files are read, if any are given now; the run's own stay otherwise.
    """
    given = {name: value for name, value in (options or {}).items() if name in OF_FILES}
    source = replace(recorded, verify_data=False)  # one call's wish
    if named is not None:
        source = replace(source, kind=named.kind, path=named.path, sample=named.sample)
    return replace(source, **given)


def check_fits(
    architecture: Architecture, images: Dataset | Looks, takes_any_classes: bool
) -> None:
    """Refuses images that a network does not take.

    Args:
        architecture: The network.
        images: That are there, or that were looked at.
        takes_any_classes: Whether its last layer may be made as wide as they need.

    Raises:
        InputError: Images of another size, or of another number of classes.
    """
    if images.image_size != architecture.image_size:
        raise InputError(
            f"images of {architecture.image_size} px, as the network takes them",
            f"{images.image_size} px in {images.name}",
            f"give images of that size, or a network that begins with in_s{images.image_size}",
        )
    if not takes_any_classes and images.num_classes != architecture.num_classes:
        raise InputError(
            f"images of {architecture.num_classes} classes, as the run's network has",
            f"{images.num_classes} classes in {images.name}",
            SAME_IMAGES,
        )


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
    record.check_same(dataset, "the run began with", SAME_IMAGES)
    return record


def recipe_of(name: str, images: Dataset | Looks) -> str | None:
    """Name of the recipe that a space brings for its networks; None where it brings none.

    Args:
        name: Of the space.
        images: That are there, or that were looked at.

    Raises:
        SpaceError: No such space, or images of a size that it has no networks for.
    """
    found = any_space(name, images.image_size, images.num_classes)
    return found.recipe if isinstance(found, KnobSpace) else None


def space_of(
    name: str | None,
    images: Dataset | Looks,
    bounds: Bounds = NO_BOUNDS,
    bits: BitWidths | None = None,
) -> Space:
    """The named space, or one that fits the images, at their size and number of classes.

    Args:
        name: Of the space; None for one that fits.
        images: That are there, or that were looked at.
        bounds: Beside the goal, which the space must leave a choice.
        bits: That its blocks choose from; None for the space as it is.

    Raises:
        SpaceError: No such space, one of knobs, one without a choice or whose blocks have no
            formats for `bits`, or images of a size that it has no networks for.
    """
    return with_bits(plain_space_of(name, images, bounds, bits), bits)


def plain_space_of(
    name: str | None, images: Dataset | Looks, bounds: Bounds, bits: BitWidths | None
) -> Space:
    """As `space_of`, without the bits, which only decide what fits the bounds.

    Args:
        name: Of the space; None for one that fits.
        images: That are there, or that were looked at.
        bounds: Beside the goal, which the space must leave a choice.
        bits: That its blocks will choose from.

    Raises:
        SpaceError: As for `space_of`.
    """
    size, classes = images.image_size, images.num_classes
    if name is None and images.name != SAMPLES[LETTERS].title:
        space, why = default_space(size, classes, bounds, bits)
        if why:
            out.print(why, markup=False)
        return space
    found = get_space(name or SPACE_OF_LETTERS, size, classes)
    if not found.choices:
        raise SpaceError(
            "a space with a choice, for a search that chooses between networks",
            f"space {found.name}, which has one network",
            "train it by main.py --arch; what differs in its recipe is searched by --method asha, "
            "hyperband, grid, or random with --max_trials, and --tune",
        )
    return found


def check_unchanged(space: Space | KnobSpace, name: str | None, fingerprint: str | None) -> None:
    """Refuses to go on with files of blocks or of a space that say something else by now.

    Args:
        space: As those files say it now.
        name: Of the space, as the run was asked for.
        fingerprint: Of the space that the run began with; None where it has none.

    Raises:
        InputError: It is another space.
    """
    if fingerprint not in (None, space.fingerprint()):
        raise InputError(
            f"space {name} as the run began, fingerprint {fingerprint}",
            f"fingerprint {space.fingerprint()}",
            "bring back the files of --space and --blocks as they were, or begin another run",
        )
