"""Trainings of recorded learning curves: one network by several learning rates, judged on the way.

Used by tuning_record.py and tuning_noise.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nas.data import Dataset, split_holdout
from nas.data.load import load_dataset, load_sample
from nas.interface.trials_config import RUNG_SHARE
from nas.recipes.scales import Scale
from nas.search_space.files import is_file
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.training.schedule_files import share_at

if TYPE_CHECKING:
    from nas.training.trainer import Trainer

# Weights -> top-1 at all points; None from where the training diverged.
Curve = dict[str, list[float | None]]
PARTS_OF_AN_EPOCH = (0.125, 0.25, 0.5)
# Steps whose images make the statistics of a judged network, all at once. A search averages over
# the batches of 20 steps, one after the other, which takes longer than a short training.
STATISTICS_STEPS = 5


@dataclass(frozen=True)
class Recording:
    """What is recorded; the same for all configurations.

    Args:
        space: Name of the space.
        data_dir: Of the images; None for the embedded sample.
        epochs: Of each training, 1 or more.
        seed: Of the configurations, the division, weights and data order.
        slowest: Least learning rate.
        fastest: Greatest learning rate.
        rates: Learning rates of each network, 1 or more.
        judging_share: Part of the training images that nothing is learned from, above 0, below 1.
        smoke: Toy size.
    """

    space: str
    data_dir: str | None
    epochs: int
    seed: int
    slowest: float
    fastest: float
    rates: int
    judging_share: float
    smoke: bool

    @property
    def points(self) -> tuple[float, ...]:
        """Epochs at which trainings are judged."""
        return (*PARTS_OF_AN_EPOCH, *map(float, range(1, self.epochs + 1)))

    def dataset(self) -> Dataset:
        """The images."""
        if self.data_dir is None:
            return load_sample(is_toy=self.scale.is_toy)
        # A space of a file takes the images' own size.
        size = None if is_file(self.space) else get_space(self.space).image_size
        return load_dataset(self.data_dir, image_size=size)

    @property
    def scale(self) -> Scale:
        """Of the images; its recipe trains."""
        return Scale.fitting(is_sample=self.data_dir is None, smoke=self.smoke)

    def space_for(self, dataset: Dataset) -> Space:
        """The space at the images' size.

        Args:
            dataset: Images.
        """
        return get_space(self.space, dataset.image_size, dataset.num_classes)

    def numbers_of(self, network: int) -> list[int]:
        """Configurations of one network.

        Args:
            network: Its number, from 0.
        """
        return list(range(network * self.rates, (network + 1) * self.rates))

    def configuration(self, space: Space, number: int) -> tuple[tuple[int, ...], float]:
        """Choices and learning rate of a configuration, whatever was drawn before.

        Args:
            space: Of the networks.
            number: Of the configuration, from 0.
        """
        network = np.random.default_rng([self.seed, 46, number // self.rates])
        rate = np.random.default_rng([self.seed, 47, number])
        low, high = math.log(self.slowest), math.log(self.fastest)
        return space.even_indices(network), math.exp(rate.uniform(low, high))


def train(recording: Recording, numbers: list[int], seed: int) -> list[Curve]:
    """Top-1 of configurations of one network at all points.

    Args:
        recording: What is recorded.
        numbers: Of the configurations.
        seed: Of weights, dropout and data order.
    """
    from nas.system import backend
    from nas.training.judge import Judge
    from nas.training.trainer import Trainer

    dataset = recording.dataset()
    backend.start(image_size=dataset.image_size)
    space = recording.space_for(dataset)
    drawn = [recording.configuration(space, number) for number in numbers]
    labels = dataset.train.labels
    division = split_holdout(len(labels), labels, recording.judging_share, recording.seed)
    recipe = recording.scale.recipe_for(is_sample=recording.data_dir is None)
    recipe = recipe.shortened(float(recording.epochs), recipe.batch_size)
    recipe = recipe.changed(average_share=RUNG_SHARE, growing_average=True)
    network = space.decode(drawn[0][0])
    trainer = Trainer(network, dataset.train, (division[0], None), recipe, seed, None)
    steps = range(min(STATISTICS_STEPS, trainer.total_steps))
    trainer.judge = Judge(
        trainer.model,
        network,
        lambda: iter([np.concatenate([trainer.loader.plain_images(step) for step in steps])]),
    )
    variables = [v for part in trainer.variables().values() for v in part]
    begun = [np.array(variable) for variable in variables]
    found = []
    for _, rate in drawn:
        for variable, value in zip(variables, begun, strict=True):
            variable.assign(value)
        found.append(_curve(trainer, rate, recording, division[1]))
    backend.forget_models()
    return found


def _curve(trainer: Trainer, rate: float, recording: Recording, judging: np.ndarray) -> Curve:
    """Top-1 of a network that begins with its first weights, at all points."""
    from nas.training.loop import Control, LoopState, run
    from nas.training.lost import LostWeightsError

    # The optimizer's own rate is set anew at each step, so that only its course differs.
    recipe, total = trainer.recipe, trainer.total_steps
    course = recipe.course(total)
    trainer.steps.rate_of = lambda step: rate * share_at(recipe.schedule, step, course)
    trainer.model.reset_metrics()
    state = LoopState()
    found: Curve = {kind: [] for kind in trainer.judge.kinds}
    try:
        for epochs in recording.points:
            step = max(1, math.floor(total * epochs / recording.epochs + 0.5))
            # The schedule is that of the whole training; the loop alone ends earlier.
            state = run(trainer, state, step, Control(None))
            for kind in trainer.judge.kinds:
                found[kind].append(trainer.judge.accuracy(kind, trainer.split, judging).top1)
    except LostWeightsError:
        for values in found.values():
            values += [None] * (len(recording.points) - len(values))
    return found
