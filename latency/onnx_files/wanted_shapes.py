"""Which of several models gets which input shape: none is left over, and none is given twice."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from latency.errors import ModelFileError

Shape = tuple[int, ...]


def assign_shapes(
    wanted: Sequence[tuple[str, Sequence[int]]], inputs: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, Shape]]:
    """Gives each model the shapes of its own inputs.

    Args:
        wanted: Pairs of an input's name and its shape. MODEL:NAME is the input of one model, NAME
            that of every model that has it.
        inputs: Model -> names of its inputs.

    Returns:
        Model -> input -> shape.

    Raises:
        ModelFileError: No model has such an input, or one input is given two shapes.
    """
    found: dict[str, dict[str, Shape]] = {key: {} for key in inputs}
    for name, sizes in wanted:
        targets = _targets(name, inputs)
        if not targets:
            raise _unknown(name, inputs)
        for key, own in targets:
            shape = tuple(sizes)
            if found[key].setdefault(own, shape) != shape:
                raise _twice(key, own, found[key][own], shape)
    return found


def _targets(name: str, inputs: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """(model, input) for everything that a name stands for."""
    everywhere = [(key, name) for key, names in inputs.items() if name in names]
    if everywhere:
        return everywhere
    return [(key, own) for key, names in inputs.items() for own in names if name == f"{key}:{own}"]


def _unknown(name: str, inputs: Mapping[str, Sequence[str]]) -> ModelFileError:
    known = "; ".join(f"{', '.join(map(repr, names))} of {key}" for key, names in inputs.items())
    choices = {own: own for names in inputs.values() for own in names}
    choices |= {f"{key}:{own}": own for key, names in inputs.items() for own in names}
    near = difflib.get_close_matches(name, choices, 1, 0.6)
    return ModelFileError(
        f"an input shape for an input of the models ({known})",
        repr(name),
        f"did you mean {near[0]!r}? Name one of these inputs" if near else "name one of these",
    )


def _twice(key: str, name: str, first: Shape, second: Shape) -> ModelFileError:
    texts = [",".join(map(str, shape)) for shape in (first, second)]
    return ModelFileError(
        f"one shape for input {name!r} of {key}",
        f"{name}={texts[0]} and {name}={texts[1]}",
        "give it once; where models need different shapes, give each its own: "
        f"--input_shape MODEL.onnx:{name}=...",
    )
