"""Networks that cost what the found one does, and the certificate over all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

from latency.device.clock import now_text
from latency.measurement.measure import Model
from latency.measurement.startup import start_fresh_process
from latency.measurement.verdict import Verdict
from latency.onnx_files.memory import peak_activation_bytes
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.cost.units import Unit
from nas.errors import InputError
from nas.hardware.measurement import (
    KnownNetworks,
    TimedNetworks,
    measure_networks,
    network_bytes,
    without_emulated,
)
from nas.hardware.rows import architecture_row_keys
from nas.hardware.tables import DEPLOYED
from nas.pipeline.costs import RunCosts
from nas.recipes.scales import Scale
from nas.runs.config import RunConfig
from nas.runs.measured import Conditions, FileHashes
from nas.runs.records import (
    Certificate,
    CertifiedNetwork,
    ComparedNetwork,
    Comparison,
    SupernetScore,
    values_of,
)
from nas.selection.baselines import EQUAL_MARGIN, equal_random_networks, equal_uniform_network
from nas.selection.count_verdict import count_of, count_verdict
from nas.selection.feasible import BoundedSpace
from nas.selection.goals import Target
from nas.system.console import bar, out
from nas.system.environment import environment


def compared_networks(
    bounded: BoundedSpace,
    architecture: Architecture,
    config: RunConfig,
    measure: Callable[[Mapping[str, Architecture]], dict[str, float]],
) -> Comparison:
    """Largest, uniform and random networks of equal milliseconds, or of an equal count.

    Args:
        bounded: Of the run.
        architecture: The found network.
        config: What the run was asked for.
        measure: Name -> architecture to name -> milliseconds; not asked where counts are compared.
    """
    unit, margin = bounded.cost.unit, config.sizes.equal_margin
    if unit.is_measured and config.device is not None:
        return Comparison()
    equal = "equal milliseconds" if unit.is_measured else f"equal {unit.text}"
    if not unit.is_measured:
        measure, margin = partial(_counts, unit), EQUAL_MARGIN
    out.print(f"Looking for random and uniformly scaled networks of {equal} ...")
    randoms = equal_random_networks(
        bounded,
        architecture,
        bounded.cost.of(bounded.space.encode(architecture)),
        config.random_networks,
        config.seed,
        measure,
        margin,
    )
    uniform, ratio = equal_uniform_network(bounded.space, architecture, measure)
    networks = [("largest", "largest", bounded.space.largest()), ("uniform", "uniform", uniform)]
    networks += [("random", f"random {i + 1}", r) for i, r in enumerate(randoms)]
    return Comparison(
        uniform_over_searched=ratio,
        random_asked=config.random_networks,
        networks=tuple(
            ComparedNetwork(role, name, arch_text.to_text(network))
            for role, name, network in networks
        ),
        quantity=unit.quantity,
    )


def _counts(unit: Unit, networks: Mapping[str, Architecture]) -> dict[str, float]:
    return {name: float(count_of(network, unit)) for name, network in networks.items()}


def search_certificate(
    costs: RunCosts,
    architecture: Architecture,
    asked: Target | None,
    comparison: Comparison,
    inherited: SupernetScore | None,
    config: RunConfig,
    known: KnownNetworks | None,
    again: str,
) -> Certificate:
    """Measures the found network and its company once more and writes down what was asked.

    Args:
        costs: Of the run.
        architecture: The found network.
        asked: Target; None with a penalty.
        comparison: Its company.
        inherited: What it reaches with the supernet's weights; None without a supernet.
        config: What the run was asked for.
        known: Measured beside them.
        again: The command that certifies again, quoted.
    """
    found = ComparedNetwork("searched", "searched", arch_text.to_text(architecture))
    networks = {found.name: architecture}
    networks |= {entry.name: arch_text.parse(entry.text) for entry in comparison.networks}
    files = {name: network_bytes(network) for name, network in networks.items()}
    check_exported_memory(files[found.name], architecture, config.bounds.max_memory_bytes)
    timed = TimedNetworks() if config.device else fresh_timings(files, config.sizes, known)

    def certified(entry: ComparedNetwork) -> CertifiedNetwork:
        network = networks[entry.name]
        own = asked if entry is found else None
        return CertifiedNetwork.of(
            network,
            timed.get(entry.name),
            costs.predicted_ms(network),
            own.ms if own else None,
            asked_verdict(network, timed, entry.name, own, again),
            **values_of(entry),
            asked_count=own.count if own else None,
        )

    others = [certified(entry) for entry in comparison.networks]
    return Certificate(
        **values_of(certified(found)),
        method=config.search.method,
        supernet_top1=inherited.top1 if inherited else None,
        supernet_top5=inherited.top5 if inherited else None,
        largest=next((n for n in others if n.role == "largest"), None),
        uniform=next((n for n in others if n.role == "uniform"), None),
        random=tuple(n for n in others if n.role == "random"),
        device=config.device,
        date=now_text(),
        environment=environment(),
        conditions=conditions_of(timed, config.sizes),
        quantity=config.unit.quantity,
    )


def asked_verdict(
    network: Architecture, timed: TimedNetworks, name: str, asked: Target | None, again: str
) -> Verdict | None:
    """Whether a network meets its target; None where nothing was asked or measured.

    Args:
        network: That is judged.
        timed: Measurements, its own among them if it was measured.
        name: Of the network among these.
        asked: Milliseconds or a count; None where nothing was asked.
        again: The command that measures again, quoted.
    """
    if asked is None:
        return None
    if asked.unit.is_measured:
        return timed.verdict(name, asked.ms, again)
    return count_verdict(network, asked)


def check_exported_memory(
    data: bytes, architecture: Architecture, max_memory_bytes: int | None
) -> None:
    """Counts the peak activation memory of a file, and refuses one that differs from the search's.

    A file with number formats keeps more than their bits: its tensors are larger than what is
    counted. Of such a network the count stands.

    Args:
        data: The ONNX file of the network.
        architecture: The network.
        max_memory_bytes: The bound; None for none.

    Raises:
        InputError: The file has another peak than was counted, or breaks the bound.
    """
    cost = architecture_cost(architecture)
    counted = cost.memory_bytes
    exported = counted if cost.has_formats else peak_activation_bytes(data)
    if exported != counted or exported > (max_memory_bytes or exported):
        bound = "" if max_memory_bytes is None else f" and at most {max_memory_bytes}"
        raise InputError(
            f"a peak activation memory of {counted} bytes{bound} in the exported file",
            f"{exported} bytes",
            "register the nodes of your own operations in nas.cost.memory as they are exported",
        )


def fresh_timings(
    files: Mapping[str, bytes], sizes: Scale, known: KnownNetworks | None
) -> TimedNetworks:
    """The measurement that is certified: in new processes, until the found network is precise.

    Args:
        files: Name -> ONNX file; `searched` is the found network's. Those whose number formats are
            emulated are not measured.
        sizes: The size of the job.
        known: Measured beside them.
    """
    files = without_emulated(files)
    if not files:
        return TimedNetworks()
    plans = sizes.measuring
    with bar("Certificate: measuring in new processes") as shown:
        return measure_networks(
            files,
            DEPLOYED,
            plans.certificate,
            plans.certificate_rule,
            known,
            named=tuple(name for name in ("searched",) if name in files),
            progress=lambda done, most, left: shown.update(
                done, most, note=f"{left:.0f} s left at most"
            ),
        )


def conditions_of(timed: TimedNetworks, sizes: Scale) -> Conditions | None:
    """How a certificate was measured; None where nothing was.

    Args:
        timed: What `fresh_timings` gave.
        sizes: The size of the job.
    """
    found, plan = timed.get("searched"), sizes.measuring.certificate
    return None if found is None else Conditions.of(found, DEPLOYED, plan)


def file_hashes(data: bytes) -> FileHashes:
    """Which file is certified, and what it computes.

    Args:
        data: Of model.onnx.
    """
    started = start_fresh_process(Model("model.onnx", data, "model.onnx"), DEPLOYED)
    return FileHashes(hashlib.sha256(data).hexdigest(), started.outputs_sha256)


def predicted_ms(table: LatencyTable | None, network: Architecture) -> float | None:
    """Milliseconds by a table; None where it lacks a row, as of a uniformly scaled network.

    Args:
        table: Of the run; None where it has none.
        network: Of the space, or another one.
    """
    if table is None:
        return None
    keys = architecture_row_keys(network)
    return table.predict_ms(keys) if all(key in table.rows for key in keys) else None
