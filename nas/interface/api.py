"""Searching and retraining from Python; nas.py and main.py run the same functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Unpack

from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.data import Dataset
from nas.errors import InputError
from nas.interface.arguments import given_options, listed, stoppable
from nas.interface.asked import AskedSearch, source_of
from nas.interface.asked_retraining import AskedRetraining
from nas.interface.compared_parts import AskedComparison
from nas.interface.comparing import go_on_with_comparison, run_comparison
from nas.interface.networks import (
    GivenNetwork,
    is_named,
    network_for_images,
    read_architecture,
)
from nas.interface.options import RetrainOptions, SearchOptions, TrialOptions
from nas.interface.retraining import run_retraining
from nas.interface.run import Run, run_or_front
from nas.interface.searching import run_search
from nas.interface.trials import run_trials
from nas.interface.trials_config import AskedTrials
from nas.runs.config import CONFIG_FILE
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.search_space.files import load_blocks
from nas.selection.goals import GOAL_FLAGS, Goal, parse_goals
from nas.system.paths import exists, own_path

Data = str | Path | Dataset | None
Target = float | str
SEARCH_NAMES = SearchOptions.__annotations__
RETRAIN_NAMES = RetrainOptions.__annotations__
TRIAL_NAMES = TrialOptions.__annotations__


def search(
    data: Data = None,
    *,
    target_ms: Target | Iterable[Target] | None = None,
    penalty: float | Iterable[float] | None = None,
    space: str | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    **options: Unpack[SearchOptions],
) -> Run:
    """Searches a network that is accurate and fast on this device.

    A Ctrl-C saves the state and comes out as KeyboardInterrupt; `resume` goes on from there.

    Args:
        data: Folder or .npz file with images, or a `Dataset`; None for an embedded sample.
        target_ms: Milliseconds to land on, or a part of the space's range such as `"25%"`;
            several make a sweep. The options `target_bops` and `target_weight_bits` ask for counts
            in their place.
        penalty: Weight of ln(milliseconds) in the loss instead, or of the logarithm of what the
            option `quantity` names; several make a sweep.
        space: Name of a search space, or path of a Python file that defines one; default: the
            first that fits the images.
        run_dir: Folder of the run; default: a new one below `runs/`.
        resume: Go on with the run in `run_dir`; goals and options are those that it began with.
        **options: See `SearchOptions`.

    Returns:
        The run; `Run.runs` are those of a sweep.

    Raises:
        LatencyError: Bad input; says what was expected, what was received, and how to fix it.
        TypeError: An unknown option.
    """
    given = given_options("search", options, SEARCH_NAMES)
    counts = {flag: listed(given[flag]) for flag in GOAL_FLAGS if flag in given}
    goals = {"lambda": listed(penalty), "target_ms": listed(target_ms), **counts}
    named = {
        **goals,
        "space": space,
        "run_dir": run_dir,
        "resume": resume or None,
        "data_dir": data,
    }
    given |= {name: value for name, value in named.items() if value is not None}
    asked = AskedSearch(
        _goals(goals, given.get("quantity"), resume),
        source_of(data, given),
        given,
        "nas.search(...)",
        data if isinstance(data, Dataset) else None,
    )
    with stoppable() as interrupter:
        path, _ = run_search(asked, Path(run_dir) if run_dir else None, interrupter)
    return Run(path)


def tune(
    data: str | Path | None = None,
    *,
    method: str | None = None,
    max_trials: int | None = None,
    objectives: str | Iterable[str] | None = None,
    space: str | None = None,
    network: str | None = None,
    run_dir: str | Path | None = None,
    resume: bool = False,
    **options: Unpack[TrialOptions],
) -> Run:
    """Searches by trials: each trains a network, or one network by other knobs, alone.

    A Ctrl-C saves the state and comes out as KeyboardInterrupt; `resume` goes on from there.
    Worker processes read the images themselves, so that these are files or the sample.

    Args:
        data: Folder or .npz file with images; None for an embedded sample.
        method: `asha` (default), `hyperband`, `random` or `grid`.
        max_trials: Configurations that are tried, 1 or more; None with `resume`, or for all of a
            grid.
        objectives: What trials are judged by, such as `"top1,ms"` or `["top1", "ms"]`; default:
            top1. The direction of each follows from its name.
        space: Name of the search space that networks come from, or path of a Python file that
            defines one; default: the first that fits the images.
        network: One network for all trials instead, as `main.py --network` takes it; the option
            `tune` says what differs.
        run_dir: Folder of the run; default: a new one below `runs/`.
        resume: Go on with the run in `run_dir`; options are those that it began with.
        **options: See `TrialOptions`.

    Returns:
        The run; `Run.trials` has every trial and the front.

    Raises:
        LatencyError: Bad input; says what was expected, what was received, and how to fix it.
        TypeError: An unknown option.
    """
    given = given_options("tune", options, TRIAL_NAMES)
    named = {
        "method": method or (None if resume else "asha"),
        "max_trials": max_trials,
        "objectives": listed(objectives),
        "budgets": listed(given.get("budgets")),
        "space": space,
        "network": network,
        "run_dir": run_dir,
        "resume": resume or None,
        "data_dir": data,
    }
    given |= {name: value for name, value in named.items() if value is not None}
    asked = AskedTrials(source_of(data, given), given, "nas.tune(...)")
    with stoppable() as interrupter:
        path, _ = run_trials(asked, Path(run_dir) if run_dir else None, interrupter)
    return Run(path)


def retrain(
    run_or_architecture: Run | Architecture | str | Path | None = None,
    data: Data = None,
    *,
    run: Run | str | Path | None = None,
    run_dir: str | Path | None = None,
    networks: int | None = None,
    **options: Unpack[RetrainOptions],
) -> Run:
    """Trains a network, exports it to ONNX, measures and certifies it; of a sweep, every one.

    Args:
        run_or_architecture: A run or its folder; or an architecture, its text, or a file with it;
            or what `main.py --network` takes, such as the name of a published network. The
            networks of a sweep are timed together.
        data: Images for a given network, as `search` takes them; those of a run, which may have
            moved, for a run. None for the run's own, or an embedded sample.
        run: A run or its folder by this name, in the place of the first argument.
        run_dir: Folder for a given network; default: a new one below `runs/`.
        networks: Different networks to train of a sweep, as many as its goals found or more;
            further ones are chosen between those. None for those of the goals.
        **options: See `RetrainOptions`.

    Returns:
        The run; of a sweep a `Front`, whose `networks` are the runs of all of them.

    Raises:
        LatencyError: Bad input; says what was expected, what was received, and how to fix it.
        TypeError: An unknown option, or not one of `run` and `run_or_architecture`.
    """
    given = _given_training("retrain", options)
    load_blocks(given.get("blocks", ()))  # before the text of a network is read
    source = source_of(data, given) if data is not None or "sample" in given else None
    dataset = data if isinstance(data, Dataset) else None
    folder, network = None, None
    if run_or_architecture is None and run is not None:
        folder = run.path if isinstance(run, Run) else own_path(run)
    elif run_or_architecture is not None and run is None:
        folder = _run_of(run_or_architecture)
        network = None if folder else _network_of(run_or_architecture, given, source, dataset)
    else:
        raise TypeError("retrain() takes one run or architecture")
    named: dict[str, Any] = {"run_dir": run_dir, "data_dir": data, "run": folder, "arch": network}
    named["networks"] = networks
    given |= {name: value for name, value in named.items() if value is not None}
    asked = AskedRetraining(
        given,
        source,
        network.architecture if network else None,
        folder,
        "nas.retrain(...)",
        dataset,
        notes=network.notes if network else (),
    )
    with stoppable() as interrupter:
        path, _ = run_retraining(asked, Path(run_dir) if run_dir else None, interrupter)
    return run_or_front(path)


def compare(
    networks: Iterable[Run | Architecture | str | Path],
    data: Data = None,
    *,
    run_dir: str | Path | None = None,
    **options: Unpack[RetrainOptions],
) -> Run:
    """Trains networks by one recipe and measures all of them in one session.

    Args:
        networks: Two or more: runs or their folders, which keep their training; architectures,
            their texts, files with them, or names of published networks, which are trained.
        data: Images, as `search` takes them; None for those of the runs, or an embedded sample.
        run_dir: Folder of the comparison; default: a new one below `runs/`. That of a comparison
            which was stopped goes on where no networks are named.
        **options: See `RetrainOptions`.

    Returns:
        The comparison as a run; `Run.comparison` has the figures, `Run.runs` are its networks.

    Raises:
        LatencyError: Bad input; says what was expected, what was received, and how to fix it.
        TypeError: An unknown option.
    """
    given = _given_training("compare", options)
    words = tuple(_word(network) for network in networks)
    named = {"data_dir": data, "compare": list(words) or None}
    named |= {"run_dir": run_dir} if words else {"run": run_dir}
    given |= {name: value for name, value in named.items() if value is not None}
    asked = AskedComparison(
        words,
        given,
        source_of(data, given) if data is not None or "sample" in given else None,
        "nas.compare(...)",
        data if isinstance(data, Dataset) else None,
    )
    path = Path(run_dir) if run_dir else None
    with stoppable() as interrupter:
        if words or path is None:
            return Run(run_comparison(asked, path, interrupter))
        return Run(go_on_with_comparison(asked, RunFolder.open(path), interrupter))


def _word(network: Run | Architecture | str | Path) -> str:
    """A network as a command line names it."""
    if isinstance(network, Run):
        return str(network.path)
    return to_text(network) if isinstance(network, Architecture) else str(network)


def _run_of(value: Run | Architecture | str | Path) -> Path | None:
    """The folder of a run; None for anything else."""
    if isinstance(value, Run):
        return value.path
    if isinstance(value, Architecture) or not exists(str(value)):
        return None
    return own_path(value) if (own_path(value) / CONFIG_FILE).is_file() else None


def _network_of(
    value: Run | Architecture | str | Path,
    options: Mapping[str, Any],
    source: DataSource | None,
    dataset: Dataset | None,
) -> GivenNetwork:
    """A network that was given. Texts and files of ours take any classes, as `--arch` does."""
    if isinstance(value, Architecture):
        return GivenNetwork(value)
    if is_named(str(value)):
        return network_for_images(str(value), options, source, dataset)
    return GivenNetwork(read_architecture(str(value)))


def _given_training(function: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of trainings; a teacher may be a run or a path, which a knob keeps as a text."""
    given = given_options(function, options, RETRAIN_NAMES)
    return {name: _word(value) if name == "teacher" else value for name, value in given.items()}


def _goals(given: Mapping[str, str | None], quantity: str | None, resume: bool) -> tuple[Goal, ...]:
    if any(given.values()):
        return parse_goals(given, quantity)
    if resume:
        return ()
    raise InputError(
        "target_ms, target_bops, target_weight_bits or penalty",
        "neither",
        "write for example target_ms='25%'",
    )
