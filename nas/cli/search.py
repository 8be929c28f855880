"""Flags of `nas.py` -> one `SearchRun`, or a sweep of them."""

from __future__ import annotations

import datetime
import shlex
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from latency.device import strict_json
from nas.cli import flags as strict_flags
from nas.cost.constraints import Bounds
from nas.errors import InputError
from nas.pipeline.inputs import data_record, load_data, scale_of, space_of
from nas.pipeline.search import SearchRun
from nas.pipeline.sweep import SweepRun
from nas.runs.folder import RunFolder
from nas.search.config import (
    GateConfig,
    SearchConfig,
    WarmUp,
    supernet_recipe,
    usual_execution,
)
from nas.selection.goals import Goal, parse_goals
from nas.system import backend
from nas.system.console import out
from nas.system.environment import environment
from nas.system.interrupt import Interrupter

if TYPE_CHECKING:
    from nas.data import Dataset
    from nas.recipes.scales import Scale
    from nas.search_space.space import Space

EXIT_MET, EXIT_NOT_MET = 0, 3


def search(
    values: flags.FlagValues,
    argv: Sequence[str],
    interrupter: Interrupter,
    current_run: list[Path],
) -> int:
    """Runs `nas.py` after its flags were read."""
    resumed = _resumed(values) if values["resume"].value else None
    config = resumed[1] if resumed else _config(values, argv)
    goals = parse_goals(config["flags"].get("lambda"), config["flags"].get("target_ms"))
    dataset = load_data(config)
    space = space_of(config["space"], dataset)
    if "search" not in config:
        config = _complete(config, values, dataset, space, goals)
    if resumed:
        folder = resumed[0]
    else:
        label = f"{space.name}-" + (goals[0].label if len(goals) == 1 else "sweep")
        path = values["run_dir"].value
        folder = RunFolder.create(Path(path) if path else None, config, label)
    current_run.append(folder.path)
    out.print(f"Run folder: {folder.path}", markup=False)
    try:
        with folder.alone():
            if config["kind"] == "sweep":
                met = SweepRun(folder, space, dataset, config, interrupter).run()
            else:
                met = SearchRun(folder, space, dataset, config, interrupter).run().met
    except ValueError:
        # A table or target that cannot be used: the run that it was meant for never began.
        if resumed is None and not any((folder.path / "checkpoints").iterdir()):
            shutil.rmtree(folder.path)
        raise
    return EXIT_NOT_MET if met is False else EXIT_MET


def _resumed(values: flags.FlagValues) -> tuple[RunFolder, dict[str, Any]]:
    """The folder of a run that goes on, and its settings; other flags than then are refused."""
    path = values["run_dir"].value
    if not path:
        raise InputError("--resume with --run_dir", "no --run_dir", "name the run's folder")
    folder = RunFolder.open(Path(path))
    config = folder.read_json("config.json")
    if config.get("kind") not in ("search", "sweep"):
        raise InputError(
            "a run folder of nas.py", f"{path}, of {config.get('kind')!r}", "check --run_dir"
        )
    free = ("run_dir", "resume", "data_dir")
    written = {n: v for n, v in strict_flags.given(values).items() if n not in free}
    for name, value in written.items():
        # As text: --lambda was a number in runs of earlier versions.
        if str(config["flags"].get(name)) != str(value):
            raise InputError(
                f"--{name} as the run began: {config['flags'].get(name)!r}",
                repr(value),
                "leave the flag out with --resume, or begin another run",
            )
    if values["data_dir"].value:
        config["data"]["data_dir"] = values["data_dir"].value
    for name in ("lambda", "target_ms"):
        if config["flags"].get(name) is not None:
            config["flags"][name] = str(config["flags"][name])
    return folder, config


def _config(values: flags.FlagValues, argv: Sequence[str]) -> dict[str, Any]:
    """The settings that are known before the data is read."""
    path = values["run_dir"].value
    if path and Path(path).exists() and (not Path(path).is_dir() or any(Path(path).iterdir())):
        raise InputError(
            "a new run folder",
            f"{path}, which is there already",
            f"go on with it by `--run_dir {path} --resume`, or choose another --run_dir",
        )
    parse_goals(values["lambda"].value, values["target_ms"].value)
    _check_together(values)
    compute = strict_flags.compute(values)
    backend.check(**compute)
    return {
        "schema_version": 1,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", *argv]),
        "flags": {n: v for n, v in strict_flags.given(values).items() if n != "run_dir"},
        "seed": values["seed"].value,
        "space": values["space"].value,
        "image_size": values["image_size"].value,
        "table": _absolute(values["table"].value),
        "device": values["device"].value,
        "supernet": _absolute(values["supernet"].value),
        "smoke": values["smoke"].value,
        "compute": compute,
        "data": {
            "data_dir": values["data_dir"].value,
            "skip_bad_images": values["skip_bad_images"].value,
        },
    }


