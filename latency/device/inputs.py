"""What models are fed: drawn arrays, or a user's own from an .npz file."""

from __future__ import annotations

import difflib
import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .errors import WorkerError
from .foreign import ZIP, foreign_kind
from .index_ranges import Range, index_ranges

# Inputs stay away from zero, where sparsity and denormal numbers make kernels faster or slower.
INPUT_LOW, INPUT_HIGH = 0.1, 1.0
# Where the graph shows no range: these are within nearly every vocabulary, and are what an int8
# image holds.
USUAL_INTEGERS: Range = (1, 127)
FLOATS = {"float": np.float32, "float16": np.float16, "double": np.float64}
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
# As large as a model may be.
MOST_FILE_BYTES = 1 << 31
# Of all inputs of a model: 89 images of 1000 x 1000 pixels and three channels.
MOST_INPUT_ELEMENTS = 1 << 28

Arrays = Mapping[str, np.ndarray]


def is_integer(array: np.ndarray) -> bool:
    """Whether an input holds ids or an int8 image, which are drawn anew for each visit."""
    return array.dtype.kind in "iu"


def integer_ranges(session: Any, model: bytes, given: Arrays) -> dict[str, Range]:
    """Returns least and greatest value of every integer input that is drawn.

    Args:
        session: Of onnxruntime.
        model: Its serialised model.
        given: A user's own arrays; these are not drawn.
    """
    kinds = {tensor.name: _kind(tensor.type) for tensor in session.get_inputs()}
    drawn = [name for name, kind in kinds.items() if kind in INTEGERS and name not in given]
    shown = index_ranges(model, drawn)
    found = {}
    for name in drawn:
        low, high = shown.get(name, USUAL_INTEGERS)
        limits = np.iinfo(kinds[name])
        found[name] = (max(low, int(limits.min)), min(high, int(limits.max)))
    return found


def draw(
    rng: np.random.Generator,
    name: str,
    type_text: str,
    shape: Sequence[int],
    limits: Range = USUAL_INTEGERS,
) -> np.ndarray:
    """Draws one input: floats of both signs away from zero, flags, or integers of a range.

    Args:
        rng: Of the values.
        name: Of the input, for the message.
        type_text: As onnxruntime writes it, such as 'tensor(float)'.
        shape: Fixed sizes.
        limits: Least and greatest integer; 1 and 127 by default.

    Raises:
        WorkerError: A type that cannot be drawn.
    """
    kind = _kind(type_text)
    if kind in FLOATS:
        values = rng.uniform(INPUT_LOW, INPUT_HIGH, shape) * rng.choice([-1.0, 1.0], shape)
        return np.asarray(values, FLOATS[kind])
    if kind in INTEGERS:
        return np.asarray(rng.integers(limits[0], limits[1], shape, endpoint=True), kind)
    if kind == "bool":
        return np.asarray(rng.integers(0, 2, shape), bool)
    raise WorkerError(
        f"inputs of numbers or flags ({', '.join([*FLOATS, *INTEGERS, 'bool'])})",
        f"input {name!r} of type {type_text}",
        "give texts of your own with --input FILE.npz"
        if kind == "string"
        else "export the model with one of these types",
    )


