"""A search from what was asked for to its certificate: a new run, or one that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency.errors import LatencyError
from nas.cost.constraints import Bounds, quantities
from nas.data import Dataset
from nas.data.look import Looks, check_searchable
from nas.errors import InputError
from nas.hardware.measurable import check_measurable
from nas.interface.asked import (
    BOUNDS,
    AskedSearch,
    OnFolder,
    bits_of,
    check_resumed,
    compute_of,
    search_config,
    tell_nobody,
)
from nas.interface.rules import trains_something
from nas.interface.stage_workers import checked_workers, stage_workers
from nas.layers.draw import check_threshold
from nas.methods.registry import METHODS
from nas.pipeline.inputs import (
    check_unchanged,
    keep_data,
    load_data,
    looks_of,
    plain_space_of,
    recipe_of,
    source_now,
    space_of,
)
from nas.pipeline.lending import lending_run
from nas.pipeline.search import SearchRun
from nas.pipeline.sweep import SweepRun
from nas.pipeline.table import TABLE_FILE
from nas.recipes.scales import Scale
from nas.runs.config import RunConfig, read_search_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.records import SupernetScore
from nas.search_space.bits import with_bits
from nas.search_space.files import load_blocks
from nas.search_space.space import Space
from nas.selection.contradictions import check_bounds
from nas.system.backend_check import check_late_packages, check_starts
from nas.system.console import err, out
from nas.system.interrupt import Interrupter
from nas.system.paths import own_path
from nas.system.program import go_on_command


def run_search(
    asked: AskedSearch,
    run_dir: Path | None,
    interrupter: Interrupter,
    on_folder: OnFolder = tell_nobody,
) -> tuple[Path, Outcome]:
    """Searches, or goes on with a search.

    Args:
        asked: What is asked for.
        run_dir: Folder of the run; None for a new one below `runs_folder()`.
        interrupter: Asked whether to stop.
        on_folder: Told the run's folder as soon as there is one.

    Returns:
        The run's folder, and what it came to.

    Raises:
        LatencyError: Bad input; a run that never began leaves no folder.
        Interrupted: A signal came; the state is saved.
    """
    run_dir = run_dir and own_path(run_dir)
    if asked.options.get("resume"):
        folder, config, dataset = _resumed(asked, run_dir)
        return folder.path, _stages(asked, folder, config, dataset, interrupter, on_folder)
    folder, config, dataset = _begun(asked, run_dir)
    try:
        return folder.path, _stages(asked, folder, config, dataset, interrupter, on_folder)
    except LatencyError:
        # A table or target that cannot be used: the run that it was meant for never began. A table
        # that was given or lies in the cache is not lost with the run's copy of it.
        has_table = config.table is not None or config.sizes.measuring.uses_table_cache
        if not folder.discard(*((TABLE_FILE,) if has_table else ())):
            err.print(f"Kept: {folder.path}. Go on with: {go_on_command('search', folder.path)}")
        raise


def _begun(asked: AskedSearch, run_dir: Path | None) -> tuple[RunFolder, RunConfig, Dataset]:
    """A new run's folder with its configuration, and the images."""
    asked.check()
    RunFolder.check_new(run_dir)
    options = asked.options
    bits = bits_of(options)
    load_blocks(options.get("blocks", ()))
    _check_paths(options)
    sizes = Scale.fitting(asked.source.kind == "sample", bool(options.get("smoke")))
    seed = options.get("seed", 0)
    # Images take minutes to decode: what cannot be searched is told before.
    looks = looks_of(asked.source, sizes, seed, asked.dataset)
    check_searchable(looks)
    bounds = Bounds(**{name: options[name] for name in BOUNDS if name in options})
    plain = plain_space_of(options.get("space"), looks, bounds, bits)
    name = options.get("space") or plain.name
    config = search_config(asked, name, looks.is_sample, recipe_of(name, looks))
    space = with_bits(plain, bits)
    _check_gates(space, config)
    if config.unit.is_measured or config.table is not None or config.device is not None:
        check_measurable(space)
    check_bounds(space.name, quantities(space, config.bounds))
    config = replace(config, space_fingerprint=space.fingerprint())
    check_late_packages()
    if trains_something(options):
        check_starts(compute_of(options))
    checked_workers(options, asked.source, asked.dataset)
    dataset = load_data(asked.source, sizes, seed, asked.dataset)
    check_searchable(Looks.of(dataset))  # without the images that were skipped
    goal = "sweep" if config.is_sweep else config.goal.label
    folder = RunFolder.create(run_dir, config, f"{space.name}-{goal}")
    keep_data(folder, dataset)
    return folder, config, dataset


