"""What somebody asks for -> the configuration of a run, and what one that goes on may be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

from latency.device.clock import now_text
from nas.cost.constraints import Bounds
from nas.data import Dataset
from nas.data.load import refuse_sample
from nas.errors import InputError
from nas.interface import rules
from nas.interface.executor_options import OF_WORKERS
from nas.methods.config import (
    METHODS,
    GateConfig,
    SearchConfig,
    WarmUp,
    usual_execution,
)
from nas.recipes import RECIPES
from nas.recipes.scales import Scale
from nas.runs.config import GivenNetworkConfig, RaceConfig, RunConfig
from nas.runs.data import OF_FILES, DataSource
from nas.search_space.bits import BitWidths
from nas.search_space.files import reference
from nas.selection.goals import GOAL_FLAGS, GOALS_TEXT, Goal, check_different
from nas.system.backend import Compute
from nas.system.environment import environment
from nas.system.paths import kept_path

BOUNDS = tuple(bound.name for bound in fields(Bounds))
# Told the folder of a run as soon as there is one.
OnFolder = Callable[[Path], None]


def tell_nobody(path: Path) -> None:
    """Takes the folder of a run that nobody waits for."""


@dataclass(frozen=True)
class AskedSearch:
    """A search as it was asked for, before its images are read.

    Args:
        goals: What to reach; empty only where a run goes on.
        source: The images.
        options: As `SearchOptions`, with `data_dir`, `space`, `run_dir`, `resume` and goals if they
            were given: what the rules look at.
        command: Command line, for the record.
        dataset: Images that a program handed over; None if they are to be read.
    """

    goals: tuple[Goal, ...]
    source: DataSource
    options: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    dataset: Dataset | None = None

    def check(self) -> None:
        """Refuses contradictions, before anything is read or written.

        Raises:
            InputError: There is one.
        """
        rules.check(self.options, rules.SEARCH_RULES)
        if not self.goals:
            raise InputError(f"one of {GOALS_TEXT}", "neither", "write for example `--lambda 0.1`")
        check_different(self.goals)
        compute = compute_of(self.options)
        compute.check()
        if compute.processes > 1 and len(self.goals) > 1:
            raise InputError(
                "one goal with --processes",
                f"{len(self.goals)}",
                "search each goal by a command of its own, or on one host",
            )


def source_of(data: str | Path | Dataset | None, options: Mapping[str, Any]) -> DataSource:
    """The images that are asked for.

    Args:
        data: Folder, .npz file, or images themselves; None for an embedded sample.
        options: With `sample`, `image_size`, `resize`, `skip_bad_images` and `verify_data`, if
            given.

    Raises:
        InputError: Options that say nothing beside images themselves, or an unknown sample.
    """
    size = options.get("image_size")
    of_files = {name: options[name] for name in OF_FILES if options.get(name)}
    if data is None:
        return DataSource("sample", None, size, **of_files, sample=options.get("sample"))
    if "sample" in options:
        named = f"{len(data.train.labels)} images" if isinstance(data, Dataset) else str(data)
        refuse_sample(named, options["sample"])
    if isinstance(data, Dataset):
        if of_files or size not in (None, data.image_size):
            given = {"image_size": size, **of_files}
            raise InputError(
                f"images of {data.image_size} px that are used as they are",
                ", ".join(f"{name} {value}" for name, value in given.items() if value),
                "leave these options out, or give the folder of the images",
            )
        return DataSource("memory", None, size)
    # An address is no path; it is refused as it was written.
    path = str(data) if "://" in str(data) else kept_path(data)
    return DataSource("files", path, size, **of_files)


def compute_of(options: Mapping[str, Any]) -> Compute:
    """What Keras is to compute with.

    Args:
        options: With `mixed_precision`, `data_parallel`, `coordinator` and `processes`, if given.
    """
    return Compute(
        options.get("mixed_precision", "none"),
        bool(options.get("data_parallel", False)),
        options.get("coordinator"),
        options.get("processes", 1),
    )


def met_at(compute: Compute, options: Mapping[str, Any]) -> Compute:
    """The recorded way to compute, with the leader of several hosts where it is found now.

    Args:
        compute: That a run began with.
        options: With `coordinator`, if given.
    """
    if compute.processes == 1 or "coordinator" not in options:
        return compute
    return replace(compute, coordinator=options["coordinator"])


def bits_of(options: Mapping[str, Any]) -> BitWidths | None:
    """The bits that blocks choose from; None where nobody asks for any.

    Args:
        options: With `bits` and `end_bits`, if given.

    Raises:
        InputError: Bits that no numbers have, one value twice, or the second without the first.
    """
    asked = options.get("bits")
    if asked is None and "end_bits" in options:
        raise InputError("--bits with --end_bits", "no --bits", "add for example --bits 8,4")
    return None if asked is None else BitWidths.parse(asked, options.get("end_bits"))


def with_recipe(sizes: Scale, name: str | None) -> Scale:
    """Sizes with the recipe that a space brings; those of toy size keep their epochs and batches.

    Args:
        sizes: Of the job.
        name: Of the recipe; None where the space brings none.
    """
    if name is None:
        return sizes
    return replace(sizes, recipe=sizes.sized(RECIPES[name]))


def search_config(
    asked: AskedSearch, space: str, is_sample: bool, space_recipe: str | None = None
) -> RunConfig:
    """The configuration of a new search.

    Args:
        asked: What was asked for.
        space: Its search space, a name or a path, which may follow from the images.
        is_sample: Whether the images are an embedded sample.
        space_recipe: Name of the recipe that the space brings for its networks; None for the usual
            one of the images.

    Raises:
        InputError: A value is out of its range.
    """
    options = asked.options
    sizes = Scale.fitting(is_sample, bool(options.get("smoke", False)))
    recipe = with_recipe(sizes, space_recipe).recipe_for(is_sample)
    recipe = recipe.with_flip(options.get("flip", recipe.augmentation.flip))
    method = options.get("method", "gradient")
    weights = sizes.search_recipe.changed(
        epochs=float(options.get("search_epochs", sizes.search_epochs)),
        augmentation=recipe.augmentation,
        **_given(options, ("batch_size", "learning_rate")),
    )
    race, proposals = options.get("race"), options.get("proposals", sizes.proposals)
    return RunConfig(
        date=now_text(),
        command=asked.command,
        seed=options.get("seed", 0),
        scale=sizes.name,
        data=asked.source,
        compute=compute_of(options),
        recipe=recipe,
        environment=environment(),
        blocks=tuple(reference(path) for path in options.get("blocks", ())),
        goals=asked.goals,
        space=reference(space),
        bits=bits_of(options),
        table=_kept(options.get("table")),
        device=options.get("device") or options.get("latency_device"),
        supernet=_kept(options.get("supernet")),
        bounds=Bounds(**_given(options, BOUNDS)),
        search=SearchConfig(
            weights=weights,
            method=method,
            execution=options.get("execution") or usual_execution(),
            gates=_gates(sizes.gates, options),
            warm_up=WarmUp.usual(METHODS[method].learns_gates),
        ),
        evolution=sizes.evolution,
        race=race and RaceConfig(race, float(options.get("race_epochs", sizes.epochs))),
        # Only gates propose.
        proposals=proposals if METHODS[method].learns_gates else 0,
        random_networks=options.get("random_networks", sizes.random_networks),
    )


def given_network_config(
    options: Mapping[str, Any], source: DataSource, command: str, image_size: int
) -> GivenNetworkConfig:
    """The configuration of a run that trains a network which somebody gave.

    Args:
        options: As `RetrainOptions`.
        source: The images.
        command: Command line, for the record.
        image_size: The network's, in pixels.
    """
    is_sample = source.kind == "sample"
    sizes = Scale.fitting(is_sample, bool(options.get("smoke", False)))
    return GivenNetworkConfig(
        date=now_text(),
        command=command,
        seed=options.get("seed", 0),
        scale=sizes.name,
        data=replace(source, image_size=image_size),
        compute=compute_of(options),
        recipe=sizes.recipe_for(is_sample),
        environment=environment(),
        blocks=tuple(reference(path) for path in options.get("blocks", ())),
    )


def _given(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: options[name] for name in names if name in options}


def _gates(usual: GateConfig, options: Mapping[str, Any]) -> GateConfig:
    renamed = {"gate": "form", "gate_learning_rate": "learning_rate"}
    given = {renamed[n]: v for n, v in _given(options, tuple(renamed)).items()}
    if "learning_rate" in given:
        given["rate_batch_size"] = None  # used as it is
    return replace(usual, **given)


def _kept(path: str | Path | None) -> str | None:
    return kept_path(path) if path else None


# Option -> what the record of a run says it is. `run_dir` and `resume` say where a run is;
# `data_dir` may have moved, and its images are compared themselves, by `verify_data` all of them.
RECORDED: dict[str, Callable[[RunConfig], Any]] = {
    "seed": lambda c: c.seed,
    "smoke": lambda c: c.is_smoke,
    "image_size": lambda c: c.data.image_size,
    "sample": lambda c: c.data.drawn,
    "skip_bad_images": lambda c: c.data.skip_bad_images,
    "resize": lambda c: c.data.resize,
    "mixed_precision": lambda c: c.compute.mixed_precision,
    "data_parallel": lambda c: c.compute.data_parallel,
    "processes": lambda c: c.compute.processes,
    "space": lambda c: c.space,
    "bits": lambda c: c.bits and c.bits.text,
    "end_bits": lambda c: c.bits and c.bits.ends,
    "blocks": lambda c: list(c.blocks),
    "table": lambda c: c.table,
    "device": lambda c: c.device,
    "latency_device": lambda c: c.device if c.table is None else None,
    "supernet": lambda c: c.supernet,
    **{name: attrgetter(f"bounds.{name}") for name in BOUNDS},
    "method": lambda c: c.search.method,
    "gate": lambda c: c.search.gates.form,
    "execution": lambda c: c.search.execution,
    "gate_learning_rate": lambda c: c.search.gates.rate_at(c.search.weights.batch_size),
    "search_epochs": lambda c: c.search.weights.epochs,
    "batch_size": lambda c: c.search.weights.batch_size,
    "learning_rate": lambda c: c.search.weights.peak_rate,
    "flip": lambda c: c.recipe.augmentation.flip,
    "proposals": lambda c: c.proposals,
    "race": lambda c: c.race and c.race.candidates,
    "race_epochs": lambda c: c.race and c.race.epochs,
    "random_networks": lambda c: c.random_networks,
    "quantity": lambda c: None if c.goals[0].penalty is None else c.unit.name,
}
PATHS = ("table", "supernet")
FILES: dict[str, Callable[[Any], Any]] = {
    "space": reference,
    "blocks": lambda paths: [reference(path) for path in paths],
}
# A fingerprint of their contents is kept: they may lie elsewhere by now.
MOVABLE = ("supernet", "space", "blocks")
# Another run of processes may meet elsewhere; `process_id` begins none.
OF_PROCESSES = ("coordinator", "process_id")
FREE = ("run_dir", "resume", "data_dir", "verify_data", "profile", *OF_WORKERS, *OF_PROCESSES)
GOAL_OPTIONS = GOAL_FLAGS


def check_resumed(config: RunConfig, asked: AskedSearch) -> RunConfig:
    """Refuses to go on with anything else than what the run began with.

    Args:
        config: Of the run.
        asked: What is asked for now; what is left out stays as it is.

    Returns:
        The same configuration, with files that are gone at the place where they lie now. Whoever
        reads them compares what stands in them.

    Raises:
        InputError: An option differs from the record.
    """
    if asked.goals and asked.goals != config.goals:
        name = next(n for n in GOAL_OPTIONS if n in asked.options)
        raise _changed(name, [g.label for g in config.goals], [g.label for g in asked.goals])
    moved: dict[str, Any] = {}
    for name, value in asked.options.items():
        if name in FREE or name in GOAL_OPTIONS:
            continue
        recorded = RECORDED[name](config)
        if name in PATHS:
            value = _kept(value)
        elif name == "bits":
            value = BitWidths.parse(value).text
        elif name in FILES:
            value = FILES[name](value)
        if recorded != value:
            if not _is_gone(name, recorded):
                raise _changed(name, recorded, value)
            moved[name] = tuple(value) if name == "blocks" else value
    return replace(config, **moved, compute=met_at(config.compute, asked.options))


def _is_gone(name: str, recorded: Any) -> bool:
    """Whether an option named files, none of which lies there any more."""
    if name not in MOVABLE or not recorded:
        return False
    paths = [recorded] if isinstance(recorded, str) else recorded
    return all(Path(path).is_absolute() and not Path(path).exists() for path in paths)


def _changed(name: str, recorded: Any, received: Any) -> InputError:
    return InputError(
        f"--{name} as the run began: {recorded!r}",
        repr(received),
        "leave the flag out with --resume, or begin another run",
    )
