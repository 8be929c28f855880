"""`main.py --run SWEEP`: all networks of a front by one short recipe, ready to pick from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latency.tables.storage import TableMismatchError
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.data import Dataset
from nas.errors import InputError
from nas.hardware.measurement import KnownNetworks
from nas.interface import rules
from nas.interface.asked import OnFolder, compute_of
from nas.interface.front_training import front_options, front_training
from nas.interface.training_config import (
    check_schedule_file,
    check_training,
    has_begun,
    said_again,
)
from nas.interface.training_parts import still_trains
from nas.methods.registry import METHODS
from nas.pipeline.front_networks import FrontNetworks, GoalRun, different
from nas.pipeline.inherit import check_inherits
from nas.pipeline.inputs import check_unchanged, keep_data, space_of
from nas.pipeline.table import TABLE_FILE
from nas.recipes.scales import Scale
from nas.runs.config import CONFIG_FILE, RunConfig, TrainingConfig, read_search_config
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.front import FrontPlan
from nas.runs.outcome import Outcome
from nas.runs.records import Certificate
from nas.runs.trainings import is_over
from nas.search_space.files import load_blocks
from nas.system import backend
from nas.system.backend_check import check_late_packages
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.program import go_on_command

if TYPE_CHECKING:
    from nas.pipeline.retrain import RetrainRun
    from nas.pipeline.stage_workers import StageWorkers

Begin = Callable[[RunFolder, Dataset, TrainingConfig], "RetrainRun"]


@dataclass(frozen=True)
class AskedFront:
    """The front of a sweep as it was asked for.

    Args:
        options: As `RetrainOptions`.
        sizes: Lengths and plans: the sweep's own, or toy size where that is asked for now.
        check: Refuses what the images, which a record tells of, do not allow; it is given the
            recipe of trainings that are still to come.
        load: Reads the images, which a record is compared with.
        begin: Makes the training of one network from its run folder.
        known: Networks of the sweep's table that are timed beside those of the front.
        workers: What trains by a recipe, where workers are asked for.
        command: Command line, for the records.
    """

    options: Mapping[str, Any]
    sizes: Scale
    check: Callable[[TrainingConfig, bool, DataRecord | None], None]
    load: Callable[[DataRecord | None], Dataset]
    begin: Begin
    known: Callable[[Dataset], KnownNetworks | None]
    workers: Callable[[TrainingConfig], StageWorkers | None]
    command: str = ""


def retrain_front(
    asked: AskedFront,
    sweep: RunFolder,
    config: RunConfig,
    interrupter: Interrupter,
    on_folder: OnFolder,
) -> Outcome:
    """Trains, times and certifies all networks of a sweep's front, and writes the page.

    Args:
        asked: What is asked for.
        sweep: Folder of the sweep.
        config: Of the sweep.
        interrupter: Asked whether to stop.
        on_folder: Told the sweep's folder before anything is trained.

    Returns:
        What all goals together came to.

    Raises:
        InputError: The sweep is not finished, is of another machine or of other images, lacks its
            supernets' weights, or options contradict what the front began with.
    """
    load_blocks(config.blocks)
    goals = finished_goals(sweep, config)
    _check_host(sweep, config)
    plan = _plan(sweep, goals, asked.options)
    _check_supernets(sweep, goals, plan, asked.options)
    own = front_options([g.folder for g in goals], asked.options, _inherits(goals, asked.options))
    planned = [
        check_training(goal.folder, goal.config, asked.sizes, own, goal.architecture)
        for goal in goals
    ]
    on_folder(sweep.path)
    out.print(f"Sweep: {sweep.path}, {len(goals)} goals", markup=False)
    check_late_packages()
    # Images take minutes to decode: what cannot train is told before.
    backend.start(compute_of(asked.options), goals[0].architecture.image_size)
    with ExitStack() as locks:
        for goal in goals:
            locks.enter_context(goal.folder.alone())
        record = _record(sweep, goals)
        trains = _still_trains(sweep, goals, plan, planned, rules.says(own, "restart"))
        for training in planned if trains else ():
            check_schedule_file(training)
        asked.check(planned[0], trains, record)
        dataset = asked.load(record)
        for folder in (sweep, *(goal.folder for goal in goals)):
            keep_data(folder, dataset)
        plan = _chosen(asked, sweep, config, goals, plan, dataset, interrupter)
        return _trained(asked, sweep, goals, plan, dataset)


def finished_goals(sweep: RunFolder, config: RunConfig) -> tuple[GoalRun, ...]:
    """The runs of all goals of a sweep.

    Args:
        sweep: Its folder.
        config: Of the sweep.

    Raises:
        InputError: One of them is not finished.
    """
    paths = {goal.label: sweep.path / goal.label for goal in config.goals}
    missing = [label for label, path in paths.items() if not _is_finished(path)]
    if missing:
        done = len(paths) - len(missing)
        raise InputError(
            f"a finished sweep in {sweep.path}",
            f"{done} of {len(paths)} goals, without {', '.join(missing)}",
            f"finish it: {go_on_command('search', sweep.path)}",
        )
    return tuple(_goal(label, path, config) for label, path in paths.items())


def _is_finished(path: Path) -> bool:
    names = (CONFIG_FILE, "architecture.json", Certificate.FILE)
    return all((path / name).is_file() for name in names)


def _goal(label: str, path: Path, config: RunConfig) -> GoalRun:
    folder = RunFolder.open(path)
    # Files that the sweep names may have been named anew since.
    own = replace(
        read_search_config(path),
        blocks=config.blocks,
        space=config.space,
        supernet=config.supernet,
    )
    text = folder.read_json("architecture.json")
    return GoalRun(label, folder, own, arch_text.from_json(text, str(path / "architecture.json")))


def _check_host(sweep: RunFolder, config: RunConfig) -> None:
    """Refuses a sweep of another machine: its goals are not in milliseconds of this one."""
    if config.device is not None or not sweep.has(TABLE_FILE):
        return
    try:
        LatencyTable.load(sweep.path / TABLE_FILE)
    except TableMismatchError as error:
        raise InputError(
            "a sweep of this machine, or one that was searched with --device NAME",
            f"{sweep.path}, whose table is of another one: {error.received}",
            "train it on the machine that it was searched on, or search again here",
        ) from None


def _plan(sweep: RunFolder, goals: tuple[GoalRun, ...], options: Mapping[str, Any]) -> FrontPlan:
    """How many networks the front is to have, and further ones that were chosen already."""
    found = different(goals)
    before = sweep.read(FrontPlan) if sweep.has(FrontPlan) else FrontPlan(found)
    wanted = options.get("networks", before.networks)
    if wanted < found:
        raise InputError(
            f"--networks {found} or more, as the goals of {sweep.path} found {found} different "
            "networks",
            f"{wanted}",
            "leave it out for these, or ask for more",
        )
    if wanted < before.networks and not options.get("restart"):
        raise InputError(
            f"--networks {before.networks} or more, as this front began",
            f"{wanted}",
            "leave the flag out to go on, or add --restart to train anew",
        )
    return replace(before, networks=wanted)


def _check_supernets(
    sweep: RunFolder, goals: tuple[GoalRun, ...], plan: FrontPlan, options: Mapping[str, Any]
) -> None:
    """Refuses a sweep whose supernets' weights are needed and gone, before images are read."""
    chooses = different(goals) + len(plan.added) < plan.networks
    scores = chooses and METHODS[goals[0].config.search.method].trains_supernet
    is_trained = all(is_over(goal.folder, "searched") for goal in goals)
    is_done = is_trained and not chooses and not options.get("restart")
    if not scores and (is_done or not _inherits(goals, options)):
        return
    for goal in goals:
        try:
            check_inherits(goal.folder, goal.config)
        except InputError as error:
            if scores:
                fix = f"leave --networks out, or finish the search of {sweep.path} anew"
            else:
                fix = "write --noinherit to start from random weights, or search again"
            raise InputError(error.expected, error.received, fix) from None


