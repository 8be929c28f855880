"""A model without its weights: small enough to be kept in a table, and measurable again.

A latency depends on shapes, not on the values of weights (denormals apart, which are never
drawn), so a skeleton with new random weights of the same spread takes the same time.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

import numpy as np

from latency.errors import LatencyError

# Smaller arrays are scales, limits and shapes, whose values can matter and cost nothing to keep.
KEEP_ELEMENTS = 16
# Shapes and indices are integers of these types; they are never weights.
KEEP_DTYPES = (np.dtype(np.int64), np.dtype(bool))


class SkeletonError(LatencyError):
    """A stored graph that cannot be read."""


def strip_weights(model: bytes) -> str:
    """Returns a model's graph with each large initializer replaced by its range and spread.

    Args:
        model: A serialised ONNX model.
    """
    import onnx
    from onnx import numpy_helper

    proto = onnx.load_model_from_string(model)
    for tensor in proto.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.size <= KEEP_ELEMENTS or values.dtype in KEEP_DTYPES:
            continue
        numbers = values.astype(np.float64)
        spread = [numbers.mean(), numbers.std(), numbers.min(), numbers.max()]
        dims, kind, name = list(tensor.dims), tensor.data_type, tensor.name
        tensor.Clear()
        tensor.dims.extend(dims)
        tensor.data_type, tensor.name = kind, name
        tensor.doc_string = json.dumps([float(value) for value in spread])
    packed = zlib.compress(proto.SerializeToString(), 9)
    return base64.b64encode(packed).decode("ascii")


def restore_weights(text: str, seed: int) -> bytes:
    """Returns a measurable model: the graph with random weights of the stored spread.

    Args:
        text: Of `strip_weights`.
        seed: Of the weights.

    Raises:
        SkeletonError: The text is damaged.
    """
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from onnx import numpy_helper

    rng = np.random.default_rng(seed)
    try:
        proto = onnx.load_model_from_string(zlib.decompress(base64.b64decode(text, validate=True)))
        for tensor in proto.graph.initializer:
            if tensor.doc_string:
                tensor.CopyFrom(numpy_helper.from_array(_draw(tensor, rng), tensor.name))
    except (ValueError, TypeError, KeyError, binascii.Error, zlib.error, DecodeError) as error:
        raise SkeletonError(
            "a stored graph that can be measured again",
            f"{type(error).__name__}: {error}",
            "build the table again",
        ) from error
    return bytes(proto.SerializeToString())


def _draw(tensor: Any, rng: np.random.Generator) -> np.ndarray:
    from onnx import helper

    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    mean, deviation, low, high = json.loads(tensor.doc_string)
    values = np.clip(rng.normal(mean, deviation, list(tensor.dims)), low, high)
    if np.issubdtype(dtype, np.integer):
        values = np.rint(values)
    return np.ascontiguousarray(values.astype(dtype))
