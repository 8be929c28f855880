"""What a comparison is made of: its images, its networks at their size, and its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.data import Dataset
from nas.data.look import Looks
from nas.errors import InputError
from nas.interface.asked import given_network_config
from nas.interface.compared_runs import RunFacts, common_recipe
from nas.interface.named_networks import NamedNetwork, same_network
from nas.pipeline.inputs import check_fits, load_data, looks_of, source_now
from nas.recipes.scales import Scale
from nas.runs.config import ComparisonConfig, ComparisonEntry, GivenNetworkConfig, read_config
from nas.runs.data import DataRecord, DataSource
from nas.system.console import out


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


def images_asked(
    asked: AskedComparison, runs: Mapping[str, RunFacts], named: Sequence[NamedNetwork]
) -> tuple[DataSource, int | None]:
    """The images and their size: as asked for, of the runs, of the given networks, their own.

    Args:
        asked: What is asked for.
        runs: By name.
        named: All networks.

    Returns:
        The images, and their height and width in pixels; None for the images' own.

    Raises:
        InputError: The networks are for images of different sizes.
    """
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


def looks_at_images(
    asked: AskedComparison,
    options: Mapping[str, Any],
    source: DataSource,
    runs: Mapping[str, RunFacts],
) -> Looks:
    """What is known of the images of what is trained, before any of them is decoded.

    Args:
        asked: What is asked for.
        options: As `RetrainOptions`, those of the runs included.
        source: From `images_asked`.
        runs: By name.

    Raises:
        LatencyError: They are missing, or have other classes than those of the runs.
    """
    return looks_of(source, *_read_as(options, source, runs), asked.dataset, _record_of(runs))


def images_of(
    asked: AskedComparison,
    options: Mapping[str, Any],
    source: DataSource,
    runs: Mapping[str, RunFacts],
) -> Dataset:
    """The images of what is trained, which have to be those of the runs.

    Args:
        asked: What is asked for.
        options: As `RetrainOptions`, those of the runs included.
        source: From `images_asked`.
        runs: By name.

    Raises:
        LatencyError: They cannot be read, or are not those of the runs.
    """
    sizes, seed = _read_as(options, source, runs)
    dataset = load_data(source, sizes, seed, asked.dataset, _record_of(runs))
    facts = next(iter(runs.values()), None)
    if facts is not None:
        fix = "name the images of the runs by --data_dir, or leave it out"
        facts.data.check_same(dataset, f"{facts.folder.path} learned from", fix)
    return dataset


def _record_of(runs: Mapping[str, RunFacts]) -> DataRecord | None:
    return next((facts.data for facts in runs.values()), None)


def _read_as(
    options: Mapping[str, Any], source: DataSource, runs: Mapping[str, RunFacts]
) -> tuple[Scale, int]:
    """The size of the job, and the seed of the images' division: that of the first run."""
    sizes = Scale.fitting(source.kind == "sample", bool(options.get("smoke", False)))
    for facts in runs.values():
        return sizes, read_config(facts.folder.path).seed
    return sizes, options.get("seed", 0)


def entries_of(
    named: Sequence[NamedNetwork],
    runs: Mapping[str, RunFacts],
    looks: Looks | None,
    size: int | None,
) -> tuple[ComparisonEntry, ...]:
    """All networks as they are trained; the same network to be trained twice is refused.

    Args:
        named: All networks.
        runs: By name.
        looks: Of the images of what is trained; None where nothing is.
        size: Height and width of the images in pixels; None where no network is built for them.

    Raises:
        InputError: Equal networks, or one that does not fit the images.
    """
    found: list[tuple[ComparisonEntry, Architecture]] = []
    for network in named:
        facts = runs.get(network.name)
        is_trained = facts is not None and facts.certificate is not None
        classes = looks.num_classes if looks else None
        if facts is not None:
            classes = facts.data.num_classes
        built = network.built(size, classes)
        given = network.architecture
        if given is not None and given.num_classes != built.num_classes:
            out.print(
                f"{network.name} has {given.num_classes} classes, the data {built.num_classes}: "
                "its last layer is resized.",
                markup=False,
            )
        architecture_cost(built)  # layers that do not fit each other are refused here
        if looks is not None:
            check_fits(built, looks, takes_any_classes=False)
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


def comparison_config(
    asked: AskedComparison,
    options: Mapping[str, Any],
    source: DataSource,
    size: int | None,
    entries: tuple[ComparisonEntry, ...],
    runs: Mapping[str, RunFacts],
) -> ComparisonConfig:
    """What is written down of a new comparison.

    Args:
        asked: What is asked for.
        options: As `RetrainOptions`, those of the runs included.
        source: The images.
        size: Their height and width in pixels; None where nobody knows.
        entries: All networks.
        runs: By name.
    """
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
