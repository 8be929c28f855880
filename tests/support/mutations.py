"""Files that nobody would write: damaged in their bytes, or in the structure of their JSON."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from latency.errors import LatencyError

# The same examples each time: a test of the fast suite must not find something new by chance.
FAST = settings(
    max_examples=40,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
THOROUGH = settings(FAST, max_examples=2000, derandomize=False)

# What stands in a JSON file in the place of a value, as text; some of it is no value of Python.
ODD = (
    *("null", "true", "{}", "[]", '""', "0", "-1", "1.5", '"text"', "[[]]", '{"a": 1}'),
    *("1e999", "-1e999", "NaN", "Infinity", "1" * 400, "-" + "9" * 5000, "1e308", "5e-324"),
    *('"\\ud800"', '"\\u0000"', '"\\u001b[2J"', '"../../etc/passwd"', '"/dev/zero"', '"a\\u0000b"'),
    *("9223372036854775807", "9223372036854775808", "[null]", '[{"a": []}]', "[1, [2, [3]]]"),
    *(
        "[" * 100 + "]" * 100,
        "[" * 100_000,
        '{"a":' * 5000 + "1" + "}" * 5000,
        '"' + "x" * 10**5 + '"',
    ),
)
_MARK = "@@mutation@@"


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the path of every value of a document, the document itself first."""
    found = [path]
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        # One of many samples is as good as another.
        for index in range(min(len(value), 2)):
            found += places(value[index], (*path, index))
    return found


def _with(document: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    changed = {"": copy.deepcopy(document)}
    *above, last = ("", *path)
    holder: Any = changed
    for key in above:
        holder = holder[key]
    change(holder, last)
    return changed.get("")


def mutated_json(document: Any) -> st.SearchStrategy[str]:
    """Texts of a document in which one value is odd, missing, renamed or there twice."""

    def replaced(path: tuple[Any, ...], text: str) -> str:
        marked = _with(document, path, lambda holder, key: holder.__setitem__(key, _MARK))
        return json.dumps(marked).replace(json.dumps(_MARK), text, 1)

    def removed(path: tuple[Any, ...]) -> str:
        return json.dumps(_with(document, path, lambda holder, key: holder.__delitem__(key)))

    def renamed(path: tuple[Any, ...], name: str) -> str:
        def change(holder: Any, key: Any) -> None:
            if isinstance(holder, dict):
                holder[name] = holder.pop(key)
            else:
                holder.append(copy.deepcopy(holder[key]))

        return json.dumps(_with(document, path, change))

    everywhere = st.sampled_from(places(document))
    inside = st.sampled_from(places(document)[1:])
    return st.one_of(
        st.builds(replaced, everywhere, st.sampled_from(ODD)),
        st.builds(removed, inside),
        st.builds(renamed, inside, st.sampled_from(("", "surprise", "\x1b[2J", "a\0b", "é"))),
    )


def mutated_bytes(data: bytes) -> st.SearchStrategy[bytes]:
    """Copies of a file in which bytes are changed, cut out, doubled or cut off."""

    def damaged(seed: int, count: int) -> bytes:
        draw, found = random.Random(seed), bytearray(data)
        for _ in range(count):
            start = draw.randrange(len(found) + 1)
            end = min(len(found), start + draw.choice((1, 1, 2, 8, 100)))
            kind = draw.randrange(5)
            if kind == 0:
                found[start:end] = draw.randbytes(end - start)
            elif kind == 1:
                del found[start:end]
            elif kind == 2:
                found[start:start] = found[start:end]
            elif kind == 3:
                found[start:end] = draw.choice((b"\xff", b"\x00", b"\x80")) * (end - start)
            else:
                del found[start:]
        return bytes(found)

    return st.builds(damaged, st.integers(0, 2**32), st.integers(1, 6))


def success_or_refusal(work: Callable[[], object]) -> None:
    """Calls something that reads a file; it has to succeed, or to say what to do."""
    try:
        work()
    except LatencyError as error:
        assert str(error).startswith("Expected ") and "\nFix: " in str(error)
        assert str(error).replace("\n", "").isprintable()
    except Exception as error:
        pytest.fail(f"{type(error).__name__}: {error}"[:500])
