"""What a goal is asked in, of every option: milliseconds by a table, or a count without one."""

from __future__ import annotations

from dataclasses import dataclass

from latency.cli.text_view import settings_text
from latency.tables.table import LatencyTable
from nas.architecture.spec import Architecture
from nas.cost.additive import AdditiveCost
from nas.cost.constraints import counted_cost
from nas.cost.units import Unit
from nas.errors import InputError
from nas.hardware.measurable import has_table
from nas.hardware.predictor import SpaceLatency
from nas.pipeline.device_table import DeviceMeasuring
from nas.pipeline.table import TABLE_FILE, run_table
from nas.report import numbers
from nas.runs.config import RunConfig
from nas.runs.folder import RunFolder
from nas.search_space.space import Space

NO_TABLE = "Milliseconds are not predicted: the goal is a count, which needs no latency table"


@dataclass(frozen=True)
class RunCosts:
    """The costs of a space's networks, as far as a run knows them.

    Args:
        space: Of the run.
        cost: In what the goals are asked in.
        latency: Milliseconds; None without a table.
        table: Of the run; None where the goal is a count and no table is named.
    """

    space: Space
    cost: AdditiveCost
    latency: SpaceLatency | None
    table: LatencyTable | None

    @classmethod
    def of(cls, space: Space, unit: Unit, table: LatencyTable | None) -> RunCosts:
        """From what a run has.

        Args:
            space: Of the run.
            unit: Of its goals.
            table: Of the run; milliseconds need one.

        Raises:
            InputError: Milliseconds are asked for, and there is no table.
        """
        latency = None if table is None else SpaceLatency.from_table(space, table)
        if not unit.is_measured:
            return cls(space, counted_cost(space, unit), latency, table)
        if latency is None:
            raise InputError(f"a latency table, {TABLE_FILE}", "none", "search again")
        return cls(space, latency.cost, latency, table)

    def predicted_ms(self, network: Architecture) -> float | None:
        """Milliseconds by the table; None without one, and for a network that the space lacks.

        Args:
            network: Of the space, or another one.
        """
        if self.latency is None or not self.space.contains(network):
            return None
        return self.latency.predict_ms(self.space.encode(network))


def begun_costs(
    folder: RunFolder,
    space: Space,
    config: RunConfig,
    measuring: DeviceMeasuring | None = None,
) -> RunCosts:
    """The costs of a run that begins or goes on; measures a table where its goal needs one.

    Args:
        folder: Of the run, which keeps the table.
        space: Of the run.
        config: Of the run.
        measuring: Who measures on devices of a cluster; None for nobody.

    Raises:
        LatencyError: The table is of something else, or cannot be read or measured.
    """
    is_named = config.table is not None or config.device is not None
    needs_table = config.unit.is_measured or is_named
    table = run_table(folder, space, config, measuring) if needs_table else None
    return RunCosts.of(space, config.unit, table)


def kept_costs(folder: RunFolder, space: Space, config: RunConfig) -> RunCosts:
    """The costs of a run by the table that lies in its folder; nothing is measured.

    Args:
        folder: Of the run.
        space: Of the run.
        config: Of the run.

    Raises:
        LatencyError: Its table is broken, or missing where the goal needs it.
    """
    path = folder.path / TABLE_FILE
    has_table = path.is_file() or config.unit.is_measured
    table = LatencyTable.load(path, allow_other_host=True) if has_table else None
    return RunCosts.of(space, config.unit, table)


def range_text(costs: RunCosts, low: float, high: float, within: str = "") -> str:
    """What networks of a space have of a goal's quantity, and whether milliseconds are predicted.

    Args:
        costs: Of the space.
        low: Least.
        high: Greatest.
        within: What limits them, in words.
    """
    unit = costs.cost.unit
    span = f"{numbers.figure(unit, low)} to {numbers.figure(unit, high)}{within}."
    if costs.table is None:
        why = "; --table names one" if has_table(costs.space) else ", and number formats have none"
        return f"{span}\n{NO_TABLE}{why}."
    if not unit.is_measured:
        return span
    predicted = f"{low:.3f} to {high:.3f} ms predicted"
    return f"{predicted}{within}, {settings_text(costs.table.settings)}."
