"""Names beside marks: none covers another one, a mark, or the edge of the chart."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.report.name_places import LETTER_PX, LINE_PX, Box, NamePlaces, names_of

FRAME = Box(60, 20, 800, 380)
PLACES = st.tuples(st.floats(60, 800), st.floats(20, 380), st.sampled_from(["7", "lambda_0.05"]))


def boxes(names: list[str]) -> list[Box]:
    """The rectangles of names, worked out from what a browser is told."""
    found = []
    for name in filter(None, names):
        drawn = ElementTree.fromstring(name)
        x, y = float(drawn.get("x", "")), float(drawn.get("y", ""))
        wide = LETTER_PX * len(drawn.text or "")
        left = x - wide if drawn.get("text-anchor") == "end" else x
        found.append(Box(left, y - 0.75 * LINE_PX, left + wide, y + 0.25 * LINE_PX))
    return found


def shrunk(box: Box) -> Box:
    """Without the tenth of a pixel that a place is rounded by."""
    return Box(box.left + 0.1, box.top + 0.1, box.right - 0.1, box.bottom - 0.1)


@given(st.lists(PLACES, max_size=12))
def test_no_name_covers_another_one_or_a_mark(marks: list[tuple[float, float, str]]) -> None:
    names = names_of(FRAME, marks)
    assert len(names) == len(marks)
    found = [shrunk(box) for box in boxes(names)]
    assert all(FRAME.holds(box) for box in found)
    assert not any(one.covers(other) for one, other in combinations(found, 2))
    dots = [Box(x - 7.9, y - 7.9, x + 7.9, y + 7.9) for x, y, _ in marks]
    assert not any(box.covers(dot) for box in found for dot in dots)


def test_a_mark_alone_has_its_name_at_the_lower_right() -> None:
    (name,) = names_of(FRAME, [(400, 200, "a<b")])
    assert name == '<text class="name" x="411.0" y="217.0" text-anchor="start">a&lt;b</text>'


@pytest.mark.parametrize(
    ("x", "y", "side"), [(795, 200, "end"), (400, 379, "end"), (61, 379, "start"), (795, 21, "end")]
)
def test_a_name_stays_within_the_chart(x: float, y: float, side: str) -> None:
    name = NamePlaces(FRAME, [(x, y)]).put(x, y, "lambda_0.05")
    assert f'text-anchor="{side}"' in name and FRAME.holds(boxes([name])[0])


def test_a_name_covers_a_lesser_mark_only_where_it_must() -> None:
    beside = (430.0, 214.0)
    assert 'text-anchor="end"' in NamePlaces(FRAME, [(400, 200)], [beside]).put(400, 200, "12345")
    around = [beside, (430.0, 186.0), (370.0, 214.0), (370.0, 186.0)]
    assert NamePlaces(FRAME, [(400, 200)], around).put(400, 200, "12345")


def test_the_ends_of_a_crowded_front_have_their_names() -> None:
    marks = [(400 + 3.0 * i, 200 - 3.0 * i, "a long name") for i in range(9)]
    names = names_of(FRAME, marks)
    assert names[0] and names[-1] and not all(names)
