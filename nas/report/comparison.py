"""The rows of the final table: this network and what it must be compared with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nas.runs.strict_json import Record

ROLE_NAMES = {
    "searched": "This network",
    "largest": "Largest in the space",
    "uniform": "Uniform scaling",
    "random": "Random",
}


@dataclass(frozen=True)
class ComparedNetwork:
    """One row; None where a figure is not known.

    Args:
        role: `searched`, `largest`, `uniform` or `random`.
        label: For people.
        asked_ms: Target in ms, of the searched network alone.
        predicted_ms: By the table, in ms.
        measured_ms: Measured whole, in ms.
        measured_low_ms: Lower end of its 95 % interval.
        measured_high_ms: Upper end.
        params: Trainable parameters.
        macs: Multiply-adds of one image.
        top1: Share of the evaluation set, from 0 to 1, after training.
        top5: The same for five guesses.
        supernet_top1: Share with weights taken from the supernet, not retrained.
    """

    role: str
    label: str
    asked_ms: float | None = None
    predicted_ms: float | None = None
    measured_ms: float | None = None
    measured_low_ms: float | None = None
    measured_high_ms: float | None = None
    params: float | None = None
    macs: float | None = None
    top1: float | None = None
    top5: float | None = None
    supernet_top1: float | None = None


NUMBERS = (
    "asked_ms",
    "predicted_ms",
    "measured_ms",
    "measured_low_ms",
    "measured_high_ms",
    "params",
    "macs",
    "top1",
    "top5",
    "supernet_top1",
)


def compare(certificate: Record | None, baselines: Record | None) -> list[ComparedNetwork]:
    """Joins the certificate's networks with those trained for comparison.

    A figure that both know comes from the certificate for the searched, largest and uniform one.
    Random networks come from the baselines where these hold any.

    Args:
        certificate: As in certificate.json.
        baselines: As in baselines.json.

    Raises:
        ReportError: An entry has the wrong type; names file and entry.
    """
    trained: dict[str, list[Record]] = {role: [] for role in ROLE_NAMES}
    for network in baselines.children("networks") if baselines else []:
        trained.setdefault(network.text("role") or "other", []).append(network)
    certified: dict[str, list[Record | None]] = {
        "searched": [certificate] if certificate else [],
        "largest": [certificate.child("largest")] if certificate else [],
        "uniform": [certificate.child("uniform")] if certificate else [],
        "random": [*certificate.children("random")] if certificate else [],
    }
    rows: list[ComparedNetwork] = []
    for role, networks in trained.items():
        known = [network for network in certified.get(role, []) if network is not None]
        if role in ("searched", "largest", "uniform") and len(networks) <= 1:
            if known or networks:
                rows.append(_joined(role, known + networks))
        else:
            rows += _numbered(role, networks or known)
    return rows


def _joined(role: str, sources: list[Record]) -> ComparedNetwork:
    row = ComparedNetwork(role, ROLE_NAMES[role])
    for source in sources:
        found = {name: source.number(name) for name in NUMBERS}
        missing = {name: value for name, value in found.items() if getattr(row, name) is None}
        if row.measured_ms is not None:
            # An interval belongs to its own measurement.
            missing.pop("measured_low_ms", None)
            missing.pop("measured_high_ms", None)
        row = replace(row, **missing)  # type: ignore[arg-type]
    # Only the network that was searched for was asked to meet a time.
    return row if role == "searched" else replace(row, asked_ms=None)


def _numbered(role: str, networks: list[Record]) -> list[ComparedNetwork]:
    name = ROLE_NAMES.get(role, role)
    rows = []
    for number, network in enumerate(networks, start=1):
        label = f"{name} {number}" if len(networks) > 1 else name
        figures = {key: network.number(key) for key in NUMBERS if key != "asked_ms"}
        rows.append(ComparedNetwork(role, label, **figures))
    return rows


def record_of(values: Mapping[str, Any] | None, source: str) -> Record | None:
    """Plain data as a record, for callers that hold no file."""
    return None if values is None else Record(source, values)
