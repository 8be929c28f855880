"""What candidates of every kind of space tell in one way: how many there are, what is counted."""

from __future__ import annotations

from collections.abc import Mapping

from nas.tuning.objectives import QUANTITIES
from nas.tuning.points import size_of
from nas.tuning.recipe_knobs import RecipeKnobs

# Names of counts -> those of objectives.
COUNTS: Mapping[str, str] = {
    "params": "params",
    "macs": "macs",
    "size_bytes": "bytes",
    "memory_bytes": "memory_bytes",
    "weight_bits": "weight_bits",
    "bops": "bops",
}


class CountedNetworks:
    """Networks of a space that are counted, with recipes that differ in some knobs.

    Args:
        networks: Of the space.
        knobs: Of the recipe.
        further: Quantities beside the counts that are known without training.
    """

    def __init__(self, networks: int, knobs: RecipeKnobs, further: tuple[str, ...] = ()) -> None:
        self._networks, self._knobs, self._further = networks, knobs, further

    @property
    def known_names(self) -> tuple[str, ...]:
        """Quantities that are known without training."""
        found = (*COUNTS.values(), *self._further)
        return tuple(name for name in QUANTITIES if name in found)

    @property
    def size(self) -> int | None:
        """Configurations in all; None where a knob has a range."""
        return size_of(self._networks, self._knobs.parameters)
