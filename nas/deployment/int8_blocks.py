"""Which blocks of a network run as int8: their nodes, what int8 costs each, and in which order.

A block is one layer of the architecture that multiplies, with all nodes that are written for it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from latency.onnx_files.int8 import WEIGHTED_OPERATORS, name_nodes
from nas.deployment.metadata import ModelMetadata

# Signals without any error have no finite ratio; JSON has no infinity.
MOST_DECIBEL = 200.0
# Mixed into the seed, so that these images are no prefix of another draw of the run.
JUDGING_DRAW = 59


def nodes_of_blocks(fp32: bytes) -> dict[str, tuple[str, ...]]:
    """Index of a layer in the network -> names of its nodes, of layers that multiply.

    Nodes stand in the order of the layers, and weights are named after theirs. What has no weights,
    such as an activation, belongs to the layer before it.

    Args:
        fp32: Of model.onnx.
    """
    import onnx

    proto = onnx.ModelProto.FromString(fp32)
    name_nodes(proto)
    found: dict[str, list[str]] = {}
    multiplies: set[str] = set()
    block = None
    for node in proto.graph.node:
        owners = [name.partition(".")[0] for name in node.input if name.endswith(".kernel")]
        block = owners[0] if owners else block
        if block is None:  # the pixels, before the first layer
            continue
        found.setdefault(block, []).append(node.name)
        if node.op_type in WEIGHTED_OPERATORS:
            multiplies.add(block)
    return {name: tuple(nodes) for name, nodes in found.items() if name in multiplies}


def joined(blocks: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> tuple[str, ...]:
    """Nodes of several blocks, in the order of the graph.

    Args:
        blocks: Of `nodes_of_blocks`.
        names: Of blocks.
    """
    chosen = set(names)
    return tuple(node for name, nodes in blocks.items() if name in chosen for node in nodes)


def mean_cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    """Mean of -ln(probability of the own class), in nats.

    Args:
        scores: (images, classes).
        labels: (images,) class indices.
    """
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    own = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=1)) - own).mean())


def in_order_of_worth(gains_ms: Mapping[str, float], losses: Mapping[str, float]) -> list[str]:
    """Blocks by their gain for each nat that they lose, the best one first.

    Blocks that gain nothing alone come last, by their gain: between two others they may spare
    conversions.

    Args:
        gains_ms: Block -> milliseconds that it saves alone.
        losses: Block -> nats of cross-entropy that it costs alone; below 0 it gains some.
    """

    def worth(name: str) -> tuple[bool, float, float]:
        gain, loss = gains_ms[name], losses[name]
        if gain <= 0:
            return False, gain, -loss
        return True, gain / loss if loss > 0 else np.inf, gain

    return sorted(gains_ms, key=worth, reverse=True)


def candidate_sizes(paying: int, total: int) -> list[int]:
    """How many of the ordered blocks are tried together.

    These are half of those that pay, all of them, half of the others more, and every block.

    Args:
        paying: Blocks that gain milliseconds alone.
        total: All blocks.
    """
    sizes = {(paying + 1) // 2, paying, (paying + total + 1) // 2, total}
    return sorted(sizes - {0})


def decibel(signal: np.ndarray, error: np.ndarray) -> float:
    """10 log10 of the power of a signal over that of its error, at most `MOST_DECIBEL`.

    Args:
        signal: Without error.
        error: What was added to it.
    """
    power = float((signal.astype(np.float64) ** 2).sum())
    noise = float((error.astype(np.float64) ** 2).sum())
    if noise == 0:
        return MOST_DECIBEL
    return float(np.clip(10 * np.log10(max(power, 1e-300) / noise), -MOST_DECIBEL, MOST_DECIBEL))


def kernel_errors(fp32: bytes, int8: bytes) -> dict[str, float]:
    """Block -> signal-to-noise ratio of its kernels in decibel.

    Args:
        fp32: Of model.onnx.
        int8: The same network with every block in int8.
    """
    from onnxruntime.quantization.qdq_loss_debug import create_weight_matching

    with tempfile.TemporaryDirectory(prefix="nas-") as folder:
        paths = _written(folder, {"fp32": fp32, "int8": int8})
        matched = create_weight_matching(str(paths["fp32"]), str(paths["int8"]))
    pairs: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for name, found in matched.items():
        if name.endswith(".kernel"):
            block = name.partition(".")[0]
            pairs.setdefault(block, []).append((found["float"], found["dequantized"]))
    return {name: _joint_decibel(found) for name, found in pairs.items()}


def output_errors(
    fp32: bytes, int8: bytes, blocks: Mapping[str, Sequence[str]], images: np.ndarray
) -> dict[str, float]:
    """Block -> signal-to-noise ratio in decibel of what its last node gives, on images.

    It holds the errors of all blocks before it as well.

    Args:
        fp32: Of model.onnx.
        int8: The same network with every block in int8.
        blocks: Of `nodes_of_blocks`.
        images: (n, height, width, 3) pixels.
    """
    names = last_tensors(fp32, blocks)
    signals = _tensors(fp32, names.values(), images)
    changed = _tensors(int8, names.values(), images)
    return {
        block: decibel(signals[name], changed[name] - signals[name])
        for block, name in names.items()
        if name in signals and name in changed
    }


def last_tensors(fp32: bytes, blocks: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Block -> name of the tensor that its last node gives.

    Args:
        fp32: Of model.onnx.
        blocks: Of `nodes_of_blocks`.
    """
    import onnx

    proto = onnx.ModelProto.FromString(fp32)
    name_nodes(proto)
    outputs = {node.name: node.output[0] for node in proto.graph.node}
    return {block: outputs[nodes[-1]] for block, nodes in blocks.items()}


