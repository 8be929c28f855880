"""A space whose knobs hold for the whole network: bit widths, one kernel for all, grids of others.

`Space` has a choice at each of its places and costs that add up over them. Where one knob changes
many layers, or the size of the maps behind them, there is no such place: a configuration is a value
for each knob, and a function makes its network. Only trials search such spaces.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from types import NoneType
from typing import TypeAlias

import numpy as np

from nas.architecture.lowering import lower_architecture
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.errors import InputError, SpaceError
from nas.search_space.space import Space
from nas.system.user_files import FunctionError, function_called

KnobValue: TypeAlias = str | int | float | bool | None
KnobValues: TypeAlias = Mapping[str, KnobValue]
# Knob -> its values: every combination of them is a configuration.
Grid: TypeAlias = Mapping[str, tuple[KnobValue, ...]]
# (values, image size in pixels, class scores) -> network.
Build: TypeAlias = Callable[[KnobValues, int, int], Architecture]
# (values, image size in pixels) -> knob -> value that stands for its equals.
Standing: TypeAlias = Callable[[KnobValues, int], KnobValues]
# Networks whose texts tell whether a function builds what it built before.
DRAWS_OF_FINGERPRINT = 32


class ShapeError(SpaceError):
    """A network of a knob space that cannot exist.

    Args:
        condition: What it breaks, such as `kernel <= map at conv4`; trials count by it.
    """

    def __init__(self, condition: str) -> None:
        super().__init__(
            f"a network with {condition}", "knobs that break it", "change the knobs that it names"
        )
        self.condition = condition

    def __reduce__(self) -> tuple[type[ShapeError], tuple[str]]:
        return type(self), (self.condition,)


def all_differ(values: KnobValues, image_size: int) -> KnobValues:
    """No knob at all: each value makes a network of its own.

    Args:
        values: Of every knob.
        image_size: Height and width of images in pixels.
    """
    del values, image_size
    return {}


@dataclass(frozen=True)
class KnobSpace:
    """A search space of networks that a function makes out of knobs.

    Args:
        name: Stable name, part of run folders.
        image_size: Height and width of images in pixels.
        num_classes: Class scores of every network.
        grids: One or more, of the same knobs; no configuration is in two of them.
        build: Makes a network; raises `ShapeError` where there is none.
        original: Knob -> value of the network that the others stand beside. Its values need not be
            in a grid, and may be those of knobs of the recipe as well.
        original_name: Of that network, for people.
        tune: Knobs of the recipe that belong to the space, as `--tune` writes them; None for none.
        recipe: Name of the recipe of its networks; None for the usual one of the images.
        standing: Knob -> the value that stands for all of its values that make the same network
            beside the values of the other knobs, such as the size of pools where there are none.
            Of (values, image size); other knobs may be left out.
        places: Makes a space with a choice at each of its places, which searches by gradient
            take in its stead, of (image size in pixels, class scores); None where there is none.

    Raises:
        SpaceError: No grid, grids of different knobs, a configuration that is in two, or a value
            that a record of it would not give back.
    """

    name: str
    image_size: int
    num_classes: int
    grids: tuple[Grid, ...]
    build: Build
    original: KnobValues
    original_name: str = "original"
    tune: str | None = None
    recipe: str | None = None
    standing: Standing = all_differ
    places: Callable[[int, int], Space] | None = None

    def __post_init__(self) -> None:
        names = [list(grid) for grid in self.grids]
        if not names or any(each != names[0] for each in names) or not names[0]:
            raise SpaceError(
                f"one grid or more of the same knobs in space `{self.name}`, in one order",
                "; ".join(", ".join(each) or "none" for each in names) or "none",
                "give each grid a value or more of every knob",
            )
        for grid in self.grids:
            _check_values(self.name, grid)
        for number, grid in enumerate(self.grids):
            for other in self.grids[:number]:
                if all(any(_has(other[name], v) for v in values) for name, values in grid.items()):
                    raise SpaceError(
                        f"grids of space `{self.name}` without a common configuration",
                        f"some in grid {number} that are in an earlier one",
                        "leave them out of one of the two",
                    )
        missing = [name for name in self.knobs if name not in self.original]
        if missing:
            raise SpaceError(
                f"values of all knobs in the original of space `{self.name}`",
                f"none of {', '.join(missing)}",
                "write them",
            )
        for name, value in self.original.items():
            _check_kinds(self.name, name, [value])

    @cached_property
    def knobs(self) -> Mapping[str, tuple[KnobValue, ...]]:
        """Knob -> its values in any grid, in the order of the grids."""
        found: dict[str, tuple[KnobValue, ...]] = {}
        for grid in self.grids:
            for name, values in grid.items():
                known = found.get(name, ())
                found[name] = (*known, *(value for value in values if not _has(known, value)))
        return found

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Configurations of each grid."""
        return tuple(math.prod(map(len, grid.values())) for grid in self.grids)

    @property
    def size(self) -> int:
        """Configurations, those without a network included."""
        return sum(self.sizes)

    def at(self, image_size: int | None, num_classes: int | None) -> KnobSpace:
        """The same space for other images.

        Args:
            image_size: Height and width in pixels; None for the space's own.
            num_classes: Class scores, 2 or more; None for the space's own.

        Raises:
            SpaceError: Fewer than two classes, or an image size that no original exists at.
        """
        classes = self.num_classes if num_classes is None else num_classes
        if classes < 2:
            raise SpaceError("two classes or more", f"{classes}", "add images of another class")
        found = replace(self, image_size=image_size or self.image_size, num_classes=classes)
        if (broken := found.broken(found.original)) is not None:
            raise SpaceError(
                f"an image size at which the original of space `{self.name}` exists, such as "
                f"{self.image_size} px",
                f"{found.image_size} px, where it breaks {broken}",
                f"enlarge the images by --image_size {self.image_size} or more",
            )
        return found

    def point(self, number: int) -> dict[str, KnobValue]:
        """One of all configurations; each has a number.

        Args:
            number: From 0 to below `size`.
        """
        for size, grid in zip(self.sizes, self.grids, strict=True):
            if number < size:
                return _combination(grid, number)
            number -= size
        raise SpaceError(f"a number below {self.size}", f"{number + self.size}", "use a lower one")

    def draw(self, rng: np.random.Generator) -> dict[str, KnobValue]:
        """A configuration, each equally likely.

        Args:
            rng: Generator of this draw.
        """
        shares = np.array([size / self.size for size in self.sizes])
        grid = self.grids[int(rng.choice(len(shares), p=shares))]
        return {name: values[int(rng.integers(len(values)))] for name, values in grid.items()}

    def canonical(self, values: KnobValues) -> dict[str, KnobValue]:
        """The one configuration that stands for all that mean the same.

        Values that no grid has together are those of the grid that has most of them, each replaced
        by the nearest one there. Then those of `standing` take the place of their equals.

        Args:
            values: A value for each knob.
        """
        # Of two grids with as many of them, the one that has the earlier knobs.
        kept = [[_has(options, values[k]) for k, options in grid.items()] for grid in self.grids]
        best = max(range(len(kept)), key=lambda number: (sum(kept[number]), kept[number]))
        grid = self.grids[best]
        found = {name: _nearest(options, values[name]) for name, options in grid.items()}
        with self._calling("standing", found):
            standing = dict(self.standing(found, self.image_size)).items()
        return {**found, **{name: value for name, value in standing if _has(grid[name], value)}}

    def network(self, values: KnobValues) -> Architecture:
        """The network of a configuration.

        Args:
            values: A value for each knob.

        Raises:
            ShapeError: There is none.
            FunctionError: The space's function broke off.
        """
        try:
            with self._calling("build", values):
                found = self.build(values, self.image_size, self.num_classes)
            self._check_built(found, values)
            lower_architecture(found)
        except (ShapeError, FunctionError):
            raise
        except InputError as error:
            # What the space did not look at itself; the layer stands in what was expected.
            raise ShapeError(error.expected) from error
        return found

    def _calling(self, function: str, values: KnobValues) -> AbstractContextManager[None]:
        """Beside one of the functions of the space."""
        return function_called(f"`{function}` of space `{self.name}` with {_said(values)}")

    def _check_built(self, found: object, values: KnobValues) -> None:
        if not isinstance(found, Architecture):
            raise FunctionError(
                f"an Architecture from `build` of space `{self.name}` with {_said(values)}",
                repr(found),
                "return one, or raise ShapeError where there is no such network",
            )

    def broken(self, values: KnobValues) -> str | None:
        """What keeps a configuration from having a network; None where it has one.

        Args:
            values: A value for each knob.
        """
        try:
            self.network(values)
        except ShapeError as error:
            return error.condition
        return None

    def fingerprint(self) -> str:
        """12 hex digits of the knobs and of what networks are made of some of their values."""
        rng = np.random.default_rng(0)
        drawn = [self.original, *(self.draw(rng) for _ in range(DRAWS_OF_FINGERPRINT))]
        made = [self.broken(values) or to_text(self.network(values)) for values in drawn]
        grids = [dict(grid) for grid in self.grids]
        known = [self.name, self.image_size, self.num_classes, grids, dict(self.original)]
        text = json.dumps([*known, self.tune, made])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def _said(values: KnobValues) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items())


