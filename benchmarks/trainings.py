#!/usr/bin/env python3
"""Trains networks by recipes: what docs/results/recipes.md is made from.

    python benchmarks/trainings.py --plan policies --data CIFAR10 --jobs runs/policies
    KERAS_BACKEND=jax python benchmarks/trainings.py --work --jobs runs/policies

`--plan` writes a file for each training into a folder; `--work` does what the folder holds. Several
processes may work on one folder, and each training is done by one of them. One that Ctrl-C or
SIGTERM stops goes on from its checkpoint, which lies beside its file and may be taken to another
machine; one whose process was killed waits until its `.taken` is removed. A file that is done has
its result and the trained network beside it, one that lost its loss has the reason; `--table`
prints all results. With `--held_out_share` a training is
judged on training images that it did not learn from, so that recipes may be chosen by it.

Nothing is exported and nothing is measured: this is for many trainings beside each other, on a
GPU. For one network that is to be used, `main.py` trains in the same way.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from latency import atomic
from latency.shell import Interrupted
from nas.errors import InputError
from nas.system.interrupt import Interrupter

if TYPE_CHECKING:
    from nas.training.loop import LoopState

POLICIES = (
    "resnet9_triangular",
    "resnet9_triangular2",
    "resnet9_exp",
    "resnet9_custom",
    "resnet9_piecewise",
    "resnet9",
)
# Part of the recipe `tiny_imagenet` that is left out or added -> the change.
PARTS: Mapping[str, Mapping[str, Any]] = {
    "whole": {},
    "no flip": {"flip": False},
    "no crop": {"crop_padding_pixels": 0},
    "no erasing": {"erasing_probability": 0.0},
    "no average": {"average_share": None},
    "no smoothing": {"label_smoothing": 0.0},
    "no clipping": {"clip_norm": None},
    "no decay": {"weight_decay": 0.0},
    "SGD": {"optimizer": "sgd"},
    "MixUp 0.2": {"mixup_alpha": 0.2},
    "CutMix 1": {"cutmix_alpha": 1.0},
    "RandAugment 9": {"rand_augment_magnitude": 9.0},
    "TrivialAugment": {"trivial_augment": True},
    "sizes 32, 48, 64": {"image_sizes": [32, 48, 64]},
}
JOB, TAKEN, DONE, FAILED = ".job.json", ".taken", ".result.json", ".failed.txt"
CHECKPOINT = ".checkpoint.npz"
# Steps between two rows of the history, which are also the moments at which a training can stop.
LOG_STEPS = 200
SHARED = ("data", "seeds", "mixed_precision", "held_out_share")


@dataclass(frozen=True)
class Job:
    """One training.

    Args:
        network: Name of a published network, or an architecture string.
        data: Folder of the images.
        recipe: By name.
        seed: Of weights and batches.
        label: What it is called in the table; trainings of other seeds share it.
        changes: Knobs of the recipe that are set otherwise.
        mixed_precision: As `--mixed_precision` takes it.
        held_out_share: Of the training images that it is judged on, 0 to below 1, the same ones for
            every training; 0 for the evaluation images, which nothing may be chosen by.
    """

    network: str
    data: str
    recipe: str
    seed: int
    label: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    mixed_precision: str = "none"
    held_out_share: float = 0.0


def planned(name: str, networks: Mapping[str, str], more: Mapping[str, Any]) -> Iterator[Job]:
    """The trainings of a comparison, seed by seed.

    Args:
        name: Of the comparison.
        networks: Label -> network; those of a comparison that brings its own may be none.
        more: Arguments that all jobs share: `data`, `seeds`, `changes`, `mixed_precision` and
            `held_out_share`.
    """
    shared = {key: more[key] for key in SHARED if key != "seeds"}
    changes = dict(more["changes"])
    for seed in range(more["seeds"]):
        if name == "policies":
            for recipe in POLICIES:
                network = next(iter(networks.values()), "resnet9_x0.25")
                yield Job(
                    network, recipe=recipe, seed=seed, label=recipe, changes=changes, **shared
                )
        elif name == "ablation":
            for part, change in PARTS.items():
                if seed and part != "whole":
                    continue  # one seed a part, as it was decided
                (network,) = networks.values()
                both = {"epochs": 4.0, **changes, **change}
                yield Job(
                    network, recipe="tiny_imagenet", seed=seed, label=part, changes=both, **shared
                )
        else:
            for label, network in networks.items():
                yield Job(network, recipe=name, seed=seed, label=label, changes=changes, **shared)


def write_jobs(folder: Path, jobs: Sequence[Job], first: int = 0) -> None:
    """Writes a file for each training, named in their order.

    Args:
        folder: Of the files.
        jobs: The trainings.
        first: Number of the first one, 0 or more: lower numbers are done first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, job in enumerate(jobs, first):
        label = "".join(c if c.isalnum() or c in ".-" else "_" for c in job.label)
        name = f"{number:03d}-{label}-seed{job.seed}{JOB}"
        atomic.write_text(folder / name, json.dumps(vars(job), indent=1))


