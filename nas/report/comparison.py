"""The rows of the final table: this network and what it must be compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.cost.units import Unit
from nas.metrics import MetricResults, MetricSpread
from nas.runs.records import Baselines, Certificate, CertifiedNetwork
from nas.selection.goals import Target
from nas.selection.seed_spread import SeedSpread
from nas.selection.success_rate import SuccessRate

ROLE_NAMES = {
    "searched": "This network",
    "largest": "Largest in the space",
    "uniform": "Uniform scaling",
    "random": "Random",
}


@dataclass(frozen=True)
class ShownNetwork:
    """One row; None where a figure is not known.

    Args:
        role: `searched`, `largest`, `uniform` or `random`.
        label: For people.
        asked_ms: Target in milliseconds, of the searched network alone.
        predicted_ms: Milliseconds by the table.
        measured_ms: Milliseconds measured whole.
        measured_low_ms: Lower end of its 95 % interval.
        measured_high_ms: Upper end.
        seen_p50_ms: Median of all runs as they came on that day.
        seen_p90_ms: 90 % quantile of these.
        params: Trainable numbers.
        macs: Multiply-adds of one image.
        memory_bytes: Peak activation memory of one image.
        weight_bits: Bits of the kernels.
        bops: Bit operations of one image.
        top1: Share of the evaluation set, from 0 to 1, after its first training.
        top5: The same for five guesses.
        supernet_top1: Share with weights taken from the supernet, not retrained.
        known_trainings: Top-1 of all its trainings.
        success: How often they reached `--goal_top1`; None where nobody asked.
        metrics: Of `--metrics`, after its first training; None where nobody asked.
        metric_spreads: Each of these metrics over its trainings.
        asked_count: Target in a count, of the searched network alone; None where milliseconds or
            nothing was asked.
    """

    role: str
    label: str
    asked_ms: float | None = None
    predicted_ms: float | None = None
    measured_ms: float | None = None
    measured_low_ms: float | None = None
    measured_high_ms: float | None = None
    seen_p50_ms: float | None = None
    seen_p90_ms: float | None = None
    params: int | None = None
    macs: int | None = None
    memory_bytes: int | None = None
    weight_bits: int | None = None
    bops: int | None = None
    top1: float | None = None
    top5: float | None = None
    supernet_top1: float | None = None
    known_trainings: SeedSpread | None = None
    success: SuccessRate | None = None
    metrics: MetricResults | None = None
    metric_spreads: tuple[MetricSpread, ...] = ()
    asked_count: Target | None = None

    def asked(self, unit: Unit) -> float | None:
        """What was asked of it in one quantity.

        Args:
            unit: Of that.
        """
        if unit.is_measured:
            return self.asked_ms
        target = self.asked_count
        return target.value if target is not None and target.unit is unit else None

    def has(self, unit: Unit) -> float | None:
        """What it has of one quantity: measured milliseconds, or a count.

        Args:
            unit: Of that.
        """
        found: float | None = self.measured_ms if unit.is_measured else getattr(self, unit.name)
        return found

    @property
    def mean_top1(self) -> float | None:
        """Mean over its trainings, however many there are."""
        return self.top1 if self.known_trainings is None else self.known_trainings.mean

    @classmethod
    def of(cls, label: str, network: CertifiedNetwork) -> ShownNetwork:
        """A network as a record has it; only the searched one was asked to meet a time.

        Args:
            label: For people.
            network: Of a certificate, or of those trained for comparison.
        """
        return cls(
            network.role,
            label,
            network.asked_ms if network.role == "searched" else None,
            network.predicted_ms,
            network.measured_ms,
            network.measured_low_ms,
            network.measured_high_ms,
            network.seen_p50_ms,
            network.seen_p90_ms,
            network.params,
            network.macs,
            network.memory_bytes,
            network.weight_bits,
            network.bops,
            network.top1,
            network.top5,
            network.supernet_top1 if isinstance(network, Certificate) else None,
            network.known_trainings,
            network.success,
            network.metrics,
            network.metric_spreads,
            network.asked_count if network.role == "searched" else None,
        )

    def completed(self, other: ShownNetwork) -> ShownNetwork:
        """With another record's figures where this one has none.

        Args:
            other: The same network, read elsewhere.
        """
        # An interval and what was seen beside it belong to their own measurement.
        measured = other if self.measured_ms is None else self
        return replace(
            self,
            asked_ms=_first(self.asked_ms, other.asked_ms),
            predicted_ms=_first(self.predicted_ms, other.predicted_ms),
            measured_ms=_first(self.measured_ms, other.measured_ms),
            measured_low_ms=measured.measured_low_ms,
            measured_high_ms=measured.measured_high_ms,
            seen_p50_ms=measured.seen_p50_ms,
            seen_p90_ms=measured.seen_p90_ms,
            memory_bytes=other.memory_bytes if self.memory_bytes is None else self.memory_bytes,
            weight_bits=other.weight_bits if self.weight_bits is None else self.weight_bits,
            bops=other.bops if self.bops is None else self.bops,
            top1=_first(self.top1, other.top1),
            top5=_first(self.top5, other.top5),
            supernet_top1=_first(self.supernet_top1, other.supernet_top1),
            known_trainings=self.known_trainings or other.known_trainings,
            success=self.success or other.success,
            metrics=self.metrics or other.metrics,
            metric_spreads=self.metric_spreads or other.metric_spreads,
            asked_count=self.asked_count or other.asked_count,
        )


def has_several_seeds(networks: Sequence[ShownNetwork]) -> bool:
    """Whether any network was trained with more than one seed.

    Args:
        networks: Of the final table.
    """
    return any(n.known_trainings is not None and n.known_trainings.count > 1 for n in networks)


def _first(one: float | None, other: float | None) -> float | None:
    return other if one is None else one


def compare(
    certificate: Certificate | None, baselines: Baselines | None
) -> tuple[ShownNetwork, ...]:
    """Joins the certificate's networks with those trained for comparison.

    A figure that both know comes from the certificate for the searched, largest and uniform one.
    Random networks come from the baselines where these hold any.

    Args:
        certificate: Of the run; None before there is one.
        baselines: Of the run; None before they are trained.
    """
    trained: dict[str, list[CertifiedNetwork]] = {role: [] for role in ROLE_NAMES}
    for network in baselines.networks if baselines else ():
        trained.setdefault(network.role, []).append(network)
    certified = _by_role(certificate)
    rows: list[ShownNetwork] = []
    for role, networks in trained.items():
        known = certified.get(role, [])
        if role != "random" and role in ROLE_NAMES and len(networks) <= 1:
            rows += _joined(ROLE_NAMES[role], [*known, *networks])
        else:
            rows += _numbered(role, networks or known)
    return tuple(rows)


def _by_role(certificate: Certificate | None) -> dict[str, list[CertifiedNetwork]]:
    if certificate is None:
        return {}
    return {
        "searched": [certificate],
        "largest": [certificate.largest] if certificate.largest else [],
        "uniform": [certificate.uniform] if certificate.uniform else [],
        "random": [*certificate.random],
    }


def _joined(label: str, sources: Sequence[CertifiedNetwork]) -> list[ShownNetwork]:
    """One row of what several records say of one network; none without any."""
    rows = [ShownNetwork.of(label, source) for source in sources]
    if not rows:
        return []
    row = rows[0]
    for other in rows[1:]:
        row = row.completed(other)
    return [row]


def _numbered(role: str, networks: Sequence[CertifiedNetwork]) -> list[ShownNetwork]:
    name = ROLE_NAMES.get(role, role)
    labels = [f"{name} {i}" for i in range(1, len(networks) + 1)] if len(networks) > 1 else [name]
    return [ShownNetwork.of(label, n) for label, n in zip(labels, networks, strict=False)]
