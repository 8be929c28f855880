#!/usr/bin/env python3
"""Whether a found network learns more from the supernet's weights than from random ones.

    python benchmarks/inherit.py --run runs/found --seeds 5 --epochs 3 --json inherit.json
    python benchmarks/inherit.py --run runs/found --seeds 3 --lengths 1,2,4,8 --output epochs

For each seed the network is trained twice by the same recipe, on the same batches in the same
order, for the same epochs: once from random weights, once from those of the run's supernet. What
the supernet's own epochs cost is not counted. With `--lengths` it tells after how many epochs the
supernet's weights reach what the longest training from random ones does; a run that was stopped
goes on. See benchmarks/README.md.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks.inherit_epochs import epochs_to_reach, trained, write_picture
from benchmarks.inherit_epochs import table as reach_table
from benchmarks.supernet_score import stage_of
from latency import atomic, shell
from latency.cli.parser import OutputFile, Parser
from latency.device import strict_json
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.data import Dataset
from nas.interface.training_parts import architecture_of
from nas.pipeline.inherit import check_inherits
from nas.runs.folder import RunFolder
from nas.selection.seed_spread import SeedSpread, difference
from nas.system.console import err, out
from nas.training.recipe import Recipe

STARTS = ("random", "inherited")


def paired(random: Sequence[float], inherited: Sequence[float]) -> dict[str, float | None]:
    """How the two starts differ over seeds, each seed compared with itself.

    Args:
        random: Top-1 of each seed from random weights, from 0 to 1.
        inherited: Top-1 of the same seeds from the supernet's weights.

    Returns:
        Means, the mean `gain` of inheriting, the `standard_error` of that mean (None for one
        seed) with the 95 % interval from `low` to `high` of a paired t test, and `wins`, the share
        of seeds in which inheriting was better.
    """
    gains = np.asarray(inherited) - np.asarray(random)
    error = float(gains.std(ddof=1) / np.sqrt(len(gains))) if len(gains) > 1 else None
    trainings = [SeedSpread.of(dict(enumerate(top1))) for top1 in (inherited, random)]
    found = difference(*trainings)
    return {
        "random_mean": float(np.mean(random)),
        "inherited_mean": float(np.mean(inherited)),
        "gain": float(gains.mean()),
        "standard_error": error,
        "low": found.low if found else None,
        "high": found.high if found else None,
        "wins": float((gains > 0).mean()),
    }


def top1(
    network: Architecture,
    dataset: Dataset,
    recipe: Recipe,
    seed: int,
    weights: Mapping[str, np.ndarray] | None,
) -> float:
    """Top-1 on the evaluation split of one training.

    Args:
        network: Trained alone.
        dataset: Images.
        recipe: The same for both starts.
        seed: Of the batches and, without `weights`, of the first weights.
        weights: The start; None for random ones.
    """
    from nas.training.loop import Control
    from nas.training.trainer import train_network

    result = train_network(network, dataset, recipe, Control(), seed=seed, initial_weights=weights)
    return result.evaluation.top1


def measure(run: Path, seeds: int, epochs: float | None) -> dict[str, Any]:
    """Trains from both starts, seed by seed.

    Args:
        run: Folder of a finished search with a supernet.
        seeds: Pairs of trainings.
        epochs: Of each training; None for the run's recipe.
    """
    stage = stage_of(run)
    check_inherits(stage.folder, stage.config)
    network = architecture_of(RunFolder.open(run))
    weights = stage.weights_of(network)
    recipe = stage.config.recipe
    recipe = recipe if epochs is None else replace(recipe, epochs=epochs)
    found: dict[str, list[float]] = {start: [] for start in STARTS}
    for seed in range(seeds):
        for start in STARTS:
            first = weights if start == "inherited" else None
            found[start].append(top1(network, stage.dataset, recipe, seed, first))
            err.print(f"seed {seed}, {start}: top-1 {found[start][-1]:.2%}")
    return {
        "run": str(run),
        "network": to_text(network),
        "seeds": seeds,
        "recipe": strict_json.encode(recipe),
        "evaluation_images": len(stage.dataset.evaluation.labels),
        "random_top1": found["random"],
        "inherited_top1": found["inherited"],
        **paired(found["random"], found["inherited"]),
    }


def measure_lengths(
    run: Path, seeds: int, lengths: Sequence[float], folder: Path
) -> dict[str, Any]:
    """Trains both starts for several lengths, and writes the figures and a picture.

    Args:
        run: Folder of a finished search with a supernet.
        seeds: Trainings of each start and length.
        lengths: Epochs, increasing.
        folder: Of all files; a training that it has is not repeated.
    """
    stage = stage_of(run)
    check_inherits(stage.folder, stage.config)
    network = architecture_of(RunFolder.open(run))
    weights = stage.weights_of(network)

    def train(start: str, epochs: float, seed: int) -> float:
        first = weights if start == "inherited" else None
        recipe = replace(stage.config.recipe, epochs=epochs)
        found = top1(network, stage.dataset, recipe, seed, first)
        err.print(f"seed {seed}, {epochs:g} epochs, {start}: top-1 {found:.2%}")
        return found

    recipe = strict_json.encode(replace(stage.config.recipe, epochs=lengths[-1]))
    settings = strict_json.dumps({"network": to_text(network), "recipe": recipe})
    figures = epochs_to_reach(trained(folder, lengths, seeds, settings, train))
    figures = {"run": str(run), "network": to_text(network), "recipe": recipe, **figures}
    atomic.keep_json(folder / "figures.json", figures)
    write_picture(folder / "epochs.png", figures)
    return figures


def parsed_lengths(text: str) -> list[float]:
    """Epochs as `--lengths` writes them: two or more, increasing.

    Args:
        text: Numbers with commas between them.

    Raises:
        ValueError: It is something else.
    """
    found = [float(word) for word in text.split(",")]
    if len(found) < 2 or found[0] <= 0 or any(a >= b for a, b in pairwise(found)):
        raise ValueError(text)
    return found


def main(arguments: list[str] | None = None) -> int:
    """Trains and prints the figures; returns the exit code.

    Args:
        arguments: Command line; None for the program's own.
    """
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished search")
    parser.add_argument("--seeds", type=int, default=5, help="pairs of trainings")
    parser.add_argument("--epochs", type=float, help="of each training; default: the run's recipe")
    parser.add_argument("--json", action=OutputFile, type=Path, help="file for the figures")
    parser.add_argument("--lengths", help="epochs of several trainings, such as 1,2,4,8")
    parser.add_argument("--output", type=Path, help="folder of --lengths; a run goes on there")
    flags = parser.parse_args(arguments)
    if flags.seeds < 1:
        parser.error(f"expected --seeds of 1 or more, received {flags.seeds}; raise it")
    if (flags.lengths is None) != (flags.output is None):
        parser.error("expected --lengths with --output, received one of both; write both")
    if flags.lengths is not None:
        if flags.epochs is not None or flags.json is not None:
            parser.error("expected --lengths without --epochs and --json, received them; leave out")
        try:
            lengths = parsed_lengths(flags.lengths)
        except ValueError:
            parser.error(
                "expected --lengths of two or more increasing numbers above 0, received "
                f"{flags.lengths!r}; write for example 1,2,4,8"
            )
        found = measure_lengths(flags.run, flags.seeds, lengths, flags.output)
        out.print(reach_table(found))
        return 0
    figures = measure(flags.run, flags.seeds, flags.epochs)
    out.print_json(data=figures)
    if flags.json:
        atomic.keep_json(flags.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
