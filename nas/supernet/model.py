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
from nas.architecture.lowering import lower
from nas.builders.keras_layers import CallLayer, LayerSettings, OpChain
from nas.errors import InputError
from nas.layers.batch_norm import BatchNorm
from nas.layers.draw import GateDraw
from nas.layers.fast import Tensor
from nas.layers.gates import BaseGates, Gates
from nas.layers.quantized_layer import QuantizedLayer
from nas.layers.super_layer import EXECUTIONS, SuperLayer
from nas.layers.threshold_gates import ThresholdGates
from nas.search_space.choice import OneOf
from nas.search_space.space import Space
from nas.supernet.super_layers import layer_of

GATE_FORMS: dict[str, type[BaseGates]] = {"categorical": Gates, "threshold": ThresholdGates}


def check_execution(execution: str) -> None:
    """Refuses what is no execution of a supernet.

    Raises:
        ValueError: Not one of `EXECUTIONS`.
    """
    if execution not in EXECUTIONS:
        # Keras repeats what is raised inside of a call, which only plain exceptions survive.
        raise ValueError(
            f"Expected `execution`, one of {', '.join(EXECUTIONS)}. Received: "
            f"execution={execution!r}. Fix: choose one of these."
        )


class Supernet(keras.Model):
    """All networks of a space in one set of weights.

    Args:
        space: Its choices may be between any records.
        gate: One of `GATE_FORMS`.
        batch_norm_momentum: Of the running statistics, 0 to below 1.
        dropout: Replaces the rate of every dropout layer; None keeps the space's.

    Raises:
        ValueError: Another form of gates.
        InputError: A form that has no gates for the space's decisions.
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
            raise InputError(
                f"`gate`, one of {', '.join(GATE_FORMS)}", f"gate={gate!r}", "choose one of these"
            )
        self.space = space
        self.gates = GATE_FORMS[gate](space.tables.allowed, name="gates")
        self.scale = keras.layers.Rescaling(spec.PIXEL_SCALE, spec.PIXEL_OFFSET)
        settings = LayerSettings(batch_norm_momentum, dropout, is_quantized=space.has_formats)
        self.stages: list[SuperLayer | OpChain] = []
        # Keras tracks layers in lists of layers, and numbers variables in this order.
        self.parts: list[Any] = []
        shapes = space.input_shapes()
        for index, (layer, shape) in enumerate(zip(space.layers, shapes, strict=True)):
            if isinstance(layer, OneOf):
                block = layer_of(layer, shape, settings, f"block_{index}")
                self.parts.append(block)
                self.stages.append(block)
            else:
                chain = OpChain(lower(layer, f"{index}", shape), settings)
                self.parts.append(chain.layers)
                self.stages.append(chain)
        self(np.zeros((1, space.image_size, space.image_size, spec.IMAGE_CHANNELS), np.float32))
        self.gates.bind(self.super_layers)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Makes the weights from the space's shapes; without it, Keras would trace a whole graph.

        Args:
            input_shape: Of a batch of images; the space says the same.
        """
        del input_shape
        for stage, shape in zip(self.stages, self.space.input_shapes(), strict=True):
            if isinstance(stage, OpChain):
                stage.build()
            else:
                stage.build((None, *shape))

    @property
    def super_layers(self) -> list[SuperLayer]:
        """The layers of the choices, in order."""
        return [stage for stage in self.stages if isinstance(stage, SuperLayer)]

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
        fixed = _fixed_call(training, update_statistics)
        x = self.scale(images)
        number = 0
        for stage in self.stages:
            if isinstance(stage, SuperLayer):
                x = stage(
                    x,
                    self._gates_of(number, decisions),
                    training=training,
                    update_statistics=update_statistics,
                    execution=execution,
                )
                number += 1
            else:
                x = stage.run(x, fixed)
        # A softmax of half precision would overflow or lose small classes.
        return ops.cast(x, "float32")

    def _gates_of(self, number: int, decisions: dict[str, Tensor]) -> dict[str, Tensor]:
        """Gates of one choice, over its own options."""
        found = {}
        for decision in self.space.choices[number].decisions:
            row = decisions[decision.name][number]
            columns = self.space.tables.own_columns(decision)
            whole = columns == list(range(row.shape[0]))
            found[decision.name] = row if whole else ops.take(row, np.array(columns))
        return found

    def draw_of(self, indices: tuple[int, ...]) -> GateDraw:
        """The draw of one network of the space.

        Args:
            indices: One option a choice, as `Space.encode` gives them.
        """
        return GateDraw(self.space.tables.hard(indices))

    def get_config(self) -> dict[str, Any]:
        """Refuses: a space is no Keras configuration."""
        raise NotImplementedError("A supernet is rebuilt from its space, not from a Keras config.")


def _fixed_call(training: bool, update_statistics: bool) -> CallLayer:
    """How the layers of what is no choice are called."""

    def call(layer: Any, x: Any) -> Any:
        if isinstance(layer, BatchNorm):
            return layer(x, training=training, update_statistics=update_statistics)
        if isinstance(layer, keras.layers.Dropout | QuantizedLayer):
            return layer(x, training=training)
        return layer(x)

    return call
