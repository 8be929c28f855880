"""Files that are not what their names say: told by their first bytes, with what to do about it."""

from __future__ import annotations

import contextlib
import io
import zipfile
from dataclasses import dataclass

EXPORT = "export the network to ONNX from the program that it was made with"
FETCH = "fetch the real file: run `git lfs pull` in the repository, or download it by its own link"
UNPACK = "unpack it, and name the file inside"
PYTORCH = "export it with torch.onnx.export(network, inputs, 'model.onnx')"
KERAS = "load it in Keras and export it with model.export('model.onnx', format='onnx')"
TENSORFLOW = "convert it with `python -m tf2onnx.convert {} --output model.onnx`"


@dataclass(frozen=True)
class ForeignKind:
    """What a file is instead.

    Args:
        name: In words.
        fix: What to do about it.
        is_stand_in: Whether it stands for any file that could not be had, and not for a model.
    """

    name: str
    fix: str
    is_stand_in: bool = False


LFS = ForeignKind(
    "a git-LFS pointer, which stands for the file and holds none of it", FETCH, is_stand_in=True
)
ANNEX = ForeignKind(
    "a git-annex pointer, which stands for the file and holds none of it",
    "fetch the real file: run `git annex get` in the repository",
    is_stand_in=True,
)
PAGE = ForeignKind(
    "a web page, such as that of a repository or of a login",
    "download the file itself: use the link of its download button, not the address of its page",
    is_stand_in=True,
)
ANSWER = ForeignKind(
    "a text of XML or JSON, such as a server's error",
    "look into it, and download the file itself",
)
# First bytes -> what begins so.
BEGINNINGS = (
    (b"version https://git-lfs", LFS),
    (b"version https://hawser", LFS),
    (b"/annex/objects/", ANNEX),
    (b"\x89HDF\r\n\x1a\n", ForeignKind("an HDF5 file, such as a Keras model", KERAS)),
    (b"\x93NUMPY", ForeignKind("one array of numpy, an .npy file", EXPORT)),
    (b"GGUF", ForeignKind("a GGUF file of weights", EXPORT)),
    (b"ftrt", ForeignKind("an engine of TensorRT", EXPORT)),
    (b"\x1f\x8b", ForeignKind("a gzip archive", UNPACK)),
    (b"BZh", ForeignKind("a bzip2 archive", UNPACK)),
    (b"\xfd7zXZ\0", ForeignKind("an xz archive", UNPACK)),
    (b"\x28\xb5\x2f\xfd", ForeignKind("a zstd archive", UNPACK)),
    (b"7z\xbc\xaf\x27\x1c", ForeignKind("a 7z archive", UNPACK)),
    (b"Rar!", ForeignKind("a rar archive", UNPACK)),
    (b"\x89PNG", ForeignKind("a PNG image", "name the model's file")),
    (b"\xff\xd8\xff", ForeignKind("a JPEG image", "name the model's file")),
    (b"%PDF", ForeignKind("a PDF document", "name the model's file")),
    (b"ir_version:", ForeignKind("ONNX as text", "write it with onnx.save(model, 'model.onnx')")),
)
# The same at a place of their own.
INSIDE = (
    (4, b"TFL3", ForeignKind("a TensorFlow Lite model", TENSORFLOW.format("--tflite FILE"))),
    (4, b"ORTM", ForeignKind("a model in onnxruntime's own format", "name its .onnx file")),
    (8, b'{"', ForeignKind("a safetensors file, weights without a graph", EXPORT)),
    (257, b"ustar", ForeignKind("a tar archive", UNPACK)),
)
ZIP = b"PK"
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def foreign_kind(data: bytes) -> ForeignKind | None:
    """Tells what else a file is; None where its first bytes say nothing.

    Args:
        data: The file, or its beginning. A zip is looked into where it is whole.
    """
    for beginning, kind in BEGINNINGS:
        if data.startswith(beginning):
            return kind
    for place, mark, kind in INSIDE:
        if data[place : place + len(mark)] == mark:
            return kind
    if data.startswith(ZIP):
        return _zip_kind(data)
    if data.startswith(PICKLES):
        return ForeignKind("a pickle, such as an older PyTorch file, which is never run", PYTORCH)
    start = data[:400].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return PAGE
    is_answer = start.startswith((b"<?xml", b"{", b"[")) and b"\0" not in start
    return ANSWER if is_answer else None


def _zip_kind(data: bytes) -> ForeignKind:
    names: list[str] = []
    with contextlib.suppress(Exception):  # zipfile raises what it likes on broken files
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    if any(name.endswith("data.pkl") for name in names):
        return ForeignKind("a PyTorch file", PYTORCH)
    if "model.weights.h5" in names:
        return ForeignKind("a Keras model", KERAS)
    if names and all(name.endswith(".npy") for name in names):
        return ForeignKind("arrays of numpy, an .npz file", "name the model's file")
    models = [name for name in names if name.endswith(".onnx")]
    return ForeignKind(f"a zip archive{' with ' + ', '.join(models[:3]) if models else ''}", UNPACK)
