"""Networks by themselves: named or read, counted, built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency.device.files import read_bytes
from nas.architecture import text as arch_text
from nas.architecture.bounds import MOST_CHARACTERS, shown
from nas.architecture.keras_files.archive import SUFFIX as KERAS
from nas.architecture.keras_files.reading import read_keras
from nas.architecture.references.named import NAMES, described, is_name
from nas.architecture.spec import Architecture
from nas.architecture.timm_text import PREFIX
from nas.cost.counts import ArchitectureCost, architecture_cost
from nas.data import Dataset
from nas.data.look import Looks, look_at
from nas.data.samples import LETTERS
from nas.errors import ArchitectureError, FieldError, InputError
from nas.runs.data import DataSource
from nas.system import backend
from nas.system.paths import exists, no_file, own_path

if TYPE_CHECKING:
    import keras

_TEXT_FILES = (".json", ".txt")
# Models of other programs: what they compute cannot be read as layers here.
_FOREIGN = (".onnx", ".h5", ".hdf5", ".pb", ".pt", ".pth", ".tflite", ".safetensors")
_NAME = re.compile(r"[A-Za-z0-9_.@+-]*")


@dataclass(frozen=True)
class GivenNetwork:
    """A network that somebody gave.

    Args:
        architecture: The network.
        takes_any_classes: Whether it is a published one, whose classes are those of the images.
        notes: What is not as it was given, or as it was published, in sentences.
    """

    architecture: Architecture
    takes_any_classes: bool = False
    notes: tuple[str, ...] = ()


def read_network(
    value: str, image_size: int | None = None, num_classes: int | None = None
) -> GivenNetwork:
    """A network as `main.py --network` takes it.

    Args:
        value: Name of a published network, path of a Keras file, or what `read_architecture` takes.
        image_size: Height and width in pixels, for published networks and for Keras files that take
            any; None for the published ones.
        num_classes: Class scores of a published network; None for the published ones.

    Raises:
        InputError: An unknown name, with the nearest one; no such file, or no network.
    """
    if value.endswith(KERAS):
        found = read_keras(own_path(value), image_size)
        return GivenNetwork(found.architecture, False, found.notes)
    if value.endswith(_FOREIGN):
        raise InputError(
            f"a Keras file ({KERAS}), an architecture, or one of {', '.join(NAMES)}",
            f"{value}, whose layers cannot be read",
            f"save the model by model.save('NAME{KERAS}') with Keras 3, or write its layers",
        )
    if is_named(value):
        reference = described(value, image_size, num_classes)
        return GivenNetwork(reference.architecture, True, reference.notes)
    return GivenNetwork(read_architecture(value))


def network_for_images(
    value: str,
    options: Mapping[str, Any],
    source: DataSource | None = None,
    dataset: Dataset | None = None,
) -> GivenNetwork:
    """A network as `read_network` reads it, for the images that it will be trained on.

    Args:
        value: As `read_network` takes it.
        options: With `image_size` and `seed`, if given.
        source: The images, if they were named; None for the usual sample.
        dataset: Images that a program handed over; None if they are to be read.

    Raises:
        InputError: No network, or one of other classes than the images have. Published networks
            have those of the images.
        DataError: The images are missing, or of no known layout.
    """
    if dataset is not None:
        looks = Looks.of(dataset)
    else:
        path, sample = (source.path, source.drawn) if source else (None, None)
        size, seed = options.get("image_size"), options.get("seed", 0)
        looks = look_at(path, size, seed, sample or LETTERS)
    found = read_network(value, looks.image_size, looks.num_classes)
    check_classes(value, found.architecture, looks.num_classes)
    return found


def check_classes(value: str, network: Architecture, num_classes: int) -> None:
    """Refuses a network of other classes than the images have.

    Args:
        value: As `read_network` takes it.
        network: That it is.
        num_classes: Of the images.

    Raises:
        InputError: It has other ones.
    """
    if network.num_classes != num_classes:
        raise InputError(
            f"a network of {num_classes} classes, as the images have",
            f"{network.num_classes} classes in {_named(value)}",
            f"end the network in a dense layer of {num_classes} units, or give other images",
        )


def _named(value: str) -> str:
    """A file by its whole path, a long text by its beginning."""
    return value if value.endswith((KERAS, ".json")) else shown(value)


def is_named(value: str) -> bool:
    """Whether a text is a name, or a file of another program, and no architecture of ours.

    Args:
        value: As `read_network` takes it.
    """
    if is_name(value) or value.endswith((KERAS, *_FOREIGN)):
        return True
    is_ours = is_text(value) or value.endswith(_TEXT_FILES)
    return not is_ours and bool(_NAME.fullmatch(value)) and not exists(value)


def is_text(value: str) -> bool:
    """Whether a text begins as an architecture does; a path may have spaces, too.

    Args:
        value: As `read_network` takes it.
    """
    return value.lstrip().startswith(("in_s", PREFIX, "{"))


def read_architecture(text_or_file: str) -> Architecture:
    """An architecture from a file with JSON or text, or from the text itself.

    Args:
        text_or_file: As `main.py --arch` takes it.

    Raises:
        InputError: No such file, or no architecture.
    """
    path = own_path(text_or_file) if text_or_file.startswith("~") else Path(text_or_file)
    looks_like_file = text_or_file.endswith(_TEXT_FILES) or "/" in text_or_file
    try:
        is_file = path.is_file()
    except OSError:
        is_file = False  # a long string is no path
    if is_file:
        try:
            return arch_text.loads(read_bytes(path, MOST_CHARACTERS).decode("utf-8"), str(path))
        except UnicodeDecodeError:
            raise ArchitectureError(
                "an architecture as UTF-8 text", f"{path}", "give architecture.json of a run"
            ) from None
    is_line = " " in text_or_file and is_text(text_or_file)
    if looks_like_file and not is_line:
        raise InputError("an architecture file", no_file(path), "check --arch")
    if is_name(text_or_file):
        raise InputError(
            "an architecture, as text or a file",
            f"{shown(text_or_file)}, the name of a published network",
            f"write --network {text_or_file}",
        )
    return arch_text.loads(text_or_file)


def sized_network(
    value: Architecture | str, image_size: int | None = None, num_classes: int | None = None
) -> GivenNetwork:
    """A network by itself, of the size and classes that are asked for.

    Args:
        value: The network, or what `read_network` takes.
        image_size: Height and width in pixels; None for its own.
        num_classes: Class scores; None for its own.

    Raises:
        InputError: No network, or one of another size or of other classes.
    """
    if isinstance(value, str):
        given = read_network(value, image_size, num_classes)
    else:
        given = GivenNetwork(value)
    found = given.architecture
    if image_size not in (None, found.image_size):
        raise FieldError(
            f"image_size {found.image_size}, the network's",
            f"{image_size}",
            "leave it out",
            "image_size",
        )
    if num_classes is not None and num_classes != found.num_classes:
        raise InputError(
            f"num_classes {found.num_classes}, the network's", f"{num_classes}", "leave it out"
        )
    return given


def count(
    architecture: Architecture | str, image_size: int | None = None, num_classes: int | None = None
) -> ArchitectureCost:
    """Parameters, multiply-adds and bytes of a network; starts no framework.

    Args:
        architecture: The network, or its text, or a file with it, or the name of a published one.
        image_size: Height and width in pixels of a published one; None for the published ones.
        num_classes: Class scores of a published one; None for the published ones.

    Raises:
        InputError: No architecture.
    """
    return architecture_cost(sized_network(architecture, image_size, num_classes).architecture)


def build_model(
    architecture: Architecture | str, image_size: int | None = None, num_classes: int | None = None
) -> keras.Model:
    """An untrained Keras model; its input is a batch of images from 0 to 255.

    Args:
        architecture: The network, or its text, or a file with it, or the name of a published one.
        image_size: Height and width in pixels of a published one; None for the published ones.
        num_classes: Class scores of a published one; None for the published ones.

    Raises:
        InputError: No architecture, or no backend that works.
    """
    found = sized_network(architecture, image_size, num_classes).architecture
    backend.import_keras()
    from nas.builders import keras_model

    return keras_model.build_model(found)
