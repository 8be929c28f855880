"""What a worker trains: a trial that is left at rungs is the trial that is not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latency.device import strict_json
from nas.executors.task import Context, TaskError
from nas.interface.trials_config import AskedTrials, trials_config
from nas.metrics import AskedMetrics
from nas.pipeline.inputs import keep_data, load_data
from nas.pipeline.trial_bench import Bench, checkpoint_name
from nas.pipeline.trial_evaluation import EvaluationJob, EvaluationResult
from nas.pipeline.trial_jobs import work
from nas.pipeline.trial_task import (
    LegJob,
    LegResult,
    train_leg,
    values_of,
)
from nas.recipes.scales import SMOKE
from nas.runs.config import read_config
from nas.runs.data import DataSource
from nas.runs.folder import RunFolder
from nas.runs.trials import TrialsConfig
from nas.system.interrupt import Interrupter

SOURCE = DataSource(image_size=32)
# Tracing a block takes longer than all of the training.
NETWORK = "in_s32 cn_r1_k3_s2_c8 gap fc_c12"


# Four trainings, of which each is traced anew.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run whose trials are compared after 1 and 2 of 4 epochs."""
    options = {
        "method": "asha",
        "space": "toy",
        "smoke": True,
        "image_size": 32,
        "max_trials": 4,
        "max_epochs": 4.0,
        "reduction": 2,
        "rungs": 3,
    }
    config = trials_config(AskedTrials(SOURCE, options), SMOKE)
    path = tmp_path_factory.mktemp("trials") / "run"
    folder = RunFolder.create(path, config, "toy")
    keep_data(folder, load_data(SOURCE, SMOKE, 0))
    return folder


def trained(folder: RunFolder, trial: int, rung: int, before: int | None, **more: Any) -> LegResult:
    recipe = read_config(folder.path).recipe.changed(**more)
    job = LegJob(str(folder.path), SOURCE, trial, rung, before, NETWORK, recipe)
    said: list[Mapping[str, Any]] = []
    found = train_leg(strict_json.encode(job), Context("1", Interrupter(), said.append))
    return strict_json.decode(LegResult, found, "a worker")


def test_trial_of_one_and_three_epochs_is_one_of_four(folder: RunFolder) -> None:
    first = trained(folder, 0, 0, None)
    rest = trained(folder, 0, 2, 0)
    whole = trained(folder, 1, 2, None)

    def told(result: LegResult) -> list[dict[str, Any]]:
        timed = ("examples_per_s", "input_wait_share")
        return [{k: v for k, v in row.items() if k not in timed} for row in result.curve]

    assert told(first) + told(rest) == told(whole)
    assert rest.values == whole.values and first.values != whole.values
    paths = [folder.checkpoint(checkpoint_name(trial)) for trial in (0, 1)]
    with np.load(paths[0]) as left, np.load(paths[1]) as other:
        names = [name for name in other.files if name != "meta_json"]
        assert all(np.array_equal(left[name], other[name]) for name in names)
    # A rung is judged by the average; at the end the better of both counts.
    assert first.values["top1"] == first.facts["average_top1"]
    ends = [rest.facts["last_top1"] or 0, rest.facts["average_top1"] or 0]
    assert rest.values["top1"] == max(ends) and set(first.facts) == set(rest.facts)
    # A program that is killed before the result is stored asks for it again.
    assert trained(folder, 0, 2, 0).values == whole.values


def judged(folder: RunFolder, checkpoint: str, seed: int) -> EvaluationResult:
    recipe = read_config(folder.path).recipe
    metrics = AskedMetrics(("top1", "cross_entropy"))
    job = EvaluationJob(str(folder.path), SOURCE, checkpoint, seed, NETWORK, recipe, metrics)
    said: list[Mapping[str, Any]] = []
    found = work(strict_json.encode(job), Context("1", Interrupter(), said.append))
    return strict_json.decode(EvaluationResult, found, "a worker")


def test_whole_training_is_judged_on_evaluation_images_and_other_seeds_are_trained(
    folder: RunFolder,
) -> None:
    trained(folder, 5, 2, None)
    checkpoint = folder.checkpoint(checkpoint_name(5))
    before = checkpoint.read_bytes()
    first, again = (judged(folder, checkpoint_name(5), 0) for _ in range(2))
    # What is trained already is not trained on, and is judged alike.
    assert checkpoint.read_bytes() == before and first.metrics == again.metrics
    evaluation = load_data(SOURCE, SMOKE, 0).evaluation
    assert first.metrics.images == len(evaluation.labels)
    other = judged(folder, "trial_000005_seed_1", 1)
    assert folder.checkpoint("trial_000005_seed_1").is_file()
    assert other.metrics != first.metrics


def test_scores_that_are_no_numbers_are_none_by_any_metric(folder: RunFolder) -> None:
    config = read_config(folder.path)
    assert isinstance(config, TrialsConfig)
    other = replace(config, objectives=("top1", "auc"), signal_class="index=3")
    bench = Bench(folder, other, load_data(SOURCE, SMOKE, 0))
    lost = SimpleNamespace(top1=0.1, top5=0.5, cross_entropy=math.nan)
    result: Any = SimpleNamespace(evaluation=lost)
    assert values_of(bench, result) == dict.fromkeys(("top1", "top5", "cross_entropy", "auc"))


def test_training_that_diverges_says_so(folder: RunFolder) -> None:
    with pytest.raises(TaskError, match="finite") as raised:
        trained(folder, 2, 0, None, learning_rate=1e30, optimizer="sgd")
    assert raised.value.cause == "diverged"


def test_objectives_of_one_class_are_judged_on_the_same_images(folder: RunFolder) -> None:
    config = read_config(folder.path)
    assert isinstance(config, TrialsConfig)
    other = RunFolder(folder.path.parent / "judged")
    (other.path / "checkpoints").mkdir(parents=True)
    other.write(
        replace(config, objectives=("top1", "auc", "tpr_at_fpr=0.1:max"), signal_class="index=3")
    )
    keep_data(other, load_data(SOURCE, SMOKE, 0))
    plain, judged = trained(folder, 3, 0, None).values, trained(other, 3, 0, None).values
    assert set(judged) - set(plain) == {"auc", "tpr_at_fpr=0.1"}
    assert all(judged[name] == value for name, value in plain.items())
    assert all(0 <= (judged[name] or 0) <= 1 for name in ("auc", "tpr_at_fpr=0.1"))
