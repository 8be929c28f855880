"""Whole networks of a table: their rows summed, and the line that is fitted on them."""

from __future__ import annotations

from collections.abc import Mapping

from latency.tables.predictor import Calibration, calibrate, fit_line
from latency.tables.rows import Network, Row


def row_terms(rows: Mapping[str, Row], network: Network) -> tuple[float, dict[str, float]]:
    """Sum of a network's rows in ms, and of each of their features."""
    total_ms, features = 0.0, dict[str, float]()
    for key in network.row_keys:
        total_ms += rows[key].latency_ms
        for name, value in rows[key].features.items():
            features[name] = features.get(name, 0.0) + value
    return total_ms, features


def fit_networks(rows: Mapping[str, Row], networks: Mapping[str, Network]) -> Calibration | None:
    """Calibrates on the networks of that role; None where there is none."""
    sums_ms, measured_ms, extras = _terms(rows, networks)
    return calibrate(sums_ms, measured_ms, extras) if sums_ms else None


def fit_again(
    rows: Mapping[str, Row], networks: Mapping[str, Network], feature: str
) -> Calibration | None:
    """Calibrates with a feature that was chosen before, empty for none.

    Args:
        rows: Of the table.
        networks: Of the table; those that calibrate are taken.
        feature: That every row has.
    """
    sums_ms, measured_ms, extras = _terms(rows, networks)
    if not sums_ms:
        return None
    return fit_line(sums_ms, measured_ms, feature, extras[feature] if feature else ())


def _terms(
    rows: Mapping[str, Row], networks: Mapping[str, Network]
) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """Of calibrating networks: sums of rows, measured milliseconds, sums of features."""
    chosen = [network for network in networks.values() if network.role == "calibration"]
    terms = [row_terms(rows, network) for network in chosen]
    measured_ms = [network.measurement.latency_ms for network in chosen]
    names = set.intersection(*(set(features) for _, features in terms)) if terms else set()
    extras = {name: [features[name] for _, features in terms] for name in sorted(names)}
    return [total for total, _ in terms], measured_ms, extras
