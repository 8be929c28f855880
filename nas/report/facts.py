"""What every section of the page is made from."""

from __future__ import annotations

from dataclasses import dataclass

from nas.cost.units import MILLISECONDS, Unit
from nas.report.comparison import ShownNetwork, compare
from nas.runs.config import RunConfig
from nas.runs.reader import RunRecords
from nas.selection.goals import Goal, Target
from nas.system.program import go_on_command


@dataclass(frozen=True)
class RunFacts:
    """A run as its report shows it.

    Args:
        records: What the run folder holds.
        networks: Rows of the final table.
    """

    records: RunRecords
    networks: tuple[ShownNetwork, ...]

    @classmethod
    def of(cls, records: RunRecords) -> RunFacts:
        """From a run folder's records."""
        return cls(records, compare(records.certificate, records.baselines))

    @property
    def own(self) -> ShownNetwork | None:
        """The row of the network that was searched for."""
        return next((n for n in self.networks if n.role == "searched"), None)

    @property
    def asked(self) -> Target | None:
        """The target: certified, resolved, or as it was asked for; None with a penalty."""
        certificate, target = self.records.certificate, self.records.target
        if certificate is not None and certificate.asked_ms is not None:
            return Target(certificate.asked_ms)
        if certificate is not None and certificate.asked_count is not None:
            return certificate.asked_count
        if target is not None:
            return target.asked
        if self.goal is None or self.goal.target is None:
            return None
        return Target(self.goal.target, self.goal.quantity)

    @property
    def asked_ms(self) -> float | None:
        """The target in milliseconds; None where a count was asked for."""
        return self.asked.ms if self.asked else None

    @property
    def asked_value(self) -> float | None:
        """The target as a figure of `unit`; None with a penalty."""
        return self.asked.value if self.asked else None

    @property
    def unit(self) -> Unit:
        """What was asked in; milliseconds where nothing was."""
        config = self.records.config
        return config.unit if isinstance(config, RunConfig) else MILLISECONDS

    @property
    def goal(self) -> Goal | None:
        """What was asked for; None for a given network, and for a sweep of several goals."""
        config = self.records.config
        return config.goal if isinstance(config, RunConfig) and not config.is_sweep else None

    @property
    def retrain_command(self) -> str:
        """What trains the found network."""
        return go_on_command("retrain", self.records.path)
