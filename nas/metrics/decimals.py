"""Parameters of metrics as exact decimal numbers: shares, and frequencies with a unit."""

from __future__ import annotations

import re
from decimal import Decimal

from nas.errors import InputError
from nas.registry import check_known

# Power of ten of each unit. Their case counts: mHz would be another unit than MHz.
UNITS = {"Hz": 0, "kHz": 3, "MHz": 6}
NUMBER = r"[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,2})?"
# A binary number holds as many digits, so that records and flags keep every one of them.
MOST_DIGITS = 15
LEAST_SHARE = Decimal("1e-9")
LEAST_HZ, MOST_HZ = Decimal("1e-6"), Decimal("1e15")


def parse_share(name: str, text: str) -> Decimal:
    """A share above 0 and below 1, as `0.01` or `1e-2`.

    Args:
        name: What is read, for messages.
        text: As it was written.

    Raises:
        InputError: It is no such number.
    """
    value = _number(text)
    if value is None or not LEAST_SHARE <= value < 1:
        raise InputError(
            f"{name} to be a share from 1e-9 to below 1, such as 0.01",
            repr(text),
            f"write {name} as a number in that range",
        )
    return value


def parse_frequency(name: str, text: str) -> Decimal:
    """A frequency with its unit, as `10kHz`, in Hz.

    Args:
        name: What is read, for messages.
        text: As it was written: a number and Hz, kHz or MHz, without a space.

    Raises:
        InputError: The number or the unit is missing, unknown or out of range.
    """
    found = re.fullmatch(rf"({NUMBER})([A-Za-z]*)", text)
    if found is None or not found[2]:
        raise InputError(
            f"{name} to be a number and its unit, such as 10kHz",
            repr(text),
            f"write a unit behind the number: {', '.join(UNITS)}",
        )
    check_known(f"the unit of {name}", found[2], UNITS)
    number = _number(found[1])
    value = None if number is None else number.scaleb(UNITS[found[2]])
    if value is None or not LEAST_HZ <= value <= MOST_HZ:
        raise InputError(
            f"{name} to be from 1e-6 Hz to 1e15 Hz, with {MOST_DIGITS} digits at most",
            repr(text),
            f"write {name} in that range",
        )
    return value


def frequency_text(rate_hz: Decimal) -> str:
    """A frequency in the greatest unit that leaves 1 or more, which `parse_frequency` reads back.

    Args:
        rate_hz: In Hz, above 0.
    """
    fitting = [unit for unit, power in UNITS.items() if rate_hz >= Decimal(1).scaleb(power)]
    unit = fitting[-1] if fitting else "Hz"
    return f"{plain(rate_hz.scaleb(-UNITS[unit]))}{unit}"


def plain(value: Decimal) -> str:
    """A number without an exponent and without zeros that say nothing.

    Args:
        value: Above 0.
    """
    return format(value.normalize(), "f")


def _number(text: str) -> Decimal | None:
    """A number of few enough digits; None for any other text."""
    if not re.fullmatch(NUMBER, text):
        return None
    value = Decimal(text)
    return value if len(value.normalize().as_tuple().digits) <= MOST_DIGITS else None
