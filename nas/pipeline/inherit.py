"""Weights that networks start from when they are retrained: those of the run's supernet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nas.architecture.spec import Architecture
from nas.data import Dataset
from nas.errors import InputError
from nas.methods.history import SearchEnd
from nas.methods.registry import METHODS
from nas.pipeline.lending import lending_run, with_lender
from nas.pipeline.supernet import stage_of_run
from nas.runs.config import AnyConfig, RunConfig
from nas.runs.folder import RunFolder
from nas.selection.goals import ResolvedTarget
from nas.system import backend
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.program import go_on_command

Weights = Mapping[str, np.ndarray]  # named as in `nas.architecture.weights`


def check_inherits(folder: RunFolder, config: AnyConfig) -> RunConfig:
    """Refuses a run that has no trained supernet, or whose lender is gone.

    Args:
        folder: Of the run.
        config: Of the run.

    Returns:
        The configuration, with the run that lends its supernet at the place where it lies now.

    Raises:
        InputError: Its network was given, its method trains no supernet, or the supernet's
            weights are gone.
    """
    if not isinstance(config, RunConfig) or not METHODS[config.search.method].trains_supernet:
        raise InputError(
            "--inherit with the run of a search that trained a supernet",
            f"{folder.path}, which has none",
            "leave --inherit out, or search with --method gradient or evolution",
        )
    config = with_lender(folder, config)
    if config.supernet is not None:
        _check_lends(Path(config.supernet))
    elif not (folder.has(SearchEnd) and folder.checkpoint("search").is_file()):
        raise InputError(
            f"the supernet's weights, {folder.checkpoint('search')}",
            "no such file, or a search that is not finished",
            f"leave --inherit out, or finish the search: {go_on_command('search', folder.path)}",
        )
    return config


def _check_lends(path: Path) -> None:
    """Refuses a lender that is gone: main.py cannot be told of another place."""
    try:
        lending_run(path)
    except InputError as error:
        fix = (
            f"bring back what is missing in {path}, or write --noinherit to start from random "
            "weights, with --restart where a training has begun"
        )
        raise InputError(error.expected, error.received, fix) from None


def inherited_weights(
    folder: RunFolder,
    config: AnyConfig,
    dataset: Dataset,
    networks: Mapping[str, Architecture],
    interrupter: Interrupter,
) -> dict[str, Weights]:
    """Weights of every network that is one of the space, cut out of the run's supernet.

    Args:
        folder: Of the run.
        config: Of the run.
        dataset: Its images.
        networks: By name; those that are none of the space stay out.
        interrupter: Asked whether to stop.

    Raises:
        InputError: The run has no trained supernet.
    """
    searched = check_inherits(folder, config)
    target = folder.read(ResolvedTarget).target
    stage = stage_of_run(folder, searched, dataset, interrupter, target)
    out.print("Taking the supernet's weights as the start of the training ...")
    found: dict[str, Weights] = {}
    for name, network in networks.items():
        if stage.space.contains(network):
            found[name] = stage.weights_of(network)
        else:
            out.print(f"{name} is no network of the space: it starts from random weights.")
    backend.forget_models()  # the networks are built as in a process of their own
    return found
