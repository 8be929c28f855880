"""Progressive resizing: small images first, larger ones later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nas.architecture.spec import Architecture
from nas.architecture.weights import architecture_weights
from nas.errors import ArchitectureError, InputError
from nas.ranges import check_count


def check_ascending(sizes: Sequence[int]) -> None:
    """Refuses sizes that are none, or that do not grow.

    Args:
        sizes: Sides in pixels, the first one first; none where all images have their own.

    Raises:
        InputError: They are wrong.
    """
    for size in sizes:
        check_count("image_sizes", size)
    if any(later <= earlier for earlier, later in zip(sizes, sizes[1:], strict=False)):
        found = ",".join(map(str, sizes))
        wanted = ",".join(map(str, sorted(set(sizes))))
        raise InputError("image_sizes that grow", found, f"write image_sizes {wanted}")


def size_at(sizes: Sequence[int], step: int, total_steps: int) -> int:
    """Side of the images of a step in pixels; each size has an equal part of the steps.

    Args:
        sizes: One or more, as a recipe has them.
        step: Its number, from 0.
        total_steps: Steps in all, more than `step`.
    """
    return sizes[step * len(sizes) // total_steps]


def check_takes_sizes(architecture: Architecture, sizes: Sequence[int]) -> None:
    """Refuses a network that cannot read smaller images, and sizes above its own.

    Args:
        architecture: The network.
        sizes: As a recipe has them; may be none.

    Raises:
        InputError: There is a size that it cannot be trained with.
    """
    full = architecture.image_size
    for size in sizes:
        if size > full:
            raise InputError(
                f"image_sizes up to {full}, the side of the network's images",
                f"{size}",
                f"leave out of image_sizes what is above {full}",
            )
        why = _why_not(architecture, size)
        if why is not None:
            raise InputError(
                f"a network that takes images of {size} pixels with the weights that it has for "
                f"{full}",
                why,
                "leave image_sizes out, or use a network that takes the mean of its last map "
                "(`gap`) and does not flatten it (`flat`)",
            )


def _why_not(architecture: Architecture, size: int) -> str | None:
    """Why a network cannot read images of a size; None if it can."""
    try:
        smaller = architecture_weights(replace(architecture, image_size=size))
    except ArchitectureError as error:
        return error.received
    pairs = zip(architecture_weights(architecture), smaller, strict=True)
    other = next((pair for pair in pairs if pair[0] != pair[1]), None)
    if other is None:
        return None
    return f"`{other[0].name}` of shape {other[1].shape} instead of {other[0].shape}"


class OneGraphASize:
    """Makes the graph of a model's step anew when the size of its images changes.

    TensorFlow would make one graph for all sizes at the second one. A training that goes on with
    the second size would then run another graph than one that was never stopped.

    Args:
        model: Compiled.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._size: int | None = None

    def look_at(self, size: int) -> None:
        """Takes notice of the next step.

        Args:
            size: Side of its images in pixels.
        """
        if self._size not in (None, size):
            self._model.make_train_function(force=True)
        self._size = size
