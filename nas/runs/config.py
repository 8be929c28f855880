"""What a run was asked for: parsed once, written once to config.json, never changed.

Facts that are found out later stand in records of their own: `DataRecord` (data.json) and
`ResolvedTarget` (target.json).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal

from latency.command_line import path_word, quote
from latency.device import strict_json
from nas.cost.constraints import Bounds
from nas.cost.units import Unit
from nas.deployment.formats import AskedExports
from nas.errors import InputError
from nas.methods.config import SearchConfig
from nas.methods.evolution import EvolutionConfig
from nas.metrics import AskedMetrics
from nas.ranges import check_count
from nas.runs.settings import CONFIG_FILE as CONFIG_FILE
from nas.runs.settings import RunSettings as RunSettings
from nas.runs.trials import TrialsConfig
from nas.search_space.bits import BitWidths
from nas.search_space.files import is_file, refuse_relative
from nas.selection.goals import Goal, check_different
from nas.selection.success_rate import check_goal
from nas.system.backend import Compute
from nas.system.program import command_line
from nas.training.recipe import Recipe

# Below the folder of a comparison: a run for each network that it trains.
NETWORKS_FOLDER = "networks"


@dataclass(frozen=True)
class RaceConfig:
    """Candidates that train alone before one of them is kept.

    Args:
        candidates: Networks at the start, 2 or more.
        epochs: Passes over the images in the last round, above 0.

    Raises:
        InputError: A value is out of its range.
    """

    candidates: int
    epochs: float

    def __post_init__(self) -> None:
        if self.candidates < 2 or not self.epochs > 0:
            raise InputError(
                "a race of 2 or more candidates over more than 0 epochs",
                f"{self.candidates} and {self.epochs:g}",
                "correct --race or --race_epochs",
            )


@dataclass(frozen=True, kw_only=True)
class RunConfig(RunSettings):
    """What a search, or a sweep of several, was asked for.

    Args:
        goals: What to reach; several make a sweep.
        space: Name of the search space, or absolute path of a Python file that defines it.
        space_fingerprint: Of the space, to tell whether such files have changed since; None where
            nobody kept it.
        bits: That blocks choose from, and those of what is no choice; None for float32.
        table: Absolute path of the latency table; None for this host's cache.
        device: Name of another device that the table is of; None for this one.
        supernet: Absolute path of the run that lends its supernet; None to train one.
        bounds: Beside the goal.
        search: Method and its settings.
        evolution: Sizes of an evolution, and of the images that networks are scored on.
        race: None where no race is run.
        proposals: Networks that the gates propose to the supernet; 0: the gates alone choose.
        random_networks: Random networks of equal milliseconds to compare with.

    Raises:
        InputError: No goal, one goal twice, or goals in different quantities.
    """

    kind: Literal["search"] = "search"
    goals: tuple[Goal, ...]
    space: str
    space_fingerprint: str | None = None
    bits: BitWidths | None = None
    table: str | None = None
    device: str | None = None
    supernet: str | None = None
    bounds: Bounds = field(default_factory=Bounds)
    search: SearchConfig
    evolution: EvolutionConfig = field(default_factory=EvolutionConfig)
    race: RaceConfig | None = None
    proposals: int = 0
    random_networks: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.goals:
            raise InputError("a goal or several", "none", "give --lambda or a target")
        check_different(self.goals)

    @property
    def is_sweep(self) -> bool:
        """Whether each goal has a run of its own below this one's folder."""
        return len(self.goals) > 1

    @property
    def unit(self) -> Unit:
        """What all of its goals are asked in."""
        return self.goals[0].unit

    @property
    def goal(self) -> Goal:
        """The goal of a run that is no sweep."""
        (goal,) = self.goals
        return goal


@dataclass(frozen=True, kw_only=True)
class GivenNetworkConfig(RunSettings):
    """What `main.py --arch` was asked for: the network was given, nothing is searched."""

    kind: Literal["retrain"] = "retrain"


@dataclass(frozen=True)
class ComparisonEntry:
    """One network of a comparison.

    Args:
        name: For people, and of its folder; different for each.
        word: As it was named.
        text: The architecture, for the images' size and number of classes.
        run: Absolute path of the run that trained it before; None where the comparison trains it,
            in `networks/NAME`.
    """

    name: str
    word: str
    text: str
    run: str | None = None

    def folder_in(self, comparison: Path) -> Path:
        """The folder of the run that trains it, or has trained it.

        Args:
            comparison: Folder of the comparison.
        """
        return Path(self.run) if self.run else comparison / NETWORKS_FOLDER / self.name


