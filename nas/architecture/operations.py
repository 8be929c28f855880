"""Primitive operations, the one vocabulary that cost, Keras and ONNX read.

Every operation carries the shape that it gets and knows the one that it gives.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from nas.architecture.bounds import MOST_VALUES, check_most
from nas.architecture.number_formats import NumberFormat
from nas.architecture.shapes import Shape, pooled_size, same_output_size, valid_output_size
from nas.errors import ArchitectureError


@dataclass(frozen=True)
class Formats:
    """The number formats of an operation with a kernel; None is float32.

    Args:
        weights: Of the kernel.
        activations: Of what the operation reads; the quantiser stands right before it.
        bias: Of the bias.
        norm: Of the scale, the shift and the output of batch normalisation.
    """

    weights: NumberFormat | None = None
    activations: NumberFormat | None = None
    bias: NumberFormat | None = None
    norm: NumberFormat | None = None

    def __post_init__(self) -> None:
        for name, found in vars(self).items():
            if not isinstance(found, NumberFormat | None):
                raise ArchitectureError(
                    f"{name} of an operation to be a number format, or None for float32",
                    repr(found),
                    "give what `nas.architecture.number_formats.parse_format` reads",
                )

    def check(self, name: str, bias: bool, batch_norm: bool) -> None:
        """Refuses formats of what an operation does not have.

        Args:
            name: Of the operation.
            bias: Whether it has a bias.
            batch_norm: Whether it has batch normalisation, whose shift folds into a bias.

        Raises:
            ArchitectureError: A format of batch normalisation or of a bias without either.
        """
        if self.norm is not None and not batch_norm:
            raise ArchitectureError(
                f"batch normalisation in `{name}`, whose numbers have a format",
                f"`nq{self.norm.text}` without it",
                "leave `nq` out, or add batch normalisation",
            )
        if self.bias is not None and not (bias or batch_norm):
            raise ArchitectureError(
                f"a bias or batch normalisation in `{name}`, whose bias has a format",
                f"`bq{self.bias.text}` without either",
                "leave `bq` out, or add `bias`",
            )


FLOAT = Formats()


@dataclass(frozen=True)
class _Operation:
    """What all operations have: the name that their weights begin with, and their input's shape."""

    name: str
    input_shape: Shape


class _OnMap(_Operation):
    """An operation on a map of (height, width, channels)."""

    def __post_init__(self) -> None:
        need(
            len(self.input_shape) == 3,
            f"a map before `{self.name}`",
            self.input_shape,
            "move it before `gap` or `flat`",
        )

    @property
    def in_channels(self) -> int:
        """Channels of the input."""
        return self.input_shape[2]


class _ShapeKeeping(_Operation):
    """An operation whose output has its input's shape."""

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        return self.input_shape


