"""A comparison from what was asked for to its page: networks by one recipe, in one session."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency.errors import LatencyError
from nas.data import Dataset
from nas.deployment.formats import AskedExports
from nas.errors import InputError
from nas.interface import rules
from nas.interface.asked import OnFolder, compute_of, tell_nobody
from nas.interface.compared_parts import (
    AskedComparison,
    comparison_config,
    entries_of,
    images_asked,
    images_of,
)
from nas.interface.compared_runs import (
    check_recipes,
    check_same_images,
    facts_of,
    options_of_runs,
)
from nas.interface.named_networks import name_networks
from nas.interface.retraining import check_options, exports_of
from nas.interface.training_config import training_config
from nas.pipeline.compare import Compared
from nas.pipeline.inputs import keep_data, load_data, source_now
from nas.runs.compared import ComparedCells, ComparedNetworks
from nas.runs.config import (
    NETWORKS_FOLDER,
    ComparisonConfig,
    TrainingConfig,
    read_config,
)
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.records import TrainedRecord
from nas.search_space.files import load_blocks
from nas.selection.success_rate import check_goal
from nas.system import backend
from nas.system.backend_check import check_late_packages, check_starts
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.paths import own_path

if TYPE_CHECKING:
    from nas.pipeline.teaching import Teaching


def run_comparison(
    asked: AskedComparison,
    run_dir: Path | None,
    interrupter: Interrupter,
    on_folder: OnFolder = tell_nobody,
) -> Path:
    """Trains what is not trained, measures all networks together and writes the comparison.

    Args:
        asked: What is asked for, with words.
        run_dir: Folder of the comparison; None for a new one below `runs_folder()`.
        interrupter: Asked whether to stop.
        on_folder: Told the folder as soon as there is one.

    Returns:
        The folder.

    Raises:
        LatencyError: Bad input.
        Interrupted: A signal came; the state is saved.
    """
    options = asked.options
    check_options(options)
    load_blocks(options.get("blocks", ()))
    named = name_networks(asked.words, options.get("image_size"))
    if len(named) < 2:
        raise InputError(
            "two networks or more to compare", ", ".join(asked.words) or "none", "name another one"
        )
    runs = {network.name: facts_of(network.run) for network in named if network.run is not None}
    check_same_images(runs)
    run_dir = own_path(run_dir) if run_dir else None
    RunFolder.check_new(run_dir)
    to_train = [n for n in named if n.name not in runs or runs[n.name].certificate is None]
    _check_applies(options, trains=bool(to_train))
    source, size = images_asked(asked, runs, named)
    if to_train:
        check_recipes(runs, options, to_train)
        check_starts(compute_of(options))
    is_smoke = bool(options.get("smoke")) or any(
        read_config(facts.folder.path).is_smoke for facts in runs.values()
    )
    options = {**options_of_runs(runs), **options, **({"smoke": True} if is_smoke else {})}
    dataset = images_of(asked, options, source, runs) if to_train else None
    if dataset is not None:
        size = dataset.image_size
    entries = entries_of(named, runs, dataset, size)
    for note in (text for network in named for text in network.notes(size)):
        out.print(note, markup=False)
    config = comparison_config(asked, options, source, size, entries, runs)
    folder = RunFolder.create(run_dir, config, "compare")
    try:
        training = _training(folder, config, options, dataset)
    except LatencyError:
        folder.discard()
        raise
    on_folder(folder.path)
    return _compared(folder, config, training, dataset, exports_of(options), interrupter)


def go_on_with_comparison(
    asked: AskedComparison,
    folder: RunFolder,
    interrupter: Interrupter,
    on_folder: OnFolder = tell_nobody,
) -> Path:
    """Goes on with a comparison, or measures a finished one again.

    Args:
        asked: Without words.
        folder: Of the comparison.
        interrupter: Asked whether to stop.
        on_folder: Told the folder.

    Returns:
        The folder.

    Raises:
        LatencyError: Bad input.
        Interrupted: A signal came; the state is saved.
    """
    options = asked.options
    config = _begun(folder, options)
    exports_of(options).check()
    own = [entry for entry in config.networks if entry.run is None]
    _check_applies(options, trains=bool(own))
    on_folder(folder.path)
    dataset = training = None
    if own:
        if not folder.has(TrainingConfig):
            raise InputError(
                "a comparison that has begun", f"{folder.path} without its recipe", "begin another"
            )
        record = folder.read(DataRecord)
        source = source_now(config.data, asked.source, options)
        dataset = load_data(source, config.sizes, config.seed, asked.dataset, record)
    with folder.alone():
        training = _training(folder, config, options, dataset)
        if options.get("restart"):
            shutil.rmtree(folder.path / NETWORKS_FOLDER, ignore_errors=True)
            for kind in (ComparedNetworks, ComparedCells):
                (folder.path / kind.FILE).unlink(missing_ok=True)
    return _compared(folder, config, training, dataset, exports_of(options), interrupter)


def _begun(folder: RunFolder, options: Mapping[str, Any]) -> ComparisonConfig:
    """What a comparison was asked for; options that it cannot have are refused."""
    rules.check(options, rules.RETRAIN_RULES)
    for name in ("baselines", "largest", "inherit"):
        if rules.says(options, name):
            raise InputError(
                f"--{name} with one run", f"{folder.path}, a comparison", f"leave --{name} out"
            )
    config = read_config(folder.path)
    if not isinstance(config, ComparisonConfig):
        raise InputError("the folder of a comparison", f"{folder.path}", "check --run")
    load_blocks(config.blocks)
    if rules.says(options, "smoke") and not config.is_smoke:
        raise InputError(
            "--smoke as the comparison began", "--smoke", "leave it out, or begin another one"
        )
    if "goal_top1" in options:
        check_goal(options["goal_top1"])
        config = replace(config, goal_top1=options["goal_top1"])
    for entry in config.networks:
        if entry.run is not None:
            facts_of(Path(entry.run))
    return config


# What says something of a comparison in which nothing is trained.
OF_TRAINED_RUNS = ("compare", "run", "run_dir", "blocks", "goal_top1", "smoke", "help")


def _check_applies(options: Mapping[str, Any], trains: bool) -> None:
    """Refuses options of trainings where all networks are trained already."""
    for name in options:
        if not trains and rules.says(options, name) and name not in OF_TRAINED_RUNS:
            raise InputError(
                f"--{name} with a network that is to be trained",
                "runs that are all trained",
                f"leave --{name} out, or name another network",
            )


def _training(
    folder: RunFolder,
    config: ComparisonConfig,
    options: Mapping[str, Any],
    dataset: Dataset | None,
) -> TrainingConfig | None:
    """The images and the recipe of a comparison, written down; None where nothing is trained."""
    if dataset is None:
        return None
    keep_data(folder, dataset)
    return training_config(folder, config, config.sizes, options)


def is_comparison(folder: RunFolder) -> bool:
    """Whether a run folder is that of a comparison.

    Args:
        folder: Of the run.
    """
    return isinstance(read_config(folder.path), ComparisonConfig)


def _compared(
    folder: RunFolder,
    config: ComparisonConfig,
    training: TrainingConfig | None,
    dataset: Dataset | None,
    exports: AskedExports,
    interrupter: Interrupter,
) -> Path:
    teaching = None
    with folder.alone():
        out.print(f"Comparison: {folder.path}", markup=False)
        if training is not None and dataset is not None:
            check_late_packages()
            backend.start(training.compute, dataset.image_size)
            teaching = _teaching(folder, config, training, dataset)
        Compared(folder, config, training, dataset, interrupter, teaching, exports).run()
    return folder.path


def _teaching(
    folder: RunFolder, config: ComparisonConfig, training: TrainingConfig, dataset: Dataset
) -> Teaching | None:
    """The teacher of trainings that are still to come; None where there is none."""
    if training.recipe.distillation.teacher is None:
        return None
    from nas.pipeline.teaching import teaching_for

    last_seed = training.seed + training.seeds - 1
    key = TrainedRecord.key("searched", last_seed, training.seed)
    own = [RunFolder(e.folder_in(folder.path)) for e in config.networks if e.run is None]
    if all(one.has(TrainedRecord, name=key) for one in own):
        return None
    return teaching_for(training.recipe, dataset)
