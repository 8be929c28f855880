"""Records of layers that are one operation: pools, dense layers, dropout, activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.architecture.number_formats import NumberFormat
from nas.architecture.record import FORMAT_FIELDS, Field, Layer


@dataclass(frozen=True)
class Skip(Layer):
    """A block that was left out: exactly the identity."""

    TOKEN: ClassVar[str] = "skip"


@dataclass(frozen=True)
class DepthwiseConv(Layer):
    """A depthwise convolution by itself: kernel x kernel, stride, then BN and activation."""

    kernel: int
    stride: int
    activation: str = "relu6"
    batch_norm: bool = True
    bias: bool = False
    valid: bool = False
    weight_format: NumberFormat | None = None
    activation_format: NumberFormat | None = None
    bias_format: NumberFormat | None = None
    norm_format: NumberFormat | None = None

    TOKEN: ClassVar[str] = "dw"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("k", "kernel"),
        Field("s", "stride"),
        Field("n", "activation", "activation"),
        Field("nobn", "batch_norm", "flag"),
        Field("bias", "bias", "flag"),
        Field("valid", "valid", "flag"),
        *FORMAT_FIELDS,
    )


@dataclass(frozen=True)
class SqueezeExcite(Layer):
    """Channels scaled by a gate that sees the mean of each, by itself.

    Args:
        squeeze: Units between the two layers of the gate.
        activation: Of these units.
        sigmoid_gate: The gate is a sigmoid and not a hard one.
    """

    squeeze: int
    activation: str = "relu"
    sigmoid_gate: bool = False

    TOKEN: ClassVar[str] = "se"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("q", "squeeze"),
        Field("n", "activation", "activation"),
        Field("sigmoid", "sigmoid_gate", "flag"),
    )


@dataclass(frozen=True)
class Activate(Layer):
    """An activation by itself, as after the sum of a residual."""

    activation: str

    TOKEN: ClassVar[str] = "act"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field("n", "activation", "activation"),)


@dataclass(frozen=True)
class Normalise(Layer):
    """Batch normalisation by itself, as before a convolution or after an activation."""

    TOKEN: ClassVar[str] = "norm"


@dataclass(frozen=True)
class MaxPool(Layer):
    """Maximum over non-overlapping size x size windows; a remainder at the border is dropped."""

    size: int

    TOKEN: ClassVar[str] = "mp"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field("k", "size"),)


@dataclass(frozen=True)
class AveragePool(Layer):
    """Mean over non-overlapping size x size windows; a remainder at the border is dropped."""

    size: int

    TOKEN: ClassVar[str] = "ap"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field("k", "size"),)


@dataclass(frozen=True)
class GlobalAveragePool(Layer):
    """Mean over height and width."""

    TOKEN: ClassVar[str] = "gap"


@dataclass(frozen=True)
class Flatten(Layer):
    """All values of a map in one vector, height first, channels last."""

    TOKEN: ClassVar[str] = "flat"


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout while training; nothing afterwards."""

    rate: float

    TOKEN: ClassVar[str] = "drop"
    FIELDS: ClassVar[tuple[Field, ...]] = (Field("p", "rate", "float"),)


@dataclass(frozen=True)
class Dense(Layer):
    """A fully connected layer; the last one of a network gives the class scores.

    Args:
        units: Outputs.
        activation: Behind everything else.
        batch_norm: Whether the outputs are normalised.
        bias: Whether a bias is added.
        scale: Fixed factor of the outputs, bias included. A small one lets scores begin near 0 and
            makes steps of the kernel smaller by its square; exported files have it in the kernel.
    """

    units: int
    activation: str = "none"
    batch_norm: bool = False
    bias: bool = True
    scale: float = 1.0
    weight_format: NumberFormat | None = None
    activation_format: NumberFormat | None = None
    bias_format: NumberFormat | None = None
    norm_format: NumberFormat | None = None

    TOKEN: ClassVar[str] = "fc"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("c", "units"),
        Field("n", "activation", "activation"),
        Field("bn", "batch_norm", "flag"),
        Field("nobias", "bias", "flag"),
        Field("x", "scale", "factor"),
        *FORMAT_FIELDS,
    )
