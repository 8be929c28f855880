"""The base of every record of a layer: its place in architecture strings, and its checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.architecture.activations import ACTIVATIONS
from nas.architecture.bounds import MOST_NUMBER, shown
from nas.architecture.number_formats import NumberFormat
from nas.errors import ArchitectureError


@dataclass(frozen=True)
class Field:
    """How one attribute of a record is written in an architecture string.

    Args:
        key: Letters before the value, such as `k` in `k5`; a flag is its key alone.
        name: Attribute of the record.
        kind: `int` (1 or more), `count` (0 or more), `float` (0 to below 1), `factor` (above 0, at
            most `MOST_NUMBER`), `activation`, `format` (of numbers; None is float32) or `flag`
            (present means not the default).
    """

    key: str
    name: str
    kind: str = "int"


# What layers with a kernel say of their numbers; `nas.architecture.operations.Formats` has each.
FORMAT_FIELDS = (
    Field("wq", "weight_format", "format"),
    Field("aq", "activation_format", "format"),
    Field("bq", "bias_format", "format"),
    Field("nq", "norm_format", "format"),
)


@dataclass(frozen=True)
class Layer:
    """Base of every record; `TOKEN` and `FIELDS` define its place in architecture strings."""

    TOKEN: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[Field, ...]] = ()

    def __post_init__(self) -> None:
        for entry in self.FIELDS:
            _check_value(self, entry)


def _check_value(layer: Layer, entry: Field) -> None:
    value = getattr(layer, entry.name)
    where = f"`{entry.name}` of `{layer.TOKEN}`"
    if entry.kind in ("int", "count"):
        least = 1 if entry.kind == "int" else 0
        if type(value) is not int or not least <= value <= MOST_NUMBER:
            above = "above 0" if least else "from 0"
            raise ArchitectureError(
                f"{where} to be a whole number {above} and up to {MOST_NUMBER}",
                shown(value),
                f"write `{entry.key}` in that range",
            )
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if entry.kind == "float" and not (is_number and 0 <= value < 1):
        raise ArchitectureError(
            f"{where} to be from 0 to below 1", shown(value), f"write `{entry.key}` in that range"
        )
    if entry.kind == "factor" and not (is_number and 0 < value <= MOST_NUMBER):
        raise ArchitectureError(
            f"{where} to be a number above 0 and up to {MOST_NUMBER}",
            shown(value),
            f"write `{entry.key}` in that range",
        )
    if entry.kind == "activation" and (not isinstance(value, str) or value not in ACTIVATIONS):
        raise ArchitectureError(
            f"{where} to be one of {', '.join(ACTIVATIONS)}", shown(value), "choose one of these"
        )
    if entry.kind == "format" and not isinstance(value, NumberFormat | None):
        raise ArchitectureError(
            f"{where} to be a number format, or None for float32",
            shown(value),
            "give what `nas.architecture.number_formats.parse_format` reads",
        )
    if entry.kind == "flag" and type(value) is not bool:
        raise ArchitectureError(
            f"{where} to be true or false", shown(value), f"write `{entry.name}` so"
        )
