"""Metrics beyond top-1 as options of a retraining."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nas.metrics import AskedMetrics


def metrics_of(options: Mapping[str, Any]) -> AskedMetrics:
    """The metrics that are asked for; none where nobody asked.

    Args:
        options: As `RetrainOptions`.

    Raises:
        InputError: A metric is unknown or broken, or what stands beside the metrics would not be
            looked at.
    """
    return AskedMetrics.of(
        options.get("metrics"), options.get("signal_class"), options.get("background_rate_hz")
    )
