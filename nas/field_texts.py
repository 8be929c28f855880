"""What the docstring of a record says of its fields: files, flags and pages are told from there."""

from __future__ import annotations

import inspect
import re


def field_texts(kind: type) -> dict[str, str]:
    """Field -> what the docstring of its record says of it, the record's bases included.

    Args:
        kind: Class whose docstring has a part `Args:`. Nothing is found where Python was told to
            drop docstrings.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        text = inspect.cleandoc(base.__dict__.get("__doc__") or "")
        block = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)+)", text, re.MULTILINE)
        for entry in re.split(r"\n(?=    \w)", block[1].rstrip()) if block else ():
            name, _, meaning = entry.strip().partition(": ")
            found[name] = " ".join(meaning.split())
    return found
