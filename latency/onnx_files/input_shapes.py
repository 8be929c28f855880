"""Input shapes of an ONNX file: read from a flag, written into the graph, fixed in the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latency.command_line import quote
from latency.errors import ModelFileError
from latency.onnx_files.external_data import text_of

MAX_DIMENSION = 2**31 - 1
# What an input may be instead of a tensor.
KINDS = {
    "sequence_type": "a sequence",
    "sparse_tensor_type": "a sparse tensor",
    "optional_type": "an optional value",
    "map_type": "a map",
    "opaque_type": "an opaque value",
}

Dims = list[int | str]  # a number, or a symbol's name; "?" where there is neither


def parse_input_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """Reads the value of `--input_shape`, such as `image=1,3,64,64`.

    Returns:
        The input's name and its dimensions, each above 0.

    Raises:
        ModelFileError: It is malformed, or a dimension is not a whole number above 0.
    """
    # The last "=" counts, since names may hold one and numbers may not.
    name, _, numbers = text.rpartition("=")
    parts = [part.strip() for part in numbers.split(",")]
    valid = all(part.isascii() and part.isdecimal() and len(part) <= 10 for part in parts)
    shape = tuple(int(part) for part in parts) if valid else ()
    if not name.strip() or not shape or not all(0 < size <= MAX_DIMENSION for size in shape):
        raise ModelFileError(
            "an input shape of the form NAME=SIZE,SIZE,... with whole numbers above 0",
            repr(text),
            "write it like --input_shape image=1,3,64,64",
        )
    return name.strip(), shape


def fix_shapes(path: Path, model: Any, wanted: Mapping[str, Sequence[int]]) -> bool:
    """Writes shapes into the graph's inputs and checks that all are fixed.

    Args:
        path: Of the model, for messages.
        model: Changed in place.
        wanted: Input name -> shape.

    Returns:
        Whether an input has another shape now.

    Raises:
        ModelFileError: A shape does not fit, or an input stays dynamic.
    """
    inputs = _true_inputs(path, model.graph)
    for name, shape in wanted.items():
        if name not in inputs:
            raise ModelFileError(
                f"--input_shape for an input of {path} ({', '.join(map(repr, inputs))})",
                repr(name),
                "name one of these",
            )
        _check_shape(path, name, _dims(inputs[name]), shape)
    changed = {name: list(shape) for name, shape in wanted.items()}
    changed = {name: shape for name, shape in changed.items() if _dims(inputs[name]) != shape}
    for name, shape in changed.items():
        _write_shape(inputs[name], shape)
    dims = {name: _dims(value) for name, value in inputs.items()}
    dynamic = {name: sizes for name, sizes in dims.items() if not _is_fixed(sizes)}
    if dynamic:
        flags = " ".join(f"--input_shape {_flag_value(n, sizes)}" for n, sizes in dynamic.items())
        raise ModelFileError(
            f"inputs of fixed shape in {path}",
            "; ".join(f"{name!r} of shape {_shape_text(s)}" for name, s in dynamic.items()),
            f"pass {flags} with a number for each N" if "N" in flags else f"pass {flags}",
        )
    return bool(changed)


def _true_inputs(path: Path, graph: Any) -> dict[str, Any]:
    """Returns name -> ValueInfoProto of the inputs that have no value in the file."""
    filled = {tensor.name for tensor in graph.initializer}
    filled |= {pair.values.name for pair in graph.sparse_initializer}
    inputs = {text_of(value.name): value for value in graph.input if value.name not in filled}
    for name, value in inputs.items():
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            raise ModelFileError(
                f"tensors as inputs of {path}",
                f"input {name!r}, {KINDS.get(kind or '', 'a value without a type')}",
                "export the model with tensors as inputs",
            )
    return inputs


def _dims(value: Any) -> Dims | None:
    """Returns an input's dimensions; None where not even their number is known."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    dims: Dims = []
    for dim in tensor.shape.dim:
        kind = dim.WhichOneof("value")
        dims.append(dim.dim_value if kind == "dim_value" else text_of(dim.dim_param) or "?")
    return dims


def _is_fixed(dims: Dims | None) -> bool:
    return dims is not None and all(_is_size(size) for size in dims)


def _is_size(size: object) -> bool:
    return isinstance(size, int) and not isinstance(size, bool) and 0 < size <= MAX_DIMENSION


def _check_shape(path: Path, name: str, dims: Dims | None, shape: Sequence[int]) -> None:
    # Some exporters write an unknown number of dimensions as a scalar's empty shape.
    agrees = not dims or len(dims) == len(shape)
    for size, given in zip(dims or (), shape, strict=False):
        agrees = agrees and (size == given or not _is_size(size))
    if not agrees or not all(_is_size(size) for size in shape):
        raise ModelFileError(
            f"a shape for input {name!r} of {path} that agrees with {_shape_text(dims)}, sizes "
            "above 0",
            _shape_text(list(shape)),
            f"pass --input_shape {_flag_value(name, dims)}"
            + (" with a number for each N" if not _is_fixed(dims) else ", or leave it out")
            + "; for one of several models write MODEL.onnx:NAME=SIZES",
        )


def _shape_text(dims: Dims | None) -> str:
    return "(unknown)" if dims is None else f"({', '.join(str(size) for size in dims)})"


def _flag_value(name: str, dims: Dims | None) -> str:
    sizes = ["N", "..."] if not dims else [str(s) if _is_size(s) else "N" for s in dims]
    return quote(f"{name}={','.join(sizes)}")


def _write_shape(value: Any, shape: Sequence[int]) -> None:
    tensor = value.type.tensor_type
    tensor.ClearField("shape")
    tensor.shape.SetInParent()
    for size in shape:
        tensor.shape.dim.add().dim_value = int(size)


def forget_shapes(model: Any, bodies: Sequence[Any]) -> None:
    """Drops stored shapes that may disagree with the new inputs; outputs are inferred anew."""
    import onnx

    for body in bodies:
        values = list(getattr(body, "value_info", ()))
        # A function's outputs are names alone.
        values += body.output if hasattr(body, "initializer") else ()
        for value in values:
            _forget_shape(value.type)
    try:
        inferred = onnx.shape_inference.infer_shapes(model)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        return  # onnxruntime infers them itself when it loads the model
    for value, found in zip(model.graph.output, inferred.graph.output, strict=True):
        value.CopyFrom(found)


def _forget_shape(kind: Any) -> None:
    name = kind.WhichOneof("value")
    if name in ("tensor_type", "sparse_tensor_type"):
        getattr(kind, name).ClearField("shape")
    elif name in ("sequence_type", "optional_type"):
        _forget_shape(getattr(kind, name).elem_type)
