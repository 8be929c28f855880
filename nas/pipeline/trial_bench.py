"""What a worker keeps of a search by trials between its jobs: the run, its images, the division."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nas.data import Dataset, split_holdout
from nas.executors.task import TaskError
from nas.pipeline.inputs import keep_data, load_data
from nas.runs.config import read_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.search_space.files import load_blocks
from nas.system import backend
from nas.training.recipe import Recipe
from nas.tuning.ladder import EvenLadder, Ladder

# Share of the training images that judges; the evaluation split must not choose.
JUDGING_SHARE = 0.2


@dataclass(frozen=True)
class Bench:
    """What a worker keeps between the jobs of a run.

    Args:
        folder: Of the run.
        config: What was asked for.
        dataset: Images.
    """

    folder: RunFolder
    config: TrialsConfig
    dataset: Dataset

    @functools.cached_property
    def division(self) -> tuple[Any, Any]:
        """Indices of the training split to learn from, and to judge on."""
        labels = self.dataset.train.labels
        return split_holdout(len(labels), labels, JUDGING_SHARE, self.config.seed)

    def steps_of(self, recipe: Recipe) -> tuple[int, ...]:
        """Steps at the end of each rung.

        Args:
            recipe: Of a trial's whole training.
        """
        return stop_steps(recipe, len(self.division[0]), self.config.scheduler.ladder)


@functools.lru_cache(maxsize=1)
def bench_of(run_dir: str, source: DataSource) -> Bench:
    """The run of a job; starts the framework.

    Args:
        run_dir: Its folder.
        source: The images, at the place where they are now.

    Raises:
        TaskError: It is no search by trials.
    """
    folder = RunFolder(Path(run_dir))
    config = read_config(folder.path)
    if not isinstance(config, TrialsConfig):
        raise TaskError("error", f"{run_dir} is no search by trials")
    load_blocks(config.blocks)
    dataset = load_data(source, config.sizes, config.seed, None, folder.read(DataRecord))
    keep_data(folder, dataset)  # those of another machine may be others
    backend.start(config.compute, dataset.image_size)
    return Bench(folder, config, dataset)


def checkpoint_name(trial: int) -> str:
    """Name of a trial's checkpoint, as `RunFolder.checkpoint` takes it.

    Args:
        trial: Its number.
    """
    return f"trial_{trial:06d}"


def stop_steps(recipe: Recipe, images: int, ladder: Ladder | EvenLadder) -> tuple[int, ...]:
    """Steps at the end of each rung.

    Args:
        recipe: Of the whole training.
        images: To learn from.
        ladder: The rungs.

    Raises:
        InputError: Two rungs would end at one step.
    """
    return ladder.steps(recipe.steps(images))
