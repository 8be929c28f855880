"""Space -> measuring job for `latency`; architecture -> milliseconds from a table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from latency.host import Host
from latency.measure import MeasurePlan, Model
from latency.session import SessionSettings
from latency.table import LatencyTable, RowPlan, WholePlan, build_table
from latency.timer import Progress
from nas.arch_text import layer_to_text, to_text
from nas.cost import ops_cost
from nas.lower import lower, lower_architecture, output_shape
from nas.onnx_model import chain_to_onnx, to_onnx_bytes
from nas.shapes import Shape
from nas.space import OneOf, Space
from nas.spec import Architecture, Conv, Flatten, GlobalAveragePool, Layer, Skip
from nas.weights import random_weights

# Copies of a shape-keeping block in the long chain; its row is the mean of the last three.
CHAIN_COPIES = 4


def row_key(layers: Sequence[Layer], input_shape: Shape) -> str:
    """Key of a row: the layers' text and the input shape, `ir_r1_k5_s2_e6_c24@32x32x16`."""
    return "+".join(layer_to_text(x) for x in layers) + "@" + "x".join(map(str, input_shape))


def architecture_rows(
    architecture: Architecture,
) -> tuple[tuple[tuple[Layer, ...], Shape], ...]:
    """A network cut into rows: (layers, input shape) each.

    The head, from the last convolution before the first vector to the class scores, is one
    row; every other layer is its own. A skipped block has no row.
    """
    lowered = lower_architecture(architecture)
    layers = architecture.layers
    to_vector = (i for i, x in enumerate(layers) if isinstance(x, GlobalAveragePool | Flatten))
    head = next(to_vector, len(layers))
    if 0 < head < len(layers) and isinstance(layers[head - 1], Conv):
        head -= 1
    rows: list[tuple[tuple[Layer, ...], Shape]] = [
        ((row.layer,), row.input_shape) for row in lowered[:head] if not isinstance(row.layer, Skip)
    ]
    if head < len(layers):
        rows.append((tuple(layers[head:]), lowered[head].input_shape))
    return tuple(rows)


def architecture_row_keys(architecture: Architecture) -> tuple[str, ...]:
    """Keys of the rows that a network is the sum of."""
    return tuple(row_key(layers, shape) for layers, shape in architecture_rows(architecture))


@dataclass(frozen=True)
class SpaceJob:
    """What must be measured for a space: graphs, how rows come from them, whole networks."""

    models: list[Model]
    rows: list[RowPlan]
    wholes: list[WholePlan]


def space_job(
    space: Space, *, calibration: int = 10, held_out: int = 20, seed: int = 0
) -> SpaceJob:
    """Graphs and plans for a space's table.

    A shape-keeping block is the difference of chains with four copies and one; any other row
    is the difference with and without it behind the same first convolution.

    Args:
        space: The space.
        calibration: Whole networks that the affine correction is fitted on.
        held_out: Other networks that the table is judged by.
        seed: Of the networks.
    """
    models: dict[str, Model] = {}
    plans: dict[str, RowPlan] = {}
    for layers, shape in _space_rows(space):
        key = row_key(layers, shape)
        if key not in plans:
            _add_row(models, plans, space, layers, shape, key)
    networks = stratified_networks(space, calibration + held_out, seed)
    calibrating = _calibrating(len(networks), calibration, seed)
    wholes = []
    for number, network in enumerate(networks):
        role = "calibration" if number in calibrating else "held_out"
        key = f"{role}_{number}: {to_text(network)}"
        models[key] = Model(key, to_onnx_bytes(network, random_weights(network, seed)), key)
        wholes.append(WholePlan(key, architecture_row_keys(network), role))
    return SpaceJob(list(models.values()), list(plans.values()), wholes)


def _calibrating(count: int, calibration: int, seed: int) -> set[int]:
    """Which of the ascending networks calibrate: both ends and random ones between them."""
    # Without the ends the fit would be extrapolated to the networks of the tightest budgets.
    order = np.random.default_rng((seed, 5)).permutation(count).tolist()
    ends = [count - 1, 0]
    return set([*ends, *(i for i in order if i not in ends)][:calibration])


def _space_rows(space: Space) -> list[tuple[tuple[Layer, ...], Shape]]:
    """Rows of every option at every choice, and of what is fixed."""
    rows = list(architecture_rows(space.largest()))
    shapes = space.input_shapes()
    for index, layer in enumerate(space.layers):
        if isinstance(layer, OneOf):
            rows += [((x,), shapes[index]) for x in layer.options if not isinstance(x, Skip)]
    return rows


def _add_row(
    models: dict[str, Model],
    plans: dict[str, RowPlan],
    space: Space,
    layers: tuple[Layer, ...],
    shape: Shape,
    key: str,
) -> None:
    if shape == (space.image_size, space.image_size, 3):
        stem = Architecture(space.image_size, (*layers, GlobalAveragePool()))
        models[key] = Model(key, to_onnx_bytes(stem, random_weights(stem)), key)
        plans[key] = RowPlan(key, key, None, 1.0)
        return
    out = shape
    for layer in layers:
        out = output_shape(lower(layer, "x", out), out)
    long_key = f"long {key}"
    if out == shape:
        short_key, divisor = f"short {key}", CHAIN_COPIES - 1.0
        short, long = chain_to_onnx(layers, shape), chain_to_onnx(layers * CHAIN_COPIES, shape)
    else:
        # One chain without any block serves all options at a place: a network has one of them.
        short_key, divisor = "short @" + "x".join(map(str, shape)), 1.0
        short, long = chain_to_onnx((), shape), chain_to_onnx(layers, shape)
    group = short_key
    models.setdefault(short_key, Model(short_key, short, group))
    models[long_key] = Model(long_key, long, group)
    plans[key] = RowPlan(key, long_key, short_key, divisor)


