"""What models are fed: drawn arrays, or a user's own from an .npz file."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import numpy as np

from .errors import WorkerError

# Inputs stay away from zero, where sparsity and denormal numbers make kernels faster or slower.
INPUT_LOW, INPUT_HIGH = 0.1, 1.0
# Nobody knows which ids a model takes: these are within nearly every vocabulary, and are what an
# int8 image holds.
INTEGER_LOW, INTEGER_HIGH = 1, 127
FLOATS = {"float": np.float32, "float16": np.float16, "double": np.float64}
INTEGERS = ("int8", "uint8", "int32", "int64")
# As large as a model may be.
MOST_FILE_BYTES = 1 << 31

Arrays = Mapping[str, np.ndarray]


def is_integer(array: np.ndarray) -> bool:
    """Whether an input holds ids or an int8 image, which are drawn anew for each visit."""
    return array.dtype.kind in "iu"


def draw(
    rng: np.random.Generator,
    name: str,
    type_text: str,
    shape: Sequence[int],
    integer: Optional[int] = None,
) -> np.ndarray:
    """Draws one input: floats of both signs away from zero, integers from 1 to 127.

    Args:
        rng: Of the values.
        name: Of the input, for the message.
        type_text: As onnxruntime writes it, such as 'tensor(float)'.
        shape: Fixed sizes.
        integer: Every value of an integer input; None to draw them.

    Raises:
        WorkerError: A type that cannot be drawn.
    """
    kind = _kind(type_text)
    if kind in FLOATS:
        values = rng.uniform(INPUT_LOW, INPUT_HIGH, shape) * rng.choice([-1.0, 1.0], shape)
        return np.asarray(values, FLOATS[kind])
    if kind in INTEGERS:
        if integer is not None:
            return np.full(shape, integer, kind)
        return np.asarray(rng.integers(INTEGER_LOW, INTEGER_HIGH + 1, shape), kind)
    raise WorkerError(
        "inputs of type float, float16, double, int8, uint8, int32 or int64",
        f"input {name!r} of type {type_text}",
        "export the model with one of these types, or measure it with --input FILE.npz",
    )


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
        if size_bytes > MOST_FILE_BYTES:
            raise ValueError(f"{size_bytes} bytes of arrays, more than {MOST_FILE_BYTES}")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return {name: np.ascontiguousarray(arrays[name]) for name in arrays.files}
    except Exception as error:  # zipfile, zlib and numpy raise what they like on broken files
        raise WorkerError(
            "an .npz file of plain arrays",
            (str(error).splitlines() or [repr(error)])[0],
            "write it with numpy.savez(FILE, name=array)",
        ) from error


def check_array(array: np.ndarray, tensor: Any) -> np.ndarray:
    """Returns an array that fits an input.

    Args:
        array: A user's own.
        tensor: The input, as a session of onnxruntime describes it.

    Raises:
        WorkerError: Its type or shape is another.
    """
    kind = _kind(tensor.type)
    wanted = np.dtype(FLOATS.get(kind, kind)) if kind in (*FLOATS, *INTEGERS, "bool") else None
    sizes = [size if isinstance(size, int) else None for size in tensor.shape]
    fits = len(sizes) == array.ndim and all(
        size in (None, found) for size, found in zip(sizes, array.shape)
    )
    if array.dtype != wanted or not fits:
        raise WorkerError(
            f"an array of type {kind} and shape {list(tensor.shape)} for input {tensor.name!r}",
            f"one of type {array.dtype} and shape {list(array.shape)}",
            "write an array of this type and shape into the .npz file",
        )
    return array


def refuse_unknown(given: Arrays, names: Sequence[str]) -> None:
    """Refuses arrays that no input takes.

    Raises:
        WorkerError: As said.
    """
    unknown = sorted(set(given) - set(names))
    if unknown:
        raise WorkerError(
            f"arrays named as the model's inputs ({', '.join(names)})",
            ", ".join(unknown),
            "name them so in numpy.savez(FILE, name=array)",
        )