def _inherits(goals: Sequence[GoalRun], options: Mapping[str, Any]) -> bool:
    """Whether networks start from the supernets' weights: as asked, as begun, or where they can."""
    begun = [goal.folder for goal in goals if has_begun(goal.folder)]
    if begun and begun[0].has(TrainingConfig) and not options.get("restart"):
        return begun[0].read(TrainingConfig).inherits
    can = METHODS[goals[0].config.search.method].trains_supernet
    return bool(options.get("inherit", can))


def _still_trains(
    sweep: RunFolder,
    goals: tuple[GoalRun, ...],
    plan: FrontPlan,
    planned: Sequence[TrainingConfig],
    restart: bool,
) -> bool:
    """Whether a network of the front is still to be trained, or to be chosen."""
    added = [RunFolder(sweep.path / network.name) for network in plan.added]
    if different(goals) + len(added) < plan.networks:
        return True
    pairs = [(goal.folder, one) for goal, one in zip(goals, planned, strict=True)]
    pairs += [(folder, planned[0]) for folder in added]
    return any(still_trains(folder, one, (), restart) for folder, one in pairs)


def _record(sweep: RunFolder, goals: Sequence[GoalRun]) -> DataRecord | None:
    folders = (sweep, *(goal.folder for goal in goals))
    return next((folder.read(DataRecord) for folder in folders if folder.has(DataRecord)), None)


