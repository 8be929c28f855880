"""The formats that numbers of a network are kept in, and what each of them means exactly.

A value is a *code*, which is a whole number, times a step. `codes` and `values` are the reference
in NumPy that Keras layers and exported files are compared with. Float32 is no format: it stands as
None wherever a format may stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from nas.architecture.bounds import shown
from nas.errors import ArchitectureError
from nas.registry import check_known

FLOAT32 = "float32"  # how the absence of a format is written
FLOAT32_BITS = 32
MOST_INTEGER_BITS = 8
# Float32 has 24 bits of significand. With 24 bits a code is exact in float32, and so is each step
# on the way to it; with 25 bits the sum that wraps around is rounded for the greatest code.
LEAST_FIXED_BITS, MOST_FIXED_BITS = 2, 24

# Bounded, since a number of thousands of digits is no number that Python reads.
_INTEGER = re.compile(r"([bu])(-?[0-9]{1,9})(l?)")
_FIXED = re.compile(r"f(-?[0-9]{1,9})\.(-?[0-9]{1,9})(t?)(w?)")
_WAYS = (
    "`b1` to `b8` (signed, `b1` is the sign alone), `u1` to `u8` (unsigned), both with `l` for a "
    f"learned scale, `f<total>.<integer>` (fixed point, `t` truncates, `w` wraps) or `{FLOAT32}`"
)


@dataclass(frozen=True)
class ScaledInteger:
    """Whole numbers of few bits times a scale.

    Signed numbers are symmetric: -(2^(bits-1) - 1) to 2^(bits-1) - 1. One signed bit is the sign,
    -1 or +1, and the sign of 0 is +1. Unsigned numbers are 0 to 2^bits - 1.

    Args:
        bits: Of a number, from 1 to 8.
        signed: Whether there are numbers below 0.
        scale: `fixed`, which follows from the weights or from the range of activations, or
            `learned`, a weight of its own.
    """

    bits: int
    signed: bool = True
    scale: Literal["fixed", "learned"] = "fixed"

    def __post_init__(self) -> None:
        if type(self.bits) is not int or not 1 <= self.bits <= MOST_INTEGER_BITS:
            raise ArchitectureError(
                f"bits of a scaled whole number from 1 to {MOST_INTEGER_BITS}",
                shown(self.bits),
                f"write bits from 1 to {MOST_INTEGER_BITS}; more bits are fixed point, such as "
                "`f16.6`",
            )
        if type(self.signed) is not bool:
            raise ArchitectureError("signed to be true or false", shown(self.signed), "write it so")
        check_known("scale", self.scale, ("fixed", "learned"))

    @property
    def text(self) -> str:
        """As `parse_format` reads it, such as `b4` or `u4l`."""
        learned = "l" if self.scale == "learned" else ""
        return f"{'b' if self.signed else 'u'}{self.bits}{learned}"


@dataclass(frozen=True)
class FixedPoint:
    """Signed fixed point, `ap_fixed<total, integer>` of high-level synthesis.

    The step is 2^(integer - total), and numbers are -2^(integer-1) to 2^(integer-1) - step.
    Source: the section "Arbitrary precision fixed-point data types" of AMD UG1399.

    Args:
        total: Bits of a number with its sign, from 2 to 24.
        integer: Those of them before the point, the sign among them; from 1 to `total`.
        rounding: `round` to the nearest step, halves to the even one (AP_RND_CONV), or `truncate`
            to the step below (AP_TRN).
        overflow: `saturate` at the ends of the range (AP_SAT), or `wrap` around (AP_WRAP).
    """

    total: int
    integer: int
    rounding: Literal["round", "truncate"] = "round"
    overflow: Literal["saturate", "wrap"] = "saturate"

    def __post_init__(self) -> None:
        if type(self.total) is not int or not LEAST_FIXED_BITS <= self.total <= MOST_FIXED_BITS:
            raise ArchitectureError(
                f"total bits of a fixed-point number from {LEAST_FIXED_BITS} to {MOST_FIXED_BITS}, "
                "which float32 computes exactly",
                shown(self.total),
                "write total bits in that range",
            )
        if type(self.integer) is not int or not 1 <= self.integer <= self.total:
            raise ArchitectureError(
                f"integer bits, with the sign, from 1 to the {self.total} bits in total",
                shown(self.integer),
                f"write integer bits in that range, such as `f{self.total}.{self.total // 2}`",
            )
        check_known("rounding", self.rounding, ("round", "truncate"))
        check_known("overflow", self.overflow, ("saturate", "wrap"))

    @property
    def bits(self) -> int:
        """Of a number."""
        return self.total

    @property
    def step(self) -> float:
        """The difference of two neighbouring numbers, a power of two."""
        return 2.0 ** (self.integer - self.total)

    @property
    def text(self) -> str:
        """As `parse_format` reads it, such as `f16.6` or `f8.1tw`."""
        ways = "t" * (self.rounding == "truncate") + "w" * (self.overflow == "wrap")
        return f"f{self.total}.{self.integer}{ways}"


NumberFormat = ScaledInteger | FixedPoint


def parse_format(text: str) -> NumberFormat | None:
    """Text -> format, the inverse of `format_text`.

    Args:
        text: Such as `b1`, `u4l`, `f16.6`, `f8.1tw` or `float32`.

    Returns:
        The format; None for float32.

    Raises:
        ArchitectureError: No such format, or bits out of range.
    """
    if text == FLOAT32:
        return None
    error = ArchitectureError(f"a number format, {_WAYS}", shown(text), "write one of these")
    if not isinstance(text, str):
        raise error
    found: NumberFormat | None = None
    try:
        if match := _INTEGER.fullmatch(text):
            scale: Literal["fixed", "learned"] = "learned" if match[3] else "fixed"
            found = ScaledInteger(int(match[2]), match[1] == "b", scale)
        elif match := _FIXED.fullmatch(text):
            rounding: Literal["round", "truncate"] = "truncate" if match[3] else "round"
            overflow: Literal["saturate", "wrap"] = "wrap" if match[4] else "saturate"
            found = FixedPoint(int(match[1]), int(match[2]), rounding, overflow)
    except ArchitectureError as refused:
        received = f"{refused.received} in {shown(text)}"
        raise ArchitectureError(refused.expected, received, refused.fix) from None
    if found is None:
        raise error
    if found.text != text:  # a leading zero
        raise ArchitectureError(f"a number format as `{found.text}`", shown(text), "write it so")
    return found


def format_text(number_format: NumberFormat | None) -> str:
    """Format -> text; `float32` for None."""
    return FLOAT32 if number_format is None else number_format.text


def bits_of(number_format: NumberFormat | None) -> int:
    """Bits of one number; 32 for None, which is float32."""
    return FLOAT32_BITS if number_format is None else number_format.bits


def code_range(number_format: NumberFormat) -> tuple[int, int]:
    """The least and the greatest code; one signed bit has these two alone."""
    bits = number_format.bits
    if isinstance(number_format, FixedPoint):
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if not number_format.signed:
        return 0, 2**bits - 1
    most = max(1, 2 ** (bits - 1) - 1)
    return -most, most


def codes(
    number_format: NumberFormat, values: np.ndarray, scale: np.ndarray | float | None = None
) -> np.ndarray:
    """Values -> the codes of the nearest numbers that the format has.

    A scaled whole number is the float32 quotient of value and scale, rounded to the nearest whole
    number, halves to the even one, and cut at the ends of the range; the sign of one signed bit is
    that of the value.

    Args:
        number_format: Of the codes.
        values: Finite, of any shape; read as float32.
        scale: Of scaled whole numbers, above 0, in a shape that fits the values; 1 where None.
            Fixed point has its step and takes none.

    Returns:
        Whole numbers in int64, within `code_range`.

    Raises:
        ValueError: A value is not finite, or a scale is not one.
    """
    values = np.asarray(values, np.float32)
    if not np.isfinite(values).all():
        raise ValueError("Expected finite values. Received: NaN or infinity. Fix: quantise others.")
    low, high = code_range(number_format)
    step = _step(number_format, scale)
    if _is_sign(number_format):
        found = np.where(values >= 0, 1, -1)
    elif isinstance(number_format, FixedPoint):
        found = _fixed_codes(number_format, values.astype(np.float64) / step)
    else:
        # Quotients that are too small or too large for float32 end at 0 or at an end of the range.
        with np.errstate(under="ignore", over="ignore"):
            found = np.rint(values / step)
    return np.asarray(np.clip(found, low, high), np.int64)


def _fixed_codes(number_format: FixedPoint, quotients: np.ndarray) -> np.ndarray:
    """Whole numbers in float64, which is exact for every float32 value and step."""
    is_truncated = number_format.rounding == "truncate"
    found = np.floor(quotients) if is_truncated else np.rint(quotients)
    if number_format.overflow == "wrap":
        count = 2.0**number_format.total
        found = np.mod(found, count)
        found = np.where(found >= count / 2, found - count, found)
    return np.asarray(found)


def values(
    number_format: NumberFormat, codes: np.ndarray, scale: np.ndarray | float | None = None
) -> np.ndarray:
    """Codes -> the values that they stand for, in float32.

    Args:
        number_format: Of the codes.
        codes: Whole numbers within `code_range`.
        scale: As of `codes`.

    Raises:
        ValueError: A code is out of range, or a scale is not one.
    """
    low, high = code_range(number_format)
    codes = np.asarray(codes)
    allowed = np.abs(codes) == 1 if _is_sign(number_format) else (low <= codes) & (codes <= high)
    if not allowed.all():
        wanted = f"{low} or {high}" if _is_sign(number_format) else f"from {low} to {high}"
        raise ValueError(
            f"Expected codes {wanted} for `{number_format.text}`. "
            f"Received: {shown(codes[~allowed].tolist())}. Fix: make them with `codes`."
        )
    return np.asarray(codes.astype(np.float32) * _step(number_format, scale), np.float32)


def _is_sign(number_format: NumberFormat) -> bool:
    is_signed = isinstance(number_format, ScaledInteger) and number_format.signed
    return is_signed and number_format.bits == 1


def _step(number_format: NumberFormat, scale: np.ndarray | float | None) -> np.ndarray:
    if isinstance(number_format, FixedPoint):
        if scale is not None:
            raise ValueError(
                f"Expected no scale for `{number_format.text}`, whose step is its own. "
                f"Received: {scale!r}. Fix: give None."
            )
        return np.asarray(number_format.step, np.float32)
    found = np.asarray(1.0 if scale is None else scale, np.float32)
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise ValueError(
            f"Expected scales above 0 for `{number_format.text}`. Received: {shown(scale)}. "
            "Fix: give positive finite numbers."
        )
    return found
