"""Fields of a protocol buffer, read without a library: a device may lack the onnx package.

Nothing is copied: parts of a message are views of it, so that weights of gigabytes cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

Field = Union[int, memoryview]

VARINT, EIGHT_BYTES, DELIMITED, FOUR_BYTES = 0, 1, 2, 5


def fields(message: memoryview) -> Iterator[tuple[int, Field]]:
    """Yields number and value of each field; what is broken ends the message.

    Args:
        message: Serialised.

    Yields:
        A whole number of 64 bits with its sign, or the bytes of anything longer.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        kind, number = tag & 7, tag >> 3
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, value - (1 << 64) if value >> 63 else value
            continue
        if kind == DELIMITED:
            size, place = _varint(message, place)
        elif kind in (EIGHT_BYTES, FOUR_BYTES):
            size = 8 if kind == EIGHT_BYTES else 4
        else:
            return
        yield number, message[place : place + size]
        place += size


def parts(message: memoryview, wanted: int) -> list[memoryview]:
    """Returns the messages, texts or bytes that stand in fields of one number."""
    found = (value for number, value in fields(message) if number == wanted)
    return [value for value in found if not isinstance(value, int)]


def numbers(message: memoryview, wanted: int) -> list[int]:
    """Returns the whole numbers in fields of one number, packed or one by one."""
    found: list[int] = []
    for number, value in fields(message):
        if number != wanted:
            continue
        if isinstance(value, int):
            found.append(value)
            continue
        place = 0
        while place < len(value):
            one, place = _varint(value, place)
            found.append(one - (1 << 64) if one >> 63 else one)
    return found


def text(message: memoryview, wanted: int) -> str:
    """Returns the last text in fields of one number; empty where there is none."""
    found = parts(message, wanted)
    return bytes(found[-1]).decode("utf-8", "replace") if found else ""


def texts(message: memoryview, wanted: int) -> tuple[str, ...]:
    """Returns the texts in fields of one number."""
    return tuple(bytes(part).decode("utf-8", "replace") for part in parts(message, wanted))


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 64:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value & ((1 << 64) - 1), place
    return 0, len(message)
