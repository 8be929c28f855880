"""Several models in another precision; the one that cannot be converted is named."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from latency.device.graph import model_inputs
from latency.device.inputs import Arrays, check_array
from latency.errors import LatencyError, ModelFileError, all_of
from latency.onnx_files.precision import convert


def convert_all(
    models: Mapping[str, bytes],
    precision: str,
    *,
    scheme: str = "",
    own: Mapping[str, Arrays] | None = None,
) -> dict[str, bytes]:
    """Returns models in another precision.

    Args:
        models: Name -> fp32 model.
        precision: 'fp32', 'int8' or 'fp16'.
        scheme: Of int8; this processor's by default.
        own: Model -> input -> array that int8 is calibrated on; other inputs are drawn.

    Raises:
        LatencyError: A model cannot be converted; all of those are told at once.
    """
    calls = {
        name: partial(_converted, name, model, precision, scheme, (own or {}).get(name, {}))
        for name, model in models.items()
    }
    return all_of(calls)


def _converted(name: str, model: bytes, precision: str, scheme: str, own: Arrays) -> bytes:
    try:
        fitting = _fitting(model, own) if precision == "int8" else {}
        return convert(model, precision, scheme=scheme, own=fitting)
    except LatencyError as error:
        raise ModelFileError(error.expected, f"{name}: {error.received}", error.fix) from error


def _fitting(model: bytes, own: Arrays) -> dict[str, np.ndarray]:
    """Of a user's own arrays those that the model has inputs for, as they are fed."""
    inputs = {entry.name: entry for entry in model_inputs(model)}
    return {
        name: check_array(np.asarray(array), inputs[name])
        for name, array in own.items()
        if name in inputs
    }
