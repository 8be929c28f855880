"""How often and how long models are timed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Optional

from .errors import LatencyError


class PlanError(LatencyError):
    """A plan that times nothing, or never ends."""


@dataclass(frozen=True)
class MeasurePlan:
    """How often and how long models are timed.

    Args:
        min_rounds: Rounds before a model may stop.
        max_rounds: Rounds at most; what is not certain by then is marked.
        runs_per_visit: Timed runs of a model in a visit.
        drop_per_visit: Runs before them that are not timed (cold caches).
        quantile: The statistic over the runs at full speed; a low one also ignores what others do
            within a run, such as to the shared cache.
        relative_tolerance: Width of the 95 % interval, relative to the value, that ends a model.
        absolute_floor_ms: Width in ms that ends a model as well.
        seed: Of inputs, visiting order and resampling.
        max_seconds: Ends after the round in which it is reached; None for no limit.
        max_wait_seconds: Time in all that may be spent in waiting for the device's full speed; 0
            to take the machine as it is.

    Raises:
        PlanError: A value is out of range.
    """

    min_rounds: int = 12
    max_rounds: int = 30
    runs_per_visit: int = 3
    drop_per_visit: int = 1
    quantile: float = 0.10
    relative_tolerance: float = 0.01
    absolute_floor_ms: float = 0.0
    seed: int = 0
    max_seconds: Optional[float] = None
    max_wait_seconds: float = 30.0

    def __post_init__(self) -> None:
        rules = {
            "min_rounds": (self.min_rounds >= 1, "1 or more"),
            "max_rounds": (self.max_rounds >= self.min_rounds, "at least min_rounds"),
            "runs_per_visit": (self.runs_per_visit >= 1, "1 or more"),
            "drop_per_visit": (self.drop_per_visit >= 0, "0 or more"),
            "quantile": (0 <= self.quantile <= 1, "from 0 to 1"),
            "relative_tolerance": (self.relative_tolerance >= 0, "0 or more"),
            "absolute_floor_ms": (self.absolute_floor_ms >= 0, "0 or more"),
            "seed": (self.seed >= 0, "0 or more"),
            "max_seconds": (self.max_seconds is None or self.max_seconds > 0, "above 0 or None"),
            "max_wait_seconds": (0 <= self.max_wait_seconds < float("inf"), "0 or more"),
        }
        for name, (holds, text) in rules.items():
            if not holds:
                raise PlanError(
                    f"{name} to be {text}",
                    repr(getattr(self, name)),
                    f"pass {name} {text}, such as the default {getattr(MeasurePlan, name)!r}",
                )


@dataclass(frozen=True)
class DevicePlan(MeasurePlan):
    """A plan in which a row need not be more certain than its network can tell.

    Args:
        floor_share: Width that ends a quantity as well, as a share of the floor keys' median.
        floor_keys: Models whose median sets the floor; none for no such floor.
    """

    floor_share: float = 0.0
    floor_keys: tuple[str, ...] = ()

    def plain(self) -> MeasurePlan:
        """Returns the plan without its floor."""
        names = [entry.name for entry in fields(MeasurePlan)]
        return MeasurePlan(**{name: getattr(self, name) for name in names})
