"""Flags of `main.py` -> a retraining."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from absl import flags

from latency.cli.exit_codes import EXIT_CANNOT_TELL, EXIT_DONE
from nas.architecture.spec import Architecture
from nas.cli import flags as strict_flags
from nas.cli.exit_codes import EXIT_CODES
from nas.cli.follow import follow, follows
from nas.cli.show import show
from nas.interface import recipe_options, rules
from nas.interface.asked import source_of
from nas.interface.asked_retraining import AskedRetraining
from nas.interface.compared_parts import AskedComparison
from nas.interface.comparing import (
    go_on_with_comparison,
    is_comparison,
    is_whole,
    run_comparison,
)
from nas.interface.named_networks import split_words
from nas.interface.networks import (
    GivenNetwork,
    network_for_images,
    read_architecture,
    sized_network,
)
from nas.interface.retrain_rules import RETRAIN_RULES, shown
from nas.interface.retraining import run_retraining
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.search_space.files import load_blocks
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.paths import own_path


def retrain(
    values: flags.FlagValues,
    command: str,
    interrupter: Interrupter,
    on_folder: Callable[[Path], None],
) -> int:
    """Runs `main.py` after its flags were read.

    Args:
        values: The flags.
        command: Command line, for the record.
        interrupter: Asked whether to stop.
        on_folder: Told the run's folder as soon as there is one.

    Returns:
        The exit code.

    Raises:
        LatencyError: Bad input.
        Interrupted: A signal came; the state is saved.
    """
    if follows(values):
        return follow(values, interrupter)
    options = strict_flags.given(values)
    what = shown(options)
    # Before any folder is opened: what is said twice has no right one.
    rules.check(options, RETRAIN_RULES)
    recipe_options.check(options)
    if what is not None:
        return show(what, options, _shown_network(options))
    run_dir = values["run_dir"].value
    path = Path(run_dir) if run_dir else None
    if "compare" in options or _goes_on_comparing(options):
        return _compare(options, command, path, interrupter, on_folder)
    asked = asked_retraining(values, command)
    _, outcome = run_retraining(asked, path, interrupter, on_folder)
    return EXIT_CODES[outcome]


def asked_retraining(values: flags.FlagValues, command: str = "") -> AskedRetraining:
    """What the flags ask for.

    Args:
        values: The flags.
        command: Command line, for the record.

    Raises:
        InputError: No architecture.
    """
    options = strict_flags.given(values)
    run, source = options.get("run"), _named_images(options)
    network = _given_network(options, source)
    return AskedRetraining(
        options,
        source,
        network.architecture if network else None,
        Path(run) if run else None,
        command,
        notes=network.notes if network else (),
    )


def _named_images(options: Mapping[str, Any]) -> DataSource | None:
    """The images that are named; None for those of a run, or the usual sample."""
    is_named = "data_dir" in options or "sample" in options
    return source_of(options.get("data_dir"), options) if is_named else None


def _given_network(options: Mapping[str, Any], source: DataSource | None) -> GivenNetwork | None:
    """The network of --arch or --network, whose text may name blocks of a user's own."""
    load_blocks(options.get("blocks", ()))
    if "network" in options:
        return network_for_images(options["network"], options, source)
    return GivenNetwork(read_architecture(options["arch"])) if "arch" in options else None


def _shown_network(options: Mapping[str, Any]) -> Architecture | None:
    """The network of --arch or --network by itself, without images."""
    load_blocks(options.get("blocks", ()))
    if "network" not in options:
        return read_architecture(options["arch"]) if "arch" in options else None
    found = sized_network(options["network"], options.get("image_size"))
    for note in found.notes:
        out.print(f"Network: {note}", markup=False)
    return found.architecture


def _goes_on_comparing(options: Mapping[str, Any]) -> bool:
    return "run" in options and is_comparison(RunFolder.open(own_path(options["run"])))


def _compare(
    options: Mapping[str, Any],
    command: str,
    run_dir: Path | None,
    interrupter: Interrupter,
    on_folder: Callable[[Path], None],
) -> int:
    """Begins a comparison, or goes on with that of --run."""
    words = tuple(split_words(options.get("compare", ())))
    asked = AskedComparison(words, options, _named_images(options), command)
    if words:
        path = run_comparison(asked, run_dir, interrupter, on_folder)
    else:
        folder = RunFolder.open(own_path(options["run"]))
        path = go_on_with_comparison(asked, folder, interrupter, on_folder)
    return EXIT_DONE if is_whole(RunFolder(path)) else EXIT_CANNOT_TELL
