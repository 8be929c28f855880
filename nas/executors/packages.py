"""The packages of this very program: where they lie, and what tells their versions apart."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import latency


def package_folders() -> tuple[Path, Path]:
    """The folders of both packages; those who import them need the folders above."""
    return Path(latency.__path__[0]).resolve(), Path(__file__).resolve().parents[1]


@cache
def fingerprint() -> str:
    """12 hex digits of the source of both; of equal ones they are equal."""
    digest = hashlib.sha256()
    for folder in package_folders():
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{folder.name}/{path.relative_to(folder).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
