"""The images and the space that a run's settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.data import Dataset, load_dataset
from nas.errors import InputError
from nas.recipes.scales import Scale
from nas.search_space.named import get_space, space_for
from nas.search_space.space import Space
from nas.system.console import out


def load_data(config: dict[str, Any]) -> Dataset:
    """Loads the images of a run and says what they are.

    Args:
        config: A run's config.json, or the part of it that is known so far.

    Raises:
        InputError: Not the images that the run began with.
    """
    data = config["data"]
    if data["data_dir"] is None:
        out.print("No --data_dir: using the embedded sample, images drawn by this program.")
    dataset = load_dataset(
        data["data_dir"],
        image_size=config["image_size"],
        skip_bad_images=data["skip_bad_images"],
        seed=config["seed"],
        sample_size=scale_of(config).sample,
    )
    if "fingerprint" in data and data["fingerprint"] != dataset.fingerprint:
        raise InputError(
            f"the images that the run began with (fingerprint {data['fingerprint']})",
            f"other images ({dataset.fingerprint})",
            "give the same --data_dir, or begin another run",
        )
    out.print(
        f"Data: {dataset.name}, {dataset.num_classes} classes, {len(dataset.train.labels)} "
        f"training and {len(dataset.evaluation.labels)} evaluation images of "
        f"{dataset.image_size} px.",
        markup=False,
    )
    for note in dataset.notes:
        out.print(f"  {note}", markup=False)
    return dataset


def scale_of(config: Mapping[str, Any]) -> Scale:
    """The size of a run's job.

    Args:
        config: A run's config.json, or the part of it that is known so far.
    """
    return Scale.fitting(config["data"]["data_dir"] is None, bool(config["smoke"]))


def space_of(name: str | None, dataset: Dataset) -> Space:
    """The named space, or one that fits the images, at their size and number of classes."""
    if name is None:
        name = "sample" if dataset.is_sample else space_for(dataset.image_size)
    return get_space(name, dataset.image_size, dataset.num_classes)


def data_record(config: dict[str, Any], dataset: Dataset) -> dict[str, Any]:
    """What config.json keeps of the images."""
    return {
        **config["data"],
        "name": dataset.name,
        "is_sample": dataset.is_sample,
        "fingerprint": dataset.fingerprint,
        "train_images": len(dataset.train.labels),
        "evaluation_images": len(dataset.evaluation.labels),
        "class_names": list(dataset.class_names),
        "notes": list(dataset.notes),
    }
