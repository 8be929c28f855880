#!/usr/bin/env python3
"""Whether searched networks beat random ones of equal milliseconds, trained by one recipe.

    python benchmarks/search_quality.py --folder quality --case planted --json

Searches (one a seed) and trainings are runs of nas.py and main.py in processes of their own, kept
below --folder and gone on with when called again; --jobs of them run at once, each with its share
of the cores. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from rich.table import Table
from scipy import stats

from benchmarks import planted_need
from latency import atomic, shell
from latency.cli.exit_codes import EXIT_CANNOT_TELL, EXIT_DONE, EXIT_NOT_MET
from latency.cli.parser import OutputFolder, Parser
from latency.device import strict_json
from latency.device.host import current_host
from nas.architecture import text as arch_text
from nas.errors import InputError
from nas.runs.config import read_search_config
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate, CertifiedNetwork
from nas.system.console import err, out

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
    # At 30 % of the range 2 of 100 random networks have the widest block where it is needed, at
    # 40 % 7 of 100. Four epochs leave chance to decide when a network begins to learn.
    "planted": Case("planted", "30%", 16.0, 7.0, False, True),
    # 4.8 epochs of 50,000 images are 6 of 40,000. The largest network has four times the MACs.
    "cifar": Case("cifar", "10%", 2.5, 4.8, True, False),
    "tiny": Case("tiny", "20%", 1.0, 1.0, True, False),
}
PLANTED_IMAGES = (7200, 1200)
RESULTS = (EXIT_DONE, EXIT_CANNOT_TELL, EXIT_NOT_MET)


@dataclass(frozen=True)
class Programs:
    """Our programs in processes of their own, several at a time.

    Args:
        folder: Of all runs and logs.
        jobs: Processes at a time. Small networks keep two threads half busy: two processes of one
            thread each train 1.5 times as many images a second as one of two.
        running: The processes of now.
        stopped: Set by SIGTERM and by the first failure; nothing begins after it.
    """

    folder: Path
    jobs: int
    running: list[subprocess.Popen[bytes]] = field(default_factory=list, repr=False)
    stopped: threading.Event = field(default_factory=threading.Event, repr=False)

    def call(self, name: str, script: str, arguments: Sequence[str]) -> None:
        """Runs one; its output goes to a log of its own.

        Args:
            name: Of the log.
            script: In the repository's root.
            arguments: Of the script.

        Raises:
            SystemExit: It failed; a target that is missed, or cannot be told, is a result.
        """
        command = [sys.executable, str(ROOT / script), *arguments]
        err.print(" ".join(["python", script, *arguments]), markup=False)
        log = self.folder / f"{name}.log"
        with (
            open(log, "a", encoding="utf-8") as stream,
            subprocess.Popen(
                command, stdout=stream, stderr=subprocess.STDOUT, env=self._threads()
            ) as process,
        ):
            self.running.append(process)
            if self.stopped.is_set():
                process.terminate()
            try:
                code = process.wait()
            finally:
                self.running.remove(process)
        if code not in RESULTS:
            tail = log.read_text("utf-8").splitlines()[-8:]
            err.print("\n".join(tail), markup=False)
            raise SystemExit(code if code > 0 else 128 - code)

    def stop(self, signum: int, frame: FrameType | None) -> None:
        """Handles SIGTERM: hands it on, so that no run goes on without us."""
        del signum, frame  # whichever signal it was
        # Nothing is raised here: whoever waits for a process sees how it ended.
        self.stopped.set()
        for process in list(self.running):
            process.terminate()

    def _threads(self) -> dict[str, str]:
        if self.jobs == 1:
            return dict(os.environ)
        share = str(max(1, (os.cpu_count() or 1) // self.jobs))
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        return {**dict.fromkeys(names, share), **os.environ}

    def all(self, work: Iterable[Callable[[], None]]) -> None:
        """Runs everything, `jobs` at a time; the first failure keeps the rest from beginning.

        Raises:
            SystemExit: Of the first that failed.
        """

        def unless_stopped(one: Callable[[], None]) -> None:
            if not self.stopped.is_set():
                try:
                    one()
                except BaseException:
                    self.stopped.set()
                    raise

        with ThreadPoolExecutor(self.jobs) as pool:
            futures = [pool.submit(unless_stopped, one) for one in work]
        for future in futures:
            future.result()
        if self.stopped.is_set():
            raise SystemExit(128 + signal.SIGTERM)

    def search(self, run: Path, arguments: Sequence[str], table: Path | None) -> None:
        """A search that begins, goes on, or is done already.

        Args:
            run: Its folder.
            arguments: Of nas.py.
            table: Waited for and given to it; None to measure one.
        """
        if (run / "certificate.json").is_file():
            return
        if (run / "config.json").is_file():
            arguments = ["--resume"]
        elif table is not None:
            while not table.is_file() and not self.stopped.wait(1.0):
                pass
            if self.stopped.is_set():
                raise SystemExit(1)
            arguments = [*arguments, "--table", str(table)]
        self.call(run.name, "nas.py", [*arguments, "--run_dir", str(run)])

    def train(self, run: Path, text: str, arguments: Sequence[str]) -> None:
        """A training of a network that begins, goes on, or is done already.

        Args:
            run: Its folder.
            text: The network.
            arguments: Of main.py.
        """
        if (run / "certificate.json").is_file():
            return
        if (run / "config.json").is_file():
            network = ["--run", str(run)]
        else:
            network = ["--arch", text, "--run_dir", str(run)]
        self.call(run.name, "main.py", [*network, *arguments])


def supernet_scores(run: Path, networks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shared-weight accuracies of networks, on training images that the weights never saw.

    Args:
        run: Of a search; the scores are kept in it.
        networks: As text.
    """
    path = run / "scores.json"
    if path.is_file():
        return read(path)
    from benchmarks.supernet_score import stage_of
    from nas.methods.evolution import EvolutionConfig

    stage = stage_of(run)
    scorer = stage.scorer(EvolutionConfig(images=2000))
    scores = {}
    for text in networks:
        found = scorer.accuracy(stage.space.encode(arch_text.parse(text)))
        scores[text] = {"top1": found.top1, "cross_entropy": found.cross_entropy}
    atomic.keep_json(path, scores)
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

    Every network was trained once, with a seed of its own. The deviations therefore hold the spread
    between seeds and the one between networks together, and the two groups are independent.

    Args:
        searched: Top-1 of each search's network.
        random: Top-1 of the random networks.
    """
    own, others = np.asarray(searched), np.asarray(random)

    def deviation(values: np.ndarray) -> float | None:
        return float(values.std(ddof=1)) if len(values) > 1 else None

    sds = deviation(own), deviation(others)
    error = interval = None
    if sds[0] is not None and sds[1] is not None:
        error = float(np.sqrt(sds[0] ** 2 / len(own) + sds[1] ** 2 / len(others)))
        if error:
            interval = stats.ttest_ind(own, others, equal_var=False).confidence_interval(0.95)
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
        "gain_low": float(interval.low) if interval else None,
        "gain_high": float(interval.high) if interval else None,
        "above_best_random": bool(own.mean() > others.max()),
    }


def networks_of(searches: Sequence[Path]) -> dict[str, CertifiedNetwork]:
    """What is trained: name -> the network's record in the searches' certificates.

    Args:
        searches: Finished runs; the first one's comparison networks count.
    """
    certificates = [RunFolder(run).read(Certificate) for run in searches]
    first = certificates[0]
    found: dict[str, CertifiedNetwork] = {
        f"searched_{seed}": c for seed, c in enumerate(certificates)
    }
    found |= {f"random_{i}": r for i, r in enumerate(first.random, start=1)}
    if first.uniform is None or first.largest is None:
        raise InputError(
            f"networks to compare with in {searches[0]}", "none", "search without --device"
        )
    return {**found, "uniform": first.uniform, "largest": first.largest}


def read(path: Path) -> dict[str, Any]:
    """A JSON object that this benchmark wrote."""
    return strict_json.read_object(path)


def collect(folder: Path, searches: Sequence[Path], case: Case) -> dict[str, Any]:
    """All figures of finished runs."""
    sources = networks_of(searches)

    def record(name: str, *more: str) -> dict[str, Any]:
        # Milliseconds are the search's certificate's: there all networks ran side by side.
        keys = ("measured_ms", "params", "macs", "text", *more)
        done = RunFolder(folder / "trained" / name)
        top1 = done.read(Certificate).top1 if done.has(Certificate) else None
        return {"top1": top1, **{key: getattr(sources[name], key) for key in keys}}

    own = [record(name, "met", "asked_ms") for name in sources if name.startswith("searched_")]
    random = [record(name) for name in sources if name.startswith("random_")]
    texts = [n["text"] for n in (*own, *random)]
    top1 = [r["top1"] for r in random]
    correlations = []
    for run, found in zip(searches, own, strict=True):
        if read_search_config(run).search.method == "random":
            continue
        scores = supernet_scores(run, texts)
        shared = [scores[r["text"]] for r in random]
        correlations.append(
            {
                "by_top1": rank_figures([s["top1"] for s in shared], top1),
                "by_cross_entropy": rank_figures([-s["cross_entropy"] for s in shared], top1),
                "scores": [s["top1"] for s in shared],
                "own_score": scores[found["text"]]["top1"],
            }
        )
    trained = RunFolder(folder / "trained" / "searched_0").read(Certificate)
    return {
        **figures([n["top1"] for n in own], top1),
        "searched": own,
        "random": random,
        "uniform": record("uniform"),
        "largest": record("largest"),
        "supernet_against_trained": correlations,
        "asked_ms": own[0]["asked_ms"],
        "recipe": strict_json.encode(trained.recipe),
        "search_epochs": case.search_epochs,
        "evaluation_images": trained.evaluation_images,
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
    out.print(spread_text(result))


def spread_text(result: dict[str, Any]) -> str:
    """What is known of the spread between seeds, and what the comparison comes to with it.

    Args:
        result: Of `figures`.
    """
    each = "One training of each network, with a seed of its own"
    if result["gain_low"] is None:
        return f"{each}: the spread between seeds is not known, and nothing is said by the gain."
    low, high = result["gain_low"], result["gain_high"]
    says = "paid" if low > 0 else "did not pay" if high < 0 else "cannot be told from chance"
    return (
        f"{each}: the standard deviations hold seeds and networks together. Gain "
        f"{result['gain']:.2%}, 95 % interval {low:.2%} to {high:.2%} (Welch's t): the search "
        f"{says}."
    )


def main(argv: list[str] | None = None) -> int:
    """Runs what is missing and prints the comparison."""
    parser = Parser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", action=OutputFolder, type=Path, required=True)
    parser.add_argument("--case", choices=list(CASES), required=True)
    parser.add_argument("--data_dir", type=Path, help="images, unless they are drawn")
    parser.add_argument("--target", help="instead of the case's, as --target_ms takes it")
    parser.add_argument("--searches", type=int, default=3)
    parser.add_argument("--random", type=int, default=8)
    parser.add_argument("--search_epochs", type=float)
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
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
    programs = Programs(args.folder, args.jobs)
    signal.signal(signal.SIGTERM, programs.stop)

    def one_search(seed: int) -> None:
        flags = ["--seed", f"{seed}", "--random_networks", f"{args.random if seed == 0 else 0}"]
        # All searches read the first one's table, so that seeds differ in nothing else.
        table = None if seed == 0 else searches[0] / "table.json"
        programs.search(searches[seed], [*common, *flags], table)

    programs.all(partial(one_search, seed) for seed in range(args.searches))
    flip = read_search_config(searches[0]).search.weights.augmentation.flip
    recipe = ["--data_dir", str(data), "--flip" if flip else "--noflip"]
    recipe += ["--smoke"] if args.smoke else ["--epochs", f"{case.epochs:g}"]
    (args.folder / "trained").mkdir(exist_ok=True)
    networks = networks_of(searches)
    if not case.trains_largest:
        del networks["largest"]
    # A seed each: searches may find the same network, whose trainings must still tell its spread.
    programs.all(
        partial(
            programs.train,
            args.folder / "trained" / name,
            network.text,
            [*recipe, "--seed", f"{seed}"],
        )
        for seed, (name, network) in enumerate(networks.items())
    )
    result = {
        "case": args.case,
        "command": " ".join(["python", "benchmarks/search_quality.py", *(argv or sys.argv[1:])]),
        "host": current_host().to_json(),
        **collect(args.folder, searches, case),
    }
    atomic.keep_json(args.folder / "search_quality.json", result)
    out.print_json(json.dumps(result)) if args.json else print_table(result)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
