"""Knobs: every field of a recipe by one name, read from texts and values, changed all at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from nas.data.augment import Augmentation
from nas.errors import InputError
from nas.training.knobs import knobs_of, with_values
from nas.training.recipe import Recipe


@dataclass(frozen=True)
class Inner:
    """A record inside.

    Args:
        depth: How deep,
            told in two lines.
        sizes: Pixels.
        shares: Two of them; None of them is large.
    """

    depth: float = 0.5
    sizes: tuple[int, ...] = ()
    shares: tuple[float, float] = (0.1, 0.2)


@dataclass(frozen=True)
class Outer:
    """A recipe of a test.

    Args:
        name: One of two.
        count: Of something.
    """

    name: str = field(default="a", metadata={"names": ("a", "b")})
    count: int = field(default=4, metadata={"least": 2})
    points: tuple[tuple[float, float], ...] | None = None
    inner: Inner = Inner()
    other: Augmentation | None = None
    fact: int | None = field(default=None, metadata={"is_fact": True})


KNOBS = knobs_of(Outer)


def test_fields_of_records_inside_are_knobs_and_facts_are_none() -> None:
    names = ["name", "count", "points", "depth", "sizes", "shares"]
    assert list(KNOBS)[:6] == names and "fact" not in KNOBS and "inner" not in KNOBS
    assert KNOBS["depth"].text == "How deep, told in two lines."
    assert KNOBS["shares"].text == "Two of them; `none` of them is large."
    assert tuple(KNOBS["name"].names) == ("a", "b")
    assert KNOBS["depth"].of(Outer(inner=Inner(0.1))) == 0.1
    assert KNOBS["flip"].of(Outer()) is None, "its record is not there"


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("count", "3e6", 3_000_000),
        ("count", 2, 2),
        ("depth", "0.25", 0.25),
        ("depth", 1, 1),
        ("name", "b", "b"),
        ("flip", "true", True),
        ("flip", False, False),
        ("sizes", "32,48", (32, 48)),
        ("sizes", [32], (32,)),
        ("points", "0:0.5,8:1", ((0.0, 0.5), (8.0, 1.0))),
        ("points", [(0, 0.5)], ((0, 0.5),)),
        ("points", "none", None),
        ("points", "None", None),
        ("shares", "0.25:1e-05", (0.25, 1e-05)),
        ("depth", 0.1 + 0.2, 0.1 + 0.2),
    ],
)
def test_values_are_read_as_flags_and_programs_write_them(
    name: str, given: Any, value: Any
) -> None:
    assert KNOBS[name].value(given) == value
    assert KNOBS[name].value(KNOBS[name].word(value)) == value


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("count", "2.5", "count to be a whole number"),
        ("count", True, "count to be a whole number"),
        ("count", 1, "count to be a whole number, 2 or more"),
        ("count", "none", "count to be a whole number"),
        ("depth", "deep", "depth to be a number"),
        ("depth", True, "depth to be a number"),
        ("name", 3, "name to be a text"),
        ("flip", "perhaps", "flip to be true or false"),
        ("flip", 1, "flip to be true or false"),
        ("sizes", "32,big", "sizes to be a whole number or several with commas"),
        ("sizes", 32, "sizes to be"),
        ("points", "0:1:2", "points to be a number:a number or several with commas, or none"),
        ("points", [3], "points to be"),
    ],
)
def test_values_of_another_form_are_refused_by_the_name_of_the_knob(
    name: str, given: Any, wanted: str
) -> None:
    with pytest.raises(InputError) as refused:
        KNOBS[name].value(given)
    assert wanted in refused.value.expected
    assert refused.value.fix and repr(given) == refused.value.received


def test_values_reach_the_records_that_they_stand_in() -> None:
    changed = with_values(Outer(), {"count": 9, "depth": 0.1, "inner": Inner(sizes=(1,))})
    assert changed == Outer(count=9, inner=Inner(0.1, (1,)))
    assert with_values(Outer(), {"flip": False}).other == Augmentation(flip=False)
    with pytest.raises(InputError, match="no_field"):
        with_values(Outer(), {"no_field": 1})


def test_two_knobs_of_one_name_are_refused() -> None:
    @dataclass(frozen=True)
    class Twice:
        depth: float = 0.0
        inner: Inner = Inner()

    with pytest.raises(InputError, match="'depth' twice"):
        knobs_of(Twice)


def test_every_knob_of_the_recipe_is_told_of_and_can_be_changed() -> None:
    recipe = Recipe(1.0)
    for name, knob in knobs_of(Recipe).items():
        assert len(knob.text) > 10, f"write what {name} is in the docstring of its record"
        assert knob.of(recipe.changed(**{name: knob.of(recipe)})) == knob.of(recipe)
    changed = recipe.changed(flip=False, label_smoothing=0.0)
    assert changed == replace(recipe, label_smoothing=0.0, augmentation=Augmentation(flip=False))
