"""How long tables, choices and certificates are measured."""

from __future__ import annotations

from dataclasses import dataclass

from latency.measurement.measure import MeasurePlan
from nas.hardware.measurement import (
    CERTIFICATE_PLAN,
    CERTIFICATE_PRECISION,
    CERTIFICATE_PROCESSES,
    CHOICE_PLAN,
    SMOKE_PLAN,
)
from nas.ranges import check_count, check_number


@dataclass(frozen=True)
class MeasuringPlans:
    """Rounds, processes and networks of everything that a run measures on its host.

    Args:
        table: Rounds for a latency table; its seed is replaced by the run's.
        choice: Rounds for candidates while a network is chosen.
        certificate: Rounds for the measurement that is certified, in each process.
        certificate_processes: New processes that it is measured in, 1 or more.
        certificate_precision: Relative error at which no process more is started, above 0; None
            for no process more in any case.
        calibration_networks: Whole networks that a table is calibrated on, 2 or more.
        held_out_networks: Others that judge it, 2 or more.
        uses_table_cache: Whether a table comes from this host's cache and goes there.
        watches_known_networks: Whether networks that the table knows are measured beside the
            others, so that a busy machine is noticed.

    Raises:
        InputError: A value is out of its range.
    """

    # Most rows stop at 12 rounds; the noisiest networks need up to these to reach 1 %.
    table: MeasurePlan = MeasurePlan(max_rounds=90)
    choice: MeasurePlan = CHOICE_PLAN
    certificate: MeasurePlan = CERTIFICATE_PLAN
    certificate_processes: int = CERTIFICATE_PROCESSES
    certificate_precision: float | None = CERTIFICATE_PRECISION
    calibration_networks: int = 10
    held_out_networks: int = 20
    uses_table_cache: bool = True
    watches_known_networks: bool = True

    def __post_init__(self) -> None:
        check_count("certificate_processes", self.certificate_processes)
        check_number("certificate_precision", self.certificate_precision, above=0, optional=True)
        check_count("calibration_networks", self.calibration_networks, least=2)
        check_count("held_out_networks", self.held_out_networks, least=2)


FULL = MeasuringPlans()
# Enough to see that everything works; a few rounds say nothing about a machine that is busy.
TOY = MeasuringPlans(
    table=MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=1),
    choice=SMOKE_PLAN,
    certificate=SMOKE_PLAN,
    certificate_processes=1,
    certificate_precision=None,
    calibration_networks=4,
    held_out_networks=4,
    uses_table_cache=False,
    watches_known_networks=False,
)