def work(folder: Path, waits: bool) -> None:
    """Does the trainings that nobody does, in their order.

    Args:
        folder: Of the files.
        waits: Whether to wait for more when all are done, until there is a file `stop`.
    """
    while True:
        for path in sorted(folder.glob(f"*{JOB}")):
            base = path.name.removesuffix(JOB)
            done = folder / f"{base}{DONE}"
            try:
                # Made by one process alone, whatever others do at the same time.
                (folder / f"{base}{TAKEN}").touch(exist_ok=False)
            except FileExistsError:
                continue
            if done.exists():
                continue
            try:
                result = train(Job(**json.loads(path.read_text())), folder / base)
            except Interrupted:
                (folder / f"{base}{TAKEN}").unlink()
                raise
            except InputError as error:  # a lost loss, say: the others go on
                atomic.write_text(folder / f"{base}{FAILED}", f"{error}\n")
                print(f"{base}: {error}", flush=True)
                continue
            atomic.write_text(done, json.dumps(result, indent=1))
            (folder / f"{base}{CHECKPOINT}").unlink(missing_ok=True)
            print(f"{base}: top-1 {result['top1']:.4f} in {result['seconds']:.0f} s", flush=True)
        if not waits or (folder / "stop").exists():
            return
        time.sleep(0.5)


def train(job: Job, files: Path | None = None) -> dict[str, Any]:
    """Trains once; returns what it reached and how fast it was.

    Args:
        job: The training.
        files: Path without ending of its checkpoint and of the trained network; None for no files.

    Raises:
        Interrupted: A signal came; the checkpoint says where to go on.
    """
    from nas.system import backend

    backend.start(backend.Compute(job.mixed_precision))
    import keras

    from nas.interface.networks import network_for_images
    from nas.recipes import RECIPES
    from nas.training.loop import Control
    from nas.training.recipe import Pace
    from nas.training.trainer import train_network
    from nas.training.waiting import waiting_share

    dataset = _images(job.data)
    changes = {n: tuple(v) if isinstance(v, list) else v for n, v in job.changes.items()}
    recipe = RECIPES[job.recipe].changed(**changes)
    network = network_for_images(job.network, {}, dataset=dataset).architecture
    checkpoint = None if files is None else files.with_name(f"{files.name}{CHECKPOINT}")
    interrupter = Interrupter()
    control = Control(checkpoint, Pace(log_every=LOG_STEPS), interrupter, _told)
    begun = time.monotonic()
    division = _division(len(dataset.train.labels), job.held_out_share)
    with interrupter.installed():
        found = train_network(network, dataset, recipe, control, seed=job.seed, division=division)
    if files is not None:
        found.model.save(files.with_name(f"{files.name}.keras"))
    # The first rows have the compilation.
    rates = [row["examples_per_s"] for row in found.history[1:] or found.history]
    return {
        **vars(job),
        "top1": found.evaluation.top1,
        "top5": found.evaluation.top5,
        "train_top1": found.train.top1,
        "last_top1": found.weights.last_top1 if found.weights else None,
        "evaluation_images": found.evaluation.count,
        "images_seen": found.images_seen,
        "seconds": time.monotonic() - begun,
        "images_per_s": median(rates),
        "input_wait_share": waiting_share(found.history),
        "device": _device(keras.backend.backend()),
        "keras": keras.__version__,
        "date": time.strftime("%Y-%m-%d"),
    }


