"""What trainings of a run need beside their recipe: networks, lengths, teacher, known networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from latency.tables.storage import TableMismatchError
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.errors import InputError
from nas.hardware.measurement import KnownNetworks
from nas.hardware.tables import DEPLOYED
from nas.interface import rules
from nas.pipeline.table import TABLE_FILE, build_command
from nas.recipes.scales import Scale
from nas.runs.config import AnyConfig, ComparisonConfig, RunConfig, TrainingConfig, read_config
from nas.runs.folder import RunFolder
from nas.runs.records import ComparedNetwork, Comparison, TrainedRecord
from nas.runs.trainings import is_over
from nas.runs.trials import refuse_trials
from nas.search_space.files import load_blocks
from nas.system.console import out
from nas.system.program import go_on_command

if TYPE_CHECKING:
    from nas.pipeline.teaching import Teaching


def architecture_of(folder: RunFolder) -> Architecture:
    """The network of a run.

    Args:
        folder: Of the run.

    Raises:
        InputError: The search is not finished, or the run is a sweep.
    """
    config = read_config(folder.path)
    refuse_trials(folder.path, config)
    is_comparison = isinstance(config, ComparisonConfig)
    if is_comparison or folder.has("pareto.json"):
        kind = "comparison" if is_comparison else "sweep"
        raise InputError(
            f"a run of one network, unlike the {kind} {folder.path}",
            "several networks",
            "name one of the folders below it",
        )
    load_blocks(config.blocks)
    if not folder.has("architecture.json"):
        raise InputError(
            f"a finished search in {folder.path}",
            "no architecture.json",
            f"finish it: {go_on_command('search', folder.path)}",
        )
    path = folder.path / "architecture.json"
    return arch_text.from_json(folder.read_json(path.name), str(path))


def with_classes(architecture: Architecture, num_classes: int) -> Architecture:
    """The network for as many classes as the images have, and says where that changes it.

    Args:
        architecture: The network.
        num_classes: Of the images.
    """
    if architecture.num_classes == num_classes:
        return architecture
    out.print(
        f"The network has {architecture.num_classes} classes, the data {num_classes}: "
        "its last layer is resized."
    )
    return architecture.with_num_classes(num_classes)


def sizes_of(config: AnyConfig, options: Mapping[str, Any]) -> Scale:
    """Lengths and plans: the run's own, or toy size where that is asked for now.

    Args:
        config: Of the run.
        options: As `RetrainOptions`.

    Raises:
        InputError: A run of toy size is asked for another one.
    """
    smoke = options.get("smoke")
    if smoke is False and config.is_smoke:
        raise InputError(
            "--smoke with a run of toy size", "--nosmoke", "leave it out, or search again"
        )
    return Scale.fitting(config.data.kind == "sample", True) if smoke else config.sizes


def baselines_of(
    folder: RunFolder, options: Mapping[str, Any], sizes: Scale
) -> tuple[ComparedNetwork, ...]:
    """Networks to train beside the found one.

    Args:
        folder: Of the run.
        options: As `RetrainOptions`.
        sizes: Which say whether there are any where nobody asks.

    Raises:
        InputError: They are asked for, and this run has none.
    """
    wanted = options.get("baselines", sizes.trains_baselines)
    if not wanted and rules.says(options, "largest"):
        raise InputError("--baselines with --largest", "no --baselines", "write both")
    if not wanted:
        return ()
    networks = folder.read(Comparison).networks if folder.has(Comparison) else ()
    if not networks:
        if rules.says(options, "baselines"):
            raise InputError(
                f"networks to compare with in {folder.path}",
                "none: the network was given, or its search was for another device",
                "leave --baselines out",
            )
        out.print("No comparison.json in this run: no baselines are trained.")
    if options.get("largest") is False:
        networks = tuple(n for n in networks if n.role != "largest")
    return networks


def known_networks(
    folder: RunFolder, config: AnyConfig, sizes: Scale, dataset: Dataset
) -> KnownNetworks | None:
    """What is compared with the run's table; None where that is not of this machine.

    Args:
        folder: Of the run.
        config: Of the run.
        sizes: With the plans of measuring.
        dataset: The images.
    """
    if not isinstance(config, RunConfig) or config.device or not folder.has(TABLE_FILE):
        return None
    if not sizes.measuring.watches_known_networks:
        return None
    try:
        table = LatencyTable.load(folder.path / TABLE_FILE, settings=DEPLOYED)
    except TableMismatchError:
        return None  # the search ran on another machine
    return KnownNetworks.of(table, build_command(config, dataset.image_size, dataset.num_classes))


def still_trains(
    folder: RunFolder,
    planned: TrainingConfig,
    others: Sequence[ComparedNetwork] = (),
    restart: bool = False,
) -> bool:
    """Whether a network of a run is still to be trained with one of its seeds.

    Args:
        folder: Of the run.
        planned: What its networks are trained with.
        others: Networks beside the found one.
        restart: Whether earlier trainings are about to be forgotten.
    """
    names = ["searched", *(entry.name for entry in others)]
    keys = TrainedRecord.keys(names, planned.seed, planned.seeds)
    return restart or not all(is_over(folder, key) for key in keys)


def teaching_of(planned: TrainingConfig, dataset: Dataset, trains: bool) -> Teaching | None:
    """The teacher of trainings that are still to come, tried before any of them; else None.

    Args:
        planned: What networks are trained with.
        dataset: The images.
        trains: Whether a training is still to come.

    Raises:
        LatencyError: It cannot teach these classes.
    """
    if not trains or planned.recipe.distillation.teacher is None:
        return None
    from nas.pipeline.teaching import teaching_for

    return teaching_for(planned.recipe, dataset)
