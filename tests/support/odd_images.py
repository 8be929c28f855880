"""Image files that Pillow cannot write: 16-bit colours, and headers of enormous images."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np

GREY, RGB, GREY_ALPHA = 0, 2, 4


def _chunk(name: bytes, data: bytes) -> bytes:
    body = name + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def write_png16(path: Path, values: np.ndarray, transparent: int | None = None) -> Path:
    """Writes a PNG of 16 bits a value.

    Args:
        path: Of the file.
        values: (height, width, channels) of 1, 2 or 3 channels.
        transparent: Value of the one transparent colour, in every channel.
    """
    height, width, channels = values.shape
    kind = {1: GREY, 2: GREY_ALPHA, 3: RGB}[channels]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [_chunk(b"IHDR", header)]
    if transparent is not None:
        chunks.append(_chunk(b"tRNS", struct.pack(">H", transparent) * channels))
    chunks += [_chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def write_huge_png(path: Path, width: int = 20_000, height: int = 10_000) -> Path:
    """Writes the header of a black and white PNG of many pixels, and hardly any of them.

    Args:
        path: Of the file.
        width: In pixels.
        height: In pixels.
    """
    header = struct.pack(">IIBBBBB", width, height, 1, GREY, 0, 0, 0)
    chunks = [_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(b"\0")), _chunk(b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path