def _told(state: LoopState, total_steps: int) -> None:
    """One line for each row of a training, for who looks whether it can come to its end."""
    row = state.history[-1]
    rate = f"{row['examples_per_s']:,.0f} images/s"
    print(f"step {state.step:,} of {total_steps:,}, loss {row['loss']:.3f}, {rate}", flush=True)


def _division(images: int, held_out_share: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Indices to learn from and to judge on; None for the two splits themselves."""
    if not held_out_share:
        return None
    order = np.random.default_rng(0).permutation(images)
    held_out = round(images * held_out_share)
    return np.sort(order[held_out:]), np.sort(order[:held_out])


@cache
def _images(path: str) -> Any:
    """The images of a folder, which all trainings of this process share."""
    from nas.data.load import load_dataset

    return load_dataset(path)


def _device(name: str) -> str:
    if name == "jax":
        import jax

        return f"jax {jax.__version__}, {jax.devices()[0].device_kind}"
    return f"{name}, {platform.machine()}, {os.cpu_count()} cores"


def results(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Label -> the trainings that are done, first seed first.

    Args:
        folder: Of the files.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob(f"*{DONE}")):
        row = json.loads(path.read_text())
        found.setdefault(row["label"], []).append(row)
    return found


def table(folder: Path, goal_top1: float | None) -> str:
    """The trainings of a folder in Markdown.

    Args:
        folder: Of the files.
        goal_top1: Share of the evaluation images to reach, 0 to 1; None for no column of it.
    """
    lines = [
        "| training | n | top-1 | sd | each | top-5 | images/s |",
        "|---|---|---|---|---|---|---|",
    ]
    if goal_top1 is not None:
        lines = [lines[0] + f" >= {goal_top1:.0%} |", lines[1] + "---|"]
    for label, rows in results(folder).items():
        top1 = [row["top1"] for row in rows]
        spread = f"{stdev(top1):.2%}" if len(top1) > 1 else ""
        each = ", ".join(f"{value:.2%}" for value in top1)
        cells = [label, str(len(rows)), f"{mean(top1):.2%}", spread, each]
        cells += [f"{mean(row['top5'] for row in rows):.2%}"]
        cells += [f"{median(row['images_per_s'] for row in rows):,.0f}"]
        if goal_top1 is not None:
            cells.append(f"{sum(value >= goal_top1 for value in top1)} of {len(top1)}")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes jobs, does them, or prints what they reached.

    Args:
        arguments: Of the command line.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=Path, required=True, help="folder of the trainings")
    parser.add_argument("--plan", help="policies, ablation, or the name of a recipe")
    parser.add_argument("--network", action="append", default=[], help="LABEL=NETWORK")
    parser.add_argument("--data", default="", help="folder of the images")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--changes", default="{}", help="knobs of the recipe, as JSON")
    parser.add_argument("--mixed_precision", default="none")
    parser.add_argument("--held_out_share", type=float, default=0.0, help="judged on these")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument("--work", action="store_true", help="do what the folder holds")
    parser.add_argument("--wait", action="store_true", help="until there is a file `stop`")
    parser.add_argument("--table", action="store_true", help="print what was reached")
    parser.add_argument("--goal_top1", type=float)
    asked = parser.parse_args(arguments)
    if asked.plan:
        networks = dict(text.split("=", 1) for text in asked.network)
        more = {name: getattr(asked, name) for name in SHARED}
        more["changes"] = json.loads(asked.changes)
        write_jobs(asked.jobs, list(planned(asked.plan, networks, more)), asked.first)
    if asked.work:
        work(asked.jobs, asked.wait)
    if asked.table:
        print(table(asked.jobs, asked.goal_top1))


if __name__ == "__main__":
    main()
