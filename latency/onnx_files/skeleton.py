"""A model without its weights: small enough to be kept in a table, and measurable again.

A latency depends on shapes, not on the values of weights (denormals apart, which are never
drawn), so a skeleton with new random weights of the same spread takes the same time.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from latency.device import strict_json
from latency.errors import FileFormatError, LatencyError

# Smaller arrays are scales, limits and shapes, whose values can matter and cost nothing to keep.
KEEP_ELEMENTS = 16
# Shapes and indices are integers of these types; they are never weights.
KEEP_DTYPES = (np.dtype(np.int64), np.dtype(bool))
# A graph without weights has some 10 kB, and the largest networks that are put into tables have
# 100 MB; all graphs of a table are held at once.
MOST_GRAPH_BYTES = 1 << 26
MOST_RESTORED_BYTES = 1 << 31
DRAWN_AT_ONCE = 1 << 20
_WHOLE = "a stored graph that can be measured again"


class SkeletonError(LatencyError):
    """A stored graph that cannot be read."""


def strip_weights(model: bytes) -> str:
    """Returns a model's graph with each large initializer replaced by its range and spread.

    Args:
        model: A serialised ONNX model.

    Raises:
        SkeletonError: A weight's bytes do not fit its shape or type.
    """
    import onnx

    proto = onnx.load_model_from_string(model)
    for tensor in proto.graph.initializer:
        values = _values(tensor)
        if values.size <= KEEP_ELEMENTS or values.dtype in KEEP_DTYPES:
            continue
        with np.errstate(invalid="ignore"):
            numbers = values.astype(np.float64)
        # Masks hold infinities, which have no spread.
        finite = numbers[np.isfinite(numbers)]
        finite = finite if finite.size else np.zeros(1)
        spread = [finite.mean(), finite.std(), finite.min(), finite.max()]
        dims, kind, name = list(tensor.dims), tensor.data_type, tensor.name
        tensor.Clear()
        tensor.dims.extend(dims)
        tensor.data_type, tensor.name = kind, name
        tensor.doc_string = json.dumps([float(value) for value in spread])
    packed = zlib.compress(proto.SerializeToString(), 9)
    return base64.b64encode(packed).decode("ascii")


def _values(tensor: Any) -> np.ndarray:
    from onnx import numpy_helper

    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise SkeletonError(
            f"a weight {tensor.name!r} whose bytes fit its shape and type",
            f"{type(error).__name__}: {error}",
            "export the model again",
        ) from None


def restore_weights(text: str, seed: int, most_bytes: int = MOST_RESTORED_BYTES) -> bytes:
    """Returns a measurable model: the graph with random weights of the stored spread.

    Args:
        text: Of `strip_weights`.
        seed: Of the weights.
        most_bytes: What the model may have at most.

    Raises:
        SkeletonError: The text is damaged, or stands for more than that.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import numpy_helper

    rng = np.random.default_rng(seed)
    try:
        proto = onnx.load_model_from_string(_unpacked(text))
        drawn = [tensor for tensor in proto.graph.initializer if tensor.doc_string]
        _check_size(drawn, proto.ByteSize(), most_bytes)
        for tensor in drawn:
            tensor.CopyFrom(numpy_helper.from_array(_draw(tensor, rng), tensor.name))
        return bytes(proto.SerializeToString())
    except SkeletonError:
        raise
    except FileFormatError as error:
        raise SkeletonError(_WHOLE, error.received, "build the table again") from error
    except (
        *(ValueError, TypeError, KeyError, OverflowError, RecursionError),
        *(binascii.Error, zlib.error, DecodeError),
    ) as error:
        raise SkeletonError(
            _WHOLE, f"{type(error).__name__}: {error}", "build the table again"
        ) from error


def restore_all(texts: Mapping[str, str], seed: int) -> dict[str, bytes]:
    """Returns key -> measurable model, all of them together within one limit.

    Args:
        texts: Key -> text of `strip_weights`.
        seed: Of the weights.

    Raises:
        SkeletonError: A text is damaged, or all together stand for more than the limit.
    """
    models: dict[str, bytes] = {}
    left_bytes = MOST_RESTORED_BYTES
    for key, text in texts.items():
        models[key] = restore_weights(text, seed, left_bytes)
        left_bytes -= len(models[key])
    return models


def _unpacked(text: str) -> bytes:
    """Decompresses a graph; a few megabytes of text can stand for thousands of them."""
    stream = zlib.decompressobj()
    graph = stream.decompress(base64.b64decode(text, validate=True), MOST_GRAPH_BYTES)
    if not stream.eof:
        what = "a longer one" if stream.unconsumed_tail else "a part of one"
        raise SkeletonError(
            f"{_WHOLE}, of at most {MOST_GRAPH_BYTES} bytes without weights",
            what,
            "build the table again",
        )
    return graph


def _check_size(drawn: Sequence[Any], graph_bytes: int, most_bytes: int) -> None:
    from onnx import helper

    total_bytes = graph_bytes
    for tensor in drawn:
        dims, kind = list(tensor.dims), tensor.data_type
        if any(size < 0 for size in dims):
            raise SkeletonError(_WHOLE, f"weights of shape {dims}", "build the table again")
        total_bytes += math.prod(dims) * helper.tensor_dtype_to_np_dtype(kind).itemsize
    if total_bytes > most_bytes:
        raise SkeletonError(
            f"graphs that take at most {MOST_RESTORED_BYTES} bytes in all with their weights",
            f"{total_bytes} bytes where {most_bytes} are left",
            "build the table again, of smaller networks",
        )


def _draw(tensor: Any, rng: np.random.Generator) -> np.ndarray:
    from onnx import helper

    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    spread = strict_json.loads(tensor.doc_string, "the spread of weights")
    mean, deviation, low, high = map(float, spread)
    values = np.empty(math.prod(tensor.dims), dtype)
    # A part at a time, since the numbers that are drawn take eight bytes each.
    for start in range(0, values.size, DRAWN_AT_ONCE):
        part = values[start : start + DRAWN_AT_ONCE]
        numbers = np.clip(rng.normal(mean, deviation, part.size), low, high)
        part[:] = np.rint(numbers) if np.issubdtype(dtype, np.integer) else numbers
    return values.reshape(list(tensor.dims))
