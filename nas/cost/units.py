"""What a goal may be asked in, and how each of these quantities is named and written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# As records name them.
QuantityName = Literal["milliseconds", "bops", "weight_bits"]


@dataclass(frozen=True)
class Unit:
    """Names of one quantity.

    Args:
        quantity: As records name it.
        name: Of flags, columns and folders, as in `--target_ms`, `expected_ms` and `1.2ms`.
        text: Behind a figure, for people.
        noun: What it is, in a sentence.
        is_measured: Whether a device tells it, so that a prediction may be off; the others are
            counted, and known exactly.
    """

    quantity: QuantityName
    name: str
    text: str
    noun: str
    is_measured: bool = False

    @property
    def flag(self) -> str:
        """The flag that asks for a value to land on."""
        return f"target_{self.name}"

    @property
    def column(self) -> str:
        """The column of a search's history with the expectation over the gates."""
        return f"expected_{self.name}"

    @property
    def plural(self) -> str:
        """Its units in a sentence."""
        return "milliseconds" if self.is_measured else self.text

    @property
    def penalty(self) -> str:
        """What a search calls the price of it, behind an article."""
        return f"{self.noun} penalty" if self.is_measured else f"penalty on {self.noun}"

    def number(self, value: float, digits: int = 3) -> str:
        """A figure in full, as it can be typed behind a flag: 1.234, or 70347776.

        Args:
            value: In this unit.
            digits: Behind the point, of what is measured; counts are whole.
        """
        return f"{value:.{digits if self.is_measured else 0}f}"

    def written(self, value: float, digits: int = 3) -> str:
        """The same with its unit: `1.234 ms`, `70347776 BOPs`.

        Args:
            value: In this unit.
            digits: See `number`.
        """
        return f"{self.number(value, digits)} {self.text}"

    def label(self, value: float) -> str:
        """A value as the names of folders have it: `1.2ms`, `3.5e7bops`, `70347776bops`.

        A count is written whole, in the shorter of two ways, so that no two of them share a name.

        Args:
            value: In this unit.
        """
        if self.is_measured or not float(value).is_integer():
            return f"{value:g}{self.name}"
        plain = str(int(value))
        digits = plain.rstrip("0")
        point = f".{digits[1:]}" if digits[1:] else ""
        short = f"{digits[:1]}{point}e{len(plain) - 1}"
        return f"{short if len(short) < len(plain) else plain}{self.name}"


MILLISECONDS = Unit("milliseconds", "ms", "ms", "latency", is_measured=True)
BOPS = Unit("bops", "bops", "BOPs", "bit operations")
WEIGHT_BITS = Unit("weight_bits", "weight_bits", "weight bits", "weight bits")

UNITS: dict[QuantityName, Unit] = {u.quantity: u for u in (MILLISECONDS, BOPS, WEIGHT_BITS)}
BY_NAME: dict[str, Unit] = {unit.name: unit for unit in UNITS.values()}
