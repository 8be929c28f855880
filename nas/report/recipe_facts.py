"""What a recipe says, without what it leaves alone: for people, who need no knob that is off."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any


def recipe_facts(recipe: Any) -> dict[str, Any]:
    """Knob -> value; those of records inside of the recipe stand among them.

    A record inside is left out while it is switched off: it is as usual, and its first field is
    nothing. So are values that are nothing, where that is usual, and those of knobs that say
    nothing without another one, which is nothing.

    Args:
        recipe: A `Recipe`, or a record that has all fields of one.
    """
    found: dict[str, Any] = {}
    for field in fields(recipe):
        value = getattr(recipe, field.name)
        needed = field.metadata.get("beside")
        if needed is not None and getattr(recipe, needed) is None:
            continue
        if is_dataclass(value) and not isinstance(value, type):
            is_off = value == type(value)() and not getattr(value, fields(value)[0].name)
            found |= {} if is_off else recipe_facts(value)
        elif value or value != field.default:
            found[field.name] = value
    return found