def stratified_networks(space: Space, count: int, seed: int) -> list[Architecture]:
    """Different networks spread evenly over the space's range of MACs, ascending.

    Even draws would crowd around the middle, where any predictor looks good.

    Args:
        space: Where to draw.
        count: How many.
        seed: Of the draws.
    """
    rng = np.random.default_rng((seed, 4))
    options = _option_macs(space)
    low, high = sum(min(row) for row in options), sum(max(row) for row in options)
    found: dict[tuple[int, ...], None] = {}
    for target in np.linspace(low, high, count):
        for _ in range(20):
            indices = _near(options, float(target), rng)
            if indices not in found:
                found[indices] = None
                break
    return [space.decode(indices) for indices in found]


def _option_macs(space: Space) -> list[list[int]]:
    shapes = space.input_shapes()
    return [
        [ops_cost(lower(x, "x", shapes[i]), shapes[i]).macs for x in layer.options]
        for i, layer in enumerate(space.layers)
        if isinstance(layer, OneOf)
    ]


def _near(options: list[list[int]], target: float, rng: np.random.Generator) -> tuple[int, ...]:
    """A random network, changed place by place at random while that comes nearer."""
    current = [int(rng.integers(len(row))) for row in options]
    for _ in range(300):
        place = int(rng.integers(len(options)))
        total = sum(row[i] for row, i in zip(options, current, strict=True))
        new = int(rng.integers(len(options[place])))
        changed = total - options[place][current[place]] + options[place][new]
        if abs(changed - target) < abs(total - target):
            current[place] = new
    return tuple(current)


def build_space_table(
    space: Space,
    *,
    settings: SessionSettings,
    plan: MeasurePlan,
    calibration: int = 10,
    held_out: int = 20,
    seed: int = 0,
    progress: Progress | None = None,
    resume_path: Path | None = None,
    job: SpaceJob | None = None,
) -> LatencyTable:
    """Measures a space's table, calibration and audit in one interleaved session.

    Args:
        space: The space.
        settings: Of the sessions.
        plan: Rounds.
        calibration: See `space_job`.
        held_out: See `space_job`.
        seed: Of networks, inputs and order.
        progress: Called after each visit.
        resume_path: Journal that a killed measurement continues from.
        job: Replaces the one that `calibration`, `held_out` and `seed` would give.
    """
    job = job or space_job(space, calibration=calibration, held_out=held_out, seed=seed)
    return build_table(
        job.models,
        job.rows,
        job.wholes,
        space=space.name,
        space_hash=space.fingerprint(),
        image_size=space.image_size,
        precision="fp32",
        settings=settings,
        plan=plan,
        seed=seed,
        progress=progress,
        resume_path=resume_path,
    )


@dataclass(frozen=True)
class SpaceLatency:
    """Milliseconds of a space as arrays, which is all that a search needs of a table.

    Args:
        fixed_ms: Rows of everything that is no choice.
        option_ms: Rows of each choice's options; 0 for skip.
        a: Slope of the calibration.
        b_ms: Its intercept.
    """

    fixed_ms: float
    option_ms: tuple[np.ndarray, ...]
    a: float
    b_ms: float

    @classmethod
    def from_table(cls, space: Space, table: LatencyTable) -> SpaceLatency:
        """Reads the rows of a space.

        Raises:
            ValueError: A row is missing.
        """
        shapes = space.input_shapes()
        option_ms = tuple(
            np.array(
                [
                    0.0 if isinstance(x, Skip) else table.row_ms(row_key((x,), shapes[i]))
                    for x in layer.options
                ]
            )
            for i, layer in enumerate(space.layers)
            if isinstance(layer, OneOf)
        )
        largest = space.largest()
        # Counted, since a fixed block may be the same as an option and share its row.
        fixed = Counter(architecture_row_keys(largest))
        fixed -= Counter(row_key((largest.layers[i],), shapes[i]) for i in space.choice_layers)
        a, b_ms = table.affine
        return cls(sum(table.row_ms(key) for key in fixed.elements()), option_ms, a, b_ms)

    def predict_ms(self, indices: Sequence[int]) -> float:
        """Calibrated milliseconds of one network."""
        rows = sum(float(row[i]) for row, i in zip(self.option_ms, indices, strict=True))
        return self.a * (self.fixed_ms + rows) + self.b_ms

    def range_ms(self) -> tuple[float, float]:
        """Least and greatest prediction of the space."""
        least = tuple(int(row.argmin()) for row in self.option_ms)
        greatest = tuple(int(row.argmax()) for row in self.option_ms)
        return self.predict_ms(least), self.predict_ms(greatest)


def default_table_path(space: Space, precision: str, host: Host) -> Path:
    """Where this host's table of a space is kept: $STOPWATCH_CACHE or ~/.cache/stopwatch-nas."""
    root = os.environ.get("STOPWATCH_CACHE")
    folder = Path(root) if root else Path.home() / ".cache" / "stopwatch-nas"
    name = f"{space.name}-{space.image_size}px-{precision}-{space.fingerprint()}-{host.fingerprint}"
    return folder / "tables" / f"{name}.json"