def _chosen(
    asked: AskedFront,
    sweep: RunFolder,
    config: RunConfig,
    goals: tuple[GoalRun, ...],
    plan: FrontPlan,
    dataset: Dataset,
    interrupter: Interrupter,
) -> FrontPlan:
    """The plan with as many networks as were asked for."""
    if different(goals) + len(plan.added) >= plan.networks:
        sweep.write(plan)
        return plan
    space = space_of(config.space, dataset, bits=config.bits)
    check_unchanged(space, config.space, config.space_fingerprint)
    stage = FrontNetworks(sweep, goals, space, dataset, config, interrupter, asked.command)
    return stage.planned(plan)


def _trained(
    asked: AskedFront,
    sweep: RunFolder,
    goals: tuple[GoalRun, ...],
    plan: FrontPlan,
    dataset: Dataset,
) -> Outcome:
    """Everything after the choice of networks."""
    added = [RunFolder.open(sweep.path / network.name) for network in plan.added]
    folders = {goal.label: goal.folder for goal in goals}
    folders |= {folder.path.name: folder for folder in added}
    pairs = [(folder, read_search_config(folder.path)) for folder in folders.values()]
    inherits = _inherits(goals, asked.options)
    training = front_training(sweep, pairs, asked.sizes, asked.options, inherits)
    backend.start(training.compute, dataset.image_size)
    from nas.pipeline.front import FrontRun, Member

    by_label = {goal.label: goal for goal in goals}
    lenders: dict[str, GoalRun | None] = dict(by_label)
    lenders |= {n.name: by_label.get(n.supernet_of or "") for n in plan.added}
    if not training.inherits:
        lenders = dict.fromkeys(lenders)
    elif goals[0].config.supernet is not None:  # one supernet is lent to all of them
        lenders = dict.fromkeys(lenders, goals[0])
    # A front that was asked for fewer networks by --restart leaves the last ones where they are.
    names = [*by_label, *(n.name for n in plan.added)][: len(goals) + _further(goals, plan)]
    members = [
        Member(
            name,
            name if name in by_label else None,
            lenders[name],
            replace(asked.begin(folders[name], dataset, training), others_go_on=True),
        )
        for name in names
    ]
    said, workers = said_again(asked.options), asked.workers(training)
    return FrontRun(sweep, members, asked.known(dataset), said, workers).run()


def _further(goals: tuple[GoalRun, ...], plan: FrontPlan) -> int:
    return plan.networks - different(goals)
