"""Messages of JSON and files between the processes of one training, over a plain connection."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from latency.errors import LatencyError

_LENGTH_BYTES = 8
# No message of ours comes near it; what sends more is none of our programs.
MOST_HEADER_BYTES = 2**24


class LostError(Exception):
    """The other process has gone."""


@dataclass(frozen=True)
class Message:
    """What one process tells another.

    Args:
        kind: What it is about.
        facts: JSON data.
        files: Name -> content.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


def send(connection: socket.socket, message: Message) -> None:
    """Sends a message as a whole.

    Args:
        connection: To the other process.
        message: Whose facts are JSON data.

    Raises:
        LostError: The other process has gone.
    """
    sizes = {name: len(content) for name, content in message.files.items()}
    header = json.dumps([message.kind, dict(message.facts), sizes]).encode()
    parts = [len(header).to_bytes(_LENGTH_BYTES, "big"), header, *message.files.values()]
    try:
        connection.sendall(b"".join(parts))
    except OSError as error:
        raise LostError(str(error)) from error


def receive(connection: socket.socket) -> Message:
    """Waits for a message.

    Args:
        connection: To the other process.

    Raises:
        LostError: The other process has gone, or is none of ours.
    """
    size = int.from_bytes(_read(connection, _LENGTH_BYTES), "big")
    if size > MOST_HEADER_BYTES:
        raise LostError("what it sends is no message of this program")
    try:
        kind, facts, sizes = json.loads(_read(connection, size))
        files = {name: _read(connection, length) for name, length in sizes.items()}
        return Message(kind, facts, files)
    except (ValueError, TypeError, AttributeError) as error:
        raise LostError("what it sends is no message of this program") from error


def _read(connection: socket.socket, size: int) -> bytes:
    parts, missing = [], size
    while missing:
        try:
            part = connection.recv(min(missing, 2**20))
        except OSError as error:
            raise LostError(str(error)) from error
        if not part:
            raise LostError("the connection was closed")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def refusal(error: LatencyError) -> Message:
    """Why a process cannot take part.

    Args:
        error: Of that process.
    """
    return Message("refusal", {"parts": [error.expected, error.received, error.fix]})
