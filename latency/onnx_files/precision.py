"""Other precisions of an fp32 ONNX model, made where models are built, never on the device.

onnxruntime's own converters do the work; what is here keeps them quiet, repeatable and honest.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from latency.device.inputs import integer_ranges, random_inputs
from latency.device.sessions import create_session
from latency.device.settings import SessionSettings
from latency.onnx_files.converters import PrecisionError, converted, quiet
from latency.onnx_files.int8 import (
    SCHEMES,
    WEIGHTED_OPERATORS,
    Quantization,
    check_opset,
    default_scheme,
    is_quantizable,
    to_int8,
)

__all__ = [
    "PRECISIONS",
    "SCHEMES",
    "PrecisionError",
    "convert",
    "default_scheme",
    "quantized",
    "require_fp16_compute",
]

PRECISIONS = ("fp32", "int8", "fp16")
# With one alone, small maps leave its range by a fifth; further ones hardly cost time.
CALIBRATION_INPUTS = 4
LEAST_IR_VERSION = 4
QUANTIZED_OPERATORS = ("QuantizeLinear", "DequantizeLinear", "QLinear", "QGemm", "ConvInteger")
FLOAT, FLOAT16, BFLOAT16, DOUBLE = 1, 10, 16, 11  # onnx.TensorProto's numbers


def convert(
    model: bytes,
    precision: str,
    *,
    scheme: str = "",
    seed: int = 0,
    own: Mapping[str, Any] | None = None,
) -> bytes:
    """Returns an fp32 model in another precision; inputs and outputs keep names and types.

    Changes the process's logging and warnings while it works, so no two threads at a time.

    Args:
        model: A serialised ONNX model in fp32, with inputs of fixed shape for 'int8'.
        precision: 'fp32' returns the same bytes; 'int8' is static quantisation in QDQ form;
            'fp16' converts between a cast behind each input and one before each output.
        scheme: One of `SCHEMES` for 'int8'; this processor's by default.
        seed: Of the random inputs that int8 is calibrated on; same seed, same bytes.
        own: Input name -> array that int8 is calibrated on instead; the others are drawn.

    Raises:
        PrecisionError: Precision or scheme is unknown, or the model is not in fp32.
        WorkerError: onnxruntime cannot load the model, or an input is dynamic.
    """
    if precision not in PRECISIONS:
        raise PrecisionError(
            f"a precision among {', '.join(PRECISIONS)}", repr(precision), "name one of these"
        )
    if scheme and precision != "int8":
        raise PrecisionError(
            f"no scheme for {precision}", repr(scheme), "leave it out, or ask for int8"
        )
    how = Quantization(scheme or default_scheme())
    if precision == "fp32":
        return model
    proto = _fp32_proto(model)
    with quiet():
        if precision == "fp16":
            return converted("fp16", lambda: _to_fp16(proto))
        return _drawn_int8(model, proto, how, seed, own or {})


def _fp32_proto(model: bytes) -> Any:
    import onnx

    try:
        proto = onnx.load_model_from_string(model)
    except Exception as error:  # protobuf's exceptions share no base class
        raise PrecisionError(
            "a serialised ONNX model", f"{len(model)} other bytes", "pass the file's content"
        ) from error
    operators = {node.op_type for node in proto.graph.node}
    quantized = sorted(name for name in operators if name.startswith(QUANTIZED_OPERATORS))
    types = {tensor.data_type for tensor in proto.graph.initializer}
    types |= {value.type.tensor_type.elem_type for value in proto.graph.input}
    other = sorted(types & {FLOAT16, BFLOAT16, DOUBLE})
    if quantized or other:
        names = quantized or [onnx.TensorProto.DataType.Name(number) for number in other]
        raise PrecisionError(
            "an fp32 model to convert",
            f"a model with {', '.join(names)}",
            "convert the fp32 model, or measure this one as it is, with precision fp32",
        )
    _keep_weights_off_inputs(proto)
    return proto


def _keep_weights_off_inputs(proto: Any) -> None:
    """Makes weights that a caller could override constant; converters leave or mistake them."""
    weights = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in weights]
    if len(inputs) == len(proto.graph.input):
        return
    if proto.ir_version < LEAST_IR_VERSION:
        raise PrecisionError(
            f"IR version {LEAST_IR_VERSION} or newer, whose weights need not be inputs",
            f"IR version {proto.ir_version}",
            "export the model with a newer exporter",
        )
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)


def quantized(model: bytes, how: Quantization, inputs: Iterable[Mapping[str, Any]]) -> bytes:
    """Returns an fp32 model in int8, calibrated on inputs that are at hand.

    Changes the process's logging and warnings while it works, so no two threads at a time.

    Args:
        model: A serialised ONNX model in fp32.
        how: Types and scales.
        inputs: Input name -> array, one for each calibration run; one or more.

    Raises:
        PrecisionError: The model is not in fp32, has nothing that int8 would make cheaper, or the
            quantizer failed.
    """
    proto = _fp32_proto(model)
    if not is_quantizable(proto):
        names = sorted({node.op_type for node in proto.graph.node})
        raise PrecisionError(
            f"a model with one of {', '.join(WEIGHTED_OPERATORS)} for int8",
            f"{', '.join(names)} alone",
            "use the fp32 model: int8 would only add conversions",
        )
    check_opset(proto)
    with quiet():
        return to_int8(proto, how, inputs)


def _drawn_int8(
    model: bytes, proto: Any, how: Quantization, seed: int, own: Mapping[str, Any]
) -> bytes:
    """int8 on drawn inputs: good enough for milliseconds, and nothing is said of accuracy.

    A user's own arrays take their places, so that values in the network are those that it has.
    """
    if not is_quantizable(proto):
        return model
    check_opset(proto)
    # Without optimizations a session loads fastest, and says what the inputs are.
    session = create_session(model, SessionSettings(graph_level="disabled"))
    ranges = integer_ranges(session, model, {})
    numbers = range(CALIBRATION_INPUTS)
    drawn = [random_inputs(session, seed + number, ranges=ranges) for number in numbers]
    inputs = [{**values, **own} for values in drawn]
    return to_int8(proto, how, inputs)


# --- fp16 -------------------------------------------------------------------------------------


def _to_fp16(proto: Any) -> bytes:
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    converted = ONNXModel(convert_float_to_float16(proto, keep_io_types=True))
    converted.topological_sort()  # the converter appends its casts behind their users
    return bytes(converted.model.SerializeToString())


def require_fp16_compute(model: bytes, settings: SessionSettings) -> None:
    """Refuses an fp16 model whose products a provider computes in fp32.

    Where a provider has no fp16 kernel, onnxruntime casts to fp32 around the operator, and the
    latency would be fp32's. Read from the graph that it really runs: in an operator without an
    fp16 kernel the weights are fp32.

    Args:
        model: From `convert(..., 'fp16')`.
        settings: The session's; its provider is the one in question.

    Raises:
        PrecisionError: At least half of the convolutions and matrix products run in fp32.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        path = Path(folder, "optimized.onnx")
        create_session(model, settings, str(path))
        graph = onnx.load_model(path, load_external_data=False).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    types |= {value.name: value.type.tensor_type.elem_type for value in graph.input}
    for node in graph.node:
        if node.op_type == "Cast":
            types[node.output[0]] = onnx.helper.get_node_attr_value(node, "to")
    products = [node for node in graph.node if _multiplies(node.op_type)]
    in_fp32 = [n for n in products if any(types.get(name) == FLOAT for name in n.input)]
    if in_fp32 and 2 * len(in_fp32) >= len(products):
        raise _no_fp16(
            settings.provider, f"{len(in_fp32)} of {len(products)} of them in fp32, behind casts"
        )


def _multiplies(op_type: str) -> bool:
    return any(part in op_type for part in ("Conv", "Gemm", "MatMul"))


def _no_fp16(provider: str, received: str) -> PrecisionError:
    return PrecisionError(
        f"convolutions and matrix products that {provider} computes in fp16",
        received,
        "measure fp32 or int8, or name a provider with fp16 kernels",
    )
