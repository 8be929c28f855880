"""Number formats: their texts, what they refuse, and what their codes mean, over all of them."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nas.architecture.number_formats import (
    FixedPoint,
    NumberFormat,
    ScaledInteger,
    bits_of,
    code_range,
    codes,
    format_text,
    parse_format,
    values,
)
from nas.architecture.spec import (
    Architecture,
    Conv,
    Dense,
    DepthwiseConv,
    Layer,
    MBConv,
    SeparableConv,
)
from nas.architecture.text import from_json, parse, to_json, to_text
from nas.errors import InputError
from tests.support.formats import FIXED, FORMATS, INTEGERS

# A session of ONNX Runtime that takes denormal numbers as 0 leaves its thread so.
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)
SCALES = st.floats(2.0**-20, 2.0**20, width=32)


@given(st.one_of(FORMATS, st.none()))
def test_text_is_an_exact_inverse(number_format: NumberFormat | None) -> None:
    assert parse_format(format_text(number_format)) == number_format


# Fewer than usual: each example has four formats.
@settings(max_examples=25)
@given(
    st.sampled_from(
        (Conv(3, 1, 8), SeparableConv(3, 1, 8), DepthwiseConv(3, 1), Dense(4), MBConv(3, 1, 3, 8))
    ),
    st.lists(st.one_of(FORMATS, st.none()), min_size=4, max_size=4),
)
def test_records_with_any_formats_are_the_same_again(
    layer: Layer, formats: list[NumberFormat | None]
) -> None:
    names = ("weight_format", "activation_format", "bias_format", "norm_format")
    changes: dict[str, Any] = dict(zip(names, formats, strict=True))
    network = Architecture(8, (replace(layer, **changes),))
    assert parse(to_text(network)) == network
    assert from_json(json.loads(json.dumps(to_json(network)))) == network


@pytest.mark.parametrize(
    ("text", "number_format", "bits", "span"),
    [
        ("b1", ScaledInteger(1), 1, (-1, 1)),
        ("b2", ScaledInteger(2), 2, (-1, 1)),
        ("b8l", ScaledInteger(8, scale="learned"), 8, (-127, 127)),
        ("u1", ScaledInteger(1, signed=False), 1, (0, 1)),
        ("u4l", ScaledInteger(4, False, "learned"), 4, (0, 15)),
        ("f16.6", FixedPoint(16, 6), 16, (-32768, 32767)),
        ("f8.1tw", FixedPoint(8, 1, "truncate", "wrap"), 8, (-128, 127)),
        ("f2.2w", FixedPoint(2, 2, overflow="wrap"), 2, (-2, 1)),
        ("f24.8t", FixedPoint(24, 8, "truncate"), 24, (-(2**23), 2**23 - 1)),
    ],
)
def test_what_texts_mean(
    text: str, number_format: NumberFormat, bits: int, span: tuple[int, int]
) -> None:
    assert parse_format(text) == number_format
    assert (bits_of(number_format), code_range(number_format)) == (bits, span)


def test_float32_is_no_format_and_has_32_bits() -> None:
    assert parse_format("float32") is None
    assert bits_of(None) == 32 and format_text(None) == "float32"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("b0", "0 in 'b0'"),
        ("u-2", "-2 in 'u-2'"),
        ("b9", "such as `f16.6`"),
        ("u999999999", "from 1 to 8"),
        ("f8.9", "integer bits, with the sign, from 1 to the 8 bits in total"),
        ("f8.0", "0 in 'f8.0'"),
        ("f8.-1", "-1 in 'f8.-1'"),
        ("f0.1", "total bits"),
        ("f-8.1", "total bits"),
        ("f1.1", "from 2 to 24"),
        ("f25.6", "which float32 computes exactly"),
        ("b04", "as `b4`"),
        ("f08.2", "as `f8.2`"),
        ("f16", "'f16'"),
        ("f16.6wt", "'f16.6wt'"),
        ("f16,6", "'f16,6'"),
        ("int8", "'int8'"),
        ("b4 ", "'b4 '"),
        ("B4", "'B4'"),
        ("b\u0664", "a number format"),
        ("b" + "9" * 5000, "a number format"),
        ("", "''"),
        (4, "4"),
        (None, "None"),
    ],
)
def test_what_is_no_format_is_refused_in_three_parts(text: object, named: str) -> None:
    with pytest.raises(InputError) as refused:
        parse_format(text)  # type: ignore[arg-type]
    message = str(refused.value)
    assert named in message, message
    assert all(part in message for part in ("Expected", "Received", "Fix"))
    assert len(message) < 600, "a message is for people"


@pytest.mark.parametrize(
    "make",
    [
        lambda: ScaledInteger(True),
        lambda: ScaledInteger(4.0),  # type: ignore[arg-type]
        lambda: ScaledInteger(4, "yes"),  # type: ignore[arg-type]
        lambda: ScaledInteger(4, scale="learnt"),  # type: ignore[arg-type]
        lambda: FixedPoint("8", 2),  # type: ignore[arg-type]
        lambda: FixedPoint(8, 2.0),  # type: ignore[arg-type]
        lambda: FixedPoint(8, 2, "floor"),  # type: ignore[arg-type]
        lambda: FixedPoint(8, 2, overflow="wraps"),  # type: ignore[arg-type]
    ],
)
def test_records_of_python_have_the_same_bounds(make: object) -> None:
    with pytest.raises(InputError, match="Expected(?s:.*)Received(?s:.*)Fix"):
        make()  # type: ignore[operator]


def test_the_nearest_mode_is_told() -> None:
    with pytest.raises(InputError, match="write 'wrap'"):
        FixedPoint(8, 2, overflow="wraps")  # type: ignore[arg-type]


@given(FIXED, st.lists(FLOATS, max_size=8))
def test_fixed_point_is_what_exact_arithmetic_says(
    number_format: FixedPoint, numbers: list[float]
) -> None:
    """The definition in fractions, which round nothing; `round` of Python takes halves to even."""
    low, high = code_range(number_format)
    step = Fraction(2) ** (number_format.integer - number_format.total)
    expected = []
    for number in numbers:
        exact = Fraction(number) / step
        code = exact.__floor__() if number_format.rounding == "truncate" else round(exact)
        if number_format.overflow == "wrap":
            code = (code - low) % 2**number_format.total + low
        expected.append(min(max(code, low), high))
    found = codes(number_format, np.array(numbers, np.float32))
    assert found.dtype == np.int64 and found.tolist() == expected
    # Every code is a float32 number, exactly.
    assert [Fraction(float(v)) for v in values(number_format, found)] == [
        c * step for c in expected
    ]


@given(INTEGERS, st.lists(FLOATS, max_size=8), SCALES)
def test_scaled_integers_are_the_rounded_quotient(
    number_format: ScaledInteger, numbers: list[float], scale: float
) -> None:
    low, high = code_range(number_format)
    with np.errstate(over="ignore", under="ignore"):
        quotients = [float(np.float32(number) / np.float32(scale)) for number in numbers]
    if number_format.signed and number_format.bits == 1:
        expected = [1 if number >= 0 else -1 for number in numbers]
    else:
        expected = [round(min(max(quotient, low), high)) for quotient in quotients]
    found = codes(number_format, np.array(numbers, np.float32), scale)
    assert found.tolist() == expected
    assert values(number_format, found, scale).tolist() == [
        float(np.float32(code) * np.float32(scale)) for code in expected
    ]


# Fewer than usual: each example has up to 200 codes.
@settings(max_examples=40)
@given(FORMATS)
def test_quantising_twice_is_quantising_once(number_format: NumberFormat) -> None:
    low, high = code_range(number_format)
    every = np.unique(np.linspace(low, high, 200).round().astype(np.int64))
    if number_format == ScaledInteger(1, scale=getattr(number_format, "scale", "fixed")):
        every = np.array([-1, 1])
    assert (codes(number_format, values(number_format, every)) == every).all()


def test_the_sign_of_zero_is_plus_one() -> None:
    assert codes(ScaledInteger(1), np.array([0.0, -0.0, -1e-30])).tolist() == [1, 1, -1]


def test_scales_are_one_a_channel_where_they_are_many() -> None:
    kernel = np.array([[0.5, -4.0], [-1.0, 2.0]], np.float32)
    found = codes(ScaledInteger(2), kernel, np.array([1.0, 4.0]))
    assert found.tolist() == [[0, -1], [-1, 0]]


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), [1.0, float("inf")]])
def test_what_is_no_scale_is_refused(scale: float | list[float]) -> None:
    with pytest.raises(ValueError, match="Expected scales above 0 for `b4`(?s:.*)Received.*Fix"):
        codes(ScaledInteger(4), np.zeros(2), np.array(scale))


def test_fixed_point_takes_no_scale() -> None:
    with pytest.raises(ValueError, match="Expected no scale for `f8.2`(?s:.*)Received: 0.5.*Fix"):
        codes(FixedPoint(8, 2), np.zeros(2), 0.5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_has_no_code(bad: float) -> None:
    with pytest.raises(ValueError, match="Expected finite values"):
        codes(FixedPoint(8, 2), np.array([0.0, bad]))


@pytest.mark.parametrize(
    ("number_format", "bad"),
    [(ScaledInteger(1), 0), (ScaledInteger(2), 2), (FixedPoint(4, 2), -9)],
)
def test_codes_out_of_range_have_no_value(number_format: NumberFormat, bad: int) -> None:
    with pytest.raises(ValueError, match=rf"Expected codes .*Received: \[{bad}\].*Fix"):
        values(number_format, np.array([1, bad]))
