"""Space -> one Keras model with gates.

The model holds every network of the space at once; `nas.supernet.views` trains its weights and its
gates apart.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from nas.architecture import spec
from nas.architecture.lowering import has_residual, lower, squeeze_channels
from nas.architecture.operations import ConvOp, DenseOp, DropoutOp, PoolOp, SqueezeExciteOp
from nas.builders.keras_model import activation_layer, conv_layer, layer_name
from nas.errors import SpaceError
from nas.layers.batch_norm import BatchNorm
from nas.layers.fast import Tensor
from nas.layers.gates import BaseGates, GateDraw, Gates
from nas.layers.squeeze_excite import SqueezeExcite
from nas.layers.super_block import EXECUTIONS, SuperBlock
from nas.layers.threshold_gates import ThresholdGates
from nas.search_space.space import OneOf, Space

_KERAS_ACTIVATIONS = {
    "none": "linear",
    "relu": "relu",
    "relu6": "relu6",
    "hard_swish": "hard_silu",
}
GATE_FORMS: dict[str, type[BaseGates]] = {"categorical": Gates, "threshold": ThresholdGates}


def check_execution(execution: str) -> None:
    """Refuses what is no execution of a supernet.

    Raises:
        ValueError: Not one of `EXECUTIONS`.
    """
    if execution not in EXECUTIONS:
        raise ValueError(
            f"Expected `execution`, one of {', '.join(EXECUTIONS)}. Received: "
            f"execution={execution!r}. Fix: choose one of these."
        )


class Supernet(keras.Model):
    """All networks of a space in one set of weights.

    Args:
        space: Choices must be grids of kernels x expansions of one MBConv, with or without skip.
        gate: One of `GATE_FORMS`.
        batch_norm_momentum: Of the running statistics.
        dropout: Replaces the rate of every dropout layer; None keeps the space's.

    Raises:
        ValueError: Another form of gates.
    """

    def __init__(
        self,
        space: Space,
        *,
        gate: str = "categorical",
        batch_norm_momentum: float = 0.9,
        dropout: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if gate not in GATE_FORMS:
            raise ValueError(
                f"Expected `gate`, one of {', '.join(GATE_FORMS)}. Received: gate={gate!r}. Fix: "
                "choose one of these."
            )
        self.space = space
        choices = space.choices
        self.kernels = tuple(sorted({k for c in choices for k in c.kernels}))
        self.expansions = tuple(sorted({e for c in choices for e in c.expansions}))
        self.gates = GATE_FORMS[gate](
            [[k in c.kernels for k in self.kernels] for c in choices],
            [[e in c.expansions for e in self.expansions] for c in choices],
            [c.skippable for c in choices],
            name="gates",
        )
        self.scale = keras.layers.Rescaling(spec.PIXEL_SCALE, spec.PIXEL_OFFSET)
        self.momentum = batch_norm_momentum
        self.dropout_rate = dropout
        self.stages: list[Any] = []
        shapes = space.input_shapes()
        for index, (layer, shape) in enumerate(zip(space.layers, shapes, strict=True)):
            if isinstance(layer, OneOf):
                self.stages.append(self._super_block(layer, index, shape[2]))
            else:
                self.stages.append([self._fixed(op) for op in lower(layer, f"{index}", shape)])
        self(np.zeros((1, space.image_size, space.image_size, 3), np.float32))
        self.gates.bind([stage for stage in self.stages if isinstance(stage, SuperBlock)])

    def _super_block(self, choice: OneOf, index: int, in_channels: int) -> SuperBlock:
        first = choice.blocks[0]
        for block in choice.blocks:
            same = (block.stride, block.channels, block.se_ratio, block.activation)
            if same != (first.stride, first.channels, first.se_ratio, first.activation):
                raise SpaceError(
                    f"options of `{choice.tag}` that differ in kernel and expansion alone",
                    f"{block}",
                    "make one choice for each",
                )
        if len(choice.blocks) != len(choice.kernels) * len(choice.expansions):
            raise SpaceError(
                f"all of kernels {choice.kernels} x expansions {choice.expansions} at "
                f"`{choice.tag}`",
                f"{len(choice.blocks)} blocks",
                "complete the grid",
            )
        return SuperBlock(
            self.kernels,
            self.expansions,
            first.channels,
            first.stride,
            _KERAS_ACTIVATIONS[first.activation],
            squeeze_channels(first, in_channels) if first.se_ratio else 0,
            has_residual(first, in_channels),
            self.momentum,
            spec.BATCH_NORM_EPSILON,
            name=f"block_{index}",
        )

    def _fixed(self, op: Any) -> Any:
        """Layers of one fixed operation, in order."""
        name = layer_name(op.name)
        match op:
            case ConvOp():
                layer: Any = conv_layer(op)
            case DenseOp():
                layer = keras.layers.Dense(op.out_units, use_bias=op.bias, name=name)
            case SqueezeExciteOp():
                return [SqueezeExcite(op.squeeze_channels, name=name)]
            case PoolOp(kind="mean"):
                return [keras.layers.GlobalAveragePooling2D(name=name)]
            case PoolOp():
                return [keras.layers.MaxPooling2D(op.size, name=name)]
            case DropoutOp():
                rate = op.rate if self.dropout_rate is None else self.dropout_rate
                return [keras.layers.Dropout(rate, name=name)]
            case _:
                raise SpaceError(
                    "fixed layers of convolutions, dense layers, pooling and dropout",
                    f"{op}",
                    "make it a choice with one option",
                )
        layers = [layer]
        if op.batch_norm:
            layers.append(BatchNorm(self.momentum, spec.BATCH_NORM_EPSILON, name=f"{name}_bn"))
        if op.activation != "none":
            layers.append(activation_layer(op.activation, f"{name}_act"))
        return layers

    def call(
        self,
        images: Tensor,
        training: bool = False,
        differentiable_gates: bool = False,
        update_statistics: bool = True,
        execution: str = "masked",
    ) -> Tensor:
        """Class scores (batch, classes) of the network that the gates' last draw decides.

        Args:
            images: (batch, height, width, 3) pixels 0 to 255.
            training: As in Keras.
            differentiable_gates: Whether the logits get a gradient.
            update_statistics: Whether running statistics move in training mode.
            execution: `masked` or `sampled`, see `SuperBlock`; the latter computes only what
                was drawn, so gates that are to learn need the former.

        Raises:
            ValueError: Another execution, or gates that are to learn from a sampled one.
        """
        check_execution(execution)
        if execution == "sampled" and differentiable_gates:
            raise ValueError(
                "Expected masked execution where gates learn. Received: execution='sampled' with "
                "differentiable_gates=True. Fix: run gate steps masked; a sampled option says "
                "nothing about the others."
            )
        decisions = self.gates.decisions(differentiable_gates)
        x = self.scale(images)
        number = 0
        for stage, layer in zip(self.stages, self.space.layers, strict=True):
            if isinstance(layer, OneOf):
                keep = decisions["skip"][number, 0] if layer.skippable else None
                x = stage(
                    x,
                    decisions["kernel"][number],
                    decisions["expansion"][number],
                    keep,
                    training=training,
                    update_statistics=update_statistics,
                    execution=execution,
                )
                number += 1
                continue
            for fixed in (part for op_layers in stage for part in op_layers):
                if isinstance(fixed, BatchNorm):
                    x = fixed(x, training=training, update_statistics=update_statistics)
                elif isinstance(fixed, keras.layers.Dropout):
                    x = fixed(x, training=training)
                else:
                    x = fixed(x)
        # A softmax of half precision would overflow or lose small classes.
        return ops.cast(x, "float32")

    def draw_of(self, indices: tuple[int, ...]) -> GateDraw:
        """The draw of one network of the space.

        Args:
            indices: One option a choice, as `Space.encode` gives them.
        """
        count = len(self.space.choices)
        kernel = np.zeros((count, len(self.kernels)), np.float32)
        expansion = np.zeros((count, len(self.expansions)), np.float32)
        skip = np.zeros((count, 2), np.float32)
        for number, (index, choice) in enumerate(zip(indices, self.space.choices, strict=True)):
            option = choice.options[index]
            skipped = isinstance(option, spec.Skip)
            # A skipped block still computes something, multiplied by 0: its smallest option.
            block = option if isinstance(option, spec.MBConv) else choice.blocks[0]
            kernel[number, self.kernels.index(block.kernel)] = 1
            expansion[number, self.expansions.index(block.expansion)] = 1
            skip[number, int(skipped)] = 1
        noise = (np.zeros_like(kernel), np.zeros_like(expansion), np.zeros_like(skip))
        return GateDraw(kernel, expansion, skip, noise)

    def indices_of(self, draw: GateDraw) -> tuple[int, ...]:
        """The inverse of `draw_of`."""
        indices = []
        for number, choice in enumerate(self.space.choices):
            if draw.skip[number].argmax() == 1:
                indices.append([isinstance(o, spec.Skip) for o in choice.options].index(True))
                continue
            kernel = self.kernels[int(draw.kernel[number].argmax())]
            expansion = self.expansions[int(draw.expansion[number].argmax())]
            indices.append(choice.options.index(choice.option(kernel, expansion)))
        return tuple(indices)

    def option_grid(self, option_values: tuple[np.ndarray, ...]) -> np.ndarray:
        """Values of each choice's options -> (choices, kernels, expansions); skip is left out."""
        grid = np.zeros((len(option_values), len(self.kernels), len(self.expansions)), np.float32)
        for number, (values, choice) in enumerate(
            zip(option_values, self.space.choices, strict=True)
        ):
            for value, option in zip(values, choice.options, strict=True):
                if isinstance(option, spec.MBConv):
                    place = (
                        self.kernels.index(option.kernel),
                        self.expansions.index(option.expansion),
                    )
                    grid[(number, *place)] = value
        return grid

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("A supernet is rebuilt from its space, not from a Keras config.")
