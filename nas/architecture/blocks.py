"""Records of blocks that are several operations under one name, such as inverted residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.architecture.number_formats import NumberFormat
from nas.architecture.record import FORMAT_FIELDS, Field, Layer


@dataclass(frozen=True)
class MBConv(Layer):
    """An inverted residual: expand 1x1, depthwise, optional squeeze-excite, project 1x1.

    Expansion 1 has no expand convolution. The residual exists where `residual` is set, the
    stride is 1 and the channels do not change. `se_ratio` is relative to the block's input
    channels, so that all expansions of one block share the squeeze width. The formats are those of
    all its convolutions. Those behind an activation read `inner_format` instead where there is
    one, since numbers that are never negative need no sign. The squeeze-excite stays in float32.
    """

    kernel: int
    stride: int
    expansion: int
    channels: int
    se_ratio: float = 0.0
    activation: str = "relu6"
    residual: bool = True
    weight_format: NumberFormat | None = None
    activation_format: NumberFormat | None = None
    bias_format: NumberFormat | None = None
    norm_format: NumberFormat | None = None
    inner_format: NumberFormat | None = None

    TOKEN: ClassVar[str] = "ir"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("k", "kernel"),
        Field("s", "stride"),
        Field("e", "expansion"),
        Field("c", "channels"),
        Field("se", "se_ratio", "float"),
        Field("n", "activation", "activation"),
        Field("noskip", "residual", "flag"),
        *FORMAT_FIELDS,
        Field("iq", "inner_format", "format"),
    )


@dataclass(frozen=True)
class WidthsBlock(Layer):
    """A depthwise block whose widths are written out: no width follows from another one.

    Expand 1x1, depthwise, optional squeeze-excite, project 1x1; what timm's `ir`, `ds` and `dsa`
    blocks are read to. The residual exists where `residual` is set, the stride is 1 and the
    channels do not change.

    Args:
        kernel: Of the depthwise convolution.
        stride: Likewise.
        channels: Of the output.
        expanded: Channels of the depthwise convolution, made by a 1x1 convolution; 0 for those of
            the input, without one.
        squeeze: Width of the squeeze; 0 for no squeeze-excite.
        activation: After the expansion and after the depthwise convolution.
        squeeze_activation: Inside of the squeeze.
        sigmoid_gate: The gate of the squeeze is a sigmoid and not a hard one.
        project_activation: The activation stands after the projection too.
        residual: Whether the input may be added.
    """

    kernel: int
    stride: int
    channels: int
    expanded: int = 0
    squeeze: int = 0
    activation: str = "relu6"
    squeeze_activation: str = "relu"
    sigmoid_gate: bool = False
    project_activation: bool = False
    residual: bool = True

    TOKEN: ClassVar[str] = "wb"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("k", "kernel"),
        Field("s", "stride"),
        Field("x", "expanded", "count"),
        Field("q", "squeeze", "count"),
        Field("c", "channels"),
        Field("n", "activation", "activation"),
        Field("qn", "squeeze_activation", "activation"),
        Field("sigmoid", "sigmoid_gate", "flag"),
        Field("actproject", "project_activation", "flag"),
        Field("noskip", "residual", "flag"),
    )


@dataclass(frozen=True)
class ResidualBlock(Layer):
    """`x + dropout(convolution(convolution(x)))`, the block of ResNet-9; its output is its input's.

    Args:
        kernel: Of both convolutions.
        width: Channels between them.
        activation: After both of them.
        dropout: Rate of the dropout before the sum, from 0 to below 1.
    """

    kernel: int
    width: int
    activation: str = "relu6"
    dropout: float = 0.0

    TOKEN: ClassVar[str] = "rb"
    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("k", "kernel"),
        Field("w", "width"),
        Field("n", "activation", "activation"),
        Field("p", "dropout", "float"),
    )
