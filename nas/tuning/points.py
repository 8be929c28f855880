"""Numbers of configurations: every combination of lists, counted and found again."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nas.tuning.parameters import OneOfList, Parameter, Value


def size_of(others: int, parameters: Sequence[Parameter]) -> int | None:
    """Combinations of lists with something else; None where a parameter has a range.

    Args:
        others: Ways that there are beside the parameters.
        parameters: Lists and ranges.
    """
    lists = [parameter for parameter in parameters if isinstance(parameter, OneOfList)]
    if len(lists) < len(parameters):
        return None
    return others * math.prod(len(parameter.options) for parameter in lists)


def points_of(parameters: Sequence[Parameter], number: int) -> tuple[int, dict[str, Value]]:
    """One of the combinations of lists, and the number of what stands beside them.

    Args:
        parameters: Lists.
        number: From 0 to below `size_of`.
    """
    lists = [parameter for parameter in parameters if isinstance(parameter, OneOfList)]
    sizes = [len(parameter.options) for parameter in lists]
    number, rest = divmod(number, math.prod(sizes))
    places = place_of(sizes, rest)
    values = zip(lists, places, strict=True)
    return number, {parameter.name: parameter.options[place] for parameter, place in values}


def place_of(sizes: Sequence[int], number: int) -> tuple[int, ...]:
    """A place in each of several lists; the last one changes fastest, as in nested loops.

    Args:
        sizes: Of the lists.
        number: From 0 to below the product of the sizes.
    """
    found = []
    for size in reversed(sizes):
        number, place = divmod(number, size)
        found.append(place)
    return tuple(reversed(found))
