"""The most that an architecture may be; whatever is beyond is refused before anything is made.

Texts come from people and from files of others. Each bound is far above any network of this kind
and far below what fills a memory or keeps a processor busy.
"""

from __future__ import annotations

from nas.errors import ArchitectureError

MOST_CHARACTERS = 2_000_000  # of a text or a JSON file
MOST_LAYERS = 1_000  # those inside of residuals included
MOST_LEVELS = 16  # of residuals inside of residuals
MOST_NUMBER = 65_536  # any whole number: pixels, channels, kernel, stride, expansion
MOST_SHOWN = 80  # characters of one value in a message
MOST_VALUES = 1_000_000_000  # of one array, be it a kernel or a map: 4 GB in float32


def check_most(what: str, found: int, most: int, fix: str) -> None:
    """Refuses more than a bound.

    Args:
        what: What is counted, in words and with its name.
        found: How many there are.
        most: How many there may be.
        fix: What to change.

    Raises:
        ArchitectureError: There are more.
    """
    if found > most:
        raise ArchitectureError(f"{what}, at most {most:,}", f"{found:,}", fix)


def shown(value: object) -> str:
    """A value as a message shows it; of a long one its beginning.

    Args:
        value: What was found.
    """
    if isinstance(value, int) and abs(value) > 10**30:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, str):
        return repr(value) if len(value) <= MOST_SHOWN else f"{value[:MOST_SHOWN]!r}..."
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}..."
