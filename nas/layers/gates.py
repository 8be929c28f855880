"""Gates: the interface of both forms, and the categorical one.

Hard samples forwards, a softmax's gradient backwards. `threshold_gates` has the other form.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
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


KINDS = ("kernel", "expansion", "skip")


class BaseGates(keras.layers.Layer):
    """The decisions of the current step, and what both forms of gates promise.

    A form has variables of its own, which are all that its optimizer moves
    (`trainable_variables`), and turns them into decisions. Draws come from outside, so that a
    step can be repeated exactly.

    Args:
        allowed_kernels: (choices, kernels) 1 where the option exists.
        allowed_expansions: (choices, expansions), likewise.
        skippable: (choices,), likewise.
    """

    # Of a form that has none.
    temperature: Any = 1.0

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
        self.hard: dict[str, Any] = {}

    def _variable(self, name: str, value: Any, trainable: bool = False) -> Any:
        value = np.asarray(value, np.float32)
        return self.add_weight(
            name=name,
            shape=value.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(value, dtype),
            trainable=trainable,
            autocast=False,
        )

    def bind(self, blocks: Sequence[Any]) -> None:
        """Shows the gates the built super blocks, one a choice, whose weights some forms read."""

    def set_draw(self, draw: GateDraw) -> None:
        """Fixes the decisions of the next steps."""
        for kind, hard in zip(KINDS, (draw.kernel, draw.expansion, draw.skip), strict=True):
            self.hard[kind].assign(hard)

    def decisions(self, differentiable: bool) -> dict[str, Tensor]:
        """Gate values of each kind, one-hot; with the surrogate's gradient if asked for."""
        return self._surrogates() if differentiable else dict(self.hard)

    @abstractmethod
    def _surrogates(self) -> dict[str, Tensor]:
        """One-hot values of each kind that have a gradient."""

    @abstractmethod
    def probabilities(self) -> dict[str, Tensor]:
        """Of every option of each kind; rows sum to 1. Expected latency and choice read these."""

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> GateDraw:
        """A draw of what the gates stand for now.

        Args:
            rng: Of this step.
        """

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


@keras.saving.register_keras_serializable("stopwatch_nas")
class Gates(BaseGates):
    """Categorical gates: logits of all choices of a space.

    Straight-through Gumbel-softmax (Jang et al. 2017, arXiv 1611.01144): forwards the one-hot
    sample, backwards the gradient of softmax((logits + noise) / temperature). Neither depends
    on the width of a layer.

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
        super().__init__(allowed_kernels, allowed_expansions, skippable, **kwargs)
        allowed_skip = np.stack([np.ones_like(self.skippable), self.skippable], axis=1)
        # Even over the joint options of a block: skip is one of 1 + kernels * expansions.
        joint = self.allowed_kernels.sum(1) * self.allowed_expansions.sum(1)
        even_skip = np.stack([np.zeros(len(joint)), -np.log(joint)], axis=1)
        starts = {
            "kernel": np.where(self.allowed_kernels, 0.0, FORBIDDEN),
            "expansion": np.where(self.allowed_expansions, 0.0, FORBIDDEN),
            "skip": np.where(allowed_skip, even_skip, FORBIDDEN),
        }
        self.logits: dict[str, Any] = {}
        self.noise: dict[str, Any] = {}
        for kind, start in starts.items():
            self.logits[kind] = self._variable(f"{kind}_logits", start, trainable=True)
            first = np.eye(start.shape[1], dtype=np.float32)[start.argmax(1)]
            self.hard[kind] = self._variable(f"{kind}_hard", first)
            self.noise[kind] = self._variable(f"{kind}_noise", np.zeros_like(start))
        self.temperature = self._variable("temperature", np.float32(1.0))
        self.built = True

    def set_draw(self, draw: GateDraw) -> None:
        """Fixes the decisions of the next steps, and the noise of their gradient."""
        super().set_draw(draw)
        for kind, noise in zip(KINDS, draw.noise, strict=True):
            self.noise[kind].assign(noise)

    def _surrogates(self) -> dict[str, Tensor]:
        return {kind: self._straight_through(kind) for kind in KINDS}

    def _straight_through(self, kind: str) -> Tensor:
        soft = ops.softmax((self.logits[kind] + self.noise[kind]) / self.temperature, axis=-1)
        return self.hard[kind] + soft - ops.stop_gradient(soft)

    def probabilities(self) -> dict[str, Tensor]:
        """softmax(logits) of each kind, without noise and temperature."""
        return {kind: ops.softmax(logits, axis=-1) for kind, logits in self.logits.items()}

    def sample(self, rng: np.random.Generator) -> GateDraw:
        """A sample of softmax(logits) by the Gumbel-max trick.

        Source: Maddison et al. 2014, arXiv 1411.0030: argmax(logits + Gumbel noise) ~ softmax.

        Args:
            rng: Of this step.
        """
        hard, noise = [], []
        for kind in KINDS:
            logits = ops.convert_to_numpy(self.logits[kind])
            gumbel = rng.gumbel(size=logits.shape).astype(np.float32)
            hard.append(np.eye(logits.shape[1], dtype=np.float32)[(logits + gumbel).argmax(1)])
            noise.append(gumbel)
        return GateDraw(hard[0], hard[1], hard[2], (noise[0], noise[1], noise[2]))
