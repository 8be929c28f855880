"""A comparison from what was asked for to its page: networks by one recipe, in one session."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.data import Dataset
from nas.errors import InputError
from nas.interface import recipe_options, rules
from nas.interface.asked import OnFolder, compute_of, given_network_config, tell_nobody
from nas.interface.compared_runs import (
    RunFacts,
    check_recipes,
    check_same_images,
    common_recipe,
    facts_of,
    options_of_runs,
)
from nas.interface.named_networks import NamedNetwork, name_networks, same_network
from nas.interface.training_config import training_config
from nas.pipeline.compare import Compared
from nas.pipeline.inputs import SAME_IMAGES, check_fits, keep_data, load_data, source_now
from nas.ranges import check_count
from nas.recipes.scales import Scale
from nas.runs.compared import ComparedCells, ComparedNetworks
from nas.runs.config import (
    NETWORKS_FOLDER,
    ComparisonConfig,
    ComparisonEntry,
    GivenNetworkConfig,
    TrainingConfig,
    read_config,
)
from nas.runs.data import DataRecord, DataSource
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


@dataclass(frozen=True)
class AskedComparison:
    """A comparison as it was asked for, or one that goes on.

    Args:
        words: Networks as they were named; none where a comparison goes on.
        options: As `RetrainOptions`, with `compare`, `run`, `run_dir` and `data_dir` if they were
            given: what the rules look at.
        source: The images, if they were named.
        command: Command line, for the record.
        dataset: Images that a program handed over; None if they are to be read.
    """

    words: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    source: DataSource | None = None
    command: str = ""
    dataset: Dataset | None = None


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
    rules.check(options, rules.RETRAIN_RULES)
    recipe_options.check(options)
    check_count("--seeds", options.get("seeds", 1))
    if "goal_top1" in options:
        check_goal(options["goal_top1"])
    compute_of(options).check()
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
    if to_train:
        check_recipes(runs, options, to_train)
        check_starts(compute_of(options))
    source, size = _source(asked, runs, named)
    is_smoke = bool(options.get("smoke")) or any(
        read_config(facts.folder.path).is_smoke for facts in runs.values()
    )
    options = {**options_of_runs(runs), **options, **({"smoke": True} if is_smoke else {})}
    dataset = _images(asked, options, source, runs) if to_train else None
    if dataset is not None:
        size = dataset.image_size
    entries = _entries(named, runs, dataset, size)
    for note in (text for network in named for text in network.notes(size)):
        out.print(note, markup=False)
    config = _config(asked, options, source, size, entries, runs)
    folder = RunFolder.create(run_dir, config, "compare")
    on_folder(folder.path)
    return _compared(folder, config, options, dataset, interrupter)


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
    on_folder(folder.path)
    with folder.alone():
        for entry in config.networks:
            if entry.run is not None:
                facts_of(Path(entry.run))
    dataset = None
    if any(entry.run is None for entry in config.networks):
        record = folder.read(DataRecord)
        source = source_now(config.data, asked.source, options)
        dataset = load_data(source, config.sizes, config.seed, asked.dataset, record)
        record.check_same(dataset, "the comparison began with", SAME_IMAGES)
    if options.get("restart"):
        shutil.rmtree(folder.path / NETWORKS_FOLDER, ignore_errors=True)
        for kind in (ComparedNetworks, ComparedCells):
            (folder.path / kind.FILE).unlink(missing_ok=True)
    return _compared(folder, config, options, dataset, interrupter)


def is_comparison(folder: RunFolder) -> bool:
    """Whether a run folder is that of a comparison.

    Args:
        folder: Of the run.
    """
    return isinstance(read_config(folder.path), ComparisonConfig)


def _compared(
    folder: RunFolder,
    config: ComparisonConfig,
    options: Mapping[str, Any],
    dataset: Dataset | None,
    interrupter: Interrupter,
) -> Path:
    training = teaching = None
    with folder.alone():
        out.print(f"Comparison: {folder.path}", markup=False)
        if dataset is not None:
            keep_data(folder, dataset)
            training = training_config(folder, config, config.sizes, options)
            check_late_packages()
            backend.start(training.compute, dataset.image_size)
            teaching = _teaching(folder, config, training, dataset)
        Compared(folder, config, training, dataset, interrupter, teaching).run()
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


def _source(
    asked: AskedComparison, runs: Mapping[str, RunFacts], named: Sequence[NamedNetwork]
) -> tuple[DataSource, int | None]:
    """The images and their size: as asked for, of the runs, of the given networks, their own."""
    sizes = {f"images of {name}": facts.data.image_size for name, facts in runs.items()}
    for network in named:
        if network.architecture is not None:
            sizes[network.name] = network.architecture.image_size
    if asked.options.get("image_size") is not None:
        sizes["--image_size"] = asked.options["image_size"]
    first = next(iter(sizes), None)
    for name, size in sizes.items():
        if first is not None and size != sizes[first]:
            raise InputError(
                f"networks for images of one size, {sizes[first]} px as {first} has",
                f"{size} px of {name}",
                "leave one of them out, or write its text with another in_s",
            )
    common = None if first is None else sizes[first]
    if asked.source is not None:
        source = asked.source
    elif runs:
        config = read_config(next(iter(runs.values())).folder.path)
        source = source_now(config.data, None, asked.options)
    else:
        source = DataSource()
    return replace(source, image_size=common), common


def _images(
    asked: AskedComparison,
    options: Mapping[str, Any],
    source: DataSource,
    runs: Mapping[str, RunFacts],
) -> Dataset:
    """The images of what is trained, which have to be those of the runs."""
    sizes = Scale.fitting(source.kind == "sample", bool(options.get("smoke", False)))
    facts = next(iter(runs.values()), None)
    seed = options.get("seed", 0) if facts is None else read_config(facts.folder.path).seed
    record = facts.data if facts else None
    dataset = load_data(source, sizes, seed, asked.dataset, record)
    if facts is not None:
        fix = "name the images of the runs by --data_dir, or leave it out"
        facts.data.check_same(dataset, f"{facts.folder.path} learned from", fix)
    return dataset


def _entries(
    named: Sequence[NamedNetwork],
    runs: Mapping[str, RunFacts],
    dataset: Dataset | None,
    size: int | None,
) -> tuple[ComparisonEntry, ...]:
    """All networks as they are trained; the same network to be trained twice is refused."""
    found: list[tuple[ComparisonEntry, Architecture]] = []
    for network in named:
        facts = runs.get(network.name)
        is_trained = facts is not None and facts.certificate is not None
        classes = dataset.num_classes if dataset else None
        if facts is not None:
            classes = facts.data.num_classes
        built = network.built(size, classes)
        architecture_cost(built)  # layers that do not fit each other are refused here
        if dataset is not None:
            check_fits(built, dataset, takes_any_classes=False)
        run = str(network.run) if is_trained else None
        entry = ComparisonEntry(network.name, network.word, arch_text.to_text(built), run)
        for other, architecture in found:
            both_trained = other.run is not None and run is not None
            if same_network(architecture, built) and not both_trained:
                raise InputError(
                    "each network once",
                    f"{other.word!r} and {network.word!r}, which are the same layers",
                    "leave one of them out",
                )
        found.append((entry, built))
    return tuple(entry for entry, _ in found)


def _config(
    asked: AskedComparison,
    options: Mapping[str, Any],
    source: DataSource,
    size: int | None,
    entries: tuple[ComparisonEntry, ...],
    runs: Mapping[str, RunFacts],
) -> ComparisonConfig:
    """What is written down of a new comparison."""
    given: GivenNetworkConfig = given_network_config(options, source, asked.command, size or 0)
    settings = {
        entry.name: getattr(given, entry.name) for entry in fields(given) if entry.name != "kind"
    }
    recipe = common_recipe(runs)
    if recipe is not None:
        settings["recipe"] = recipe
    if runs:  # the division of the images, where their layout has none, is that of the runs
        first = next(iter(runs.values())).folder.path
        settings["seed"] = read_config(first).seed
        settings["blocks"] = tuple(
            dict.fromkeys(
                block
                for facts in runs.values()
                for block in (*settings["blocks"], *read_config(facts.folder.path).blocks)
            )
        )
    return ComparisonConfig(**settings, networks=entries, goal_top1=options.get("goal_top1"))