def random_inputs(
    session: Any,
    seed: int,
    given: Arrays | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> dict[str, np.ndarray]:
    """Makes one input for every input of a session.

    Args:
        session: Of onnxruntime.
        seed: Of the drawn values.
        given: Input name -> a user's own array; the others are drawn.
        ranges: Input name -> least and greatest integer; 1 and 127 for the others.

    Raises:
        WorkerError: An input has a dynamic shape, is too large or cannot be drawn, or an array does
            not fit.
    """
    rng = np.random.default_rng(seed)
    given, ranges = given or {}, ranges or {}
    feeds: dict[str, np.ndarray] = {}
    elements = 0
    refuse_unknown(given, [tensor.name for tensor in session.get_inputs()])
    for tensor in session.get_inputs():
        if tensor.name in given:
            feeds[tensor.name] = check_array(given[tensor.name], tensor)
            continue
        shape = tensor.shape
        if not all(isinstance(size, int) and size > 0 for size in shape):
            raise WorkerError(
                "inputs of fixed shape",
                f"input {tensor.name!r} of shape {shape}",
                "export the model with a fixed batch and image size",
            )
        elements += math.prod(shape)
        if elements > MOST_INPUT_ELEMENTS:
            raise WorkerError(
                f"inputs of at most {MOST_INPUT_ELEMENTS} elements in all",
                f"{elements} up to input {tensor.name!r} of shape {shape}",
                "export the model with a smaller batch or image size",
            )
        limits = ranges.get(tensor.name, USUAL_INTEGERS)
        feeds[tensor.name] = draw(rng, tensor.name, tensor.type, shape, limits)
    return feeds


def _kind(type_text: str) -> str:
    return type_text.replace("tensor(", "").replace(")", "")


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Reads the arrays of an .npz file; none of it is ever run.

    Args:
        data: The file; empty for no array.

    Raises:
        WorkerError: It is no .npz file of plain arrays, or larger than a model may be.
    """
    if not data:
        return {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size_bytes = sum(entry.file_size for entry in archive.infolist())
            names = archive.namelist()
        if size_bytes > MOST_FILE_BYTES:
            raise ValueError(f"{size_bytes} bytes of arrays, more than {MOST_FILE_BYTES}")
        if len(set(names)) != len(names) or not all(name.endswith(".npy") for name in names):
            raise ValueError("a zip with other files than arrays, or two of one name")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name], order="C") for name in arrays.files}
    except Exception as error:  # zipfile, zlib and numpy raise what they like on broken files
        kind = None if data.startswith(ZIP) else foreign_kind(data)
        said = (str(error).splitlines() or [repr(error)])[0]
        fix = "write it with numpy.savez(FILE, name=array)"
        raise WorkerError(
            "an .npz file of plain arrays",
            kind.name if kind else said,
            kind.fix if kind and kind.is_stand_in else fix,
        ) from error


def write_arrays(arrays: Arrays) -> bytes:
    """Returns the content of an .npz file.

    Args:
        arrays: By input name; empty for an empty file.
    """
    if not arrays:
        return b""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            # A name of its own for each array: savez itself takes some of its keywords for itself.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return stream.getvalue()


def check_array(array: np.ndarray, tensor: Any) -> np.ndarray:
    """Returns an array that fits an input.

    Args:
        array: A user's own.
        tensor: The input, as a session of onnxruntime describes it, or a `graph.Input`.

    Raises:
        WorkerError: Its type or shape is another.
    """
    kind = _kind(tensor.type)
    sizes = [size if isinstance(size, int) else None for size in tensor.shape]
    fits = len(sizes) == array.ndim and all(
        size in (None, found) for size, found in zip(sizes, array.shape)
    )
    if kind == "string":
        wanted = array.dtype if array.dtype.kind == "U" else np.dtype("U")
    elif kind in (*FLOATS, *INTEGERS, "bool"):
        wanted = np.dtype(FLOATS.get(kind, kind))
    else:
        raise WorkerError(
            f"inputs of types that numpy has ({', '.join([*FLOATS, *INTEGERS, 'bool'])})",
            f"input {tensor.name!r} of type {tensor.type}",
            "export the model with one of these types",
        )
    # Files of another machine may hold the same numbers in another order of bytes.
    if array.dtype.newbyteorder("=") != wanted or not fits:
        raise WorkerError(
            f"an array of type {_text(wanted)} and shape {list(tensor.shape)} for input "
            f"{tensor.name!r}",
            f"one of type {_text(array.dtype)} and shape {list(array.shape)}",
            "write an array of this type and shape into the .npz file"
            if not fits
            else f"write it with .astype({_text(wanted)!r}), if that loses nothing",
        )
    return array.astype(wanted, copy=False)


def _text(dtype: np.dtype) -> str:
    return "str" if dtype.kind == "U" else str(dtype)


def refuse_unknown(given: Arrays, names: Sequence[str]) -> None:
    """Refuses arrays that no input takes.

    Raises:
        WorkerError: As said.
    """
    unknown = sorted(set(given) - set(names))
    if unknown:
        near = difflib.get_close_matches(unknown[0], names, 1, 0.6)
        raise WorkerError(
            f"arrays named as the model's inputs ({', '.join(names) or 'none'})",
            ", ".join(unknown),
            (f"did you mean {near[0]!r}? " if near else "")
            + "Name them so in numpy.savez(FILE, name=array)",
        )