def _check_paths(options: Mapping[str, Any]) -> None:
    """Refuses files that are not there before the minutes that images take."""
    if "supernet" in options:
        lending_run(own_path(options["supernet"]))
    table = options.get("table")
    if table is not None and not own_path(table).is_file():
        raise InputError("a latency table", f"{table}, which is no file", "correct --table")


def _resumed(asked: AskedSearch, run_dir: Path | None) -> tuple[RunFolder, RunConfig, Dataset]:
    """The folder and configuration of a run that goes on, and its images."""
    if run_dir is None:
        raise InputError("--resume with --run_dir", "no --run_dir", "name the run's folder")
    folder = RunFolder.open(run_dir)
    config = check_resumed(read_search_config(run_dir), asked)
    load_blocks(config.blocks)
    check_late_packages()
    if still_trains(folder, config):
        check_starts(config.compute)
    source = _source(asked, config)
    if checked_workers(asked.options, source, asked.dataset) is not None:
        _check_has_parts(config)
    record = folder.read(DataRecord) if folder.has(DataRecord) else None
    dataset = load_data(source, config.sizes, config.seed, asked.dataset, record)
    keep_data(folder, dataset)
    return folder, config, dataset


def _source(asked: AskedSearch, config: RunConfig) -> DataSource:
    """The images of a run, at the place where they are now."""
    named = asked.source if asked.source.is_named else None
    return source_now(config.data, named, {"verify_data": asked.source.verify_data})


def _check_has_parts(config: RunConfig) -> None:
    """Refuses workers for a search of which they can do nothing."""
    trains = METHODS[config.search.method].trains_supernet and config.supernet is None
    measures = config.device is not None and config.table is None
    if not trains and config.race is None and not measures:
        raise InputError(
            "workers for a search that trains a supernet or runs a race",
            f"one by {config.search.method} without either",
            "leave the flags of workers out",
        )


def still_trains(folder: RunFolder, config: RunConfig) -> bool:
    """Whether a run has stages before it that need a framework.

    Args:
        folder: Of the run.
        config: Of the run.
    """
    if config.is_sweep:
        below = {goal: RunFolder(folder.path / goal.label) for goal in config.goals}
        return any(still_trains(one, replace(config, goals=(g,))) for g, one in below.items())
    if METHODS[config.search.method].trains_supernet:
        return not folder.has(SupernetScore)
    return config.race is not None and not folder.has("architecture.json")


def _stages(
    asked: AskedSearch,
    folder: RunFolder,
    config: RunConfig,
    dataset: Dataset,
    interrupter: Interrupter,
    on_folder: OnFolder,
) -> Outcome:
    """Everything of a search or a sweep, and what it came to."""
    on_folder(folder.path)
    out.print(f"Run folder: {folder.path}", markup=False)
    space = space_of(config.space, dataset, bits=config.bits)
    check_unchanged(space, config.space, config.space_fingerprint)
    _check_gates(space, config)
    source = _source(asked, config)
    workers = stage_workers(asked.options, folder, source, config, config.recipe, interrupter)
    with folder.alone():
        if config.is_sweep:
            return SweepRun(folder, space, dataset, config, interrupter, workers).run()
        return SearchRun(folder, space, dataset, config, interrupter, workers).run().outcome


def _check_gates(space: Space, config: RunConfig) -> None:
    """Refuses a form of gates that has none for the space's decisions."""
    if config.search.gates.form == "threshold":
        check_threshold(decision.name for decision in space.tables.decisions)
