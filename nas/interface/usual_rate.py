"""The background rate of an embedded sample, where a metric needs one and nobody said another."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from nas.data.samples import SAMPLES
from nas.metrics import METRICS, AskedMetrics
from nas.metrics.decimals import frequency_text
from nas.metrics.goals import parse_asked
from nas.runs.data import DataSource
from nas.system.console import out
from nas.tuning.budgets import parse_budget
from nas.tuning.objectives import parse_objectives


def lacks_rate(options: Mapping[str, Any]) -> bool:
    """Whether a metric is asked for that needs a rate, and none is given.

    Args:
        options: As the flags of nas.py and main.py.

    Raises:
        InputError: A metric, an objective or a budget that cannot be read.
    """
    if "background_rate_hz" in options:
        return False
    words = [w for name in ("metrics", "select_by") for w in AskedMetrics.words(options.get(name))]
    names = [parse_asked(word)[0].name for word in words]
    names += [one.name for one in parse_objectives(options.get("objectives", "top1"))]
    budgets = options.get("budgets")
    names += [parse_budget(word).objective.name for word in (budgets or "").split(",") if word]
    parameters = [METRICS[name].parameter for name in names if name in METRICS]
    return any(one is not None and one.is_rate for one in parameters)


def with_usual_rate(options: Mapping[str, Any], source: DataSource) -> dict[str, Any]:
    """Options with the rate of the sample, where they lack one and it has one.

    Args:
        options: As the flags of nas.py and main.py.
        source: The images.

    Raises:
        InputError: As `lacks_rate`.
    """
    name = source.drawn
    rate_hz = SAMPLES[name].background_rate_hz if name is not None else None
    if rate_hz is None or not lacks_rate(options):
        return dict(options)
    shown = frequency_text(Decimal(repr(rate_hz)))
    out.print(f"Background rate: {shown}, that of the sample {name}.", markup=False)
    return {**options, "background_rate_hz": rate_hz}
