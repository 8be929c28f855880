"""Several models in another precision; the one that cannot be converted is named."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from latency.errors import LatencyError, ModelFileError, all_of
from latency.onnx_files.precision import convert


def convert_all(
    models: Mapping[str, bytes], precision: str, *, scheme: str = ""
) -> dict[str, bytes]:
    """Returns models in another precision.

    Args:
        models: Name -> fp32 model.
        precision: 'fp32', 'int8' or 'fp16'.
        scheme: Of int8; this processor's by default.

    Raises:
        LatencyError: A model cannot be converted; all of those are told at once.
    """
    calls = {
        name: partial(_converted, name, model, precision, scheme) for name, model in models.items()
    }
    return all_of(calls)


def _converted(name: str, model: bytes, precision: str, scheme: str) -> bytes:
    try:
        return convert(model, precision, scheme=scheme)
    except LatencyError as error:
        raise ModelFileError(error.expected, f"{name}: {error.received}", error.fix) from error
