"""A search by trials from what was asked for to its record: a new run, or one that goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from latency.errors import LatencyError
from nas.architecture import text as arch_text
from nas.data import Dataset
from nas.data.look import Looks, check_searchable
from nas.errors import InputError, SpaceError
from nas.executors.choice import check_executor
from nas.executors.executor import WORKERS_FOLDER
from nas.interface.asked import OnFolder, tell_nobody
from nas.interface.networks import network_for_images
from nas.interface.trials_config import AskedTrials, trials_config
from nas.interface.trials_resumed import changed_at_the_end, check_as_recorded
from nas.interface.usual_rate import with_usual_rate
from nas.pipeline.inputs import (
    SPACE_OF_LETTERS,
    check_fits,
    check_unchanged,
    keep_data,
    load_data,
    looks_of,
    plain_space_of,
    source_now,
)
from nas.pipeline.table import TABLE_FILE
from nas.pipeline.trial_candidates import grid_size
from nas.pipeline.trials import TrialsRun
from nas.pipeline.trials_check import check_trials
from nas.recipes.scales import Scale
from nas.runs.config import read_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TRIAL_METHODS, TrialsConfig
from nas.runs.trials_later import AskedLater, asked_now
from nas.runs.trials_record import TrialsRecord
from nas.search_space.bits import with_bits
from nas.search_space.files import load_blocks
from nas.search_space.knob_space import KnobSpace
from nas.search_space.named import any_space
from nas.search_space.space import Space
from nas.system.backend_check import check_late_packages, check_starts
from nas.system.console import err, out
from nas.system.interrupt import Interrupter
from nas.system.paths import own_path
from nas.system.program import go_on_command
from nas.tuning.study_files import check_optuna


def is_trials(options: Mapping[str, Any]) -> bool:
    """Whether options ask for a search by trials, or to go on with one.

    Args:
        options: As the flags of nas.py.

    Raises:
        InputError: The folder to go on with is no run's.
    """
    run_dir = options.get("run_dir")
    if options.get("resume") and run_dir:
        return isinstance(read_config(own_path(run_dir)), TrialsConfig)
    method = options.get("method")
    return method in TRIAL_METHODS and (method != "random" or "max_trials" in options)


def run_trials(
    asked: AskedTrials,
    run_dir: Path | None,
    interrupter: Interrupter,
    on_folder: OnFolder = tell_nobody,
) -> tuple[Path, TrialsRecord]:
    """Searches by trials, or goes on with such a search.

    Args:
        asked: What is asked for.
        run_dir: Folder of the run; None for a new one below `runs_folder()`.
        interrupter: Asked whether to stop.
        on_folder: Told the run's folder as soon as there is one.

    Returns:
        The run's folder, and what its trials came to.

    Raises:
        LatencyError: Bad input; a run that never began leaves no folder.
        Interrupted: A signal came; the state is saved.
    """
    asked.check()
    check_optuna()
    run_dir = run_dir and own_path(run_dir)
    is_new = not asked.options.get("resume")
    if is_new:
        asked = replace(asked, options=with_usual_rate(asked.options, asked.source))
    run = _begun(asked, run_dir, interrupter) if is_new else _resumed(asked, run_dir, interrupter)
    on_folder(run.folder.path)
    out.print(f"Run folder: {run.folder.path}", markup=False)
    try:
        with run.folder.alone():
            if not is_new:
                _keep_asked(run, asked.options)
            return run.folder.path, run.run()
    except LatencyError:
        path = run.folder.path
        if is_new and not run.folder.discard(*_unbegun(run)):
            err.print(f"Kept: {path}. Go on with: {go_on_command('search', path)}", markup=False)
        raise


def _keep_asked(run: TrialsRun, options: Mapping[str, Any]) -> None:
    """Writes down what is asked for anew, so that --resume alone goes on with it."""
    if any(one.name in options for one in fields(AskedLater)):
        run.folder.write(AskedLater.of(run.config))


def _unbegun(run: TrialsRun) -> tuple[str, ...]:
    """Files that hold nothing but what was asked, as long as no worker has begun."""
    config, folder = run.config, run.folder.path
    has_table = config.table is not None or config.sizes.measuring.uses_table_cache
    has_begun = any((folder / WORKERS_FOLDER).glob("*.log"))
    stored = [] if has_begun else [path.name for path in folder.glob("trials.*")]
    return (*stored, *((TABLE_FILE,) if has_table else ()))


def _begun(asked: AskedTrials, run_dir: Path | None, interrupter: Interrupter) -> TrialsRun:
    """A new run's folder with its configuration."""
    RunFolder.check_new(run_dir)
    options = asked.options
    load_blocks(options.get("blocks", ()))
    check_late_packages()
    sizes = Scale.fitting(asked.source.kind == "sample", bool(options.get("smoke")))
    network = None
    if "network" in options:
        network = network_for_images(options["network"], options, asked.source).architecture
        network.check_scores()
    # What is out of range is told before the minutes that images take.
    config = trials_config(asked, sizes, network)
    looks = looks_of(asked.source, sizes, config.seed)
    check_searchable(looks)
    if network is None and "space" not in options:
        fitting = plain_space_of(None, looks, config.bounds, config.bits)
        config = replace(config, space=fitting.name)
    space = trials_space(config, looks)
    if isinstance(space, KnobSpace):
        config = trials_config(asked, sizes, network, space)
    if config.method == "grid" and "max_trials" not in options:
        config = replace(config, max_trials=grid_size(config, space))
    check_trials(config, space, looks)
    check_starts(config.compute)
    check_executor(config.executor)
    dataset = load_data(asked.source, sizes, config.seed)
    check_searchable(Looks.of(dataset))  # without the images that were skipped
    config = replace(config, space_fingerprint=space.fingerprint())
    folder = RunFolder.create(run_dir, config, f"{space.name}-{config.method}")
    keep_data(folder, dataset)
    return TrialsRun(folder, space, dataset, asked.source, config, interrupter)


