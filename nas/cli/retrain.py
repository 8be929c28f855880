"""Flags of `main.py` -> a `RetrainRun`."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from absl import flags

from latency.device import strict_json
from latency.tables.refusals import TableMismatchError
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cli import flags as strict_flags
from nas.data import Dataset
from nas.errors import ArchitectureError, InputError
from nas.hardware.measurement import KnownNetworks
from nas.pipeline.inputs import load_data, scale_of
from nas.recipes.scales import Scale
from nas.report.pareto import pareto_table, write_pareto
from nas.runs.folder import RunFolder
from nas.runs.records import ComparedNetwork, Comparison
from nas.runs.sweep import Pareto
from nas.search_space.named import get_space
from nas.selection.goals import sweep_labels
from nas.system import backend
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.training.recipe import Recipe

EXIT_MET, EXIT_NOT_MET = 0, 3
_RECIPE_FLAGS = ("epochs", "batch_size", "optimizer", "learning_rate", "label_smoothing")


def retrain(
    values: flags.FlagValues,
    argv: Sequence[str],
    interrupter: Interrupter,
    current_run: list[Path],
) -> int:
    """Runs `main.py` after its flags were read."""
    if values["run"].value and values["arch"].value:
        raise InputError("one of --run and --arch", "both", "leave one out")
    if values["summary"].value:
        return _summary(values)
    folder, architecture, run_config = _source(values, argv)
    with folder.alone():
        if architecture is None:
            return _retrain_sweep(values, folder, interrupter, current_run)
        met = _retrain_one(values, folder, architecture, run_config, interrupter, current_run)
    return EXIT_NOT_MET if met is False else EXIT_MET


def _retrain_sweep(
    values: flags.FlagValues,
    sweep: RunFolder,
    interrupter: Interrupter,
    current_run: list[Path],
) -> int:
    """Retrains every network of a sweep, then draws its front anew."""
    labels = sweep_labels(sweep.read_json("config.json"))
    met = []
    for label in labels:
        folder = RunFolder.open(sweep.path / label)
        config = _with_flags(values, folder.read_json("config.json"))
        with folder.alone():
            architecture = _architecture_of(folder)
            met.append(_retrain_one(values, folder, architecture, config, interrupter, current_run))
    current_run.append(sweep.path)
    picture = write_pareto(sweep.path, labels)
    out.print(pareto_table(sweep.read(Pareto)))
    out.print(f"Pareto front: {picture}", markup=False)
    return EXIT_NOT_MET if False in met else EXIT_MET


def _retrain_one(
    values: flags.FlagValues,
    folder: RunFolder,
    architecture: Architecture,
    run_config: dict[str, Any],
    interrupter: Interrupter,
    current_run: list[Path],
) -> bool | None:
    """Retrains one network; whether its target is met."""
    current_run.append(folder.path)
    out.print(f"Run folder: {folder.path}", markup=False)
    out.print(f"Architecture: {arch_text.to_text(architecture)}", markup=False)
    dataset = load_data(run_config)
    backend.start(**strict_flags.compute(values))
    from nas.pipeline.retrain import RetrainRun, forget

    if architecture.num_classes != dataset.num_classes:
        out.print(
            f"The network has {architecture.num_classes} classes, the data {dataset.num_classes}: "
            "its last layer is resized."
        )
        architecture = architecture.with_num_classes(dataset.num_classes)
    if values["restart"].value:
        forget(folder)
    scale = scale_of(run_config)
    recipe, seed = _recipe(values, folder, dataset, scale, run_config)
    wanted = values["baselines"].value
    baselines = scale.trains_baselines if wanted is None else wanted
    run = RetrainRun(
        folder,
        architecture,
        dataset,
        recipe,
        seed,
        _baselines(folder, values["largest"].value) if baselines else (),
        run_config.get("target_ms"),
        run_config.get("device"),
        scale,
        interrupter,
        _known_networks(folder, run_config),
    )
    return run.run().met


def _known_networks(folder: RunFolder, config: dict[str, Any]) -> KnownNetworks | None:
    """What tells that this machine is busy; None where its milliseconds are not known."""
    watches = scale_of(config).measuring.watches_known_networks
    if not watches or config.get("device") or not folder.has("table.json"):
        return None
    try:
        table = LatencyTable.load(folder.path / "table.json")
    except TableMismatchError:
        return None  # the search ran on another machine
    space = get_space(config["space"], config["image_size"], config["num_classes"])
    return KnownNetworks.of(space, table)


def read_architecture(text_or_file: str) -> Architecture:
    """`--arch`: a file with JSON or text, or the text itself."""
    path = Path(text_or_file)
    looks_like_file = text_or_file.endswith((".json", ".txt")) or "/" in text_or_file
    try:
        is_file = path.is_file()
    except OSError:
        is_file = False  # a long string is no path
    if is_file:
        try:
            return arch_text.loads(path.read_text("utf-8"))
        except UnicodeDecodeError:
            raise ArchitectureError(
                "an architecture as UTF-8 text", f"{path}", "give architecture.json of a run"
            ) from None
    if looks_like_file and " " not in text_or_file:
        raise InputError("an architecture file", f"{path}, which does not exist", "check --arch")
    return arch_text.loads(text_or_file)


def _summary(values: flags.FlagValues) -> int:
    from nas.report.summary import print_summary

    if values["arch"].value:
        architecture = read_architecture(values["arch"].value)
    else:
        architecture = _architecture_of(_run_folder(values))
    print_summary(architecture)
    return EXIT_MET


def _run_folder(values: flags.FlagValues) -> RunFolder:
    run = values["run"].value
    return RunFolder.open(Path(run)) if run else RunFolder.newest()


def _architecture_of(folder: RunFolder) -> Architecture:
    if not folder.has("architecture.json"):
        raise InputError(
            f"a finished search in {folder.path}",
            "no architecture.json",
            f"finish it: python nas.py --run_dir {folder.path} --resume",
        )
    return arch_text.from_json(folder.read_json("architecture.json"))


def _source(
    values: flags.FlagValues, argv: Sequence[str]
) -> tuple[RunFolder, Architecture | None, dict[str, Any]]:
    """The run folder, the network (None for a sweep), and the settings of the data."""
    if values["arch"].value is None:
        if values["run_dir"].value:
            raise InputError("--run for an existing run", "--run_dir", "write --run instead")
        folder = _run_folder(values)
        config = _with_flags(values, folder.read_json("config.json"))
        # A sweep has its networks in sub-folders.
        architecture = None if config["kind"] == "sweep" else _architecture_of(folder)
        return folder, architecture, config
    architecture = read_architecture(values["arch"].value)
    size = values["image_size"].value
    if size is not None and size != architecture.image_size:
        raise InputError(
            f"--image_size {architecture.image_size}, the network's", f"{size}", "leave it out"
        )
    config = {
        "schema_version": 1,
        "kind": "retrain",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", *argv]),
        "seed": values["seed"].value,
        "lambda": None,
        "target_ms": None,
        "image_size": architecture.image_size,
        "smoke": values["smoke"].value,
        "data": {
            "data_dir": values["data_dir"].value,
            "skip_bad_images": values["skip_bad_images"].value,
        },
    }
    path = values["run_dir"].value
    folder = RunFolder.create(Path(path) if path else None, config, "arch")
    folder.write_json("architecture.json", arch_text.to_json(architecture))
    return folder, architecture, config


def _with_flags(values: flags.FlagValues, config: dict[str, Any]) -> dict[str, Any]:
    """A run's settings with what this call's flags change in them."""
    config["smoke"] = config["smoke"] or values["smoke"].value
    if values["data_dir"].value:
        config["data"] = {
            "data_dir": values["data_dir"].value,
            "skip_bad_images": values["skip_bad_images"].value,
        }
    return config


def _recipe(
    values: flags.FlagValues,
    folder: RunFolder,
    dataset: Dataset,
    scale: Scale,
    run_config: dict[str, Any],
) -> tuple[Recipe, int]:
    """Recipe and seed: flags, else what the run's training began with, else defaults."""
    given = strict_flags.given(values)
    chosen = {name: given[name] for name in (*_RECIPE_FLAGS, "flip", "seed") if name in given}
    begun = any((folder.path / "retrained").glob("*.json")) or any(
        (folder.path / "checkpoints").glob("retrain_*.npz")
    )
    if begun and folder.has("recipe.json"):
        return _begun_recipe(folder, chosen)
    recipe = scale.recipe_for(dataset.is_sample)
    recipe = replace(recipe, **{name: chosen[name] for name in _RECIPE_FLAGS if name in chosen})
    flip = recipe.augmentation.flip
    if "search" in run_config:
        flip = bool(run_config["search"]["weights"]["augmentation"]["flip"])
    return recipe.with_flip(chosen.get("flip", flip)), values["seed"].value


def _begun_recipe(folder: RunFolder, chosen: Mapping[str, Any]) -> tuple[Recipe, int]:
    """Recipe and seed of a training that has begun; other flags than then are refused."""
    before = folder.read_json("recipe.json")
    before.pop("schema_version")
    seed = int(before.pop("seed"))
    recipe = strict_json.decode(Recipe, before, f"{folder.path}/recipe.json")
    was = {**before, "flip": recipe.augmentation.flip, "seed": seed}
    for name, value in chosen.items():
        if was[name] != value:
            raise InputError(
                f"--{name} {was[name]}, as this run's training began",
                f"{value}",
                "leave the flag out to go on, or add --restart to train anew",
            )
    return recipe, seed


def _baselines(folder: RunFolder, with_largest: bool) -> tuple[ComparedNetwork, ...]:
    if not folder.has(Comparison):
        out.print("No comparison.json in this run: no baselines are trained.")
        return ()
    networks = folder.read(Comparison).networks
    return tuple(n for n in networks if with_largest or n.role != "largest")
