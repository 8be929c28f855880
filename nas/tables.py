"""The latency table of a run: given, cached for this host, or measured now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency.host import current_host
from latency.session import SessionSettings
from latency.table import LatencyTable
from nas import settings
from nas.console import bar, out
from nas.errors import InputError
from nas.runs import RunFolder
from nas.runtime import build_space_table, default_table_path
from nas.space import Space


def load_table(path: Path, space: Space, precision: str, other_host: bool) -> LatencyTable:
    """Reads a table and refuses one that is not this space's.

    Raises:
        ValueError: Another space, image size, precision, provider or host, or a broken file.
    """
    if not path.is_file():
        raise InputError("a latency table", f"{path}, which does not exist", "check --table")
    table = LatencyTable.load(
        path,
        space=space.name,
        space_hash=space.fingerprint(),
        image_size=space.image_size,
        precision=precision,
        batch=1,
        provider="CPUExecutionProvider",
        allow_other_host=other_host,
    )
    for warning in table.load_warnings:
        out.print(f"Note on {path.name}: {warning}")
    return table


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
        smoke=config["smoke"],
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


def table_for(
    space: Space,
    *,
    given: Path | None,
    other_host: bool,
    run_dir: Path,
    seed: int,
    smoke: bool,
) -> LatencyTable:
    """The table that a run uses.

    Args:
        space: Whose rows it must hold.
        given: `--table`; None for this host's cache.
        other_host: Whether a table of another device is wanted.
        run_dir: Where the journal of a measurement is kept, so that it resumes.
        seed: Of the measurement.
        smoke: Toy size: few rounds, kept out of the cache.
    """
    precision = "fp32"
    if given is not None:
        return load_table(given, space, precision, other_host)
    cached = default_table_path(space, precision, current_host())
    if cached.is_file() and not smoke:
        out.print(f"Latency table of this host from the cache: {cached}")
        return load_table(cached, space, precision, other_host)
    journal = run_dir / "table.journal"
    with bar("Measuring the latency table") as progress:
        table = build_space_table(
            space,
            settings=SessionSettings(),
            plan=settings.table_plan(seed, smoke),
            calibration=4 if smoke else settings.CALIBRATION_NETWORKS,
            held_out=4 if smoke else settings.HELD_OUT_NETWORKS,
            seed=seed,
            progress=lambda done, total, seconds: progress.update(
                done, total, note=f"{seconds:.0f} s left"
            ),
            resume_path=journal,
        )
    if not smoke:
        cached.parent.mkdir(parents=True, exist_ok=True)
        table.save(cached)
    journal.unlink(missing_ok=True)
    return table
