"""Choose, measure whole, correct, choose again: the network that a search ends with."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from latency.measurement.statistics import median_error
from nas.architecture.spec import Architecture
from nas.cost.units import MILLISECONDS, QuantityName
from nas.errors import InputError
from nas.methods.method import Method, Network
from nas.selection.feasible import BoundedSpace

ATTEMPTS = 8
# Shares of the target, tried in turn: as near as a reading must be to be accepted; what can still
# be met; then the nearest network.
WINDOWS = ((0.996, 1.004), (0.985, 1.01), (0.98, 1.02))
# Processes differ by 1 to 3 % from each other (docs/log.md). One reading within 2 % may be luck:
# a network is accepted if the median of two or more fresh ones is nearer than this. The rest of the
# 2 % is for the certificate, whose whole interval has to lie inside.
ACCEPTED = 0.005
# A first reading that is off by more is no candidate, and not read again.
HOPELESS = 0.03
# Readings go on until their median is known so well, up to so many of them.
PRECISION = 0.006
MOST_READINGS = 5


@dataclass(frozen=True)
class Attempt:
    """A network that was tried.

    Args:
        indices: One option a choice.
        predicted: In the goal's quantity: milliseconds by the table, or a count, which is exact.
        readings_ms: In one new process each; none if the table is trusted, no process saw the
            machine's full speed, or the goal is a count.
        measured_ms: Their median; None without any.
        below: Where no network lies within 2 % of the target, the (corrected) prediction of the
            nearest one below, proven under the table; else None.
        above: Likewise above.
    """

    indices: Network
    predicted: float
    readings_ms: tuple[float, ...]
    measured_ms: float | None
    below: float | None
    above: float | None

    def is_accepted(self, target: float) -> bool | None:
        """Whether two or more readings agree with a target; None if there are none."""
        if self.measured_ms is None:
            return None
        return len(self.readings_ms) > 1 and self.error(target) <= ACCEPTED

    def error(self, target: float) -> float:
        """Distance of the measured milliseconds from a target, a share of it."""
        return math.inf if self.measured_ms is None else abs(self.measured_ms / target - 1)


@dataclass(frozen=True)
class Choice:
    """choice.json: the chosen network.

    Args:
        indices: One option a choice.
        predicted: As of its attempt.
        target: Aimed at: asked, or the search's expectation.
        accepted: Whether its readings agree with the target; None if nothing was measured.
        below: As of its attempt.
        above: As of its attempt.
        attempts: Everything that was tried.
        quantity: That these figures are of.
    """

    FILE: ClassVar[str] = "choice.json"
    SCHEMA_VERSION: ClassVar[int] = 2
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (1,)
    # Version 1 knew milliseconds alone.
    OLDER_KEYS: ClassVar[Mapping[str, str]] = {
        "predicted_ms": "predicted",
        "target_ms": "target",
        "below_ms": "below",
        "above_ms": "above",
    }

    indices: Network
    predicted: float
    target: float
    accepted: bool | None
    below: float | None
    above: float | None
    attempts: tuple[Attempt, ...]
    quantity: QuantityName = MILLISECONDS.quantity

    @classmethod
    def of(
        cls,
        attempts: Sequence[Attempt],
        chosen: Attempt,
        target: float,
        quantity: QuantityName = MILLISECONDS.quantity,
    ) -> Choice:
        """One of the attempts.

        Args:
            attempts: Everything that was tried.
            chosen: That one.
            target: Aimed at.
            quantity: Of the target.
        """
        return cls(
            chosen.indices,
            chosen.predicted,
            target,
            chosen.is_accepted(target),
            chosen.below,
            chosen.above,
            tuple(attempts),
            quantity,
        )


def choose_network(
    bounded: BoundedSpace,
    method: Method,
    target: float,
    measure_ms: Callable[[Architecture], float | None] | None,
) -> Choice:
    """A method's best network that has what the target asks for.

    Args:
        bounded: Where to choose.
        method: Proposes networks within a window of the cost.
        target: Budget, in the unit of the cost.
        measure_ms: Whole-network measurement in a fresh process; each miss corrects the
            prediction and leaves the network out. A reading may be None, where the machine was
            never at full speed: without any, the table is trusted for that network. None to
            trust it for all, and for counts, which are exact.

    Raises:
        InputError: No network of the space keeps the bounds anywhere near the target.
    """
    attempts: list[Attempt] = []
    tried: list[Network] = []
    unit = bounded.cost.unit
    while len(attempts) < ATTEMPTS:
        correction = _correction(attempts)
        network, neighbours = _propose(bounded, method, target / correction, tried)
        if network is None:
            break
        readings: tuple[float, ...] = ()
        if measure_ms is not None:
            readings = tuple(_readings(measure_ms, bounded.space.decode(network), target))
        below, above = (None if cost is None else cost * correction for cost in neighbours)
        attempt = Attempt(
            network,
            bounded.cost.of(network),
            readings,
            float(np.median(readings)) if readings else None,
            below,
            above,
        )
        attempts.append(attempt)
        tried.append(network)
        if attempt.is_accepted(target) is not False:
            return Choice.of(attempts, attempt, target, unit.quantity)
    if not attempts:
        bounded.check_target(target)
        raise InputError(
            f"a target that a network of space `{bounded.space.name}` is near to",
            f"{target:g} ms" if unit.is_measured else unit.written(target),
            f"ask for other {unit.plural}, or choose another --space",
        )
    nearest = min(attempts, key=lambda attempt: attempt.error(target))
    return Choice.of(attempts, nearest, target, unit.quantity)


def _correction(attempts: Sequence[Attempt]) -> float:
    """Measured over predicted; the median, since one network's error is not the table's."""
    ratios = [a.measured_ms / a.predicted for a in attempts if a.measured_ms is not None]
    return float(np.median(ratios)) if ratios else 1.0


def _propose(
    bounded: BoundedSpace, method: Method, target: float, tried: list[Network]
) -> tuple[Network | None, tuple[float | None, float | None]]:
    """A network in the narrowest window that has one; else the nearest, with both neighbours."""
    for low, high in WINDOWS:
        network = method.propose(low * target, high * target, tried)
        if network is not None:
            return network, (None, None)
    # Neighbours of all networks, tried or not: what was tried and missed is no proof of a gap.
    neighbours = bounded.neighbours(target)
    reachable = [cost for cost in neighbours if cost is not None]
    for nearest in sorted(reachable, key=lambda cost: abs(cost / target - 1)):
        # Of several networks with nearly this cost the method's best.
        network = method.propose(0.9995 * nearest, 1.0005 * nearest, tried)
        if network is not None:
            return network, neighbours
    return None, neighbours


def _readings(
    measure_ms: Callable[[Architecture], float | None], network: Architecture, target_ms: float
) -> list[float]:
    """Fresh readings, as many as it takes; see the constants above."""
    readings: list[float] = []
    for _ in range(MOST_READINGS):
        reading_ms = measure_ms(network)
        if reading_ms is not None:
            readings.append(reading_ms)
        if not readings:
            break  # A machine without full speed is not waited for at every network.
        is_hopeless = abs(readings[0] / target_ms - 1) > HOPELESS
        if is_hopeless or (len(readings) > 1 and median_error(readings) <= PRECISION):
            break
    return readings
