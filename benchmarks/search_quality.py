#!/usr/bin/env python3
"""Whether searched networks beat random ones of equal milliseconds, trained by one recipe.

    python benchmarks/search_quality.py --folder quality --case planted --json

Searches (one a seed) and trainings are runs of nas.py and main.py in processes of their own, kept
below --folder and gone on with when called again. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import planted_need
from rich.table import Table
from scipy import stats

from latency import atomic
from latency.host import current_host
from nas import arch_text
from nas.console import err, out

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Case:
    """Data, space, target and lengths of one comparison.

    Args:
        space: Of the networks.
        target: As `--target_ms` takes it.
        search_epochs: Of each search.
        epochs: Of each training.
        needs_data: Whether --data_dir must name the images; else they are drawn.
        trains_largest: Whether the largest network is trained too.
    """

    space: str
    target: str
    search_epochs: float
    epochs: float
    needs_data: bool
    trains_largest: bool


CASES = {
    "planted": Case("sample", "40%", 16.0, 4.0, False, True),
    # The largest would take as long as the eight random networks.
    "cifar": Case("cifar", "15%", 4.0, 6.0, True, False),
    "tiny": Case("tiny", "40%", 1.0, 1.0, True, False),
}
PLANTED_IMAGES = (7200, 1200)


def call(script: str, arguments: Sequence[str], log: Path) -> None:
    """Runs one of our programs; its output goes to a log.

    Raises:
        SystemExit: It failed; 3 (target missed) is a result, not a failure.
    """
    command = [sys.executable, str(ROOT / script), *arguments]
    err.print(" ".join(["python", script, *arguments]), markup=False)
    with open(log, "a", encoding="utf-8") as stream:
        done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if done.returncode not in (0, 3):
        tail = log.read_text("utf-8").splitlines()[-8:]
        err.print("\n".join(tail), markup=False)
        raise SystemExit(done.returncode)


def search(run: Path, arguments: Sequence[str], log: Path) -> None:
    """A search that begins, goes on, or is done already."""
    if (run / "certificate.json").is_file():
        return
    if (run / "config.json").is_file():
        arguments = ["--resume"]
    call("nas.py", [*arguments, "--run_dir", str(run)], log)


def train(run: Path, arguments: Sequence[str], log: Path) -> None:
    """All trainings of a run, unless they are done already."""
    certificate = json.loads((run / "certificate.json").read_text("utf-8"))
    if certificate["top1"] is None:
        call("main.py", ["--run", str(run), *arguments], log)


def supernet_scores(run: Path, networks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shared-weight accuracies of networks, on training images that the weights never saw.

    Args:
        run: Of a search; the scores are kept in it.
        networks: As text.
    """
    path = run / "scores.json"
    if path.is_file():
        return dict(json.loads(path.read_text("utf-8")))
    from latency.table import LatencyTable
    from nas.inputs import load_data, space_of
    from nas.interrupt import Interrupter
    from nas.runs import RunFolder
    from nas.runtime import SpaceLatency
    from nas.search.evolution import EvolutionConfig
    from nas.supernet_stage import SupernetStage

    folder = RunFolder.open(run)
    config = folder.read_json("config.json")
    dataset = load_data(config)
    space = space_of(config["space"], dataset)
    table = LatencyTable.load(run / "table.json", allow_other_host=True)
    latency = SpaceLatency.from_table(space, table)
    stage = SupernetStage(folder, space, latency, dataset, config, Interrupter())
    scorer = stage.scorer(EvolutionConfig(images=2000))
    scores = {}
    for text in networks:
        found = scorer.accuracy(space.encode(arch_text.parse(text)))
        scores[text] = {"top1": found.top1, "cross_entropy": found.cross_entropy}
    atomic.write_json(path, scores)
    return scores


def rank_figures(scores: Sequence[float], accuracies: Sequence[float]) -> dict[str, float | None]:
    """Rank correlations; None where all scores are equal."""
    if len(set(scores)) < 2 or len(set(accuracies)) < 2:
        return {"kendall_tau": None, "spearman": None}
    return {
        "kendall_tau": float(stats.kendalltau(scores, accuracies).statistic),
        "spearman": float(stats.spearmanr(scores, accuracies).statistic),
    }


def figures(searched: Sequence[float], random: Sequence[float]) -> dict[str, Any]:
    """What the comparison says.

    Args:
        searched: Top-1 of each search's network.
        random: Top-1 of the random networks.
    """
    own, others = np.asarray(searched), np.asarray(random)

    def deviation(values: np.ndarray) -> float | None:
        return float(values.std(ddof=1)) if len(values) > 1 else None

    sds = deviation(own), deviation(others)
    error = None
    if sds[0] is not None and sds[1] is not None:
        error = float(np.sqrt(sds[0] ** 2 / len(own) + sds[1] ** 2 / len(others)))
    gain = float(own.mean() - others.mean())
    return {
        "searched_mean": float(own.mean()),
        "searched_sd": sds[0],
        "random_mean": float(others.mean()),
        "random_sd": sds[1],
        "random_best": float(others.max()),
        # 1 is above all random networks.
        "searched_ranks": [int(1 + (others > top1).sum()) for top1 in searched],
        "gain": gain,
        "standard_error": error,
        "gain_over_standard_error": gain / error if error else None,
        "above_best_random": bool(own.mean() > others.max()),
    }


