"""Other precisions of an fp32 ONNX model, made where models are built, never on the device.

onnxruntime's own converters do the work; what is here keeps them quiet, repeatable and honest.
"""

from __future__ import annotations

import contextlib
import logging
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from latency.device.inputs import integer_ranges, random_inputs
from latency.device.sessions import create_session
from latency.device.settings import SessionSettings
from latency.errors import LatencyError

PRECISIONS = ("fp32", "int8", "fp16")
# Types of activations and weights: u is unsigned, s is signed.
SCHEMES = ("u8s8", "u8u8", "s8s8")
# With one alone, small maps leave its range by a fifth; further ones hardly cost time.
CALIBRATION_INPUTS = 4
# The library would raise an older opset by itself, and the file would be another one.
LEAST_INT8_OPSET = 11
LEAST_IR_VERSION = 4
# Operators that multiply; int8 of a graph without one of them would only add conversions.
WEIGHTED_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
QUANTIZED_OPERATORS = ("QuantizeLinear", "DequantizeLinear", "QLinear", "QGemm", "ConvInteger")
FLOAT, FLOAT16, BFLOAT16, DOUBLE = 1, 10, 16, 11  # onnx.TensorProto's numbers


class PrecisionError(LatencyError):
    """A precision, a scheme or a model that does not go with it."""


def default_scheme() -> str:
    """Returns this processor's int8 scheme: 's8s8' on ARM, 'u8s8' elsewhere."""
    machine = platform.machine().lower()
    return "s8s8" if machine.startswith(("arm", "aarch64")) else "u8s8"


def convert(model: bytes, precision: str, *, scheme: str = "", seed: int = 0) -> bytes:
    """Returns an fp32 model in another precision; inputs and outputs keep names and types.

    Changes the process's logging and warnings while it works, so no two threads at a time.

    Args:
        model: A serialised ONNX model in fp32, with inputs of fixed shape for 'int8'.
        precision: 'fp32' returns the same bytes; 'int8' is static quantisation in QDQ form;
            'fp16' converts between a cast behind each input and one before each output.
        scheme: One of `SCHEMES` for 'int8'; this processor's by default.
        seed: Of the random inputs that int8 is calibrated on; same seed, same bytes.

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
    if scheme and scheme not in SCHEMES:
        raise PrecisionError(
            f"a scheme among {', '.join(SCHEMES)}", repr(scheme), "name one of these"
        )
    if precision == "fp32":
        return model
    proto = _fp32_proto(model)
    with _quiet():
        if precision == "fp16":
            return _converted("fp16", lambda: _to_fp16(proto))
        return _to_int8(model, proto, scheme or default_scheme(), seed)


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


def _converted(precision: str, convert_it: Callable[[], bytes]) -> bytes:
    """Runs a library's converter; its many exceptions become one."""
    try:
        return convert_it()
    except Exception as error:
        line = (str(error).splitlines() or [repr(error)])[0].rstrip(".")
        raise PrecisionError(
            f"a model that onnxruntime's converter turns into {precision}",
            f"{type(error).__name__}: {line}",
            "check the model with onnx.checker, or convert it with your own tool and measure "
            "that file",
        ) from error


# --- int8 -------------------------------------------------------------------------------------


def _to_int8(model: bytes, proto: Any, scheme: str, seed: int) -> bytes:
    if not any(node.op_type in WEIGHTED_OPERATORS for node in proto.graph.node):
        return model
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    opset = max(versions, default=0)
    if opset < LEAST_INT8_OPSET:
        raise PrecisionError(
            f"opset {LEAST_INT8_OPSET} or newer for int8",
            f"opset {opset}",
            "export the model with a newer opset, such as 17",
        )
    # Without optimizations a session loads fastest, and says what the inputs are.
    session = create_session(model, SessionSettings(graph_level="disabled"))
    ranges = integer_ranges(session, model, {})
    numbers = range(CALIBRATION_INPUTS)
    inputs = [random_inputs(session, seed + number, ranges=ranges) for number in numbers]
    _name_nodes(proto)
    return _converted("int8", lambda: _quantized(proto, scheme, inputs))


def _name_nodes(proto: Any) -> None:
    """Gives every node a name of its own: the quantizer finds a shared bias's users by name."""
    taken = {node.name for node in proto.graph.node}
    seen: set[str] = set()
    for number, node in enumerate(proto.graph.node):
        if not node.name or node.name in seen:
            name = f"{node.op_type}_{number}"
            while name in taken:
                name += "_"
            node.name = name
            taken.add(name)
        seen.add(node.name)


def _quantized(proto: Any, scheme: str, inputs: list[dict[str, Any]]) -> bytes:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    types = {"u": QuantType.QUInt8, "s": QuantType.QInt8}
    # One scale a weight tensor: a scale a channel leaves the same operators, but requantising
    # costs time in each of them (onnxruntime's guide says so too) and conversion takes three
    # times as long. 7-bit weights would help a scale a channel against saturation in AVX2's
    # 16-bit sums; with one scale a tensor they only lose a bit.
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(proto.SerializeToString())
        quantize_static(
            source,
            target,
            _Inputs(inputs),
            quant_format=QuantFormat.QDQ,
            activation_type=types[scheme[0]],
            weight_type=types[scheme[2]],
            per_channel=False,
            reduce_range=False,
        )
        return target.read_bytes()


class _Inputs:
    """The calibration inputs, in the form that the quantizer reads."""

    def __init__(self, inputs: list[dict[str, Any]]) -> None:
        self._left = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._left, None)


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


# --- the libraries' side effects --------------------------------------------------------------


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Undoes what onnxruntime's converters do to the process beside their work.

    They configure the root logger, advise on it, warn, and lengthen `sys.path`.
    """
    root, path = logging.root, list(sys.path)
    disabled, level, handlers = root.manager.disable, root.level, list(root.handlers)
    silent = logging.NullHandler()  # with a handler there, basicConfig leaves the root alone
    root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.path[:] = path
