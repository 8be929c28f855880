#!/usr/bin/env python3
"""How well a supernet's score of a network repeats on other images, by top-1 and by cross-entropy.

    python benchmarks/supernet_score.py --run runs/found --json scores.json

A search picks the best score of some dozens of networks. Whatever differs between two sets of
held-out images is noise in that pick. See benchmarks/README.md.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from scipy import stats

from latency import atomic, shell
from latency.cli.parser import OutputFile, Parser
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.cost.constraints import Bounds
from nas.hardware.predictor import SpaceLatency
from nas.methods.evolution import EvolutionConfig
from nas.methods.method import several
from nas.methods.random import RandomMethod
from nas.pipeline.inputs import keep_data, load_data, space_of
from nas.pipeline.supernet import SupernetStage
from nas.runs.config import read_search_config
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.selection.feasible import BoundedSpace
from nas.system.console import out
from nas.system.interrupt import Interrupter

# Predicted milliseconds of the networks that are scored, around the found one's.
MARGIN = 0.02


def stage_of(run: Path) -> SupernetStage:
    """The trained supernet of a finished search.

    Args:
        run: Its folder.
    """
    folder = RunFolder.open(run)
    config = read_search_config(run)
    # Standard output belongs to the figures.
    with redirect_stdout(sys.stderr):
        dataset = load_data(config.data, config.sizes, config.seed)
        keep_data(folder, dataset)
    space = space_of(config.space, dataset)
    table = LatencyTable.load(run / "table.json", allow_other_host=True)
    latency = SpaceLatency.from_table(space, table)
    return SupernetStage(folder, space, latency.cost, dataset, config, Interrupter())


def repeatability(scores: np.ndarray) -> dict[str, float]:
    """How scores of the same networks on different images agree.

    Args:
        scores: `[networks, parts]`, a higher one for a better network.

    Returns:
        `kendall_tau` and `pearson`, means over pairs of parts; `network_sd`, between networks
        beyond noise; `noise_sd`, of one network's score on one part, what all networks share of
        a part left out.
    """
    count, parts = scores.shape
    pairs = [(i, j) for i in range(parts) for j in range(i)]
    residual = scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()
    # Two-way analysis of variance, one observation a cell.
    noise = float((residual**2).sum() / ((count - 1) * (parts - 1)))
    between = float(scores.mean(1).var(ddof=1)) - noise / parts
    return {
        "kendall_tau": _mean(stats.kendalltau(scores[:, i], scores[:, j])[0] for i, j in pairs),
        "pearson": _mean(stats.pearsonr(scores[:, i], scores[:, j])[0] for i, j in pairs),
        "network_sd": float(np.sqrt(max(between, 0.0))),
        "noise_sd": float(np.sqrt(noise)),
    }


def _mean(values: Any) -> float:
    return float(np.mean(list(values)))


def main(arguments: list[str] | None = None) -> int:
    """Scores networks and prints the figures."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of a finished search")
    parser.add_argument("--networks", type=int, default=24, help="even draws near its milliseconds")
    parser.add_argument("--images", type=int, default=1000, help="of each part")
    parser.add_argument("--parts", type=int, default=4, help="sets of images without a common one")
    parser.add_argument("--json", action=OutputFile, type=Path, help="file for the figures")
    flags = parser.parse_args(arguments)
    if min(flags.networks, flags.parts) < 3 or flags.images < 1:
        parser.error(
            "expected 3 or more networks and parts of 1 or more images, received "
            f"{flags.networks}, {flags.parts} and {flags.images}; raise them"
        )

    stage = stage_of(flags.run)
    bounded = BoundedSpace(stage.space, stage.cost, Bounds())
    found = arch_text.parse(RunFolder(flags.run).read(Certificate).text)
    aim_ms = stage.cost.of(stage.space.encode(found))
    window = ((1 - MARGIN) * aim_ms, (1 + MARGIN) * aim_ms)
    networks = several(RandomMethod(bounded, seed=0), *window, flags.networks, [])
    scorer = stage.scorer(EvolutionConfig(images=flags.images * flags.parts))
    # Held out from the weights: a scorer of a search always has a part of the images.
    held_out = np.random.default_rng(0).permutation(np.asarray(scorer.indices))
    if len(held_out) < flags.images * flags.parts or len(networks) < flags.networks:
        parser.error(
            f"expected {flags.images * flags.parts} held-out images and {flags.networks} "
            f"networks, found {len(held_out)} and {len(networks)}; lower --images, --parts or "
            "--networks"
        )
    top1, entropy = np.zeros((2, flags.networks, flags.parts))
    for i, network in enumerate(networks):
        for j in range(flags.parts):
            scorer.indices = np.sort(held_out[j * flags.images : (j + 1) * flags.images])
            score = scorer.accuracy(network)
            top1[i, j], entropy[i, j] = score.top1, score.cross_entropy
    figures = {
        "run": str(flags.run),
        "networks": flags.networks,
        "images": flags.images,
        "parts": flags.parts,
        # Parts tell what images do to a score; what another training of the supernet would do,
        # one supernet cannot tell.
        "supernets": 1,
        "seed_sd": None,
        "mean_top1": float(top1.mean()),
        "by_top1": repeatability(top1),
        "by_cross_entropy": repeatability(-entropy),
    }
    out.print_json(data=figures)
    if flags.json:
        atomic.keep_json(flags.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