def _tensors(data: bytes, names: Iterable[str], images: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> (images, ...) of tensors inside of a file, those that are there."""
    import onnx
    import onnxruntime

    proto = onnx.ModelProto.FromString(data)
    there = {name for node in proto.graph.node for name in node.output}
    public = {value.name for value in proto.graph.output}
    # Behind its rounding a tensor is also cut: the quantizer drops a clip that its range implies.
    read = {name: f"{name}_DequantizeLinear_Output" for name in names}
    read = {name: whole if whole in there else name for name, whole in read.items()}
    wanted = {name: tensor for name, tensor in read.items() if tensor in there}
    for tensor in wanted.values():
        if tensor not in public:
            proto.graph.output.append(onnx.ValueInfoProto(name=tensor))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # extra outputs have no type in the file
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    found: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    for image in images:
        values = session.run(
            [*wanted.values()], {ModelMetadata.INPUT: np.asarray(image[None], np.float32)}
        )
        for name, value in zip(wanted, values, strict=True):
            found[name].append(value)
    return {name: np.concatenate(values) for name, values in found.items()}


def _joint_decibel(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    signal = np.concatenate([one.reshape(-1) for one, _ in pairs])
    return decibel(signal, np.concatenate([(b - a).reshape(-1) for a, b in pairs]))


def _written(folder: str, files: Mapping[str, bytes]) -> dict[str, Path]:
    paths = {name: Path(folder, f"{name}.onnx") for name in files}
    for name, data in files.items():
        paths[name].write_bytes(data)
    return paths


def judging_rows(count: int, taken: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Training images to judge blocks on: others than ranges were read from, where there are any.

    Args:
        count: Number of training images.
        taken: Indices of those that ranges were read from.
        most: At most so many.
        seed: Of the choice.
    """
    others = np.setdiff1d(np.arange(count), taken)
    pool = others if len(others) else np.arange(count)
    rng = np.random.default_rng((seed, JUDGING_DRAW))
    return np.sort(rng.permutation(pool)[:most])