def _resumed(asked: AskedTrials, run_dir: Path | None, interrupter: Interrupter) -> TrialsRun:
    """The folder of a run that goes on."""
    if run_dir is None:
        raise InputError("--resume with --run_dir", "no --run_dir", "name the run's folder")
    folder = RunFolder.open(run_dir)
    began = read_config(run_dir)
    if not isinstance(began, TrialsConfig):
        raise InputError(
            "the folder of a search by trials", f"{run_dir}, of {began.kind!r}", "check --method"
        )
    config, options = asked_now(folder, began), asked.options
    if config.background_rate_hz is None:
        options = with_usual_rate(options, config.data)
    if "network" in options:
        options = {**options, "network": _network_now(options["network"], config, asked.source)}
    check_as_recorded(began, options)
    config = changed_at_the_end(config, options)
    load_blocks(config.blocks)
    check_late_packages()
    check_starts(config.compute)
    check_executor(config.executor)
    named = asked.source if asked.source.is_named else None
    source = source_now(config.data, named, {"verify_data": asked.source.verify_data})
    record = folder.read(DataRecord) if folder.has(DataRecord) else None
    dataset = load_data(source, config.sizes, config.seed, None, record)
    keep_data(folder, dataset)
    config.judged.check(dataset.evaluation.labels, dataset.class_names)
    space = trials_space(config, dataset)
    return TrialsRun(folder, space, dataset, source, config, interrupter)


def _network_now(value: str, config: TrialsConfig, named: DataSource) -> str:
    """What --network means beside the images of a run that goes on."""
    looked = {"image_size": config.data.image_size, "seed": config.seed}
    source = named if named.is_named else config.data
    return arch_text.to_text(network_for_images(value, looked, source).architecture)


def trials_space(config: TrialsConfig, images: Dataset | Looks) -> Space | KnobSpace:
    """The space that networks of a run come from.

    Args:
        config: Of the run.
        images: Of the run, that are there or were looked at.

    Raises:
        InputError: It is another one than the run began with.
    """
    if config.network is not None:
        network = arch_text.parse(config.network)
        check_fits(network, images, takes_any_classes=False)
        return Space("network", network.image_size, network.layers)
    space = any_space(config.space or SPACE_OF_LETTERS, images.image_size, images.num_classes)
    if config.bits is not None:
        space = with_bits(_places(space), config.bits)
    check_unchanged(space, config.space, config.space_fingerprint)
    return space


def _places(space: Space | KnobSpace) -> Space:
    """A space with a choice at each of its places, whose blocks may have bits of their own."""
    if isinstance(space, KnobSpace):
        raise SpaceError(
            "a space whose blocks choose their bits with --bits, such as --space tiny",
            f"space {space.name}, whose bits are knobs of it",
            "leave --bits out",
        )
    return space
