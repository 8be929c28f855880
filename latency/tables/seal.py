"""Seals of a table's file: a hash of each row and network, and one of everything.

A seal tells a file that was damaged or edited from one as it was written. It is no signature:
whoever edits a file can seal it again. What follows from samples is therefore computed again, too
(`latency.tables.consistency`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from latency.errors import FileFormatError

SEAL_KEY = "seal"
# Entries of these have a seal each, so that a message can name what was edited.
SEALED_PARTS = ("rows", "networks")
DIGITS = 16
FIX = "take the file as it was written, or build the table again"


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a table's plain values with a seal in each row and network, and one for the whole.

    Args:
        document: As it is encoded, without seals.
    """
    parts = {
        part: {
            key: {**entry, SEAL_KEY: _hash([part, key, entry])}
            for key, entry in document[part].items()
        }
        for part in SEALED_PARTS
    }
    return {**document, **parts, SEAL_KEY: _whole(document, parts)}


def unsealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a table's plain values without their seals, whatever these say.

    Args:
        document: As it was read.
    """
    found = {name: value for name, value in document.items() if name != SEAL_KEY}
    for part in SEALED_PARTS:
        if isinstance(found.get(part), dict):
            found[part] = {key: _bare(entry) for key, entry in found[part].items()}
    return found


def check(document: Mapping[str, Any], source: str) -> None:
    """Refuses a table that is not as it was written, or that holds one measurement twice.

    Args:
        document: As it was read, with its seals; its form is known to be right.
        source: Where it comes from, for the message.

    Raises:
        FileFormatError: A seal is missing or broken, or two entries have the same samples.
    """
    bare = unsealed(document)
    for part in SEALED_PARTS:
        for key, entry in document[part].items():
            if entry.get(SEAL_KEY) != _hash([part, key, bare[part][key]]):
                raise _broken(f"{part}.{key}", entry.get(SEAL_KEY), source)
        _refuse_doubled(part, bare[part], source)
    if document.get(SEAL_KEY) != _whole(bare, {part: document[part] for part in SEALED_PARTS}):
        raise _broken("", document.get(SEAL_KEY), source)


def _whole(document: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """The seal over everything; over the seals of rows and networks in place of these."""
    seals = {
        part: {key: entry[SEAL_KEY] for key, entry in entries.items()}
        for part, entries in parts.items()
    }
    return _hash({**document, **seals})


def _bare(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {name: value for name, value in entry.items() if name != SEAL_KEY}


def _hash(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def _broken(place: str, seal: Any, source: str) -> FileFormatError:
    where = f" at `{place}`" if place else ""
    received = f"one that was edited or damaged: its {SEAL_KEY} is {seal!r}"
    if seal is None:
        received = f"no {SEAL_KEY}"
    return FileFormatError(f"a table as it was written{where} in {source}", received, FIX)


def _refuse_doubled(part: str, entries: Mapping[str, Any], source: str) -> None:
    """No clock gives the same samples twice: one of both is a copy."""
    first: dict[str, str] = {}
    for key, entry in entries.items():
        samples = entry.get("visits") or entry.get("measurement", {}).get("visits")
        other = first.setdefault(_hash(samples), key)
        if other != key:
            raise FileFormatError(
                f"different samples for each key of `{part}` in {source}",
                f"the same for {other!r} and {key!r}",
                FIX,
            )
