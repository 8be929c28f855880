"""Networks of equal milliseconds beside the found one, and the certificate over all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from latency.device.clock import now_text
from latency.device.settings import SessionSettings
from latency.measurement.measure import MeasurePlan
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.hardware.measurement import (
    KnownNetworks,
    NetworkTiming,
    measure_networks,
    network_bytes,
)
from nas.hardware.plans import MeasuringPlans
from nas.hardware.predictor import SpaceLatency
from nas.runs.config import RunConfig
from nas.runs.records import (
    Certificate,
    CertifiedNetwork,
    ComparedNetwork,
    Comparison,
    SupernetScore,
    values_of,
)
from nas.search_space.space import Space
from nas.selection.baselines import equal_random_networks, equal_uniform_network
from nas.selection.feasible import BoundedSpace
from nas.system.console import out
from nas.system.environment import environment


def measured_ms(
    networks: Mapping[str, Architecture], plan: MeasurePlan, known: KnownNetworks | None
) -> dict[str, float]:
    """Milliseconds of whole networks, measured together in a fresh process.

    Args:
        networks: By name.
        plan: Rounds.
        known: Measured beside them, so that a busy machine is noticed.
    """
    found = measure_networks(
        {name: network_bytes(network) for name, network in networks.items()},
        SessionSettings(),
        plan,
        known=known,
    )
    return {name: measurement.latency_ms for name, measurement in found.items()}


def compared_networks(
    bounded: BoundedSpace,
    architecture: Architecture,
    config: RunConfig,
    measure: Callable[[Mapping[str, Architecture]], dict[str, float]],
) -> Comparison:
    """Largest, uniform and random networks of equal milliseconds.

    Args:
        bounded: Of the run.
        architecture: The found network.
        config: What the run was asked for.
        measure: Name -> architecture to name -> milliseconds.
    """
    if config.device is not None:
        return Comparison()
    out.print("Looking for random and uniformly scaled networks of equal milliseconds ...")
    randoms = equal_random_networks(
        bounded,
        architecture,
        bounded.latency.predict_ms(bounded.space.encode(architecture)),
        config.random_networks,
        config.seed,
        measure,
        config.sizes.equal_margin,
    )
    uniform, ratio = equal_uniform_network(bounded.space, architecture, measure)
    networks = [("largest", "largest", bounded.space.largest()), ("uniform", "uniform", uniform)]
    networks += [("random", f"random {i + 1}", r) for i, r in enumerate(randoms)]
    return Comparison(
        uniform_over_searched_ms=ratio,
        random_asked=config.random_networks,
        networks=tuple(
            ComparedNetwork(role, name, arch_text.to_text(network))
            for role, name, network in networks
        ),
    )


def search_certificate(
    space: Space,
    latency: SpaceLatency,
    architecture: Architecture,
    asked_ms: float | None,
    comparison: Comparison,
    inherited: SupernetScore | None,
    config: RunConfig,
    known: KnownNetworks | None,
) -> Certificate:
    """Measures the found network and its company once more and writes down what was asked.

    Args:
        space: Of the run.
        latency: Its predictor.
        architecture: The found network.
        asked_ms: Target; None with a penalty.
        comparison: Its company.
        inherited: What it reaches with the supernet's weights; None without a supernet.
        config: What the run was asked for.
        known: Measured beside them.
    """
    found = ComparedNetwork("searched", "searched", arch_text.to_text(architecture))
    networks = {found.name: architecture}
    networks |= {entry.name: arch_text.parse(entry.text) for entry in comparison.networks}
    measured = {} if config.device else _fresh_timings(networks, config.sizes.measuring, known)

    def certified(entry: ComparedNetwork) -> CertifiedNetwork:
        network = networks[entry.name]
        return CertifiedNetwork.of(
            network,
            measured.get(entry.name),
            latency.predict_ms(space.encode(network)) if space.contains(network) else None,
            asked_ms if entry is found else None,
            **values_of(entry),
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
    )


def _fresh_timings(
    networks: Mapping[str, Architecture], plans: MeasuringPlans, known: KnownNetworks | None
) -> Mapping[str, NetworkTiming]:
    """Name -> timing of the network's file, measured in new processes."""
    out.print("Certificate: fresh measurements in new processes ...")
    return measure_networks(
        {name: network_bytes(network) for name, network in networks.items()},
        SessionSettings(),
        plans.certificate,
        plans.certificate_processes,
        plans.certificate_precision,
        known=known,
    )
