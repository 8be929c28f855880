"""A retraining from what was asked for to its certificate: of a run, a sweep or a given network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from latency.errors import LatencyError
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.cost.units import MILLISECONDS
from nas.data import Dataset
from nas.data.look import Looks
from nas.deployment.formats import AskedExports
from nas.errors import InputError
from nas.hardware.measurement import KnownNetworks
from nas.interface import rules
from nas.interface.asked import OnFolder, given_network_config, tell_nobody
from nas.interface.asked_retraining import (
    AskedRetraining,
    check_image_size,
    check_options,
    exports_gone_on_with,
)
from nas.interface.fronts import AskedFront, retrain_front
from nas.interface.metric_options import judging_of
from nas.interface.stage_workers import checked_workers, stage_workers
from nas.interface.training_config import (
    check_schedule_file,
    check_training,
    new_training,
    rate_words,
    said_again,
    training_config,
)
from nas.interface.training_parts import (
    architecture_of,
    baselines_of,
    known_networks,
    sizes_of,
    still_trains,
    teaching_of,
    with_classes,
)
from nas.interface.usual_rate import lacks_rate, with_usual_rate
from nas.pipeline.before_images import check_before_images
from nas.pipeline.inherit import Weights, check_inherits, inherited_weights
from nas.pipeline.inputs import check_fits, keep_data, load_data, looks_of, source_now
from nas.pipeline.orders import check_trains
from nas.runs.config import AnyConfig, RunConfig, TrainingConfig, read_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.outcome import Outcome
from nas.runs.records import ComparedNetwork, Comparison
from nas.selection.goals import ResolvedTarget
from nas.system import backend
from nas.system.backend_check import check_late_packages
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.paths import own_path
from nas.system.program import command_line
from nas.training.recipe import Recipe

if TYPE_CHECKING:
    from nas.pipeline.retrain import RetrainRun
    from nas.pipeline.stage_workers import StageWorkers
    from nas.pipeline.teaching import Teaching


def run_retraining(
    asked: AskedRetraining,
    run_dir: Path | None,
    interrupter: Interrupter,
    on_folder: OnFolder = tell_nobody,
) -> tuple[Path, Outcome]:
    """Trains, exports, measures and certifies one network, or every network of a sweep.

    Args:
        asked: What is asked for.
        run_dir: Folder for a network that was given; None for a new one below `runs_folder()`.
        interrupter: Asked whether to stop.
        on_folder: Told the run's folder as soon as there is one.

    Returns:
        The run's folder, and what it came to.

    Raises:
        LatencyError: Bad input.
        Interrupted: A signal came; the state is saved.
    """
    asked = _with_rate(asked)
    check_options(asked.options)
    if asked.architecture is not None:
        folder = _begun(asked, asked.architecture, run_dir)
    else:
        folder = RunFolder.open(own_path(asked.run)) if asked.run else RunFolder.newest()
    try:
        return folder.path, _retrained(asked, folder, interrupter, on_folder)
    except LatencyError:
        # Images that cannot be used: the run that they were meant for never began.
        if asked.architecture is not None:
            folder.discard("architecture.json")
        raise


def _with_rate(asked: AskedRetraining) -> AskedRetraining:
    """The same with the background rate of the sample, where a metric lacks one."""
    if not lacks_rate(asked.options):
        return asked
    source = asked.source or DataSource()
    if asked.source is None and asked.architecture is None:
        folder = RunFolder.open(own_path(asked.run)) if asked.run else RunFolder.newest()
        source = read_config(folder.path).data
    return replace(asked, options=with_usual_rate(asked.options, source))


def _retrained(
    asked: AskedRetraining, folder: RunFolder, interrupter: Interrupter, on_folder: OnFolder
) -> Outcome:
    config = read_config(folder.path)
    source = source_now(config.data, asked.source, asked.options)
    checked_workers(asked.options, source, asked.dataset)
    with folder.alone():
        if isinstance(config, RunConfig) and config.is_sweep:
            _refuse_rates(asked, folder)
            return _sweep(asked, folder, config, interrupter, on_folder)
        return _one(asked, folder, config, interrupter, on_folder)


def _refuse_rates(asked: AskedRetraining, sweep: RunFolder) -> None:
    if "processes" in asked.options:
        raise InputError(
            "--processes with one network",
            f"the sweep {sweep.path}",
            "name one of the folders below it",
        )
    if rules.says(asked.options, "find_learning_rate"):
        raise InputError(
            "--find_learning_rate with one network",
            f"the sweep {sweep.path}",
            "name one of the folders below it",
        )


def _begun(asked: AskedRetraining, architecture: Architecture, run_dir: Path | None) -> RunFolder:
    """The new folder of a network that was given, once it is known that it can be built."""
    check_image_size(asked.options, architecture)
    # Layers that do not fit each other, or none that scores the classes, however many there are.
    architecture_cost(architecture.with_num_classes(2))
    run_dir = run_dir and own_path(run_dir)
    RunFolder.check_new(run_dir)
    source = asked.source or DataSource()
    config = given_network_config(asked.options, source, asked.command, architecture.image_size)
    training = new_training(config, config.sizes, asked.options, architecture)
    looks = looks_of(config.data, config.sizes, config.seed, asked.dataset)
    check_fits(architecture, looks, takes_any_classes=True)
    check_trains(training.compute, {"--batch_size": training.recipe.batch_size})
    if training.recipe.distillation.teacher is not None:
        backend.start(training.compute, architecture.image_size)  # which may have to run it
    judging = judging_of(asked.options)
    check_before_images(lambda: looks, training.recipe, training.exports, judging)
    is_plain = re.fullmatch(r"[\w.@-]{1,60}", architecture.name)
    folder = RunFolder.create(run_dir, config, architecture.name if is_plain else "arch")
    folder.write_json("architecture.json", arch_text.to_json(architecture))
    for note in asked.notes:
        out.print(f"Network: {note}", markup=False)
    return folder


def _sweep(
    asked: AskedRetraining,
    sweep: RunFolder,
    config: RunConfig,
    interrupter: Interrupter,
    on_folder: OnFolder,
) -> Outcome:
    """Every network of a sweep, and further ones between them."""

    def check(planned: TrainingConfig, trains: bool, record: DataRecord | None) -> None:
        folders = [RunFolder(sweep.path / goal.label) for goal in config.goals]
        exports = exports_gone_on_with(asked.options, planned.exports, folders)
        _check_images(asked, config, record, planned.recipe if trains else None, exports)

    def load(record: DataRecord | None) -> Dataset:
        return _load(asked, config, record)

    def begin(folder: RunFolder, dataset: Dataset, training: TrainingConfig) -> RetrainRun:
        # Networks beside each of so many are trained where they are asked for, and only there.
        wanted = rules.says(asked.options, "baselines") and folder.has(Comparison)
        others = baselines_of(folder, asked.options, sizes) if wanted else ()
        trains = still_trains(folder, training, others)
        if not teachers and (found := teaching_of(training, dataset, trains)) is not None:
            teachers.append(found)
        teaching = teachers[0] if teachers else None
        return _run_of(asked, folder, dataset, training, others, interrupter, teaching)

    def known(dataset: Dataset) -> KnownNetworks | None:
        return known_networks(sweep, config, sizes, dataset)

    def workers(training: TrainingConfig) -> StageWorkers | None:
        return _workers(asked, sweep, config, training, interrupter)

    sizes = sizes_of(config, asked.options)
    teachers: list[Teaching] = []  # one for all networks, which may be large
    request = AskedFront(asked.options, sizes, check, load, begin, known, workers, asked.command)
    return retrain_front(request, sweep, config, interrupter, on_folder)


def _load(asked: AskedRetraining, config: AnyConfig, record: DataRecord | None) -> Dataset:
    """The images of a run, of its own size: `--smoke` shortens a training and changes no image."""
    source = source_now(config.data, asked.source, asked.options)
    return load_data(source, config.sizes, config.seed, asked.dataset, record)


def _check_images(
    asked: AskedRetraining,
    config: AnyConfig,
    record: DataRecord | None,
    recipe: Recipe | None,
    exports: AskedExports,
) -> None:
    """Refuses what these images do not allow, before any of them is decoded."""

    def look() -> Looks:
        source = source_now(config.data, asked.source, asked.options)
        return looks_of(source, config.sizes, config.seed, asked.dataset, record)

    exports.check()
    check_before_images(look, recipe, exports, judging_of(asked.options))


def _one(
    asked: AskedRetraining,
    folder: RunFolder,
    config: AnyConfig,
    interrupter: Interrupter,
    on_folder: OnFolder,
) -> Outcome:
    """Retrains the network of a run; what it came to."""
    if "networks" in asked.options:
        raise InputError(
            "--networks with the folder of a sweep",
            f"{folder.path}, a run of one network",
            f"leave it out, or search several goals at once: {command_line('search')} "
            "--target_ms 25%,50%,75%",
        )
    architecture = architecture_of(folder)
    check_image_size(asked.options, architecture)
    sizes = sizes_of(config, asked.options)
    finds_rate = rules.says(asked.options, "find_learning_rate")
    # Rates are tried for a training that is still to begin.
    anew = {**asked.options, "restart": True} if finds_rate else asked.options
    planned = check_training(folder, config, sizes, anew, architecture)
    on_folder(folder.path)
    out.print(f"Run folder: {folder.path}", markup=False)
    out.print(f"Architecture: {arch_text.to_text(architecture)}", markup=False)
    others = () if finds_rate else baselines_of(folder, asked.options, sizes)
    trains = still_trains(folder, planned, others, rules.says(anew, "restart"))
    if trains:
        check_schedule_file(planned)
        if planned.inherits:
            check_inherits(folder, config)
    check_late_packages()
    # Images take minutes to decode: what cannot train is told before.
    if trains and planned.compute.data_parallel:
        check_trains(planned.compute, {"--batch_size": planned.recipe.batch_size})
    compute = planned.compute if trains else planned.compute.alone
    backend.start(compute, architecture.image_size)
    record = folder.read(DataRecord) if folder.has(DataRecord) else None
    if asked.architecture is None:  # a given one was compared before there was a folder
        exports = exports_gone_on_with(asked.options, planned.exports, [folder])
        _check_images(asked, config, record, planned.recipe if trains else None, exports)
    dataset = _load(asked, config, record)
    if record is None:  # with one, the images are compared themselves
        check_fits(architecture, dataset, takes_any_classes=not isinstance(config, RunConfig))
    keep_data(folder, dataset)
    if finds_rate:
        from nas.pipeline.find_rate import find_rate

        network = with_classes(architecture, dataset.num_classes)
        said = rate_words(folder, asked.options)
        find_rate(folder, network, dataset, planned, interrupter, sizes.rate_plan, said)
        return Outcome.NOT_ASKED
    teaching = teaching_of(planned, dataset, trains)
    weights: dict[str, Weights] = {}
    if planned.inherits and trains:
        networks = {entry.name: arch_text.parse(entry.text) for entry in others}
        networks = {"searched": architecture, **networks}
        weights = inherited_weights(folder, config, dataset, networks, interrupter)
    # An earlier training is forgotten here: after all that may refuse.
    training = training_config(folder, config, sizes, asked.options)
    backend.start(training.compute if trains else training.compute.alone, dataset.image_size)
    workers = _workers(asked, folder, config, training, interrupter)
    run = _run_of(asked, folder, dataset, training, others, interrupter, teaching, weights)
    run.workers = workers
    return run.run().outcome


def _workers(
    asked: AskedRetraining,
    folder: RunFolder,
    config: AnyConfig,
    training: TrainingConfig,
    interrupter: Interrupter,
) -> StageWorkers | None:
    """Workers for the trainings of a run or a sweep, where they are asked for."""
    source = source_now(config.data, asked.source, asked.options)
    return stage_workers(asked.options, folder, source, config, training.recipe, interrupter)


def _run_of(
    asked: AskedRetraining,
    folder: RunFolder,
    dataset: Dataset,
    training: TrainingConfig,
    others: tuple[ComparedNetwork, ...],
    interrupter: Interrupter,
    teaching: Teaching | None,
    weights: Mapping[str, Weights] | None = None,
) -> RetrainRun:
    """The training of a run's network and of those beside it.

    A network of a front has no weights yet: it gets them later, and is timed with all others.
    """
    from nas.pipeline.retrain import RetrainRun

    config = read_config(folder.path)
    sizes = sizes_of(config, asked.options)
    target = folder.read(ResolvedTarget) if folder.has(ResolvedTarget) else None
    known = None
    if weights is not None:
        known = known_networks(folder, config, sizes, dataset)
    return RetrainRun(
        folder,
        with_classes(architecture_of(folder), dataset.num_classes),
        dataset,
        training.recipe,
        training.seed,
        others,
        target.asked if target else None,
        config.device if isinstance(config, RunConfig) else None,
        sizes,
        interrupter,
        known,
        weights or {},
        training.seeds,
        said_again(asked.options),
        teaching,
        training.goal_top1,
        training.inherits,
        exports_gone_on_with(asked.options, training.exports, [folder]),
        metrics=training.metrics,
        selection=training.selection,
        quantity=(config.unit if isinstance(config, RunConfig) else MILLISECONDS).quantity,
    )
