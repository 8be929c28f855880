"""How image files become arrays: one record for a whole data set, and for later images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from nas.errors import InputError
from nas.ranges import check_count

Resize = Literal["squeeze", "crop", "pad"]
RESIZES: tuple[Resize, ...] = get_args(Resize)


@dataclass(frozen=True)
class Preparation:
    """How image files become arrays, the same for every image of a data set.

    Args:
        image_size: Height and width in pixels.
        resize: What becomes of an image that is not square: `squeeze` changes its proportions,
            `crop` keeps the square in its middle, `pad` adds white borders.
        white: Value that is white in grey images of 16 bits; None where the data set has none.

    Raises:
        InputError: A size below 1, or no such way to resize.
    """

    image_size: int
    resize: Resize = "squeeze"
    white: int | None = None

    def __post_init__(self) -> None:
        check_count("image_size", self.image_size)
        if self.resize not in RESIZES:
            raise InputError(
                f"resize to be {', '.join(RESIZES[:-1])} or {RESIZES[-1]}",
                repr(self.resize),
                "use one of these",
            )
