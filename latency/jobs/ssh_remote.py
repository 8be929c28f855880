"""What `latency.jobs.ssh` runs on the device: compares, receives and hands out a job's files.

Sent as text to the device's Python (3.9+, standard library alone); nothing is installed there.
Every answer is one line, MARK and JSON, so that whatever a login shell prints is passed over.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from typing import Any, BinaryIO

MARK = b"stopwatch-reply "
CHUNK_BYTES = 1 << 20


def compare(folder: str, request: dict[str, Any]) -> dict[str, Any]:
    """Tells which of the request's files are missing or differ, and what else stands in the way.

    Args:
        folder: Of the job, here on the device; may be absent.
        request: `files`: name -> sha256; `modules`: names that must be importable.
    """
    wanted = request["files"]
    found = {name: sha256(os.path.join(folder, name)) for name in wanted}
    journal = os.path.join(folder, "journal.jsonl")
    return {
        "missing": [name for name in wanted if found[name] != wanted[name]],
        "other_job": found["job.json"] not in ("", wanted["job.json"]),
        "journal_bytes": os.path.getsize(journal) if os.path.isfile(journal) else 0,
        "broken_modules": [text for text in map(_import_problem, request["modules"]) if text],
    }


def sha256(path: str | os.PathLike[str]) -> str:
    """Returns the hex digest of a file's content, or '' where there is no file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
    except FileNotFoundError:
        return ""
    return digest.hexdigest()


def _import_problem(module: str) -> str:
    try:
        importlib.import_module(module)
    except Exception as error:  # a broken installation raises whatever it likes
        return f"{module}: {(str(error).splitlines() or [repr(error)])[0]}"
    return ""


def receive(folder: str, stream: BinaryIO) -> dict[str, Any]:
    """Writes files; one that did not arrive whole leaves nothing under its name.

    Args:
        folder: Made when absent.
        stream: For each file a line of JSON (name, size_bytes, sha256), then its bytes.

    Raises:
        EOFError: The link ended within a file.
    """
    received = 0
    while line := stream.readline():
        if not line.endswith(b"\n"):
            raise EOFError("the link ended between two files")
        _receive_one(folder, json.loads(line), stream)
        received += 1
    return {"received": received}


def _receive_one(folder: str, entry: dict[str, Any], stream: BinaryIO) -> None:
    path = os.path.join(folder, entry["name"])
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    # The process number keeps a transfer that a broken link left hanging out of this one's way.
    temporary = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.part")
    digest, left = hashlib.sha256(), entry["size_bytes"]
    # O_EXCL: a link that somebody put there is never written through.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        with open(descriptor, "wb") as target:
            while left:
                chunk = stream.read(min(left, CHUNK_BYTES))
                if not chunk:
                    raise EOFError(f"the link ended within {entry['name']}")
                target.write(chunk)
                digest.update(chunk)
                left -= len(chunk)
        if digest.hexdigest() != entry["sha256"]:
            raise ValueError(f"{entry['name']} changed on its way")
        os.replace(temporary, path)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def hand_out(folder: str, name: str) -> tuple[dict[str, Any], bytes]:
    """Returns a file's size and digest, and its bytes, which follow the line."""
    with open(os.path.join(folder, name), "rb") as stream:
        data = stream.read()
    return {"size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}, data


def main(verb: str, folder: str) -> int:
    """Answers one request; an error is an answer too, since its reader is a program."""
    data = b""
    try:
        if verb == "compare":
            reply = compare(folder, json.load(sys.stdin))
        elif verb == "receive":
            reply = receive(folder, sys.stdin.buffer)
        else:
            reply, data = hand_out(folder, "result.json")
    except (OSError, ValueError, EOFError) as error:
        reply = {"error": f"{type(error).__name__}: {error}"}
    output = sys.stdout.buffer
    output.write(b"\n" + MARK + json.dumps(reply).encode() + b"\n" + data)
    output.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
