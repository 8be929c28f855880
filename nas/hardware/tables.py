"""The latency table of a run: given, cached for this host, or measured now."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from latency.device.cache_folder import cache_folder
from latency.device.host import Host, current_host
from latency.device.settings import SessionSettings
from latency.jobs.job import Job
from latency.outputs import check_output_folder
from latency.tables.storage import SCHEMA_VERSION
from latency.tables.table import LatencyTable
from nas.errors import InputError
from nas.hardware.jobs import build_space_table, space_job
from nas.hardware.plans import MeasuringPlans
from nas.search_space.space import Space
from nas.system.console import bar, out
from nas.system.paths import no_file

# What a run measures and certifies its networks with, and therefore what its table has to be of.
DEPLOYED = SessionSettings()
# Rounds of a measurement in the folder of the run that makes it.
JOURNAL_FILE = "table.journal"


def load_table(path: Path, space: Space, precision: str, other_host: bool) -> LatencyTable:
    """Reads a table and refuses one of another space, or of settings that the run does not have.

    Another device runs networks as its table was measured, whatever that is: nothing is certified
    for it here.

    Args:
        path: Of the table's file.
        space: Whose rows it must hold.
        precision: That networks are deployed in.
        other_host: Whether a table of another device is wanted.

    Raises:
        LatencyError: A table of something else, or a broken file.
    """
    if not path.is_file():
        raise InputError("a latency table", no_file(path), "check --table")
    table = LatencyTable.load(
        path,
        space=space.name,
        space_hash=space.fingerprint(),
        image_size=space.image_size,
        precision=precision,
        scheme="",
        batch=1,
        provider=DEPLOYED.provider,
        settings=None if other_host else DEPLOYED,
        allow_other_host=other_host,
    )
    for warning in table.load_warnings:
        out.print(f"Note on {path.name}: {warning}")
    return table


def table_for(
    space: Space,
    *,
    given: Path | None,
    other_host: bool,
    run_dir: Path,
    seed: int,
    plans: MeasuringPlans,
) -> LatencyTable:
    """The table that a run uses on this host.

    Args:
        space: Whose rows it must hold.
        given: `--table`; None for this host's cache.
        other_host: Whether a table of another device is wanted.
        run_dir: Where the journal of a measurement is kept, so that it resumes. Whoever keeps the
            table removes it afterwards; until then the same table can be made of it.
        seed: Of the measurement.
        plans: Rounds and networks of the measurement, and whether the cache is used.
    """
    precision = "fp32"
    if given is not None:
        return load_table(given, space, precision, other_host)
    cached = default_table_path(space, precision, current_host())
    if cached.is_file() and plans.uses_table_cache:
        out.print(f"Latency table of this host from the cache: {cached}")
        return load_table(cached, space, precision, other_host)
    if plans.uses_table_cache:
        check_output_folder(cached.parent, "the cache of tables ($STOPWATCH_CACHE)")
    with bar("Measuring the latency table") as progress:
        table = build_space_table(
            space,
            settings=DEPLOYED,
            plan=replace(plans.table, seed=seed),
            calibration=plans.calibration_networks,
            held_out=plans.held_out_networks,
            seed=seed,
            progress=lambda done, total, seconds: progress.update(
                done, total, note=f"{seconds:.0f} s left"
            ),
            resume_path=run_dir / JOURNAL_FILE,
        )
    if plans.uses_table_cache:
        cached.parent.mkdir(parents=True, exist_ok=True)
        table.save(cached)
    return table


def table_job(space: Space, seed: int, plans: MeasuringPlans) -> Job:
    """What is measured for a table of another device.

    Args:
        space: Whose rows it must hold.
        seed: Of the measurement.
        plans: Rounds and networks of the measurement.
    """
    return space_job(
        space,
        settings=DEPLOYED,
        plan=plans.table,
        calibration=plans.calibration_networks,
        held_out=plans.held_out_networks,
        seed=seed,
    )


def default_table_path(
    space: Space,
    precision: str,
    host: Host,
    settings: SessionSettings = DEPLOYED,
    batch: int = 1,
    scheme: str = "",
    is_toy: bool = False,
) -> Path:
    """Where this host's table of a space is kept: $STOPWATCH_CACHE or ~/.cache/stopwatch-nas.

    Args:
        space: Whose rows the table holds.
        precision: Of the networks.
        host: That measured.
        settings: Of the sessions.
        batch: Images in one run.
        scheme: How int8 is made; empty for other precisions.
        is_toy: Whether the table is of toy size, so that no search may find it.
    """
    parts = [space.name, f"{space.image_size}px", precision, space.fingerprint()]
    parts += [host.fingerprint, f"v{SCHEMA_VERSION}"]
    # Only the plainest settings go without a mark of their own: they are what searches use.
    if (batch, scheme, settings) != (1, "", DEPLOYED):
        plain = json.dumps([batch, scheme, settings.to_json()], sort_keys=True)
        parts.append(hashlib.sha256(plain.encode()).hexdigest()[:8])
    if is_toy:
        parts.append("toy")
    return cache_folder() / "tables" / f"{'-'.join(parts)}.json"
