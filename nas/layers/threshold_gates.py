"""Threshold gates: the decisions of Single-Path NAS as published, kept for comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from nas.errors import InputError
from nas.layers.draw import THRESHOLD_DECISIONS, GateDraw, check_threshold
from nas.layers.fast import Tensor
from nas.layers.gates import BaseGates

KINDS = THRESHOLD_DECISIONS
# Square of the least norm: the root has no derivative at 0.
_LEAST_SQUARE = 1e-30


class _Ladder(NamedTuple):
    """Options in ascending order as steps, each of which decides whether to go up to an option.

    Args:
        up: (choices, options) steps that are always taken: the first, and those past an option
            that does not exist here.
        down: (choices, options) steps that are never taken: beyond the largest option.
        parts: (choices, options, options) 1 where a step adds a part of the weights.
    """

    up: np.ndarray
    down: np.ndarray
    parts: np.ndarray


def _ladder(allowed: np.ndarray) -> _Ladder:
    choices, options = allowed.shape
    up, down = np.zeros_like(allowed), np.zeros_like(allowed)
    parts = np.zeros((choices, options, options), np.float32)
    for choice, step in np.ndindex(choices, options):
        larger = np.flatnonzero(allowed[choice, step:]) + step
        down[choice, step] = not len(larger)
        up[choice, step] = len(larger) and (step == 0 or not allowed[choice, step - 1])
        if len(larger):
            parts[choice, step, step : larger[0] + 1] = 1
    return _Ladder(up, down, parts)


def with_slope(value: Tensor, x: Tensor, slope: Tensor) -> Tensor:
    """`value` forwards, the derivative `slope` by x backwards."""
    return ops.stop_gradient(value) + ops.stop_gradient(slope) * (x - ops.stop_gradient(x))


def sigmoid_slope(x: Tensor) -> Tensor:
    """Derivative of the sigmoid, as a product that stays above 0 where 1 - sigmoid(x) rounds to 0.

    The published code leaves it to TensorFlow, whose y (1 - y) in float32 is 0 from x = 17 on.
    """
    return ops.sigmoid(x) * ops.sigmoid(-x)


def _nested(taken: Tensor, refused: Tensor) -> Tensor:
    """(choices, steps) of taking and refusing each step -> (choices, options)."""
    steps = taken.shape[1]
    reached, values = ops.ones_like(taken[:, 0]), []
    for step in range(steps):
        reached = reached * taken[:, step]
        values.append(reached * refused[:, step + 1] if step + 1 < steps else reached)
    return ops.stack(values, axis=1)


@keras.saving.register_keras_serializable("stopwatch_nas")
class ThresholdGates(BaseGates):
    """A step to a larger option is taken where the norm of the weights it adds exceeds a threshold.

    For kernels 3 and 5, expansions 3 and 6, W the depthwise kernel and t learned thresholds:

        g(x)        = 1[x >= 0] forwards, derivative sigmoid'(x)
        d_5         = g(||W outside 3x3|| - t_5)
        W_k         = W in 3x3 + d_5 W outside 3x3
        d_expansion = g(||W_k in the second half of the channels|| - t_expansion)
        d_keep      = g(||W_k in the first half|| - t_keep)

    and so on for further sizes: 7x7 only where 5x5. Nothing is drawn; the decision is the
    indicator. In contrast to `Gates`, decisions depend on a layer's width, which is what this form
    is kept to show. A norm of C channels is about the weights' deviation times sqrt(16 C), so
    that at the published start, t = 0 and a deviation of sqrt(2 / 25), every block is the
    largest and the derivative is 1.6e-5 at 96 channels and 1.8e-17 at 1152: narrow blocks
    are decided and wide ones stay as they start. A start at t = ||W|| would give 1/4 everywhere,
    until the weights move.

    Departures from the published code, which learns all variables at once on one set of images
    with a penalty on thresholds: weights get no gradient from decisions, thresholds no decay,
    and images, warm-up (even draws for a dropout of indicators) and table (all rows, for an
    interpolation without the smallest option) are those of the other form.

    Source: Stamoulis et al. 2019, arXiv 1904.02877, section 3, whose indicators compare the
    square of the norm; their code (nas-search/superkernel.py) takes the norm, as here. With
    squares the derivative falls as exp(-C) and not as exp(-sqrt(C)).

    Args:
        allowed: Decision -> (choices, options) 1 where the option exists; of `KINDS` alone.

    Raises:
        InputError: Another decision, for which nothing was published.
    """

    def __init__(self, allowed: Mapping[str, Any], **kwargs: Any) -> None:
        check_threshold(allowed)
        # What no choice decides has one option everywhere.
        count = len(next(iter(allowed.values()), ()))
        fixed = {"kernel": [[1]] * count, "expansion": [[1]] * count, "skip": [[1, 0]] * count}
        super().__init__({kind: allowed.get(kind, fixed[kind]) for kind in KINDS}, **kwargs)
        kernel, expansion = _ladder(self.allowed["kernel"]), _ladder(self.allowed["expansion"])
        # One step: to keep the block. Its part are the channels of the smallest expansion.
        keep = ~self.allowed["skip"][:, 1:]
        skip = _Ladder(keep, np.zeros_like(keep), expansion.parts[:, :1])
        self._ladders = {"kernel": kernel, "expansion": expansion, "skip": skip}
        self._read: Callable[[], list[tuple[Tensor, np.ndarray, np.ndarray]]] | None = None
        self.thresholds: dict[str, Any] = {}
        for kind in KINDS:
            ladder = self._ladders[kind]
            start = np.zeros(ladder.up.shape)
            self.thresholds[kind] = self._variable(f"{kind}_thresholds", start, trainable=True)
            taken = (~ladder.down).astype(np.float32)
            hard = np.asarray(ops.convert_to_numpy(self._options(kind, taken, 1 - taken)))
            self.hard[kind] = self._variable(f"{kind}_hard", hard)
        self.built = True

    def bind(self, blocks: Sequence[Any]) -> None:
        """Takes the depthwise kernels that the decisions read.

        Args:
            blocks: One built `SuperBlock` a choice.

        Raises:
            InputError: More or fewer blocks than choices, or layers of another kind.
        """
        count = len(self.allowed["skip"])
        if len(blocks) != count:
            raise InputError(
                f"one block a choice, {count}",
                f"{len(blocks)} blocks",
                "give the super blocks of the space, in order",
            )
        for block in blocks:
            if not hasattr(block, "depthwise_kernel"):
                raise InputError(
                    "super blocks with a depthwise kernel for --gate threshold",
                    type(block).__name__,
                    "use --gate categorical for this space",
                )
        # Behind a function, so that Keras counts no weight of a block among the gates'.
        self._read = lambda: [
            (block.depthwise_kernel, block.kernel_masks, block.channel_masks) for block in blocks
        ]

    def _constant(self, values: np.ndarray) -> Tensor:
        return ops.convert_to_tensor(values.astype(np.float32), self.variable_dtype)

    def _squares(self) -> Tensor:
        """(choices, kernels, expansions) sums of squares of what each option adds to the last."""
        if self._read is None:
            # Keras repeats what is raised inside of a call, which only plain exceptions survive.
            raise ValueError(
                "Expected threshold gates that know their weights. Received: none. Fix: call "
                "`bind` with the super blocks first."
            )
        sums = []
        for choice, (kernel, kernel_masks, channel_masks) in enumerate(self._read()):
            taps, channels = kernel_masks[0].size, channel_masks.shape[1]
            rings = np.diff(kernel_masks.reshape(-1, taps), axis=0, prepend=0)
            widths = np.diff(channel_masks, axis=0, prepend=0)
            square = ops.square(ops.cast(kernel, self.variable_dtype))
            rows = ops.matmul(self._constant(rings), ops.reshape(square, (taps, channels)))
            own = ops.matmul(rows, self._constant(widths.T))
            sums.append(self._in_tables(choice, own))
        return ops.stop_gradient(ops.stack(sums))

    def _in_tables(self, choice: int, own: Tensor) -> Tensor:
        """(own kernels, own expansions) -> (kernels, expansions), 0 where a choice has none."""
        for axis, kind in enumerate(("kernel", "expansion")):
            allowed = self.allowed[kind][choice]
            if not allowed.all():
                places = self._constant(np.eye(len(allowed))[allowed])
                own = ops.tensordot(own, places, axes=([axis], [0]))
                own = ops.transpose(own) if axis == 0 else own
        return own

    def _margins(self) -> dict[str, Tensor]:
        """||weights|| - threshold of every step of each kind."""
        squares = self._squares()
        # Channels beyond a choice's largest expansion are no weights of it.
        exists = self._constant(~self._ladders["expansion"].down)
        rings = ops.sum(squares * exists[:, None, :], axis=2)
        kernel = self._margin("kernel", rings)
        # The channels' norms are those of the decided kernel.
        taken = self._indicators("kernel", kernel)
        reached, weights = ops.ones_like(taken[:, 0]), []
        for step in range(taken.shape[1]):
            reached = reached * taken[:, step]
            weights.append(ops.square(reached))
        widths = ops.sum(squares * ops.stack(weights, axis=1)[:, :, None], axis=1)
        return {
            "kernel": kernel,
            "expansion": self._margin("expansion", widths),
            "skip": self._margin("skip", widths),
        }

    def _margin(self, kind: str, squares: Tensor) -> Tensor:
        """(choices, steps) from the squares of the parts (choices, options)."""
        own = ops.sum(squares[:, None, :] * self._constant(self._ladders[kind].parts), axis=2)
        return ops.sqrt(ops.maximum(own, _LEAST_SQUARE)) - self.thresholds[kind]

    def _indicators(self, kind: str, x: Tensor) -> Tensor:
        taken = with_slope(ops.cast(x >= 0, self.variable_dtype), x, sigmoid_slope(x))
        return self._forced(kind, taken, 1.0)

    def _forced(self, kind: str, values: Tensor, if_up: float) -> Tensor:
        ladder = self._ladders[kind]
        fixed = self._constant(np.where(ladder.up, if_up, 1.0 - if_up))
        return ops.where(ladder.up | ladder.down, fixed, values)

    def _options(self, kind: str, taken: Tensor, refused: Tensor) -> Tensor:
        if kind == "skip":
            return ops.concatenate([taken, refused], axis=1)
        return _nested(taken, refused)

    def _surrogates(self) -> dict[str, Tensor]:
        values = {}
        for kind, x in self._margins().items():
            taken = self._indicators(kind, x)
            values[kind] = self._options(kind, taken, 1.0 - taken)
        return values

    def probabilities(self) -> dict[str, Tensor]:
        """Indicators relaxed to sigmoid(x), as products along the steps; rows sum to 1.

        The published latency has the indicators themselves in place of the sigmoids: the same
        sum at a decided gate, and a derivative in proportion to the same sigmoid'.
        """
        values = {}
        for kind, x in self._margins().items():
            slope = sigmoid_slope(x)
            # Each from its own sigmoid: 1 - sigmoid(x) would be 0 for every wide layer.
            taken = self._forced(kind, with_slope(ops.sigmoid(x), x, slope), 1.0)
            refused = self._forced(kind, with_slope(ops.sigmoid(-x), x, -slope), 0.0)
            values[kind] = self._options(kind, taken, refused)
        return values

    def sample(self, rng: np.random.Generator) -> GateDraw:
        """The indicators as they stand.

        Args:
            rng: Generator of this step; stays as it is, since nothing is random.
        """
        del rng
        return GateDraw(
            {
                kind: np.asarray(ops.convert_to_numpy(value), np.float32)
                for kind, value in self._surrogates().items()
            }
        )
