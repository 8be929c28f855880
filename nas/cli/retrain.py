"""Flags of `main.py` -> a retraining."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from absl import flags

from latency.cli.exit_codes import EXIT_DONE
from nas.architecture.spec import Architecture
from nas.cli import flags as strict_flags
from nas.cli.exit_codes import EXIT_CODES
from nas.interface import rules
from nas.interface.asked import source_of
from nas.interface.networks import (
    GivenNetwork,
    network_for_images,
    read_architecture,
    read_network,
)
from nas.interface.retraining import AskedRetraining, architecture_of, run_retraining
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.search_space.files import load_blocks
from nas.system.interrupt import Interrupter


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
    if values["summary"].value:
        return _summary(values)
    asked = asked_retraining(values, command)
    run_dir = values["run_dir"].value
    path = Path(run_dir) if run_dir else None
    _, outcome = run_retraining(asked, path, interrupter, on_folder)
    return EXIT_CODES[outcome]


def asked_retraining(values: flags.FlagValues, command: str = "") -> AskedRetraining:
    """What the flags ask for.

    Args:
        values: The flags.
        command: Command line, for the record.

    Raises:
        InputError: Flags that do not apply beside each other, or no architecture.
    """
    options = strict_flags.given(values)
    rules.check(options, rules.RETRAIN_RULES)
    data_dir, run = options.get("data_dir"), options.get("run")
    source = source_of(data_dir, options) if data_dir else None
    network = _given_network(options, source)
    return AskedRetraining(
        options,
        source,
        network.architecture if network else None,
        Path(run) if run else None,
        command,
        notes=network.notes if network else (),
    )


def _given_network(options: Mapping[str, Any], source: DataSource | None) -> GivenNetwork | None:
    """The network of --arch or --network, whose text may name blocks of a user's own."""
    load_blocks(options.get("blocks", ()))
    if "network" in options:
        return network_for_images(options["network"], options, source)
    return GivenNetwork(read_architecture(options["arch"])) if "arch" in options else None


def _summarised_network(options: Mapping[str, Any]) -> Architecture | None:
    """The network of --arch or --network by itself, without images."""
    load_blocks(options.get("blocks", ()))
    if "network" in options:
        return read_network(options["network"], options.get("image_size")).architecture
    return read_architecture(options["arch"]) if "arch" in options else None


def _summary(values: flags.FlagValues) -> int:
    from nas.report.summary import print_summary

    options = strict_flags.given(values)
    rules.check(options, rules.RETRAIN_RULES)
    rules.check_summary(options)
    architecture, run = _summarised_network(options), options.get("run")
    if architecture is None:
        folder = RunFolder.open(Path(run)) if run else RunFolder.newest()
        architecture = architecture_of(folder)
    print_summary(architecture)
    return EXIT_DONE
