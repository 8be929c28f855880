"""Gates: the interface of both forms, and the categorical one.

Hard samples forwards, a softmax's gradient backwards. `threshold_gates` has the other form.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.layers.draw import SKIP, GateDraw
from nas.layers.fast import Tensor

# Logit of an option that does not exist at a choice; its probability is exactly 0 in float32.
FORBIDDEN = -1e9


class BaseGates(keras.layers.Layer):
    """The decisions of the current step, and what both forms of gates promise.

    A form has variables of its own, which are all that its optimizer moves
    (`trainable_variables`), and turns them into decisions. Draws come from outside, so that a
    step can be repeated exactly.

    Args:
        allowed: Decision -> (choices, options) 1 where the option exists at the choice.
    """

    # Of a form that has none.
    temperature: Any = 1.0

    def __init__(self, allowed: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allowed = {name: np.asarray(table, bool) for name, table in allowed.items()}
        self.hard: dict[str, Any] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The decisions, in the order in which they are drawn."""
        return tuple(self.allowed)

    def _variable(self, name: str, value: Any, trainable: bool = False) -> Any:
        value = np.asarray(value, np.float32)
        return self.add_weight(
            name=name,
            shape=value.shape,
            initializer=lambda _shape, dtype=None: ops.convert_to_tensor(value, dtype),
            trainable=trainable,
            autocast=False,
        )

    def bind(self, blocks: Sequence[Any]) -> None:
        """Shows the gates the built super layers, one a choice, whose weights some forms read."""

    def set_draw(self, draw: GateDraw) -> None:
        """Fixes the decisions of the next steps."""
        for name, hard in draw.hard.items():
            self.hard[name].assign(hard)

    def decisions(self, differentiable: bool) -> dict[str, Tensor]:
        """Gate values of each decision, one-hot; with the surrogate's gradient if asked for."""
        return self._surrogates() if differentiable else dict(self.hard)

    @abstractmethod
    def _surrogates(self) -> dict[str, Tensor]:
        """One-hot values of each decision that have a gradient."""

    @abstractmethod
    def probabilities(self) -> dict[str, Tensor]:
        """Of every option of each decision; rows sum to 1. Cost and choice read these."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> GateDraw:
        """A draw of what the gates stand for now.

        Args:
            rng: Generator of this step.
        """

    def call(self, inputs: Tensor) -> Tensor:
        """Gates are read, not called."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """What a copy is made from."""
        allowed = {name: table.tolist() for name, table in self.allowed.items()}
        return {**super().get_config(), "allowed": allowed}


@keras.saving.register_keras_serializable("stopwatch_nas")
class Gates(BaseGates):
    """Categorical gates: one table of logits a decision, for all choices of a space.

    Straight-through Gumbel-softmax (Jang et al. 2017, arXiv 1611.01144): forwards the one-hot
    sample, backwards the gradient of softmax((logits + noise) / temperature). Neither depends
    on the width of a layer.

    Args:
        allowed: Decision -> (choices, options) 1 where the option exists at the choice.
    """

    def __init__(self, allowed: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(allowed, **kwargs)
        self.logits: dict[str, Any] = {}
        self.noise: dict[str, Any] = {}
        for name, table in self.allowed.items():
            start = np.where(table, self._even(name), FORBIDDEN)
            self.logits[name] = self._variable(f"{name}_logits", start, trainable=True)
            first = np.eye(start.shape[1], dtype=np.float32)[start.argmax(1)]
            self.hard[name] = self._variable(f"{name}_hard", first)
            self.noise[name] = self._variable(f"{name}_noise", np.zeros_like(start))
        self.temperature = self._variable("temperature", np.float32(1.0))
        self.built = True

    def _even(self, name: str) -> np.ndarray:
        """Logits that are even over the joint options of a block, of which skip is one."""
        table = self.allowed[name]
        if name != SKIP:
            return np.zeros(table.shape)
        joint = np.ones(len(table))
        for other, allowed in self.allowed.items():
            joint = joint * (1 if other == SKIP else allowed.sum(1))
        return np.stack([np.zeros(len(joint)), -np.log(joint)], axis=1)

    def set_draw(self, draw: GateDraw) -> None:
        """Fixes the decisions of the next steps, and the noise of their gradient."""
        super().set_draw(draw)
        for name, hard in draw.hard.items():
            self.noise[name].assign(draw.noise.get(name, np.zeros_like(hard)))

    def _surrogates(self) -> dict[str, Tensor]:
        return {name: self._straight_through(name) for name in self.names}

    def _straight_through(self, name: str) -> Tensor:
        soft = ops.softmax((self.logits[name] + self.noise[name]) / self.temperature, axis=-1)
        return self.hard[name] + soft - ops.stop_gradient(soft)

    def probabilities(self) -> dict[str, Tensor]:
        """softmax(logits) of each decision, without noise and temperature."""
        return {name: ops.softmax(logits, axis=-1) for name, logits in self.logits.items()}

    def sample(self, rng: np.random.Generator) -> GateDraw:
        """A sample of softmax(logits) by the Gumbel-max trick.

        Source: Maddison et al. 2014, arXiv 1411.0030: argmax(logits + Gumbel noise) ~ softmax.

        Args:
            rng: Generator of this step; noise is drawn decision by decision.
        """
        hard, noise = {}, {}
        for name, variable in self.logits.items():
            logits = ops.convert_to_numpy(variable)
            noise[name] = rng.gumbel(size=logits.shape).astype(np.float32)
            best = (logits + noise[name]).argmax(1)
            hard[name] = np.eye(logits.shape[1], dtype=np.float32)[best]
        return GateDraw(hard, noise)
