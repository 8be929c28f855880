"""Warnings with their numbers: what went wrong in a search without stopping it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ConvOp, all_ops
from nas.architecture.spec import Architecture, Skip
from nas.hardware.predictor import SpaceLatency
from nas.search.gate_probabilities import GateProbabilities
from nas.search.history import GateHistory, SearchRow
from nas.search_space.space import Space

SKIP_COLLAPSE_SHARE = 0.75
FLAT_GATE_LEAD = 0.1
# Gates that moved by less since the warm-up learned nothing; one step at the usual rate is 1 %.
LEAST_GATE_MOVEMENT = 0.01
INPUT_WAIT_SHARE = 0.1
# Supernet accuracy on its own training images far above evaluation means overfitting; the
# reverse, far below the training metric, means that labels or pixels differ between the two.
LABEL_CHECK_RATIO = 0.6


def search_warnings(
    space: Space,
    latency: SpaceLatency,
    probabilities: GateProbabilities,
    architecture: Architecture,
    history: Sequence[SearchRow],
    penalty: float | None,
    table_noise: float | None,
    gates: GateHistory,
) -> list[str]:
    """Everything about a finished search that its user should know.

    Args:
        space: Of the search.
        latency: Its milliseconds.
        probabilities: Of the gates at the end.
        architecture: The network that was kept.
        history: Rows of history.csv.
        penalty: `--lambda`; None with a target.
        table_noise: Median of the rows' noise, a share.
        gates: Their probabilities over the search.
    """
    found = []
    skippable = [i for i, choice in enumerate(space.choices) if choice.skippable]
    places = [space.choice_layers[i] for i in skippable]
    skipped = sum(isinstance(architecture.layers[place], Skip) for place in places)
    if places and skipped / len(places) >= SKIP_COLLAPSE_SHARE:
        found.append(
            f"The search left out {skipped} of {len(places)} blocks that can be left out: the "
            "penalty may be too strong. Try a smaller --lambda or a larger --target_ms."
        )
    movement = gate_movement(gates)
    if movement is not None and movement < LEAST_GATE_MOVEMENT:
        found.append(
            f"The gates hardly moved: since the warm-up no probability changed by more than "
            f"{movement:.2g}. Search longer (--search_epochs), raise --gate_learning_rate, or use "
            "--gate categorical."
        )
    leads = [_lead(row) for row in probabilities.joint(space)]
    if float(np.median(leads)) < FLAT_GATE_LEAD:
        found.append(
            f"The gates ended nearly flat: the median lead of a choice's best option is "
            f"{np.median(leads):.3f}. The decisions are close to chance; search longer "
            "(--search_epochs) or raise --gate_learning_rate."
        )
    if penalty is not None:
        found += _penalty_warning(history)
    if table_noise is not None:
        found += _noise_warning(latency, table_noise)
    found += kernel_warnings(architecture)
    found += _input_warning(history)
    return found


def gate_movement(gates: GateHistory) -> float | None:
    """Greatest change of a probability between the first and the last record; None with fewer.

    Args:
        gates: Of the search; nothing moves them before the warm-up ends.
    """
    records = gates.probabilities
    if len(records) < 2:
        return None
    return max(
        float(np.abs(np.subtract(last, first)).max())
        for first, last in zip(records[0], records[-1], strict=True)
    )


def _lead(row: np.ndarray) -> float:
    ordered = np.sort(row)
    return float(ordered[-1] - ordered[-2]) if len(ordered) > 1 else 1.0


def _penalty_warning(history: Sequence[SearchRow]) -> list[str]:
    """A price of latency, at the end, that outweighs what the network is for."""
    for row in reversed(history):
        if row.gate_cross_entropy is None or row.penalty is None:
            continue
        if abs(row.penalty) <= row.gate_cross_entropy:
            return []
        return [
            f"The penalty ({row.penalty:.3g}) is larger than the cross-entropy "
            f"({row.gate_cross_entropy:.3g}): latency decides alone. Use a smaller --lambda."
        ]
    return []


def _input_warning(history: Sequence[SearchRow]) -> list[str]:
    """Steps that waited for images."""
    waits = [row.input_wait_share for row in history if row.input_wait_share is not None]
    if not waits or float(np.median(waits)) <= INPUT_WAIT_SHARE:
        return []
    return [
        f"Training waited for images {np.median(waits):.0%} of the time: the disk or the "
        "augmentation is the bottleneck."
    ]


def _noise_warning(latency: SpaceLatency, table_noise: float) -> list[str]:
    """Rows closer to each other than the noise cannot be ranked by the table."""
    pairs = close = 0
    for row in latency.option_ms:
        values = np.asarray(row)[np.asarray(row) > 0]
        for i in range(len(values)):
            for j in range(i):
                pairs += 1
                close += abs(values[i] - values[j]) < table_noise * max(values[i], values[j])
    if pairs and close / pairs > 0.25:
        return [
            f"{close} of {pairs} pairs of options differ by less than the table's noise "
            f"({table_noise:.1%}): their order in latency is chance. Measure again on a quieter "
            "machine: scripts/build_latency_table.py."
        ]
    return []


def kernel_warnings(architecture: Architecture) -> list[str]:
    """Kernels of a network that are larger than the maps they run on.

    Args:
        architecture: The network.
    """
    return [
        f"Layer {layer.index} has a {op.kernel}x{op.kernel} kernel on a {op.input_shape[0]}x"
        f"{op.input_shape[1]} map: its outer taps see only padding."
        for layer in lower_architecture(architecture)
        for op in all_ops(layer.ops)
        if isinstance(op, ConvOp) and op.kernel > 2 * op.input_shape[0] - 1
    ]


def comparison_warning(searched_top1: float, random_top1: Sequence[float]) -> list[str]:
    """Random networks of equal milliseconds that did better, by the same recipe.

    Args:
        searched_top1: Of the found network.
        random_top1: Of the random networks, which may be none.
    """
    better = [share for share in random_top1 if share > searched_top1]
    if not better:
        return []
    return [
        f"{len(better)} of {len(random_top1)} random networks of equal milliseconds reached a "
        f"higher top-1 by the same recipe (best {max(better):.1%}, found {searched_top1:.1%}): "
        "this search did not pay. Search longer (--search_epochs), or use the better network by "
        "--arch."
    ]


def label_warning(running_accuracy: float, train_top1: float) -> list[str]:
    """Evaluating training images must agree with the training metric.

    Args:
        running_accuracy: Of the last training steps, on augmented images.
        train_top1: Of the finished network on the same images without augmentation.
    """
    if running_accuracy > 0.05 and train_top1 < LABEL_CHECK_RATIO * running_accuracy:
        return [
            f"On training images the network evaluates to {train_top1:.1%}, but training itself "
            f"reported {running_accuracy:.1%}: labels or pixels may be mapped differently."
        ]
    return []
