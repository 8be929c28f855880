"""fp32 -> int8 in QDQ form: static quantisation by onnxruntime, with given inputs as its sample."""

from __future__ import annotations

import platform
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latency.onnx_files.converters import PrecisionError, converted

# Types of activations and weights: u is unsigned, s is signed.
SCHEMES = ("u8s8", "u8u8", "s8s8")
# The library would raise an older opset by itself, and the file would be another one.
LEAST_INT8_OPSET = 11
# Operators that multiply; int8 of a graph without one of them would only add conversions.
WEIGHTED_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True)
class Quantization:
    """How numbers become 8 bits wide.

    One scale a weight tensor is the default: a scale a channel leaves the same operators, but
    requantising costs time in each of them (onnxruntime's guide says so too) and conversion takes
    three times as long. It is the more exact one where channels differ, as in depthwise kernels.

    Args:
        scheme: One of `SCHEMES`: types of activations and weights.
        per_channel: Whether a weight tensor has a scale for each of its output channels.
        reduce_range: Whether weights have 7 bits. AVX2 and AVX-512 without VNNI add pairs of
            products in 16 bits, which 8-bit weights with a scale a channel can saturate.
        keeps_scores: Whether what a matrix product gives stays in fp32. The scores of a classifier
            are then not rounded to 256 values, among which the best two may be equal.
        nodes: Names of the only nodes that become int8, as `name_nodes` names them; None for all.

    Raises:
        PrecisionError: There is no such scheme.
    """

    scheme: str
    per_channel: bool = False
    reduce_range: bool = False
    keeps_scores: bool = False
    nodes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.scheme not in SCHEMES:
            raise PrecisionError(
                f"a scheme among {', '.join(SCHEMES)}", repr(self.scheme), "name one of these"
            )


def default_scheme(machine: str = "") -> str:
    """Returns a processor's int8 scheme: 's8s8' on ARM, 'u8s8' elsewhere.

    Args:
        machine: Its architecture as the system names it; this machine's by default.
    """
    name = (machine or platform.machine()).lower()
    return "s8s8" if name.startswith(("arm", "aarch64")) else "u8s8"


def is_quantizable(proto: Any) -> bool:
    """Whether a graph has an operator whose products int8 would make cheaper.

    Args:
        proto: `onnx.ModelProto`.
    """
    return any(node.op_type in WEIGHTED_OPERATORS for node in proto.graph.node)


def check_opset(proto: Any) -> None:
    """Refuses a model that the quantizer would change to another opset.

    Args:
        proto: `onnx.ModelProto`.

    Raises:
        PrecisionError: Its opset is too old.
    """
    versions = [entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")]
    opset = max(versions, default=0)
    if opset < LEAST_INT8_OPSET:
        raise PrecisionError(
            f"opset {LEAST_INT8_OPSET} or newer for int8",
            f"opset {opset}",
            "export the model with a newer opset, such as 17",
        )


def to_int8(proto: Any, how: Quantization, inputs: Iterable[Mapping[str, Any]]) -> bytes:
    """A model in int8, calibrated by the least and the greatest value of each activation.

    Args:
        proto: `onnx.ModelProto` in fp32; its nodes are given names.
        how: Types and scales.
        inputs: Input name -> array, one for each calibration run; one or more.

    Raises:
        PrecisionError: The quantizer failed.
    """
    name_nodes(proto)
    return converted("int8", lambda: _quantized(proto, how, inputs))


def name_nodes(proto: Any) -> None:
    """Gives every node a name of its own: the quantizer finds a shared bias's users by name.

    Args:
        proto: `onnx.ModelProto`; the same graph gets the same names.
    """
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


def _quantized(proto: Any, how: Quantization, inputs: Iterable[Mapping[str, Any]]) -> bytes:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    types = {"u": QuantType.QUInt8, "s": QuantType.QInt8}
    unrounded = ["Gemm", "MatMul"] if how.keeps_scores else []
    with tempfile.TemporaryDirectory(prefix="latency-") as folder:
        source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
        source.write_bytes(proto.SerializeToString())
        quantize_static(
            source,
            target,
            _Inputs(inputs),
            quant_format=QuantFormat.QDQ,
            activation_type=types[how.scheme[0]],
            weight_type=types[how.scheme[2]],
            per_channel=how.per_channel,
            reduce_range=how.reduce_range,
            nodes_to_quantize=None if how.nodes is None else list(how.nodes),
            extra_options={"OpTypesToExcludeOutputQuantization": unrounded},
        )
        return target.read_bytes()


class _Inputs:
    """The calibration inputs, in the form that the quantizer reads."""

    def __init__(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        self._left: Iterator[Mapping[str, Any]] = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        found = next(self._left, None)
        return None if found is None else dict(found)
