"""The latency table of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency.tables.table import LatencyTable
from nas.hardware.tables import table_for
from nas.pipeline.inputs import scale_of
from nas.runs.folder import RunFolder
from nas.search_space.space import Space
from nas.system.console import out


def run_table(
    folder: RunFolder, space: Space, config: Mapping[str, Any], given: Path | None = None
) -> LatencyTable:
    """The table of a run folder; found or measured, and kept there, if it has none yet.

    Args:
        folder: Of the run.
        space: Whose rows it must hold.
        config: The run's configuration.
        given: A table that comes before `--table`, as the runs of a sweep share one.
    """
    path = folder.path / "table.json"
    asked = Path(config["table"]) if config["table"] else None
    table = table_for(
        space,
        given=path if path.is_file() else given or asked,
        other_host=config["device"] is not None,
        run_dir=folder.path,
        seed=config["seed"],
        plans=scale_of(config).measuring,
    )
    if not path.is_file():
        table.save(path)
        audit = table.audit
        if audit is not None:
            out.print(
                f"Table: {len(table.rows)} rows; on {audit.n} held-out networks "
                f"{audit.within_5_percent:.0%} within 5 %, mean error "
                f"{audit.mape_percent:.1f} % (noise floor {audit.noise['mape_percent']:.1f} %)."
            )
    return table
