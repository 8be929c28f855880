"""Choose, measure whole, correct, choose again: the network that a search ends with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from latency.measurement.statistics import median_error
from nas.architecture.spec import Architecture
from nas.errors import InputError
from nas.search.method import Method, Network
from nas.selection.feasible import BoundedSpace

ATTEMPTS = 8
# Shares of the target, tried in turn: as near as a reading must be to be accepted; what can still
# be met; then the nearest network.
WINDOWS = ((0.994, 1.004), (0.985, 1.01), (0.98, 1.02))
# Processes differ by 1 to 3 % from each other (docs/log.md). One reading within 2 % may be luck:
# a network is accepted if the median of two or more fresh ones is nearer than this.
ACCEPTED = 0.008
# A first reading that is off by more is no candidate, and not read again.
HOPELESS = 0.03
# Readings go on until their median is known so well, up to so many of them.
PRECISION = 0.006
MOST_READINGS = 5


@dataclass(frozen=True)
class Choice:
    """The chosen network.

    Args:
        indices: One option a choice.
        predicted_ms: By the table.
        target_ms: Aimed at: asked, or the search's expectation.
        accepted: Whether its readings agree with the target; None if nothing was measured.
        below_ms: Where no network lies within 2 % of the target, the corrected prediction of the
            nearest ones, proven under the table; else None.
        above_ms: Likewise.
        attempts: Indices, prediction and readings of everything that was tried.
    """

    indices: Network
    predicted_ms: float
    target_ms: float
    accepted: bool | None
    below_ms: float | None
    above_ms: float | None
    attempts: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {**asdict(self), "indices": list(self.indices)}


def choose_network(
    bounded: BoundedSpace,
    method: Method,
    target_ms: float,
    measure_ms: Callable[[Architecture], float] | None,
) -> Choice:
    """A method's best network whose milliseconds are the target's.

    Args:
        bounded: Where to choose.
        method: Proposes networks within a window of predicted milliseconds.
        target_ms: Budget.
        measure_ms: Whole-network measurement in a fresh process; each miss corrects the
            prediction and leaves the network out. None to trust the table.

    Raises:
        InputError: No network of the space keeps the bounds anywhere near the target.
    """
    attempts: list[dict[str, Any]] = []
    tried: list[Network] = []
    while len(attempts) < ATTEMPTS:
        correction = _correction(attempts)
        network, neighbours = _propose(bounded, method, target_ms / correction, tried)
        if network is None:
            break
        predicted = bounded.latency.predict_ms(network)
        readings = (
            []
            if measure_ms is None
            else _readings(measure_ms, bounded.space.decode(network), target_ms)
        )
        reading = float(np.median(readings)) if readings else None
        attempts.append(
            {
                "indices": list(network),
                "predicted_ms": predicted,
                "readings_ms": readings,
                "measured_ms": reading,
                "below_ms": None if neighbours[0] is None else neighbours[0] * correction,
                "above_ms": None if neighbours[1] is None else neighbours[1] * correction,
            }
        )
        tried.append(network)
        if reading is None or (len(readings) > 1 and abs(reading / target_ms - 1) <= ACCEPTED):
            return _choice(attempts[-1], target_ms, None if reading is None else True, attempts)
    if not attempts:
        bounded.check_target(target_ms)
        raise InputError(
            f"a target that a network of space `{bounded.space.name}` is near to",
            f"{target_ms:g} ms",
            "ask for other milliseconds, or choose another --space",
        )
    nearest = min(attempts, key=lambda a: abs(a["measured_ms"] / target_ms - 1))
    return _choice(nearest, target_ms, False, attempts)


def _choice(
    attempt: dict[str, Any],
    target_ms: float,
    accepted: bool | None,
    attempts: list[dict[str, Any]],
) -> Choice:
    return Choice(
        tuple(attempt["indices"]),
        attempt["predicted_ms"],
        target_ms,
        accepted,
        attempt["below_ms"],
        attempt["above_ms"],
        attempts,
    )


def _correction(attempts: list[dict[str, Any]]) -> float:
    """Measured over predicted; the median, since one network's error is not the table's."""
    ratios = [a["measured_ms"] / a["predicted_ms"] for a in attempts]
    return float(np.median(ratios)) if ratios else 1.0


def _propose(
    bounded: BoundedSpace, method: Method, target_ms: float, tried: list[Network]
) -> tuple[Network | None, tuple[float | None, float | None]]:
    """A network in the narrowest window that has one; else the nearest, with both neighbours."""
    for low, high in WINDOWS:
        network = method.propose(low * target_ms, high * target_ms, tried)
        if network is not None:
            return network, (None, None)
    # Neighbours of all networks, tried or not: what was tried and missed is no proof of a gap.
    neighbours = bounded.neighbours_ms(target_ms)
    reachable = [ms for ms in neighbours if ms is not None]
    for nearest in sorted(reachable, key=lambda ms: abs(ms / target_ms - 1)):
        # Of several networks with nearly these milliseconds the method's best.
        network = method.propose(0.9995 * nearest, 1.0005 * nearest, tried)
        if network is not None:
            return network, neighbours
    return None, neighbours


def _readings(
    measure_ms: Callable[[Architecture], float], network: Architecture, target_ms: float
) -> list[float]:
    """Fresh readings, as many as it takes; see the constants above."""
    readings = [measure_ms(network)]
    if abs(readings[0] / target_ms - 1) > HOPELESS:
        return readings
    while len(readings) < 2 or (
        len(readings) < MOST_READINGS and median_error(readings) > PRECISION
    ):
        readings.append(measure_ms(network))
    return readings
