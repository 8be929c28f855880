"""External data of an ONNX file: found, checked to lie inside its folder, and moved in."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from latency.device.foreign import foreign_kind
from latency.errors import ModelFileError

# Bits of one element where the data lies outside; strings may not, other types go unchecked.
_BITS = {
    **dict.fromkeys(("INT2", "UINT2"), 2),
    **dict.fromkeys(("INT4", "UINT4", "FLOAT4E2M1"), 4),
    **dict.fromkeys(("BOOL", "INT8", "UINT8", "FLOAT8E8M0", "FLOAT8E4M3FN"), 8),
    **dict.fromkeys(("FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ"), 8),
    **dict.fromkeys(("INT16", "UINT16", "FLOAT16", "BFLOAT16"), 16),
    **dict.fromkeys(("INT32", "UINT32", "FLOAT"), 32),
    **dict.fromkeys(("INT64", "UINT64", "DOUBLE", "COMPLEX64"), 64),
    "COMPLEX128": 128,
}


# Pointers have some 130 bytes, and web pages of an error a little more.
MOST_POINTER_BYTES = 1 << 14


@dataclass(frozen=True)
class ExternalData:
    """Where a tensor's bytes lie: checked, not yet read."""

    tensor: Any
    path: str
    offset_bytes: int
    size_bytes: int


def text_of(value: str | bytes) -> str:
    """Returns text; protobuf hands out bytes where a string is no UTF-8."""
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def attributes_of(body: Any) -> list[Any]:
    """Returns every attribute of a graph's or function's nodes, defaults included."""
    found = [attribute for node in body.node for attribute in node.attribute]
    # Defaults of a function's attributes; a graph has no such field.
    return found + list(getattr(body, "attribute_proto", ()))


def external_tensors(bodies: Sequence[Any]) -> list[Any]:
    """Returns the tensors of graphs and functions whose bytes lie in other files."""
    tensors: list[Any] = []
    sparse: list[Any] = []
    for body in bodies:
        tensors += getattr(body, "initializer", ())
        sparse += getattr(body, "sparse_initializer", ())
        for attribute in attributes_of(body):
            tensors += [attribute.t, *attribute.tensors]
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    tensors += [part for pair in sparse for part in (pair.values, pair.indices)]
    return [tensor for tensor in tensors if tensor.data_location == tensor.EXTERNAL]


def locate(path: Path, tensor: Any) -> ExternalData:
    """Finds a tensor's bytes and checks that they are there, without reading them.

    Args:
        path: Of the model.
        tensor: One of `external_tensors`.

    Raises:
        ModelFileError: They lie outside the model's folder, do not fit the tensor's shape, or a
            pointer lies in their place.
    """
    entries = {text_of(entry.key): text_of(entry.value) for entry in tensor.external_data}
    data_path = _data_path(path, entries.get("location", ""))
    numbers = {}
    for key in ("offset", "length"):
        text = entries.get(key, "")
        if text and not (text.isascii() and text.isdecimal() and len(text) < 20):
            raise _bad_span(path, tensor, f"{key} {text!r}")
        numbers[key] = int(text) if text else 0
    offset_bytes, length_bytes = numbers["offset"], numbers["length"]
    needed_bytes = _needed_bytes(path, tensor)
    file_bytes = os.stat(data_path).st_size
    _refuse_stand_in(path, data_path, file_bytes)
    if "length" not in entries:
        # Without a length, the data goes on to the file's end or as far as the shape needs it.
        length_bytes = max(file_bytes - offset_bytes, 0) if needed_bytes is None else needed_bytes
    elif needed_bytes not in (None, length_bytes):
        raise _bad_span(path, tensor, f"{length_bytes} bytes where its shape needs {needed_bytes}")
    if offset_bytes + length_bytes > file_bytes:
        what = f"{length_bytes} bytes from {offset_bytes} in {data_path} of {file_bytes} bytes"
        raise _bad_span(path, tensor, what)
    return ExternalData(tensor, data_path, offset_bytes, length_bytes)


def _refuse_stand_in(path: Path, data_path: str, file_bytes: int) -> None:
    """Refuses what a repository keeps in the place of a large file."""
    if file_bytes > MOST_POINTER_BYTES:
        return
    try:
        with open(data_path, "rb") as stream:
            kind = foreign_kind(stream.read(MOST_POINTER_BYTES))
    except OSError:
        return  # told when the bytes are read
    if kind is not None and kind.is_stand_in:
        raise ModelFileError(f"the external data of {path}", f"{data_path}: {kind.name}", kind.fix)


def _needed_bytes(path: Path, tensor: Any) -> int | None:
    """Returns what a tensor's type and shape take; None for a type that is not known here."""
    names = {number: name for name, number in tensor.DataType.items()}
    name = names.get(tensor.data_type, "")
    if name == "STRING" or any(size < 0 for size in tensor.dims):
        raise _bad_span(path, tensor, f"type {name} and shape {list(tensor.dims)}")
    return (prod(tensor.dims) * _BITS[name] + 7) // 8 if name in _BITS else None


def _bad_span(path: Path, tensor: Any, what: str) -> ModelFileError:
    return ModelFileError(
        f"external data of {path} that lies within its file and fits the tensor's shape",
        f"tensor {text_of(tensor.name)!r} with {what}",
        "export the model again, and copy the .onnx file and its data files together",
    )


def _data_path(path: Path, location: str) -> str:
    """Returns a data file's real path, which lies in the model's folder."""
    kinds = (PurePosixPath(location), PureWindowsPath(location))
    bad = any(kind.is_absolute() or kind.anchor or ".." in kind.parts for kind in kinds)
    if not location or "\0" in location or bad:
        raise _outside(path, f"{location!r}")
    # A linked model's data may lie beside the link or beside the file that it leads to.
    folders = [os.path.dirname(os.path.realpath(path)), os.path.realpath(path.parent)]
    for folder in folders:
        named = os.path.join(folder, location)
        real = os.path.realpath(named)
        if not any(Path(real).is_relative_to(root) for root in folders):
            raise _outside(path, f"{location!r}, a link to {real}")
        if os.path.isfile(real):
            return real
    raise ModelFileError(
        f"the external data of {path} beside it",
        f"{location!r}, no such file in {folders[-1]}",
        "copy the data files into the model's folder, or export the model as one file",
    )


def _outside(path: Path, what: str) -> ModelFileError:
    return ModelFileError(
        f"the external data of {path} in files inside its folder",
        f"{what}, which is not read",
        "move the data files beside the model and export it with relative names",
    )


def embed(path: Path, part: ExternalData) -> None:
    """Reads a tensor's bytes and moves them into the model.

    Args:
        path: Of the model, for messages.
        part: Of `locate`.

    Raises:
        ModelFileError: The bytes are no longer there.
    """
    tensor = part.tensor
    try:
        with open(part.path, "rb") as stream:
            stream.seek(part.offset_bytes)
            data = stream.read(part.size_bytes)
    except OSError as error:
        raise _bad_span(path, tensor, f"{part.path}: {error.strerror or error!r}") from error
    if len(data) != part.size_bytes:
        raise _bad_span(path, tensor, f"{len(data)} of {part.size_bytes} bytes")
    tensor.raw_data = data
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")
