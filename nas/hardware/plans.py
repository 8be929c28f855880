"""How long tables, choices and certificates are measured."""

from __future__ import annotations

from dataclasses import dataclass

from latency.device.plan import MeasurePlan
from latency.measurement.processes import ProcessRule
from nas.ranges import check_count

# A process that never sees full speed ends after these seconds; on a quiet machine it is done
# long before. The waiting leaves room for the runs as they come, which are always shown, too.
PROCESS_SECONDS, PROCESS_WAIT_SECONDS = 30.0, 20.0
# Waiting alone is limited while a table is measured: how long its rounds take, the space decides.
TABLE_WAIT_SECONDS = 90.0
CHOICE_PLAN = MeasurePlan(
    max_rounds=90,
    max_seconds=PROCESS_SECONDS,
    max_wait_seconds=PROCESS_WAIT_SECONDS,
)
# Every third round shows the machine as it is: eight of them here, so that p90 means something.
CERTIFICATE_PLAN = MeasurePlan(
    min_rounds=24,
    max_rounds=90,
    runs_per_visit=4,
    max_seconds=PROCESS_SECONDS,
    max_wait_seconds=PROCESS_WAIT_SECONDS,
)
# One reading is one process: the choice makes more of them where they differ.
ONE_PROCESS = ProcessRule(processes=1, most=1, min_seconds=0.0)
# Half an interval of 1 % leaves the other half of the margin to the choice.
CERTIFICATE_RULE = ProcessRule(precision=0.01, max_seconds=240.0)
# int8 is seldom within a percent of fp32; five processes tell it apart, or nobody would notice.
EXPORT_RULE = ProcessRule(processes=5, most=7, precision=0.01, max_seconds=240.0)
# Enough to see that everything works; nobody waits for full speed.
SMOKE_PLAN = MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=2, max_wait_seconds=0.0)


@dataclass(frozen=True)
class MeasuringPlans:
    """Rounds, processes and networks of everything that a run measures on its host.

    Args:
        table: Rounds for a latency table; its seed is replaced by the run's.
        choice: Rounds for candidates while a network is chosen, in one process a reading.
        certificate: Rounds for the measurement that is certified, in each process.
        certificate_rule: How many new processes it is measured in.
        export_rule: How many new processes exported files are compared in.
        calibration_networks: Whole networks that a table is calibrated on, 2 or more.
        held_out_networks: Others that judge it, 2 or more.
        uses_table_cache: Whether a table comes from this host's cache and goes there.
        watches_known_networks: Whether networks of the table's session are measured beside the
            others and compared with it.

    Raises:
        InputError: A value is out of its range.
    """

    # Most rows stop at 12 rounds; the noisiest networks need up to these to reach 1 %.
    table: MeasurePlan = MeasurePlan(max_rounds=90, max_wait_seconds=TABLE_WAIT_SECONDS)
    choice: MeasurePlan = CHOICE_PLAN
    certificate: MeasurePlan = CERTIFICATE_PLAN
    certificate_rule: ProcessRule = CERTIFICATE_RULE
    export_rule: ProcessRule = EXPORT_RULE
    calibration_networks: int = 10
    held_out_networks: int = 20
    uses_table_cache: bool = True
    watches_known_networks: bool = True

    def __post_init__(self) -> None:
        check_count("calibration_networks", self.calibration_networks, least=2)
        check_count("held_out_networks", self.held_out_networks, least=2)


FULL = MeasuringPlans()
# A few rounds say nothing about a machine that is busy.
TOY = MeasuringPlans(
    table=MeasurePlan(min_rounds=3, max_rounds=3, runs_per_visit=1, max_wait_seconds=0.0),
    choice=SMOKE_PLAN,
    certificate=SMOKE_PLAN,
    certificate_rule=ONE_PROCESS,
    export_rule=ONE_PROCESS,
    calibration_networks=4,
    held_out_networks=4,
    uses_table_cache=False,
    watches_known_networks=False,
)
