"""A user's ONNX file -> self-contained bytes with fixed input shapes, or an error that helps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from latency.device.graph import Input, model_inputs
from latency.errors import ModelFileError
from latency.onnx_files.external_data import attributes_of, embed, external_tensors, locate, text_of
from latency.onnx_files.foreign_files import foreign_file, no_model_file
from latency.onnx_files.input_shapes import fix_shapes, forget_shapes, parse_input_shape

__all__ = ["ModelFileError", "check_model", "file_inputs", "parse_input_shape", "read_model"]

# Domains whose operators are built into onnxruntime's CPU package.
KNOWN_DOMAINS = frozenset(
    (
        "",
        "ai.onnx",
        "ai.onnx.ml",
        "ai.onnx.training",
        "ai.onnx.preview.training",
        "com.microsoft",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
    )
)
# Protocol buffers end at 2^31 - 1 bytes; the slack is for tags and lengths around moved weights.
MAX_MODEL_BYTES = 2**31 - 1 - 2**20


def read_model(path: Path, input_shapes: Mapping[str, Sequence[int]] | None = None) -> bytes:
    """Reads an ONNX file that can be measured; the file itself is never changed.

    Args:
        path: The file; its external data lies in the same folder or below.
        input_shapes: Input name -> shape, for inputs whose shape is not fixed in the file.

    Returns:
        A serialised model without external data, all of its input shapes fixed; the file's own
        bytes where nothing had to be changed.

    Raises:
        ModelFileError: The file is no ONNX model, is too large, needs operators or data that
            are not there, or has a dynamic input that no shape was given for.
    """
    data = _read_file(path)
    model = _parse(path, data)
    bodies = _bodies(model)
    _check_names(path, bodies)
    _check_domains(path, model, bodies)
    reshaped = fix_shapes(path, model, input_shapes or {})
    outside = [locate(path, tensor) for tensor in external_tensors(bodies)]
    total_bytes = len(data) + sum(part.size_bytes for part in outside)
    if total_bytes > MAX_MODEL_BYTES:
        raise _too_large(path, total_bytes)
    for part in outside:
        embed(path, part)
    if reshaped:
        forget_shapes(model, bodies)
    return bytes(model.SerializeToString()) if reshaped or outside else data


def file_inputs(path: Path) -> tuple[Input, ...]:
    """Returns the inputs of an ONNX file, without those that have a value in the file.

    Args:
        path: The file.

    Raises:
        ModelFileError: It is no ONNX file.
    """
    data = _read_file(path)
    _parse(path, data)
    return model_inputs(data)


def check_model(name: str, data: bytes, input_shapes: Mapping[str, Sequence[int]]) -> bytes:
    """Checks a model in memory like `read_model`; its weights have to be inside.

    Args:
        name: For messages.
        data: A serialised model.
        input_shapes: Input name -> shape, for inputs whose shape is not fixed.

    Returns:
        The model with all of its input shapes fixed; the same bytes where nothing had to be
        changed.

    Raises:
        ModelFileError: It is no ONNX model, needs operators or data that are not there, or has a
            dynamic input that no shape was given for.
    """
    path = Path(name)
    model = _parse(path, data)
    bodies = _bodies(model)
    _check_names(path, bodies)
    _check_domains(path, model, bodies)
    if external_tensors(bodies):
        raise ModelFileError(
            f"a model in memory with its weights inside as {name!r}",
            "one with weights in other files",
            "pass the path of its file, or load it with onnx.load",
        )
    if not fix_shapes(path, model, input_shapes):
        return data
    forget_shapes(model, bodies)
    return bytes(model.SerializeToString())


# --- the file itself --------------------------------------------------------------------------


def _read_file(path: Path) -> bytes:
    fix = "check the path; it has to be the .onnx file itself"
    try:
        if not path.is_file():
            raise no_model_file(path)
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise _too_large(path, path.stat().st_size)
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or repr(error)
        raise ModelFileError("a readable ONNX file", f"{path}: {reason}", fix) from error
    if not data:
        raise ModelFileError(
            "an ONNX file", f"{path}, an empty file", "export or download the model again"
        )
    return data


def _too_large(path: Path, size_bytes: int) -> ModelFileError:
    return ModelFileError(
        f"a model of at most {MAX_MODEL_BYTES} bytes with its weights (protobuf's limit is 2 GB)",
        f"{path}, {size_bytes} bytes",
        "measure a smaller model, or parts of this one",
    )


def _parse(path: Path, data: bytes) -> Any:
    """Returns the `onnx.ModelProto`; its external data stays unread."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        what = f"{len(data)} bytes that are no ONNX, or a part of it"
        raise foreign_file(path, data) or _no_onnx(path, what) from error
    # Nearly any short file parses as a message of unknown fields.
    if not model.ir_version or not model.HasField("graph"):
        what = f"{len(data)} bytes without an ONNX version and graph"
        raise foreign_file(path, data) or _no_onnx(path, what)
    if not model.graph.node:
        raise _no_onnx(path, "a graph without any node")
    if not model.opset_import:
        raise _no_onnx(path, "a model without opset_import")
    return model


def _no_onnx(path: Path, what: str) -> ModelFileError:
    return ModelFileError(
        "a whole ONNX model", f"{path}: {what}", "export or copy the model again, as ONNX"
    )


def _bodies(model: Any) -> list[Any]:
    """Returns every graph and function of a model, subgraphs of nodes included."""
    bodies = [model.graph, *model.functions]
    for info in model.training_info:
        bodies += [info.initialization, info.algorithm]
    for body in bodies:  # grows while it is walked
        for attribute in attributes_of(body):
            if attribute.HasField("g"):
                bodies.append(attribute.g)
            bodies.extend(attribute.graphs)
    return bodies


def _check_names(path: Path, bodies: Sequence[Any]) -> None:
    """Refuses names that are no text: protobuf hands out bytes for them, which fit nowhere."""
    for body in bodies:
        names = [name for node in body.node for name in (*node.input, *node.output)]
        for node in body.node:
            names += [node.op_type, node.name, *(entry.name for entry in node.attribute)]
        # Inputs and outputs of a function are names themselves.
        for field in ("input", "output", "value_info", "initializer"):
            names += [getattr(entry, "name", entry) for entry in getattr(body, field, ())]
        wrong = next((name for name in names if not isinstance(name, str)), None)
        if wrong is not None:
            raise _no_onnx(path, f"the name {wrong!r}, which is no UTF-8")


def _check_domains(path: Path, model: Any, bodies: Sequence[Any]) -> None:
    local = {(function.domain, function.name) for function in model.functions}
    custom: dict[str, set[str]] = defaultdict(set)
    for body in bodies:
        for node in body.node:
            if node.domain not in KNOWN_DOMAINS and (node.domain, node.op_type) not in local:
                custom[text_of(node.domain)].add(text_of(node.op_type))
    if custom:
        names = [f"{domain!r}: {', '.join(sorted(custom[domain]))}" for domain in sorted(custom)]
        raise ModelFileError(
            "operators that onnxruntime has built in",
            f"{path} with custom operators of domain {'; of domain '.join(names)}",
            "export the model without them, or with model-local functions in their place",
        )
