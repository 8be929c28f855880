"""Space -> measuring job for `latency`; architecture -> milliseconds from a table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from latency.device.meter import Progress
from latency.device.settings import SessionSettings
from latency.jobs.job import Job, Subject, run_here
from latency.jobs.plans import RowPlan, WholePlan
from latency.measurement.measure import MeasurePlan, Model
from latency.onnx_files.precision import convert, default_scheme
from latency.tables.build import table_of
from latency.tables.table import LatencyTable
from nas.architecture.lowering import lower_chain
from nas.architecture.shapes import Shape
from nas.architecture.spec import Architecture, GlobalAveragePool, Layer, Skip
from nas.architecture.text import parse, to_text
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import chain_to_onnx, to_onnx_bytes
from nas.cost.counts import layer_cost
from nas.hardware.measurable import check_measurable
from nas.hardware.rows import architecture_row_keys, architecture_rows, row_key
from nas.search_space.draws import even_indices
from nas.search_space.space import Space

# Copies of a shape-keeping block in the long chain; its row is the mean of the last three.
CHAIN_COPIES = 4


@dataclass(frozen=True)
class Variant:
    """What the graphs of a table are made into before they are measured.

    Args:
        precision: One of `latency.onnx_files.precision.PRECISIONS`.
        scheme: How int8 is made; by this processor by default.
        batch: Images in one run, 1 or more.
    """

    precision: str = "fp32"
    scheme: str = ""
    batch: int = 1

    @property
    def chosen_scheme(self) -> str:
        """The scheme of int8; none of other precisions."""
        return self.scheme or (default_scheme() if self.precision == "int8" else "")


PLAIN = Variant()


def space_job(
    space: Space,
    *,
    settings: SessionSettings,
    plan: MeasurePlan,
    calibration: int = 10,
    held_out: int = 20,
    seed: int = 0,
    variant: Variant = PLAIN,
) -> Job:
    """What must be measured for a space's table: graphs, how rows come from them, networks.

    A shape-keeping block is the difference of chains with four copies and one; any other row
    is the difference with and without it behind the same first convolution.

    Args:
        space: The space.
        settings: Of the sessions.
        plan: Rounds; its seed is replaced.
        calibration: Whole networks that the affine correction is fitted on.
        held_out: Other networks that the table is judged by.
        seed: Of the networks, inputs and order.
        variant: Precision and batch.

    Raises:
        SpaceError: The space has layers with number formats.
    """
    check_measurable(space)
    precision, scheme, batch = variant.precision, variant.chosen_scheme, variant.batch
    graphs = _Graphs(space, batch)
    for layers, shape in _space_rows(space):
        graphs.add_row(layers, shape)
    networks = stratified_networks(space, calibration + held_out, seed)
    calibrating = _calibrating(len(networks), calibration, seed)
    wholes = []
    for number, network in enumerate(networks):
        role = "calibration" if number in calibrating else "held_out"
        key = _network_key(role, number, network)
        data = to_onnx_bytes(network, random_weights(network, seed), batch=batch)
        graphs.models[key] = Model(key, data, key)
        wholes.append(WholePlan(key, architecture_row_keys(network), role))
    models = [
        replace(model, data=convert(model.data, precision, scheme=scheme, seed=seed))
        for model in graphs.models.values()
    ]
    subject = Subject(space.name, space.fingerprint(), space.image_size, precision, scheme, batch)
    plan = replace(plan, seed=seed)
    return Job(subject, tuple(models), tuple(graphs.plans.values()), tuple(wholes), settings, plan)


def _network_key(role: str, number: int, network: Architecture) -> str:
    return f"{role}_{number}: {to_text(network)}"


def network_of(key: str) -> Architecture:
    """The network that a table's key of a whole network names.

    Args:
        key: Of `LatencyTable.networks`.

    Raises:
        ArchitectureError: The key names no network.
    """
    return parse(key.partition(": ")[2])


def _calibrating(count: int, calibration: int, seed: int) -> set[int]:
    """Which of the ascending networks calibrate: both ends and random ones between them."""
    # Without the ends the fit would be extrapolated to the networks of the tightest budgets.
    order = np.random.default_rng((seed, 5)).permutation(count).tolist()
    ends = [count - 1, 0]
    return set([*ends, *(i for i in order if i not in ends)][:calibration])


def _space_rows(space: Space) -> list[tuple[tuple[Layer, ...], Shape]]:
    """Rows of every option at every choice, and of what is fixed."""
    rows = list(architecture_rows(space.largest()))
    for options in space.lowered_options():
        rows += [((x.layer,), x.input_shape) for x in options if not isinstance(x.layer, Skip)]
    return rows


class _Graphs:
    """Collects the graphs of rows and how each row is made of them."""

    def __init__(self, space: Space, batch: int) -> None:
        self.models: dict[str, Model] = {}
        self.plans: dict[str, RowPlan] = {}
        self._space, self._batch = space, batch

    def add_row(self, layers: tuple[Layer, ...], shape: Shape) -> None:
        """Adds a row unless an equal one is there."""
        key = row_key(layers, shape)
        if key in self.plans:
            return
        size = self._space.image_size
        if shape == (size, size, 3):
            stem = Architecture(size, (*layers, GlobalAveragePool()))
            data = to_onnx_bytes(stem, random_weights(stem), batch=self._batch)
            self.models[key] = Model(key, data, key)
            self.plans[key] = RowPlan(key, key, None, 1.0)
            return
        if lower_chain(layers, shape)[-1].output_shape == shape:
            short_key, divisor = f"short {key}", CHAIN_COPIES - 1.0
            short, long = self._chain(layers, shape), self._chain(layers * CHAIN_COPIES, shape)
        else:
            # One chain without any block serves all options at a place: a network has one.
            short_key, divisor = "short @" + "x".join(map(str, shape)), 1.0
            short, long = self._chain((), shape), self._chain(layers, shape)
        long_key, group = f"long {key}", short_key
        self.models.setdefault(short_key, Model(short_key, short, group))
        self.models[long_key] = Model(long_key, long, group)
        self.plans[key] = RowPlan(key, long_key, short_key, divisor)

    def _chain(self, layers: tuple[Layer, ...], shape: Shape) -> bytes:
        return chain_to_onnx(layers, shape, batch=self._batch)


def stratified_networks(space: Space, count: int, seed: int) -> list[Architecture]:
    """Different networks spread evenly over the space's range of MACs, ascending.

    Even draws would crowd around the middle, where any predictor looks good. Two or more begin
    with the network of the least MACs and end with that of the most.

    Args:
        space: Where to draw.
        count: How many.
        seed: Of the draws.
    """
    rng = np.random.default_rng((seed, 4))
    options = _option_macs(space)
    least, most = (tuple(row.index(end(row)) for row in options) for end in (min, max))
    low, high = (sum(end(row) for row in options) for end in (min, max))
    between: dict[tuple[int, ...], None] = {}
    for target in np.linspace(low, high, count)[1:-1]:
        for _ in range(20):
            indices = _near(options, float(target), rng)
            if indices not in (least, most, *between):
                between[indices] = None
                break
    # A space of one network has equal ends.
    found = dict.fromkeys([least, *between, most])
    return [space.decode(indices) for indices in [*found][:count]]


def _option_macs(space: Space) -> list[list[int]]:
    return [[layer_cost(x).macs for x in options] for options in space.lowered_options()]


def _near(options: list[list[int]], target: float, rng: np.random.Generator) -> tuple[int, ...]:
    """A random network, changed place by place at random while that comes nearer."""
    current = list(even_indices((len(row) for row in options), rng))
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
) -> LatencyTable:
    """Measures a space's table, calibration and audit here, in one interleaved session.

    Args:
        space: The space.
        settings: Of the sessions.
        plan: Rounds.
        calibration: See `space_job`.
        held_out: See `space_job`.
        seed: Of networks, inputs and order.
        progress: Called after each visit.
        resume_path: Journal that a killed measurement continues from.
    """
    job = space_job(
        space,
        settings=settings,
        plan=plan,
        calibration=calibration,
        held_out=held_out,
        seed=seed,
    )
    return table_of(job, run_here(job, progress, resume_path))
