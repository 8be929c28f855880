"""A clock that only passes when something runs, and a short plan."""

from __future__ import annotations

from collections.abc import Callable

from latency.device.plan import DevicePlan


class FakeClock:
    """Seconds that pass only when something runs."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def runner(self, durations_ms: list[float]) -> Callable[[], None]:
        """Takes these durations in turn, again and again."""
        state = {"next": 0}

        def run() -> None:
            self.seconds += durations_ms[state["next"] % len(durations_ms)] / 1e3
            state["next"] += 1

        return run


def plan(**changes: object) -> DevicePlan:
    defaults: dict[str, object] = {"min_rounds": 2, "max_rounds": 5, "quantile": 0.25}
    return DevicePlan(**{**defaults, **changes})  # type: ignore[arg-type]
