"""A comparison from what was asked for to its page: networks by one recipe, in one session."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency.errors import LatencyError
from nas.architecture import text as arch_text
from nas.data import Dataset
from nas.data.look import Looks
from nas.deployment.formats import AskedExports
from nas.errors import InputError
from nas.interface import rules
from nas.interface.asked import OnFolder, compute_of, tell_nobody
from nas.interface.asked_retraining import check_options, exports_gone_on_with, exports_of
from nas.interface.compared_parts import (
    AskedComparison,
    comparison_config,
    entries_of,
    images_asked,
    images_of,
    looks_at_images,
)
from nas.interface.compared_runs import (
    check_recipes,
    check_same_images,
    facts_of,
    options_of_runs,
)
from nas.interface.metric_options import judging_of
from nas.interface.named_networks import name_networks
from nas.interface.retrain_rules import RETRAIN_RULES
from nas.interface.stage_workers import checked_workers, stage_workers
from nas.interface.training_config import (
    check_schedule_file,
    check_training,
    new_training,
    training_config,
)
from nas.interface.training_parts import still_trains, teaching_of
from nas.interface.usual_rate import with_usual_rate
from nas.pipeline.before_images import check_before_images
from nas.pipeline.compare import Compared
from nas.pipeline.inputs import keep_data, load_data, looks_of, source_now
from nas.pipeline.orders import check_trains
from nas.runs.compared import ComparedCells, ComparedNetworks
from nas.runs.config import (
    NETWORKS_FOLDER,
    ComparisonConfig,
    ComparisonEntry,
    TrainingConfig,
    read_config,
)
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.search_space.files import load_blocks
from nas.selection.success_rate import check_goal
from nas.system import backend
from nas.system.backend_check import check_late_packages
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.paths import own_path


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
    options = with_usual_rate(asked.options, asked.source or DataSource())
    check_options(options)
    load_blocks(options.get("blocks", ()))
    named = name_networks(asked.words)
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
        check_trains(compute_of(options), {})
        checked_workers(options, source, asked.dataset)
    is_smoke = bool(options.get("smoke")) or any(
        read_config(facts.folder.path).is_smoke for facts in runs.values()
    )
    options = {**options_of_runs(runs), **options, **({"smoke": True} if is_smoke else {})}
    looks = looks_at_images(asked, options, source, runs) if to_train else None
    if looks is not None:
        size = looks.image_size
    entries = entries_of(named, runs, looks, size)
    for network in named:
        for note in network.notes(size):
            out.print(f"{network.name}: {note.removeprefix(f'{network.name} ')}", markup=False)
    config = comparison_config(asked, options, source, size, entries, runs)
    dataset = None
    if looks is not None:
        _check_new(config, options, looks)
        dataset = images_of(asked, options, source, runs)
    folder = RunFolder.create(run_dir, config, "compare")
    try:
        training = _training(folder, config, options, dataset)
    except LatencyError:
        folder.discard()
        raise
    on_folder(folder.path)
    return _compared(asked, folder, config, training, dataset, interrupter)


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
    options = with_usual_rate(asked.options, read_config(folder.path).data)
    asked = replace(asked, options=options)
    config = _begun(folder, options)
    exports_of(options).check()
    own = [entry for entry in config.networks if entry.run is None]
    _check_applies(options, trains=bool(own))
    on_folder(folder.path)
    dataset = None
    if own:
        if not folder.has(TrainingConfig):
            raise InputError(
                "a comparison that has begun", f"{folder.path} without its recipe", "begin another"
            )
        source = source_now(config.data, asked.source, options)
        checked_workers(options, source, asked.dataset)
        dataset = _images_again(asked, folder, config, own)
    with folder.alone():
        training = _training(folder, config, options, dataset)
        if options.get("restart"):
            shutil.rmtree(folder.path / NETWORKS_FOLDER, ignore_errors=True)
            for kind in (ComparedNetworks, ComparedCells):
                (folder.path / kind.FILE).unlink(missing_ok=True)
    return _compared(asked, folder, config, training, dataset, interrupter)


def _check_new(config: ComparisonConfig, options: Mapping[str, Any], looks: Looks) -> None:
    """Refuses what these images and networks do not allow, before any image is decoded."""
    networks = [arch_text.parse(entry.text) for entry in config.networks if entry.run is None]
    training = new_training(config, config.sizes, options, *networks)
    if training.recipe.distillation.teacher is not None:
        backend.start(training.compute, looks.image_size)  # which may have to run it
    judging = judging_of(options)
    check_before_images(lambda: looks, training.recipe, training.exports, judging)


def _images_again(
    asked: AskedComparison,
    folder: RunFolder,
    config: ComparisonConfig,
    own: Sequence[ComparisonEntry],
) -> Dataset:
    """The images of a comparison that goes on; what they do not allow is refused before."""
    options, record = asked.options, folder.read(DataRecord)
    source = source_now(config.data, asked.source, options)
    read_as = (source, config.sizes, config.seed, asked.dataset, record)
    networks = [arch_text.parse(entry.text) for entry in own]
    planned = check_training(folder, config, config.sizes, options, *networks)
    recipe = planned.recipe if _still_trains(folder, own, planned, options) else None
    if recipe is not None:
        check_schedule_file(planned)
    if recipe is not None and recipe.distillation.teacher is not None:
        backend.start(planned.compute, record.image_size)  # which may have to run it
    judging = judging_of(options)
    exports = _exports(options, planned, folder, own)
    exports.check()
    check_before_images(lambda: looks_of(*read_as), recipe, exports, judging)
    return load_data(*read_as)


def _exports(
    options: Mapping[str, Any],
    training: TrainingConfig,
    folder: RunFolder,
    own: Sequence[ComparisonEntry],
) -> AskedExports:
    """The files that are to be made of the networks that a comparison trains."""
    folders = [RunFolder(entry.folder_in(folder.path)) for entry in own]
    return exports_gone_on_with(options, training.exports, folders)


def _still_trains(
    folder: RunFolder,
    own: Sequence[ComparisonEntry],
    planned: TrainingConfig,
    options: Mapping[str, Any],
) -> bool:
    folders = (RunFolder(entry.folder_in(folder.path)) for entry in own)
    restart = rules.says(options, "restart")
    return any(still_trains(one, planned, (), restart) for one in folders)


def _begun(folder: RunFolder, options: Mapping[str, Any]) -> ComparisonConfig:
    """What a comparison was asked for; options that it cannot have are refused."""
    rules.check(options, RETRAIN_RULES)
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


def is_whole(folder: RunFolder) -> bool:
    """Whether a comparison has all networks that it was asked for.

    Args:
        folder: Of a comparison that came to its end.
    """
    config = read_config(folder.path)
    found = folder.read(ComparedNetworks)
    return isinstance(config, ComparisonConfig) and len(found.networks) == len(config.networks)


def _compared(
    asked: AskedComparison,
    folder: RunFolder,
    config: ComparisonConfig,
    training: TrainingConfig | None,
    dataset: Dataset | None,
    interrupter: Interrupter,
) -> Path:
    teaching, workers, exports = None, None, AskedExports()
    with folder.alone():
        out.print(f"Comparison: {folder.path}", markup=False)
        if training is not None and dataset is not None:
            check_late_packages()
            backend.start(training.compute, dataset.image_size)
            own = [entry for entry in config.networks if entry.run is None]
            teaching = teaching_of(training, dataset, _still_trains(folder, own, training, {}))
            source = source_now(config.data, asked.source, asked.options)
            exports = _exports(asked.options, training, folder, own)
            recipe = training.recipe
            workers = stage_workers(asked.options, folder, source, config, recipe, interrupter)
        made = Compared(folder, config, training, dataset, interrupter, teaching, exports, workers)
        made.run()
    return folder.path
