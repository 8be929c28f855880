"""Trainings of HGQ2 whose bit operations are looked for by their price, beta.

No evaluation image has a part in what is chosen: a training is judged when it is done, and what it
reaches is written down and read by nobody here.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from latency import atomic
from nas.architecture.spec import Architecture
from nas.cost.counts import architecture_cost
from nas.data import Dataset
from nas.errors import InputError
from nas.metrics import AskedMetrics
from nas.metrics.results import evaluated
from nas.system.console import bar, err
from nas.training.recipe import Recipe

MARGIN = 0.05
# Bits that HGQ2 begins with beyond those that equal bits everywhere would need: widths learn at the
# rate of weights, and 20 epochs at 0.001 move one by 6 bits at most.
MORE_BITS = 2
# Of the logarithm of beta to the base 10, between which it is looked for.
EXPONENTS = (-12.0, -4.0)


@dataclass(frozen=True)
class Trained:
    """A training of HGQ2.

    Args:
        goal: Whose bit operations it is to have.
        exponent: Of beta, to the base 10.
        seed: Of weights and order of images.
        bops: Bit operations of one image, by our definition.
        weight_bits: Likewise.
        ebops: By HGQ2's definition.
        pruned_share: Of the weights, those without bits.
        efficiency: As of `Own`; nothing that chooses reads it.
        low: Of its 95 % interval over evaluation images.
        high: Likewise.
        seconds: Of the training, processor time.
    """

    goal: str
    exponent: float
    seed: int
    bops: int
    weight_bits: int
    ebops: int
    pruned_share: float
    efficiency: float
    low: float
    high: float
    seconds: float


@dataclass(frozen=True)
class Task:
    """What both sides have in common.

    Args:
        twin: The network without formats.
        recipe: Of all trainings.
        dataset: Images.
        asked: The metric.
    """

    twin: Architecture
    recipe: Recipe
    dataset: Dataset
    asked: AskedMetrics


def next_exponent(tried: Mapping[float, float], target: float) -> float:
    """The logarithm of beta to try next; bit operations fall as it grows.

    Args:
        tried: Logarithm -> bit operations.
        target: Bit operations that are looked for.
    """
    lows = [x for x, bops in tried.items() if bops > target]
    low = max(lows, default=EXPONENTS[0])
    high = min((x for x, bops in tried.items() if bops <= target and x > low), default=EXPONENTS[1])
    share = 0.5
    if low in tried and high in tried and high - low <= 1:
        # The course between is smooth there; a guess keeps away from both ends.
        share = math.log(tried[low] / target) / math.log(tried[low] / tried[high])
        share = min(max(share, 0.2), 0.8)
    return round(low + share * (high - low), 4)


def train(task: Task, goal: str, exponent: float, bits: int, seed: int) -> Trained:
    """One training of HGQ2, and what it came to.

    Args:
        task: What both sides have in common.
        goal: Whose bit operations are looked for.
        exponent: Of beta, to the base 10.
        bits: That numbers begin with.
        seed: Of weights and order of images.
    """
    import keras

    from benchmarks.hgq_network import counts, hgq_network, settle
    from nas.data.loader import BatchLoader
    from nas.deployment.scores import keras_scores
    from nas.training.steps import WeightSteps
    from nas.training.trainer import STATISTICS_BATCHES

    begun = time.process_time()
    keras.utils.set_random_seed(seed)
    split, recipe = task.dataset.train, task.recipe
    batch_size = min(recipe.batch_size, len(split.labels))
    model = hgq_network(task.twin, bits, 10.0**exponent)
    loader = BatchLoader(
        split,
        batch_size=batch_size,
        seed=seed,
        augment=recipe.augmentation,
        num_classes=task.twin.num_classes,
    )
    total = recipe.steps(len(split.labels))
    steps = WeightSteps(model, recipe, total, task.twin.num_classes)
    with bar(f"HGQ2, {goal}, beta 1e{exponent:g}, seed {seed}") as shown:
        for step, batch in enumerate(loader.iterate(0, total)):
            steps.train(step, *batch)
            if step % 50 == 0:
                shown.update(step, total, note="")
    settle(model, (loader.plain_images(step) for step in range(STATISTICS_BATCHES)), split.images)
    cost = counts(model, task.twin)
    evaluation = task.dataset.evaluation
    scores = keras_scores(model.predict_on_batch, evaluation)
    value = evaluated(task.asked, scores, evaluation.labels, task.dataset.class_names).values[0]
    return Trained(
        goal,
        exponent,
        seed,
        **vars(cost),
        efficiency=value.value,
        low=value.low,
        high=value.high,
        seconds=time.process_time() - begun,
    )


class Record:
    """Trainings that are done, a line of JSON each.

    Args:
        path: Of the file.
        same: What all of its trainings have in common; another one is refused.

    Raises:
        InputError: The file is of other runs.
    """

    def __init__(self, path: Path, same: Mapping[str, Any]) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path.is_file() else []
        found = [json.loads(line) for line in lines]
        if not found:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif found[0] != json.loads(json.dumps(same)):
            raise InputError(
                "a --record of the same runs, images and recipe",
                f"another one at {path}",
                "name a new file by --record",
            )
        self._same = same
        self.trained = [Trained(**one) for one in found[1:]]

    def get(self, task: Task, goal: str, exponent: float, bits: int, seed: int) -> Trained:
        """A training that is done, or is done now."""
        for one in self.trained:
            if (one.goal, one.exponent, one.seed) == (goal, exponent, seed):
                return one
        one = train(task, goal, exponent, bits, seed)
        self.trained.append(one)
        lines = [self._same, *map(asdict, self.trained)]
        # Written anew and put in its place, so that a kill leaves no half of a line.
        atomic.write_text(self._path, "".join(f"{json.dumps(line)}\n" for line in lines))
        err.print(
            f"{goal}, beta 1e{exponent:g}, seed {seed}: {one.bops:,} BOPs in {one.seconds:.0f} s",
            markup=False,
        )
        return one


def matched(
    task: Task, goal: str, target: float, seeds: Sequence[int], record: Record, values: int
) -> tuple[int, list[Trained]]:
    """Trainings with the beta whose mean bit operations are those that are wanted.

    The other seeds train where the first one is near enough.

    Args:
        task: What both sides have in common.
        goal: Of the search.
        target: Mean bit operations of ours.
        seeds: Of the trainings.
        record: Takes them.
        values: Of beta, at most.

    Returns:
        Bits that they began with, and a training a seed with the value that came nearest.
    """
    macs = architecture_cost(task.twin).macs
    bits = math.ceil(math.sqrt(target / macs)) + MORE_BITS
    tried: dict[float, float] = {}
    whole: dict[float, list[Trained]] = {}
    for _ in range(values):
        exponent = next_exponent(tried, target)
        found = [record.get(task, goal, exponent, bits, seeds[0])]
        tried[exponent] = found[0].bops
        if abs(tried[exponent] / target - 1) <= 2 * MARGIN:
            found += [record.get(task, goal, exponent, bits, seed) for seed in seeds[1:]]
            whole[exponent] = found
            tried[exponent] = fmean(one.bops for one in found)
            if abs(tried[exponent] / target - 1) <= MARGIN:
                break
    if not whole:
        exponent = min(tried, key=lambda x: abs(tried[x] / target - 1))
        whole[exponent] = [record.get(task, goal, exponent, bits, seed) for seed in seeds]
    best = min(whole.values(), key=lambda row: abs(fmean(one.bops for one in row) / target - 1))
    return bits, best