def _check_kinds(space: str, name: str, values: Iterable[object]) -> None:
    """Refuses values that the record of a trial would not give back as they were."""
    for value in values:
        is_number = type(value) is not float or math.isfinite(value)
        if type(value) not in (str, int, float, bool, NoneType) or not is_number:
            raise SpaceError(
                f"texts, finite numbers, true, false or None as values of knob {name} in space "
                f"`{space}`",
                f"{value!r}, {type(value).__name__}",
                "write a text or a plain number, and let `build` make the value of it, such as "
                "(3, 5) of '3x5'",
            )


def _check_values(space: str, grid: Grid) -> None:
    for name, values in grid.items():
        _check_kinds(space, name, values)
        if not values or len({json.dumps(value) for value in values}) < len(values):
            raise SpaceError(
                f"different values of knob {name} in space `{space}`",
                ", ".join(map(json.dumps, values)) or "none",
                "write each value once",
            )


def _has(options: Iterable[KnobValue], value: KnobValue) -> bool:
    # True is 1 for Python, and another value here.
    return any(value == option and type(value) is type(option) for option in options)


def _nearest(options: tuple[KnobValue, ...], value: KnobValue) -> KnobValue:
    """The value itself if it is there, else the nearest number, else the first option."""
    if _has(options, value):
        return value
    numbers = [option for option in options if _is_number(option)]
    if not _is_number(value) or not numbers:
        return options[0]
    return min(numbers, key=lambda option: abs(option - value))  # type: ignore[operator]


def _is_number(value: KnobValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _combination(grid: Grid, number: int) -> dict[str, KnobValue]:
    """The last knob changes fastest, as in nested loops."""
    found: dict[str, KnobValue] = {}
    for name, values in reversed(list(grid.items())):
        number, place = divmod(number, len(values))
        found[name] = values[place]
    return dict(reversed(list(found.items())))