def collect(folder: Path, searches: Sequence[Path], case: Case) -> dict[str, Any]:
    """All figures of finished runs."""
    certificates = [json.loads((run / "certificate.json").read_text("utf-8")) for run in searches]
    first = certificates[0]
    random = first["random"]
    networks = [*(c["text"] for c in certificates), *(r["text"] for r in random)]
    correlations = []
    for run in searches:
        if json.loads((run / "config.json").read_text("utf-8"))["search"]["method"] == "random":
            continue
        scores = supernet_scores(run, networks)
        top1 = [r["top1"] for r in random]
        correlations.append(
            {
                "by_top1": rank_figures([scores[r["text"]]["top1"] for r in random], top1),
                "by_cross_entropy": rank_figures(
                    [-scores[r["text"]]["cross_entropy"] for r in random], top1
                ),
                "scores": [scores[r["text"]]["top1"] for r in random],
                "own_score": scores[json.loads((run / "certificate.json").read_text())["text"]][
                    "top1"
                ],
            }
        )
    keys = ("top1", "measured_ms", "params", "macs", "text")
    return {
        **figures([c["top1"] for c in certificates], [r["top1"] for r in random]),
        "searched": [{k: c[k] for k in keys} | {"met": c["met"]} for c in certificates],
        "random": [{k: r[k] for k in keys} for r in random],
        "uniform": {k: first["uniform"][k] for k in keys},
        "largest": {k: first["largest"][k] for k in keys},
        "supernet_against_trained": correlations,
        "asked_ms": first["asked_ms"],
        "recipe": first["recipe"],
        "search_epochs": case.search_epochs,
        "evaluation_images": first["evaluation_images"],
    }


def print_table(result: dict[str, Any]) -> None:
    """The comparison as a person reads it."""
    table = Table(title=f"{result['case']}: networks of {result['asked_ms']:.3f} ms")
    for name in ("network", "measured ms", "MACs", "top-1"):
        table.add_column(name, justify="left" if name == "network" else "right")
    rows = [(f"searched, seed {i}", n) for i, n in enumerate(result["searched"])]
    rows += [(f"random {i + 1}", n) for i, n in enumerate(result["random"])]
    rows += [("uniform", result["uniform"]), ("largest", result["largest"])]
    for name, n in rows:
        top1 = "-" if n["top1"] is None else f"{n['top1']:.2%}"
        table.add_row(name, f"{n['measured_ms']:.3f}", f"{n['macs'] / 1e6:.2f} M", top1)
    out.print(table)
    spread = [result["searched_sd"], result["random_sd"]]
    texts = ["-" if sd is None else f"{sd:.2%}" for sd in spread]
    out.print(
        f"searched {result['searched_mean']:.2%} (sd {texts[0]}), random "
        f"{result['random_mean']:.2%} (sd {texts[1]}, best {result['random_best']:.2%}); ranks "
        f"{result['searched_ranks']} of {len(result['random']) + 1}"
    )


def main(argv: list[str] | None = None) -> int:
    """Runs what is missing and prints the comparison."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--case", choices=list(CASES), required=True)
    parser.add_argument("--data_dir", type=Path, help="images, unless they are drawn")
    parser.add_argument("--target", help="instead of the case's, as --target_ms takes it")
    parser.add_argument("--searches", type=int, default=3)
    parser.add_argument("--random", type=int, default=8)
    parser.add_argument("--search_epochs", type=float)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--search_flags", default="", help="more flags of nas.py, in quotes")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="toy size: whether it works")
    args = parser.parse_args(argv)
    known = CASES[args.case]
    case = Case(
        known.space,
        args.target or known.target,
        args.search_epochs or known.search_epochs,
        args.epochs or known.epochs,
        known.needs_data,
        known.trains_largest,
    )
    if case.needs_data and args.data_dir is None:
        parser.error(f"--case {args.case} needs --data_dir")
    args.folder.mkdir(parents=True, exist_ok=True)
    data = args.data_dir
    if data is None:
        data = args.folder / "planted.npz"
        planted_need.write(data, *((240, 48) if args.smoke else PLANTED_IMAGES))
    searches = [args.folder / f"search_{seed}" for seed in range(args.searches)]
    common = ["--data_dir", str(data), "--space", case.space, "--target_ms", case.target]
    if not args.smoke:
        common += ["--search_epochs", f"{case.search_epochs:g}"]
    common += (["--smoke"] if args.smoke else []) + args.search_flags.split()
    for seed, run in enumerate(searches):
        # All searches read the first one's table, so that seeds differ in nothing else.
        table = [] if seed == 0 else ["--table", str(searches[0] / "table.json")]
        count = args.random if seed == 0 else 0
        flags = ["--seed", f"{seed}", "--random_networks", f"{count}", *table]
        search(run, [*common, *flags], args.folder / "search.log")
    lengths = ["--smoke"] if args.smoke else ["--epochs", f"{case.epochs:g}"]
    for seed, run in enumerate(searches):
        flags = [*lengths, "--baselines" if seed == 0 else "--nobaselines"]
        flags += [] if case.trains_largest else ["--nolargest"]
        train(run, flags, args.folder / "train.log")
    result = {
        "case": args.case,
        "command": " ".join(["python", "benchmarks/search_quality.py", *(argv or sys.argv[1:])]),
        "host": current_host().to_json(),
        **collect(args.folder, searches, case),
    }
    atomic.write_json(args.folder / "search_quality.json", result)
    out.print_json(json.dumps(result)) if args.json else print_table(result)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
