"""Several models, as files or in memory, read at once with the shapes of their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from latency.device.graph import Input, model_inputs
from latency.device.inputs import Arrays
from latency.errors import all_of
from latency.onnx_files.model_file import check_model, file_inputs, read_model
from latency.onnx_files.wanted_shapes import Shape, assign_shapes

Source = Path | bytes  # a file, or the content of one


def read_several(
    sources: Mapping[str, Source],
    wanted: Sequence[tuple[str, Sequence[int]]] = (),
    arrays: Mapping[str, Arrays] | None = None,
) -> dict[str, bytes]:
    """Reads models, and fixes the shapes of their dynamic inputs.

    Args:
        sources: Name -> model.
        wanted: Pairs of an input's name and its shape, as `assign_shapes` takes them.
        arrays: Name -> a user's own arrays. A dynamic input that nobody gave a shape has that of
            its array.

    Returns:
        Name -> serialised model without external data, all of its input shapes fixed.

    Raises:
        LatencyError: A model cannot be read or has a dynamic input without a shape, no model has
            an input of a wanted name, or one input is wanted in two shapes. What is wrong with any
            of the models is told at once.
    """
    shapes: dict[str, Mapping[str, Shape]] = dict.fromkeys(sources, {})
    if wanted or arrays:
        inputs = all_of({key: partial(_inputs, source) for key, source in sources.items()})
        names = {key: [entry.name for entry in entries] for key, entries in inputs.items()}
        asked = assign_shapes(wanted, names)
        own = arrays or {}
        for key, entries in inputs.items():
            shapes[key] = {**_shapes_of(own.get(key, {}), entries), **asked[key]}
    return all_of(
        {key: partial(_read, key, source, shapes[key]) for key, source in sources.items()}
    )


def _inputs(source: Source) -> Sequence[Input]:
    return file_inputs(source) if isinstance(source, Path) else model_inputs(source)


def _shapes_of(arrays: Arrays, inputs: Sequence[Input]) -> dict[str, Shape]:
    """The shapes of arrays whose inputs are dynamic; others are checked against their inputs."""
    return {
        entry.name: tuple(np.shape(arrays[entry.name]))
        for entry in inputs
        if entry.name in arrays and None in entry.shape
    }


def _read(name: str, source: Source, shapes: Mapping[str, Shape]) -> bytes:
    if isinstance(source, Path):
        return read_model(source, shapes)
    return check_model(name, source, shapes)
