"""Warnings with their numbers: what went wrong in a search without stopping it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ConvOp, all_ops
from nas.architecture.spec import Architecture, Skip
from nas.cost.additive import AdditiveCost
from nas.cost.units import Unit
from nas.methods.gate_probabilities import GateProbabilities
from nas.methods.history import GateHistory, SearchRow
from nas.search_space.space import Space
from nas.training.rates import few_steps_text
from nas.training.recipe import Recipe

SKIP_COLLAPSE_SHARE = 0.75
FLAT_GATE_LEAD = 0.1
# Gates that moved by less since the warm-up learned nothing; one step at the usual rate is 1 %.
LEAST_GATE_MOVEMENT = 0.01
INPUT_WAIT_SHARE = 0.1
# Of the penalty's gradient to the cross-entropy's: a longer one cannot be turned back.
LARGEST_GRADIENT_RATIO = 1.0
# Of all pairs of options; fewer change no ranking that matters.
CLOSE_PAIRS_SHARE = 0.25
# Supernet accuracy on its own training images far above evaluation means overfitting; the
# reverse, far below the training metric, means that labels or pixels differ between the two.
LABEL_CHECK_RATIO = 0.6


@dataclass(frozen=True)
class Finding:
    """Something that went wrong without stopping a run.

    Args:
        kind: Short name of what it is, for programs.
        text: For people, with the numbers and what to do about it.
        numbers: The same numbers by name.
    """

    kind: str
    text: str
    numbers: Mapping[str, float]


def search_warnings(
    space: Space,
    cost: AdditiveCost,
    probabilities: GateProbabilities,
    architecture: Architecture,
    history: Sequence[SearchRow],
    penalty: float | None,
    table_noise: float | None,
    gates: GateHistory,
) -> list[Finding]:
    """Everything about a finished search that its user should know.

    Args:
        space: Of the search.
        cost: Of its networks, in what the goal is asked in.
        probabilities: Of the gates at the end.
        architecture: The network that was kept.
        history: Rows of history.csv.
        penalty: `--lambda`; None with a target.
        table_noise: Median of the rows' noise, a share; None where nothing was measured.
        gates: Their probabilities over the search.
    """
    return [
        *_skip_warning(space, architecture, cost.unit),
        *_movement_warning(gates),
        *_flat_gates_warning(space, probabilities),
        *([] if penalty is None else _penalty_warning(history, penalty, cost.unit)),
        *([] if table_noise is None else _noise_warning(cost, table_noise)),
        *kernel_warnings(architecture),
        *_input_warning(history),
    ]


def _skip_warning(space: Space, architecture: Architecture, unit: Unit) -> list[Finding]:
    """Most of the blocks that can be left out are."""
    skippable = [i for i, choice in enumerate(space.choices) if choice.skippable]
    places = [space.choice_layers[i] for i in skippable]
    skipped = sum(isinstance(architecture.layers[place], Skip) for place in places)
    if not places or skipped / len(places) < SKIP_COLLAPSE_SHARE:
        return []
    text = (
        f"The search left out {skipped} of {len(places)} blocks that can be left out: the "
        f"penalty may be too strong. Try a smaller --lambda or a larger --{unit.flag}."
    )
    return [Finding("skipped_blocks", text, {"skipped": skipped, "skippable": len(places)})]


def _movement_warning(gates: GateHistory) -> list[Finding]:
    """Gates that learned nothing."""
    movement = gate_movement(gates)
    if movement is None or movement >= LEAST_GATE_MOVEMENT:
        return []
    text = (
        "The gates hardly moved: since the warm-up no probability changed by more than "
        f"{movement:.2g}. Search longer (--search_epochs), raise --gate_learning_rate, or use "
        "--gate categorical."
    )
    return [Finding("still_gates", text, {"greatest_change": movement})]


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


def _flat_gates_warning(space: Space, probabilities: GateProbabilities) -> list[Finding]:
    """Gates whose best options lead by next to nothing."""
    lead = float(np.median([_lead(row) for row in probabilities.joint(space)]))
    if lead >= FLAT_GATE_LEAD:
        return []
    text = (
        f"The gates ended nearly flat: the median lead of a choice's best option is {lead:.3f}. "
        "The decisions are close to chance; search longer (--search_epochs) or raise "
        "--gate_learning_rate."
    )
    return [Finding("flat_gates", text, {"median_lead": lead})]


def _lead(row: np.ndarray) -> float:
    ordered = np.sort(row)
    return float(ordered[-1] - ordered[-2]) if len(ordered) > 1 else 1.0


def gradient_ratio(history: Sequence[SearchRow]) -> float | None:
    """How many times as long the penalty's gradient is as the cross-entropy's, by the gates.

    The median of the rows in which the penalty has its full weight; it has no unit. Above 1, most
    steps lead to less of the cost whatever the images say (`nas.methods.gate_gradients`).

    Args:
        history: Rows of history.csv.

    Returns:
        The ratio; None where no row has both gradients.
    """
    ratios = [
        row.penalty_gradient / row.cross_entropy_gradient
        for row in history
        if row.penalty_gradient is not None
        and row.cross_entropy_gradient
        and (row.ramp is None or row.ramp >= 1)
    ]
    return float(np.median(ratios)) if ratios else None


def _penalty_warning(history: Sequence[SearchRow], penalty: float, unit: Unit) -> list[Finding]:
    """A price that outweighs all that the images say."""
    ratio = gradient_ratio(history)
    if ratio is None or ratio <= LARGEST_GRADIENT_RATIO:
        return []
    text = (
        f"The {unit.penalty} pulled the gates {ratio:.3g} times as hard as the cross-entropy "
        f"(median ratio of their gradients): most steps led to {_less(unit)} whatever the images "
        f"said. Use a smaller --lambda than {penalty:g}."
    )
    return [Finding("large_penalty", text, {"gradient_ratio": ratio})]


def _less(unit: Unit) -> str:
    """`less latency`, `fewer bit operations`."""
    return f"{'less' if unit.is_measured else 'fewer'} {unit.noun}"


def _input_warning(history: Sequence[SearchRow]) -> list[Finding]:
    """Steps that waited for images."""
    waits = [row.input_wait_share for row in history if row.input_wait_share is not None]
    wait = float(np.median(waits)) if waits else 0.0
    if wait <= INPUT_WAIT_SHARE:
        return []
    text = (
        f"Training waited for images {wait:.0%} of the time: the disk or the augmentation is the "
        "bottleneck."
    )
    return [Finding("slow_input", text, {"wait_share": wait})]


def _noise_warning(latency: AdditiveCost, table_noise: float) -> list[Finding]:
    """Rows closer to each other than the noise cannot be ranked by the table."""
    pairs = close = 0
    for row in latency.options:
        values = np.asarray(row)[np.asarray(row) > 0]
        for i in range(len(values)):
            for j in range(i):
                pairs += 1
                close += abs(values[i] - values[j]) < table_noise * max(values[i], values[j])
    if not pairs or close / pairs <= CLOSE_PAIRS_SHARE:
        return []
    text = (
        f"{close} of {pairs} pairs of options differ by less than the table's noise "
        f"({table_noise:.1%}): their order in latency is chance. Measure again on a quieter "
        "machine: scripts/build_latency_table.py."
    )
    numbers = {"close_pairs": int(close), "pairs": pairs, "noise": table_noise}
    return [Finding("noisy_table", text, numbers)]


def kernel_warnings(architecture: Architecture) -> list[Finding]:
    """Kernels of a network that are larger than the maps they run on.

    Args:
        architecture: The network.
    """
    return [
        Finding(
            "large_kernel",
            f"Layer {layer.index} has a {op.kernel}x{op.kernel} kernel on a {op.input_shape[0]}x"
            f"{op.input_shape[1]} map: its outer taps see only padding.",
            {"layer": layer.index, "kernel": op.kernel, "height": op.input_shape[0]},
        )
        for layer in lower_architecture(architecture)
        for op in all_ops(layer.ops)
        if isinstance(op, ConvOp) and op.kernel > 2 * op.input_shape[0] - 1
    ]


def few_steps_warning(recipe: Recipe, steps: int, flag: str = "--epochs") -> list[Finding]:
    """Far fewer steps than the recipe was tried with.

    Args:
        recipe: Of the training.
        steps: Of the training, 1 or more.
        flag: That the epochs are named by.
    """
    text = few_steps_text(recipe, steps, flag)
    if text is None:
        return []
    numbers = {"steps": steps, "made_for_steps": recipe.made_for_steps or 0}
    return [Finding("few_steps", text, numbers)]


def label_warning(running_accuracy: float, train_top1: float) -> list[Finding]:
    """Evaluating training images must agree with the training metric.

    Args:
        running_accuracy: Of the last training steps, on augmented images.
        train_top1: Of the finished network on the same images without augmentation.
    """
    if running_accuracy <= 0.05 or train_top1 >= LABEL_CHECK_RATIO * running_accuracy:
        return []
    text = (
        f"On training images the network evaluates to {train_top1:.1%}, but training itself "
        f"reported {running_accuracy:.1%}: labels or pixels may be mapped differently."
    )
    numbers = {"train_top1": train_top1, "running_accuracy": running_accuracy}
    return [Finding("odd_labels", text, numbers)]
