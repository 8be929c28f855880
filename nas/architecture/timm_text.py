"""timm's block strings, read with timm's own meaning.

`timm:mobilenetv2 in_s224 stem_c32 ds_r1_k3_s1_c16 ir_r2_k3_s2_e6_c24 ... head_c1280 fc_c1000`

A family says what the strings leave open: the activation that a missing `n` means, the rule of the
squeeze, and the head. Stem, head and classes are written, since timm has them elsewhere too. Widths
are rounded as there: channels and expansions to multiples of 8, never more than 10 % down.

Source: huggingface/pytorch-image-models, `timm/models/_efficientnet_builder.py` and
`_efficientnet_blocks.py`. Padding (TensorFlow's `same`) and the epsilon of the normalisation
(0.001) are those of timm's `tf_` networks; the others pad symmetrically and have 0.00001.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from nas.architecture.bounds import MOST_CHARACTERS, MOST_LAYERS, MOST_NUMBER, check_most, shown
from nas.architecture.shapes import round_to_multiple
from nas.architecture.spec import (
    Architecture,
    Conv,
    Dense,
    Dropout,
    GlobalAveragePool,
    Layer,
    Residual,
    WidthsBlock,
)
from nas.architecture.timm_blocks import FAMILIES, Block, Family, taken_apart
from nas.errors import ArchitectureError
from nas.registry import check_known

PREFIX = "timm:"
BEHIND_BLOCKS = ("head_", "drop_", "fc_")
_WHOLE = re.compile(r"[0-9]{1,9}")


def parse(text: str) -> Architecture:
    """Timm's strings -> architecture.

    Args:
        text: `timm:FAMILY in_s<pixels> stem_c<channels> BLOCKS head_c<channels> fc_c<classes>`,
            with `drop_p<rate>` before the classifier if wanted; `head_c0` is no layer.

    Raises:
        ArchitectureError: Names the token at fault: unknown, doubled, out of range, or a block
            that our records cannot express.
        InputError: The family is unknown.
    """
    check_most("characters of an architecture", len(text), MOST_CHARACTERS, "shorten the text")
    name, *tokens = text.removeprefix(PREFIX).split() or [""]
    check_known("timm's family", name, FAMILIES)
    family = FAMILIES[name]
    image_size, stem = _number(tokens[:1], "in_s"), _number(tokens[1:2], "stem_c")
    # Blocks end at the head; where that is forgotten, what follows it says so.
    behind = [i for i, token in enumerate(tokens) if token.startswith(BEHIND_BLOCKS)]
    end = min(behind, default=len(tokens))
    channels = round_to_multiple(stem)
    layers: list[Layer] = [Conv(3, 2, channels, family.activation)]
    for token in tokens[2:end]:
        block = taken_apart(token, family)
        made, channels = _layers(block, channels, family)
        count = len(layers) + len(made)
        check_most(f"layers with {shown(token)}", count, MOST_LAYERS, "write a smaller `r`")
        layers += made
    return Architecture(image_size, (*layers, *_head(tokens[end:], family)), name)


def _number(tokens: Sequence[str], key: str, least: int = 1) -> int:
    """The whole number of the first token, which has to have this key."""
    token = tokens[0] if tokens else ""
    digits = token.removeprefix(key)
    if digits == token or not _WHOLE.fullmatch(digits) or not least <= int(digits) <= MOST_NUMBER:
        raise ArchitectureError(
            f"`{key}<number>` from {least} to {MOST_NUMBER}",
            shown(token) if token else "the end of the text",
            f"write {PREFIX}FAMILY in_s224 stem_c32 BLOCKS head_c1280 fc_c1000",
        )
    return int(digits)


def _head(tokens: Sequence[str], family: Family) -> tuple[Layer, ...]:
    """The layers behind the blocks."""
    channels, rest = _number(tokens, "head_c", least=0), tokens[1:]
    dropout: tuple[Layer, ...] = ()
    if rest and re.fullmatch(r"drop_p0(\.[0-9]{1,9})?", rest[0]):
        dropout, rest = (Dropout(float(rest[0].removeprefix("drop_p"))),), rest[1:]
    classes = _number(rest, "fc_c")
    if len(rest) > 1:
        raise ArchitectureError("nothing after the classes", shown(rest[1]), "remove it")
    act = family.activation
    if not channels:  # timm's num_features of 0
        return (GlobalAveragePool(), *dropout, Dense(classes))
    if family.pools_first:
        return (GlobalAveragePool(), Dense(channels, act), *dropout, Dense(classes))
    return (Conv(1, 1, channels, act), GlobalAveragePool(), *dropout, Dense(classes))


def _layers(block: Block, channels: int, family: Family) -> tuple[list[Layer], int]:
    """The records of a block, and the channels that it ends with."""
    check_most(f"blocks of {shown(block.token)}", block.repeats, MOST_LAYERS, "write a smaller `r`")
    out = round_to_multiple(block.whole("c"))
    kernel, stride = block.whole("k"), block.stride
    if block.kind in ("ir", "ds", "dsa"):
        # Widths follow from the block's input, which the first of several has to itself.
        made: list[Layer] = []
        for number in range(block.repeats):
            made.append(_widths_block(block, channels, out, stride if number == 0 else 1, family))
            channels = out
        return made, out
    made = []
    for number in range(block.repeats):
        step = stride if number == 0 else 1
        made += _dense_block(block, kernel, step, channels, out)
        channels = out
    return made, out


def _widths_block(
    block: Block, channels: int, out: int, stride: int, family: Family
) -> WidthsBlock:
    """An inverted residual, or a depthwise-separable block."""
    has_last = block.kind == "dsa"
    expanded = block.expanded(channels) if block.kind == "ir" else 0
    squeeze = block.squeeze(expanded or channels, family)
    return WidthsBlock(
        block.whole("k"),
        stride,
        out,
        expanded=expanded,
        squeeze=squeeze,
        activation=block.activation,
        squeeze_activation=(family.squeeze_activation or block.activation) if squeeze else "relu",
        sigmoid_gate=family.sigmoid_gate and squeeze > 0,
        project_activation=has_last,
        residual=block.skip is not False and not has_last,
    )


def _dense_block(
    block: Block, kernel: int, stride: int, channels: int, out: int
) -> tuple[Layer, ...]:
    """A convolution, or an expansion by a dense one and a projection."""
    keeps = stride == 1 and channels == out
    if block.kind == "cn":
        conv = Conv(kernel, stride, out, block.activation)
        return (Residual((conv,)),) if block.skip and keeps else (conv,)
    # `fc` is timm's way around a network that expands from other channels than it has.
    base = round_to_multiple(block.whole("fc")) if "fc" in block.numbers else channels
    made = (
        Conv(kernel, stride, block.expanded(base), block.activation),
        Conv(1, 1, out, "none"),
    )
    return (Residual(made),) if keeps and block.skip is not False else made
