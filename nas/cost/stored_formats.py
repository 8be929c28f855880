"""In which format a tensor between operations is kept: that of what reads it.

The quantiser of an operation stands right before its multiplication. What one quantiser alone reads
is kept as the codes that it makes, and so is what leads there through nothing but steps that codes
pass as well: a maximum, flattening, dropout, and an activation, which is a part of the kernel
before it. Everything else is kept in float32.
"""

from __future__ import annotations

from nas.architecture.activations import activation
from nas.architecture.number_formats import FixedPoint, NumberFormat, ScaledInteger
from nas.architecture.operations import (
    ActivationOp,
    ConvOp,
    DenseOp,
    DropoutOp,
    FlattenOp,
    Op,
    PoolOp,
    ResidualOp,
)


def format_before(ops: tuple[Op, ...], after: NumberFormat | None) -> NumberFormat | None:
    """The format that the input of a chain is kept in; None for float32.

    Args:
        ops: In order; may be empty.
        after: What the output of the chain is kept in.
    """
    kept = after
    for op in reversed(ops):
        kept = _format_before(op, kept)
    return kept


def _format_before(op: Op, after: NumberFormat | None) -> NumberFormat | None:
    match op:
        case ConvOp() | DenseOp():
            return op.formats.activations
        case FlattenOp() | DropoutOp():
            return after
        case PoolOp(kind="max"):
            return after if _keeps_order(after) else None
        case ActivationOp():
            return None if activation(op.activation).is_gate else after
        case ResidualOp(body=body, shortcut=shortcut):
            # Both ways read the input, and the sum is one of its readers where a way is empty.
            ways = {format_before(way, None) for way in (body, shortcut)}
            (kept, *others) = ways
            return None if others or _has_learned_scale(kept) else kept
        case _:
            return None


def _keeps_order(number_format: NumberFormat | None) -> bool:
    """Whether the greatest value has the greatest code; not so where codes wrap around."""
    return not isinstance(number_format, FixedPoint) or number_format.overflow == "saturate"


def _has_learned_scale(number_format: NumberFormat | None) -> bool:
    """Whether two readers of the format have codes of their own, each by its scale."""
    return isinstance(number_format, ScaledInteger) and number_format.scale == "learned"
