"""Registries: names that are known, near, taken or gone."""

from __future__ import annotations

import pytest

from nas.errors import InputError
from nas.registry import Registry, check_known


@pytest.fixture
def fruits() -> Registry[int]:
    found: Registry[int] = Registry("fruit")
    found.register("apple", 1)
    found.register("cherry", 2)
    return found


def test_an_entry_is_found_by_its_name_in_the_order_of_registration(fruits: Registry[int]) -> None:
    assert fruits["cherry"] == 2
    assert fruits.names == tuple(fruits) == ("apple", "cherry")
    assert "apple" in fruits and "pear" not in fruits


def test_an_unknown_name_is_refused_with_all_known_ones_and_the_nearest(
    fruits: Registry[int],
) -> None:
    with pytest.raises(InputError) as refused:
        fruits["Aple"]
    assert refused.value.expected == "fruit to be one of apple, cherry"
    assert refused.value.received == "'Aple'"
    assert refused.value.fix == "write 'apple'"


def test_a_name_that_is_near_none_gets_another_fix() -> None:
    with pytest.raises(InputError, match="Fix: write fruit as one of these names"):
        check_known("fruit", "42", ["apple"])
    with pytest.raises(InputError, match="Fix: buy one"):
        check_known("fruit", "42", ["apple"], "buy one")


def test_a_name_stands_for_one_thing_only(fruits: Registry[int]) -> None:
    with pytest.raises(InputError, match="'apple', which is taken"):
        fruits.register("apple", 3)
    fruits.remove("apple")
    assert fruits.register("apple", 3) == fruits["apple"] == 3
    with pytest.raises(InputError, match="fruit to be one of"):
        fruits.remove("pear")