@dataclass(frozen=True)
class ConvOp(_OnMap):
    """Convolution; kernel (k, k, in, out), or (k, k, 1, out) if depthwise.

    The padding is TensorFlow's `same`, or none at all where it is `valid`. The text of an operation
    (`repr`) leaves out what earlier versions did not have: their fingerprints of spaces stay.
    """

    kernel: int
    stride: int
    out_channels: int
    depthwise: bool = False
    bias: bool = False
    batch_norm: bool = False
    activation: str = "none"
    valid: bool = False
    formats: Formats = field(default=FLOAT, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.formats.check(self.name, self.bias, self.batch_norm)
        is_large = not self.valid or min(self.input_shape[:2]) >= self.kernel
        expected = f"a map of {self.kernel} pixels or more each way for the kernel of `{self.name}`"
        fix = "write a smaller kernel, fewer strides and pools before it, or pad with `same`"
        need(is_large, expected, self.input_shape, fix)
        inputs = 1 if self.depthwise else self.in_channels
        _check_values(f"the kernel of `{self.name}`", self.kernel**2 * inputs * self.out_channels)
        _check_values(f"the map after `{self.name}`", math.prod(self.output_shape))

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        sizes = self.input_shape[:2]
        if self.valid:
            height, width = (valid_output_size(size, self.kernel, self.stride) for size in sizes)
        else:
            height, width = (same_output_size(size, self.stride) for size in sizes)
        return height, width, self.out_channels


@dataclass(frozen=True)
class DenseOp(_Operation):
    """Fully connected, kernel (in, out); scale * (x kernel + bias). Its text is as of `ConvOp`."""

    out_units: int
    bias: bool = True
    batch_norm: bool = False
    activation: str = "none"
    scale: float = field(default=1.0, repr=False)
    formats: Formats = field(default=FLOAT, repr=False)

    def __post_init__(self) -> None:
        self.formats.check(self.name, self.bias, self.batch_norm)
        is_vector = len(self.input_shape) == 1
        need(is_vector, f"a vector before `{self.name}` (dense)", self.input_shape, "add `gap`")
        _check_values(f"the kernel of `{self.name}`", self.in_units * self.out_units)

    @property
    def in_units(self) -> int:
        """Values of the input."""
        return self.input_shape[0]

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        return (self.out_units,)


@dataclass(frozen=True)
class SqueezeExciteOp(_OnMap, _ShapeKeeping):
    """x * gate(W2 activation(W1 mean(x) + b1) + b2), hard_sigmoid(x) = clip(x + 3, 0, 6) / 6.

    Source: Howard et al. 2019, arXiv 1905.02244. W1 (channels, squeeze), W2 (squeeze, channels).
    The gate is `hard_sigmoid`, or `sigmoid` as in Hu et al. 2018, arXiv 1709.01507.
    """

    squeeze_channels: int
    activation: str = "relu"
    gate: str = "hard_sigmoid"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_values(f"a kernel of `{self.name}`", self.in_channels * self.squeeze_channels)


@dataclass(frozen=True)
class PoolOp(_OnMap):
    """`max` or `average` over size x size windows, or `mean` over the whole map (size 0)."""

    kind: str
    size: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        is_large = min(self.input_shape[:2]) >= self.size
        expected = f"a map of {self.size} pixels or more each way for the window of `{self.name}`"
        need(is_large, expected, self.input_shape, "write a smaller window, or pool less before it")

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        if self.kind == "mean":
            return (self.in_channels,)
        height, width = (pooled_size(size, self.size) for size in self.input_shape[:2])
        return height, width, self.in_channels


@dataclass(frozen=True)
class FlattenOp(_OnMap):
    """(height, width, channels) -> (height * width * channels,)."""

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        height, width, channels = self.input_shape
        return (height * width * channels,)


@dataclass(frozen=True)
class DropoutOp(_ShapeKeeping):
    """Dropout; the identity outside training."""

    rate: float


@dataclass(frozen=True)
class ActivationOp(_ShapeKeeping):
    """An activation by itself, as after the sum of a residual."""

    activation: str


@dataclass(frozen=True)
class NormOp(_ShapeKeeping):
    """Batch normalisation over the last axis that follows no convolution, so that it stays."""

    @property
    def channels(self) -> int:
        """Values of the last axis."""
        return self.input_shape[-1]


@dataclass(frozen=True)
class ResidualOp(_Operation):
    """shortcut(x) + body(x); the shortcut of no operations is x itself."""

    body: tuple[Op, ...]
    shortcut: tuple[Op, ...] = ()

    def __post_init__(self) -> None:
        inner = output_shape(self.body, self.input_shape)
        expected = f"shape {self.output_shape} after the layers of a residual"
        fix = "give them the strides and channels of that shape, or write res[... | ...]"
        need(inner == self.output_shape, expected, inner, fix)

    @property
    def output_shape(self) -> Shape:
        """Shape of the output."""
        return output_shape(self.shortcut, self.input_shape)


Op = (
    ConvOp
    | DenseOp
    | SqueezeExciteOp
    | PoolOp
    | FlattenOp
    | DropoutOp
    | ActivationOp
    | NormOp
    | ResidualOp
)


def all_ops(ops: tuple[Op, ...]) -> Iterator[Op]:
    """Every operation, the inside of residuals included, in the order of execution."""
    for op in ops:
        if isinstance(op, ResidualOp):
            yield from all_ops(op.body)
            yield from all_ops(op.shortcut)
        yield op


def has_formats(ops: tuple[Op, ...]) -> bool:
    """Whether any operation, the inside of residuals included, has formats."""
    return any(isinstance(op, ConvOp | DenseOp) and op.formats != FLOAT for op in all_ops(ops))


def output_shape(ops: tuple[Op, ...], input_shape: Shape) -> Shape:
    """Shape after a chain of operations, which may be empty.

    Args:
        ops: In order, each made for the output of the one before it.
        input_shape: Of the first one.
    """
    return ops[-1].output_shape if ops else input_shape


def _check_values(what: str, values: int) -> None:
    fix = "write fewer channels, a smaller kernel or a smaller image"
    check_most(f"values in {what}", values, MOST_VALUES, fix)


def need(condition: bool, expected: str, shape: Shape, fix: str) -> None:
    """Refuses a shape.

    Args:
        condition: What must hold.
        expected: The condition in words.
        shape: The one that was found.
        fix: What to change.

    Raises:
        ArchitectureError: The condition does not hold.
    """
    if not condition:
        raise ArchitectureError(expected, f"shape {shape}", fix)
