"""Bits of weights and bit operations in tables: shown where a network has formats of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from nas.architecture.number_formats import FLOAT32_BITS
from nas.report import numbers

HEADINGS = ("weight bits", "BOPs")


class Counted(Protocol):
    """A network in figures; None where an earlier version wrote the record."""

    @property
    def macs(self) -> int | None:
        """Multiply-adds of one image."""

    @property
    def weight_bits(self) -> int | None:
        """Bits of the kernels."""

    @property
    def bops(self) -> int | None:
        """Bit operations of one image."""


def bits_are_shown(networks: Iterable[Counted]) -> bool:
    """Whether any network multiplies other numbers than float32; of the others MACs say it all.

    Args:
        networks: Of one table.
    """
    return any(
        n.bops is not None and n.macs is not None and n.bops != n.macs * FLOAT32_BITS**2
        for n in networks
    )


def bit_cells(network: Counted) -> list[str]:
    """The cells below `HEADINGS`.

    Args:
        network: Of one row.
    """
    return [numbers.count(network.weight_bits), numbers.count(network.bops)]
