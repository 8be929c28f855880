"""The space of a search that names none: one that fits the images and leaves bounds a choice."""

from __future__ import annotations

from collections.abc import Sequence

from nas.cost.constraints import Bounds, quantities
from nas.errors import SpaceError
from nas.search_space.bits import BitWidths, with_bits
from nas.search_space.named import get_space, space_for
from nas.search_space.space import Space
from nas.selection.contradictions import bounds_text
from nas.selection.limits import Limits

# Best first: spaces for real images of any size.
NAMES = ("tiny", "cifar", "small")
# A bound below so many times the least that a space has leaves hardly anything to choose there.
ROOM = 2.0


def default_space(
    image_size: int, num_classes: int, bounds: Bounds, bits: BitWidths | None = None
) -> tuple[Space, str]:
    """The space for images of a size, with bounds beside the goal.

    Args:
        image_size: Height and width in pixels.
        num_classes: Class scores.
        bounds: Beside the goal.
        bits: That blocks will choose from, which decide what the space has of a bound's count; None
            for float32.

    Returns:
        The first space that fits the images, without these bits, unless its bounds leave hardly a
        choice there and another one has more room; and why it is another one, empty where it is
        not.

    Raises:
        SpaceError: No space fits images of this size.
    """
    first = get_space(space_for(image_size, NAMES[:2]), image_size, num_classes)
    tight = _tight(with_bits(first, bits), bounds)
    if not tight:
        return first, ""
    for name in NAMES:
        if name == first.name:
            continue
        try:
            other = get_space(name, image_size, num_classes)
        except SpaceError:
            continue  # images too small for it
        if not _tight(with_bits(other, bits), bounds):
            least = ", ".join(f"{name} {count:,}" for name, count in tight)
            return other, (
                f"Space {other.name} and not {first.name}, whose smallest networks ({least}) leave "
                f"{bounds_text(quantities(first, bounds))} hardly a choice; --space names another."
            )
    return first, ""


def _tight(space: Space, bounds: Bounds) -> Sequence[tuple[str, int]]:
    """The counts of which a space has little room below their bounds, with its least ones."""
    free = Limits(quantities(space, Bounds()))
    found = []
    for quantity in quantities(space, bounds):
        if quantity.most is not None:
            least = free.least(quantity)
            # A peak has few values, and every network may have the least one.
            room = ROOM if quantity.kind == "sum" else 1.0
            if least is None or quantity.most < room * least:
                found.append((quantity.name, least or 0))
    return found
