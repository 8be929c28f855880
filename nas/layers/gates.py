"""Categorical gates: hard samples forwards, a softmax's gradient backwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from nas.layers.fast import Tensor

# Logit of an option that does not exist at a choice; its probability is exactly 0 in float32.
FORBIDDEN = -1e9


@dataclass(frozen=True)
class GateDraw:
    """One hard decision for every choice, and the noise that it was drawn with.

    Args:
        kernel: (choices, kernels) one-hot.
        expansion: (choices, expansions) one-hot.
        skip: (choices, 2) one-hot of (keep, skip).
        noise: The Gumbel noise of the three, same shapes.
    """

    kernel: np.ndarray
    expansion: np.ndarray
    skip: np.ndarray
    noise: tuple[np.ndarray, np.ndarray, np.ndarray]


@keras.saving.register_keras_serializable("stopwatch_nas")
class Gates(keras.layers.Layer):
    """Logits of all choices of a space, and the decisions of the current step.

    Straight-through Gumbel-softmax (Jang et al. 2017, arXiv 1611.01144): forwards the one-hot
    sample, backwards the gradient of softmax((logits + noise) / temperature). Neither depends
    on the width of a layer. Draws come from outside, so that a step can be repeated exactly.

    Args:
        allowed_kernels: (choices, kernels) 1 where the option exists.
        allowed_expansions: (choices, expansions), likewise.
        skippable: (choices,), likewise.
    """

    def __init__(
        self,
        allowed_kernels: Any,
        allowed_expansions: Any,
        skippable: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.allowed_kernels = np.asarray(allowed_kernels, bool)
        self.allowed_expansions = np.asarray(allowed_expansions, bool)
        self.skippable = np.asarray(skippable, bool)
        allowed_skip = np.stack([np.ones_like(self.skippable), self.skippable], axis=1)
        # Even over the joint options of a block: skip is one of 1 + kernels * expansions.
        joint = self.allowed_kernels.sum(1) * self.allowed_expansions.sum(1)
        even_skip = np.stack([np.zeros(len(joint)), -np.log(joint)], axis=1)
        starts = {
            "kernel": np.where(self.allowed_kernels, 0.0, FORBIDDEN),
            "expansion": np.where(self.allowed_expansions, 0.0, FORBIDDEN),
            "skip": np.where(allowed_skip, even_skip, FORBIDDEN),
        }
        self.logits, self.hard, self.noise = {}, {}, {}
        for kind, start in starts.items():
            start = start.astype(np.float32)
            self.logits[kind] = self._variable(f"{kind}_logits", start, trainable=True)
            first = np.eye(start.shape[1], dtype=np.float32)[start.argmax(1)]
            self.hard[kind] = self._variable(f"{kind}_hard", first)
            self.noise[kind] = self._variable(f"{kind}_noise", np.zeros_like(start))
        self.temperature = self._variable("temperature", np.float32(1.0))
        self.built = True

    def _variable(self, name: str, value: Any, trainable: bool = False) -> Any:
        value = np.asarray(value, np.float32)
        return self.add_weight(
            name=name,
            shape=value.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(value, dtype),
            trainable=trainable,
            autocast=False,
        )

    def set_draw(self, draw: GateDraw) -> None:
        """Fixes the decisions of the next steps."""
        for kind, hard, noise in zip(
            ("kernel", "expansion", "skip"),
            (draw.kernel, draw.expansion, draw.skip),
            draw.noise,
            strict=True,
        ):
            self.hard[kind].assign(hard)
            self.noise[kind].assign(noise)

    def decisions(self, differentiable: bool) -> dict[str, Tensor]:
        """Gate values of each kind, one-hot; with the surrogate's gradient if asked for."""
        if not differentiable:
            return dict(self.hard)
        return {kind: self._straight_through(kind) for kind in self.hard}

    def _straight_through(self, kind: str) -> Tensor:
        soft = ops.softmax((self.logits[kind] + self.noise[kind]) / self.temperature, axis=-1)
        return self.hard[kind] + soft - ops.stop_gradient(soft)

    def probabilities(self) -> dict[str, Tensor]:
        """softmax(logits) of each kind, without noise and temperature."""
        return {kind: ops.softmax(logits, axis=-1) for kind, logits in self.logits.items()}

    def call(self, inputs: Tensor) -> Tensor:
        """Gates are read, not called."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "allowed_kernels": self.allowed_kernels.tolist(),
            "allowed_expansions": self.allowed_expansions.tolist(),
            "skippable": self.skippable.tolist(),
        }
