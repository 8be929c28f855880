"""Images and labels as arrays: checks, and the one form that networks take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.data.dataset import DataError, Split
from nas.data.layouts.layout import ArrayLayout


def array_split(source: str, images: np.ndarray, labels: np.ndarray) -> Split:
    """Checked arrays as one split; grey images become RGB.

    Args:
        source: Where they come from, for messages.
        images: (n, size, size), or (n, size, size, 1 or 3), uint8 from 0 to 255.
        labels: (n,) or (n, 1) whole numbers from 0.

    Raises:
        DataError: Another shape, type or number of either.
    """
    _check_labels(source, labels)
    if images.ndim == 3:
        images = images[..., None]
    _check_shape(source, images, len(labels))
    if images.dtype != np.uint8:
        raise DataError("uint8 pixels 0 to 255", f"{images.dtype} in {source}", _cast(images))
    return Split(
        np.repeat(images, 3, 3) if images.shape[3] == 1 else images,
        labels.reshape(-1).astype(np.int32),
    )


def _check_labels(source: str, labels: np.ndarray) -> None:
    one_each = labels.ndim in (1, 2) and labels.size == len(labels) > 0
    whole = labels.dtype.kind in "iu"
    # Beyond int32 an index would turn into another one.
    is_index = whole and not ((labels < 0) | (labels > np.iinfo(np.int32).max)).any()
    if one_each and is_index:
        return
    received, fix = f"{labels.dtype} of shape {labels.shape}", "store class indices"
    if labels.ndim == 2 and labels.shape[1] > 1:
        fix = "if each row has a 1 at its class, store numpy.argmax(labels, axis=1)"
    elif one_each and labels.dtype.kind in "USO":
        fix = "names, indices = numpy.unique(labels, return_inverse=True) gives class_names, too"
    elif one_each and labels.dtype.kind in "fb":
        fix = "store them with a type of whole numbers, such as int64"
    elif one_each and whole and (labels < 0).any():
        received = f"{labels.min()} among them ({(labels < 0).sum()} of {len(labels)} below 0)"
        fix = (
            "leave out images without a class; if it is a class, number the classes from 0, as "
            "numpy.unique(labels, return_inverse=True) does"
        )
    raise DataError("labels as whole numbers from 0, one an image", f"{received} in {source}", fix)


def _check_shape(source: str, images: np.ndarray, count: int) -> None:
    shape = images.shape
    is_square = images.ndim == 4 and shape[1] == shape[2] > 0 and shape[3] in (1, 3)
    if is_square and len(images) != count:
        raise DataError(
            "as many labels as images", f"{count} and {len(images)} in {source}", "match them"
        )
    if not is_square:
        raise DataError(
            "images of shape (n, size, size, 1 or 3)",
            f"{shape} in {source}",
            _reshape(shape, count),
        )


def _reshape(shape: tuple[int, ...], count: int) -> str:
    """What makes an array of images out of one of another shape."""
    if len(shape) == 2:
        return "give each image its height and width: images.reshape(n, size, size, channels)"
    if len(shape) != 4:
        return "reshape them"
    if shape[1] in (1, 3) and shape[3] not in (1, 3):
        squares = "" if shape[2] == shape[3] else ", and crop or pad the images to squares"
        return f"move the colours to the end: numpy.moveaxis(images, 1, 3){squares}"
    if shape[0] == shape[1] and shape[2] in (1, 3) and shape[3] == count:
        return "put the images first: numpy.moveaxis(images, 3, 0)"
    if shape[3] == 4:
        return "compose the alpha channel over a colour and store three channels"
    if shape[3] in (1, 3):
        return "crop or pad them to squares, or give them as files, which --resize makes square"
    return "reshape them"


def _cast(images: np.ndarray) -> str:
    """What makes 8-bit pixels out of others, as far as their range tells."""
    if images.dtype.kind not in "bfiu":
        return "store numbers from 0 to 255"
    low, high = images.min(), images.max()
    if images.dtype.kind == "b":
        return "images.astype(numpy.uint8) * 255"
    if images.dtype.kind == "f" and low >= 0 and high <= 1:
        return "(images * 255).round().astype(numpy.uint8)"
    if images.dtype.kind in "fiu" and low >= 0 and high <= 255:
        return "images.round().astype(numpy.uint8)"
    return f"scale the values, which go from {low} to {high}, to 0 to 255 and cast them to uint8"


def array_layout(
    name: str, source: str, train: Split, evaluation: Split, class_names: Sequence[Any] | None
) -> ArrayLayout:
    """Two splits that belong together.

    Args:
        name: Of the data set, for people.
        source: Where it comes from, for messages.
        train: Images to learn from.
        evaluation: Images to report on.
        class_names: Position is the class index; None names each class by its index.

    Raises:
        DataError: Two image sizes, an index that cannot be one, or too few names.
    """
    sizes = [split.images.shape[1] for split in (train, evaluation)]
    if sizes[0] != sizes[1]:
        raise DataError(
            "one image size", f"{sizes[0]} and {sizes[1]} pixels in {source}", "resize one part"
        )
    lowest = int(min(train.labels.min(), evaluation.labels.min()))
    if lowest > 0:
        raise DataError(
            "class indices from 0",
            f"labels from {lowest} in {source}",
            f"subtract {lowest} from all labels, also from those of the evaluation images",
        )
    highest = int(max(train.labels.max(), evaluation.labels.max()))
    if highest >= len(train.labels):  # before a name is made for each
        raise DataError(
            f"class indices below {len(train.labels)}, the number of training images",
            f"{highest} in {source}",
            "number the classes from 0",
        )
    names = tuple(str(v) for v in (range(highest + 1) if class_names is None else class_names))
    if len(names) <= highest:
        raise DataError(f"{highest + 1} class_names", f"{len(names)} in {source}", "add names")
    return ArrayLayout(name, train, evaluation, names, ("Class index: stored label.",))
