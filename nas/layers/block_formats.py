"""Number formats of the operations of an inverted residual, decided for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nas.architecture.number_formats import format_text
from nas.layers.fast import Tensor
from nas.layers.mixed_formats import MixedFormats
from nas.layers.super_layer import Gates, gate_of

# Decisions on formats, as records name them.
WEIGHTS, READ = "weight_format", "activation_format"
# Operation -> the axes of its kernel that the sum of an output runs over.
AXES = {"expand": (0, 1, 2), "depthwise": (0, 1, 3), "project": (0, 1, 2)}


def block_formats(
    formats: Mapping[str, Sequence[str]] | None, has_expand: bool
) -> dict[str, MixedFormats]:
    """Operation -> its formats; the first one reads what the block reads.

    Args:
        formats: As `SuperBlock` takes them; None for float32.
        has_expand: Whether there is a first convolution.
    """
    if formats is None:
        return {}
    names = [name for name in AXES if has_expand or name != "expand"]
    return {
        name: MixedFormats(
            formats["weights"],
            formats["read" if name == names[0] else "inside"],
            AXES[name],
            name=f"{name}_formats",
        )
        for name in names
    }


def block_scales(
    formats: Mapping[str, MixedFormats],
    texts: Mapping[str, Sequence[str]] | None,
    values: Mapping[str, Any],
) -> dict[str, np.ndarray]:
    """The learned scales of one option, under the names of `nas.architecture.weights`.

    Args:
        formats: Of a block.
        texts: That it was made of.
        values: Decision -> value of the option.
    """
    found: dict[str, np.ndarray] = {}
    for name, mixed_formats in formats.items():
        place = 0
        if texts is not None and READ in values:
            place = texts["read"].index(format_text(values[READ]))
        found |= mixed_formats.weights_of(name, place)
    return found


def drawn_formats(
    formats: Mapping[str, MixedFormats], gates: Gates, is_sampled: bool
) -> DrawnFormats:
    """What a call does to the numbers of a block.

    Args:
        formats: Of the block.
        gates: Of its choice.
        is_sampled: Whether gates get no gradient.
    """
    return DrawnFormats(formats, gate_of(gates, WEIGHTS), gate_of(gates, READ), is_sampled)


@dataclass(frozen=True)
class DrawnFormats:
    """What one call of a layer of several operations does to their numbers.

    Args:
        formats: Operation -> its formats; those that are missing are in float32.
        weights: Gate of the formats of kernels.
        activations: Gate of the formats of what is read.
        is_sampled: Whether gates get no gradient.
    """

    formats: Mapping[str, MixedFormats]
    weights: Tensor
    activations: Tensor
    is_sampled: bool

    def read(self, name: str, x: Tensor, channels: Tensor | int | None = None) -> Tensor:
        """As `MixedFormats.read`, of one operation.

        Args:
            name: Of the operation.
            x: What it reads.
            channels: How many of the channels belong to the drawn network; None for all of them.
        """
        if name not in self.formats:
            return x
        return self.formats[name].read(x, self.activations, self.is_sampled, channels)

    def kernel(self, name: str, values: Tensor, counted: Tensor | None = None) -> Tensor:
        """As `MixedFormats.kernel`, of one operation.

        Args:
            name: Of the operation.
            values: Its kernel.
            counted: 1 where a weight belongs to the drawn network; None for all weights.
        """
        if name not in self.formats:
            return values
        return self.formats[name].kernel(values, self.weights, self.is_sampled, counted)
