"""How long a worker may be silent, and how often a trial is tried again."""

from __future__ import annotations

from dataclasses import dataclass

from nas.executors.batch import RETRIES, SILENT_SECONDS
from nas.executors.executor import Place
from nas.executors.messages import Cause
from nas.ranges import check_count, check_number
from nas.tuning.legs import Lease, Leg


@dataclass(frozen=True)
class LeasePolicy:
    """When a worker is taken for hung, and what becomes of its leg.

    Args:
        seconds: A worker may say nothing for so long, above 0. Its first steps take the longest:
            frameworks trace the network then.
        retries: Further trainings of a leg whose training failed, 0 or more. A loss that is no
            number comes again, so that it is not tried again.

    Raises:
        InputError: A number is out of range.
    """

    seconds: float = SILENT_SECONDS
    retries: int = RETRIES

    def __post_init__(self) -> None:
        check_number("seconds of a lease", self.seconds, above=0)
        check_count("retries", self.retries, least=0)

    def lease(self, place: Place, now_s: float) -> Lease:
        """A new lease.

        Args:
            place: Who trains.
            now_s: Seconds since 1970.
        """
        return Lease(place.worker, place.pid, now_s + self.seconds)

    def is_due(self, lease: Lease, now_s: float) -> bool:
        """Whether a sign of life is worth being written down: a quarter of the lease is over.

        Args:
            lease: Of the leg.
            now_s: Seconds since 1970.
        """
        return lease.deadline_s - now_s < 0.75 * self.seconds

    def is_over(self, lease: Lease, now_s: float) -> bool:
        """Whether the worker has been silent for too long.

        Args:
            lease: Of the leg.
            now_s: Seconds since 1970.
        """
        return now_s > lease.deadline_s

    def tries_again(self, leg: Leg, cause: Cause) -> bool:
        """Whether a leg whose training failed is trained again.

        Args:
            leg: With all of its attempts.
            cause: Of the last one.
        """
        return cause != "diverged" and len(leg.attempts) <= self.retries