@dataclass(frozen=True, kw_only=True)
class ComparisonConfig(RunSettings):
    """What `main.py --compare` was asked for.

    Args:
        networks: Two or more, in the order in which they were named.
        goal_top1: Share of the evaluation images of which it is told how often each network's
            trainings reach it; None for the goals of their runs.

    Raises:
        InputError: Fewer networks, or one name twice.
    """

    kind: Literal["compare"] = "compare"
    networks: tuple[ComparisonEntry, ...]
    goal_top1: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [network.name for network in self.networks]
        if len(set(names)) < len(names) or len(names) < 2:
            raise InputError(
                "two networks or more, each under a name of its own",
                ", ".join(names) or "none",
                "name them as --compare A,B",
            )


AnyConfig = RunConfig | GivenNetworkConfig | ComparisonConfig | TrialsConfig
_KINDS: dict[str, type[AnyConfig]] = {
    "retrain": GivenNetworkConfig,
    "compare": ComparisonConfig,
    "trials": TrialsConfig,
}


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """What the networks of a run are trained with, all of them alike: recipe.json.

    Args:
        recipe: Of every network.
        seed: Of weights, dropout and data order, of each network's first training.
        compute: What Keras computes with.
        inherits: Whether networks of the space start from the supernet's weights.
        seeds: Trainings of each network, 1 or more; the others have the seeds that follow.
        goal_top1: Share of the evaluation images of which it is told how often they reach it,
            above 0 and up to 1; None where nobody asked.
        named_recipe: Name of the recipe that the knobs changed; None for that of the run.
        schedule_fingerprint: Of the Python file of its schedule; None for a schedule by name.
        metrics: What the trained networks are judged by beside top-1 and top-5.
        selection: The one metric on held-out training images that chooses between the last weights
            and their average; without metrics where top-1 does.
        exports: Files beside model.onnx that were asked for last.

    Raises:
        InputError: The number of seeds or the goal is out of its range.
    """

    FILE: ClassVar[str] = "recipe.json"
    SCHEMA_VERSION: ClassVar[int] = 5
    OLDER_VERSIONS: ClassVar[tuple[int, ...]] = (2, 3, 4)

    recipe: Recipe
    seed: int
    compute: Compute
    inherits: bool = False
    seeds: int = 1
    goal_top1: float | None = None
    named_recipe: str | None = None
    schedule_fingerprint: str | None = None
    metrics: AskedMetrics = field(default_factory=AskedMetrics)
    selection: AskedMetrics = field(default_factory=AskedMetrics)
    exports: AskedExports = field(default_factory=AskedExports)

    def __post_init__(self) -> None:
        check_count("seeds", self.seeds)
        if self.goal_top1 is not None:
            check_goal(self.goal_top1)


def read_config(folder: Path) -> AnyConfig:
    """The configuration of a run.

    Args:
        folder: Of the run.

    Raises:
        InputError: No run folder, one that an earlier or later version wrote, or one that names
            Python files by relative paths.
        FileFormatError: The file is broken.
    """
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise InputError(
            f"a run folder with {CONFIG_FILE}",
            f"{folder}{_why_not(folder)}",
            "name a folder that nas.py wrote, or run nas.py first",
        )
    head = strict_json.read_object(path)
    version = head.get(strict_json.VERSION_KEY)
    if type(version) is not int or version != RunSettings.SCHEMA_VERSION:
        found = "no schema" if version is None else f"schema {version!r}"
        raise InputError(
            f"a run folder of schema {RunSettings.SCHEMA_VERSION}",
            f"{found} in {path}",
            "search again with this version of the program, or go on with the version that wrote "
            f"the run; its network can be trained here by {command_line('retrain')} --arch "
            f"{quote(path_word(folder / 'architecture.json'))}",
        )
    named = head.get("kind")
    kind = _KINDS.get(named, RunConfig) if isinstance(named, str) else RunConfig
    config: AnyConfig = strict_json.read(kind, path)
    named = getattr(config, "space", None)
    space = (named,) if named is not None and is_file(named) else ()
    refuse_relative((*config.blocks, *space), path)
    return config


def _why_not(folder: Path) -> str:
    if folder.is_dir():
        return ", a folder without one"
    return ", which is a file" if folder.exists() else ", which does not exist"


def read_search_config(folder: Path) -> RunConfig:
    """The configuration of a search or a sweep.

    Args:
        folder: Of the run.

    Raises:
        InputError: As `read_config`, or a run that searched nothing.
    """
    config = read_config(folder)
    if not isinstance(config, RunConfig):
        raise InputError(
            "a run folder of nas.py", f"{folder}, of {config.kind!r}", "check --run_dir"
        )
    return config
