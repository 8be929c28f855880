"""Where names stand beside the marks of a chart, so that none covers another one."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import chain
from typing import NamedTuple

# Of 12 px letters: a line is so high, and a letter is hardly ever wider on average.
LINE_PX, LETTER_PX = 14.0, 7.2
# From the middle of a mark to its edge: less than to its name.
MARK_PX = 8.0
# Pixels from the middle of a mark to the foot of its name, and where the name hangs there. A front
# rises to the right, so that there is room at its lower right and at its upper left.
SIDES = ((11.0, 17.0, "start"), (-11.0, -9.0, "end"), (11.0, -9.0, "start"), (-11.0, 17.0, "end"))


class Box(NamedTuple):
    """A rectangle in pixels, from the upper left corner to the lower right one."""

    left: float
    top: float
    right: float
    bottom: float

    def covers(self, other: Box) -> bool:
        """Whether the two have a place in common.

        Args:
            other: Another rectangle.
        """
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)

    def holds(self, other: Box) -> bool:
        """Whether the other one is within this one.

        Args:
            other: Another rectangle.
        """
        level = self.left <= other.left and other.right <= self.right
        return level and self.top <= other.top and other.bottom <= self.bottom


class NamePlaces:
    """Puts names beside marks, one after another; a name without a place is left out.

    Args:
        frame: That names stay within.
        named: (x, y) of the marks that have names. No name covers them.
        others: (x, y) of other marks. Names cover them where there is no better place.
    """

    def __init__(
        self,
        frame: Box,
        named: Sequence[tuple[float, float]],
        others: Sequence[tuple[float, float]] = (),
    ) -> None:
        self._frame = frame
        self._kept_free = [_around(x, y) for x, y in named]
        self._others = [_around(x, y) for x, y in others]

    def put(self, x: float, y: float, name: str) -> str:
        """SVG of a name; empty where each place is taken.

        Args:
            x: Of the middle of its mark.
            y: Of the same.
            name: As a reader sees it.
        """
        free = [(side, box) for side in SIDES if self._is_free(box := _box_of(x, y, name, side))]
        if not free:
            return ""
        (right, down, anchor), box = min(free, key=lambda place: self._covered(place[1]))
        self._kept_free.append(box)
        return (
            f'<text class="name" x="{x + right:.1f}" y="{y + down:.1f}" '
            f'text-anchor="{anchor}">{escape(name)}</text>'
        )

    def _is_free(self, box: Box) -> bool:
        return self._frame.holds(box) and not any(map(box.covers, self._kept_free))

    def _covered(self, box: Box) -> int:
        return sum(map(box.covers, self._others))


def names_of(
    frame: Box,
    marks: Sequence[tuple[float, float, str]],
    others: Sequence[tuple[float, float]] = (),
) -> list[str]:
    """SVG of the names of several marks, in their order; empty where there is no place.

    Args:
        frame: That names stay within.
        marks: (x, y, name) along a front. Those at its ends have their names first.
        others: (x, y) of marks without names.
    """
    places = NamePlaces(frame, [(x, y) for x, y, _ in marks], others)
    count = len(marks)
    inwards = chain.from_iterable((i, count - 1 - i) for i in range((count + 1) // 2))
    put = {i: places.put(*marks[i]) for i in dict.fromkeys(inwards)}
    return [put[i] for i in range(count)]


def _around(x: float, y: float) -> Box:
    return Box(x - MARK_PX, y - MARK_PX, x + MARK_PX, y + MARK_PX)


def _box_of(x: float, y: float, name: str, side: tuple[float, float, str]) -> Box:
    right, down, anchor = side
    wide = LETTER_PX * len(name)
    left = x + right - (wide if anchor == "end" else 0.0)
    # A quarter of a line hangs below its foot.
    return Box(left, y + down - 0.75 * LINE_PX, left + wide, y + down + 0.25 * LINE_PX)