def _absolute(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def _check_together(values: flags.FlagValues) -> None:
    """Flags that say nothing, or something else than they seem to, beside others."""
    method, given = values["method"].value, strict_flags.given(values)
    if values["device"].value and not values["table"].value:
        raise InputError("--table with --device", "no --table", "name the device's table")
    if method != "gradient":
        if values["lambda"].value is not None:
            raise InputError(
                f"--target_ms with --method {method}",
                f"--lambda {values['lambda'].value}",
                "only the gradient search has a penalty; ask for milliseconds",
            )
        for name in ("gate", "proposals"):
            if name in given:
                raise InputError(
                    f"--{name} with --method gradient", f"--method {method}", "leave it out"
                )
    if values["supernet"].value:
        if method != "evolution":
            raise InputError(
                "--supernet with --method evolution",
                f"--method {method}",
                "evolution alone can use weights that are trained already",
            )
        for name in ("search_epochs", "batch_size", "learning_rate", "execution", "flip"):
            if name in given:
                raise InputError(
                    f"no --{name} with --supernet", "both", "the supernet is trained already"
                )
    if values["race_epochs"].value is not None and values["race"].value is None:
        raise InputError("--race with --race_epochs", "no --race", "say how many candidates")


def _proposals(values: flags.FlagValues, default: int) -> int:
    """Networks that the supernet scores; 0 where the method has no gates to propose any."""
    if values["method"].value != "gradient":
        return 0
    given: int | None = values["proposals"].value
    return default if given is None else given


def _search_config(values: flags.FlagValues, scale: Scale, dataset: Dataset) -> SearchConfig:
    """Settings of the search: flags, else what fits the method and the size of the job."""
    method, flip = values["method"].value, values["flip"].value
    recipe = supernet_recipe(
        values["search_epochs"].value or scale.search_epochs,
        values["batch_size"].value or scale.search_batch_size,
        augmentation=scale.recipe_for(dataset.is_sample).augmentation,
    )
    if values["learning_rate"].value is not None:
        recipe = replace(recipe, learning_rate=values["learning_rate"].value)
    gates = GateConfig(form=values["gate"].value)
    if values["gate_learning_rate"].value is not None:
        gates = replace(gates, learning_rate=values["gate_learning_rate"].value)
    return SearchConfig(
        weights=recipe if flip is None else recipe.with_flip(flip),
        method=method,
        execution=values["execution"].value or usual_execution(),
        gates=gates,
        warm_up=WarmUp.of_method(method),
    )


def _complete(
    config: dict[str, Any],
    values: flags.FlagValues,
    dataset: Dataset,
    space: Space,
    goals: Sequence[Goal],
) -> dict[str, Any]:
    """The settings that depend on the data."""
    scale = scale_of(config)
    goal = goals[0] if len(goals) == 1 else Goal()
    count = values["random_networks"].value
    race = values["race"].value
    return {
        **config,
        "kind": "search" if len(goals) == 1 else "sweep",
        "lambda": goal.penalty,
        "target_ms": goal.target_ms,
        "target_percent": goal.target_percent,
        "space": space.name,
        "image_size": dataset.image_size,
        "num_classes": dataset.num_classes,
        "data": data_record(config, dataset),
        "bounds": Bounds(
            values["max_params"].value, values["max_macs"].value, values["max_size_bytes"].value
        ).to_json(),
        "search": strict_json.encode(_search_config(values, scale, dataset)),
        "evolution": strict_json.encode(scale.evolution),
        "proposals": _proposals(values, scale.proposals),
        "race": race
        and {
            "candidates": race,
            "epochs": values["race_epochs"].value or scale.epochs,
        },
        "random_networks": scale.random_networks if count is None else count,
        "environment": strict_json.encode(environment()),
    }
