"""Checks of the numbers in records: one wording, every field by its name."""

from __future__ import annotations

import math
import re

from nas.errors import FieldError


def check_number(
    name: str,
    value: float | None,
    *,
    least: float = -math.inf,
    most: float = math.inf,
    above: float = -math.inf,
    below: float = math.inf,
    optional: bool = False,
) -> None:
    """Refuses a number outside of its range; NaN and infinity are always outside.

    Args:
        name: Of the field or flag, as the user writes it.
        value: The number found.
        least: Smallest number allowed.
        most: Largest number allowed.
        above: Number that it must exceed.
        below: Number that it must stay under.
        optional: Whether None is allowed too.

    Raises:
        FieldError: The number is out of range, not finite, or no number.
    """
    if value is None and optional:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    inside = is_number and value is not None and least <= value <= most and above < value < below
    if inside and math.isfinite(value or 0.0):
        return
    wanted = _range_text(least, most, above, below) + (", or None" if optional else "")
    raise FieldError(
        f"{name} to be a number {wanted}", repr(value), f"set {name} {wanted}", *_words(name)
    )


def check_count(name: str, value: int, *, least: int = 1) -> None:
    """Refuses what is no whole number from `least` on.

    Args:
        name: Of the field or flag, as the user writes it.
        value: The number found.
        least: Smallest number allowed.

    Raises:
        FieldError: The number is too small or not whole.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        wanted = f"{least} or more"
        raise FieldError(
            f"{name} to be a whole number, {wanted}",
            repr(value),
            f"set {name} to {wanted}",
            *_words(name),
        )


def _words(name: str) -> list[str]:
    """The words of what a number is called; one of them is the field."""
    return re.findall(r"\w+", name)


def _range_text(least: float, most: float, above: float, below: float) -> str:
    parts = [
        f"{word} {bound:g}"
        for word, bound in (("from", least), ("above", above), ("up to", most), ("below", below))
        if math.isfinite(bound)
    ]
    return " and ".join(parts) or "that is finite"
