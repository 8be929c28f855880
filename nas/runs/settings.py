"""What every run is asked for, whichever program began it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from nas.errors import InputError
from nas.recipes.scales import Scale
from nas.runs.data import DataSource
from nas.system.backend import Compute
from nas.system.environment import Environment
from nas.training.recipe import Recipe

CONFIG_FILE = "config.json"


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What every run is asked for, whichever program began it.

    Args:
        date: When the run began: UTC in ISO form.
        command: Command line that began it.
        seed: Of weights, draws, data order and, where a layout has none, the data's division.
        scale: Name of the `Scale` whose lengths, sizes and plans hold.
        data: The images.
        compute: What Keras computes with.
        recipe: What a network trains with when it trains alone.
        environment: What the run began with.
        blocks: Python files with blocks of a user's own, as absolute paths; they are loaded before
            the space.

    Raises:
        InputError: The scale is unknown, or the seed negative.
    """

    FILE: ClassVar[str] = CONFIG_FILE
    SCHEMA_VERSION: ClassVar[int] = 2

    date: str
    command: str
    seed: int
    scale: str
    data: DataSource
    compute: Compute
    recipe: Recipe
    environment: Environment
    blocks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        Scale.named(self.scale)
        if self.seed < 0:
            raise InputError("a seed of 0 or more", f"{self.seed}", "correct --seed")

    @property
    def sizes(self) -> Scale:
        """Lengths, sizes and plans of the run."""
        return Scale.named(self.scale)

    @property
    def is_smoke(self) -> bool:
        """Whether the run is of toy size, so that its figures mean nothing."""
        return self.scale == "smoke"
