"""Training of a supernet's weights: draws, steps, checkpoints and the rows of a history.

The warm-up trains the largest network first and then more and more networks drawn evenly over
all options. A search whose gates learn adds its own steps (`nas.methods.gradient`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from nas.data import Split, split_holdout
from nas.data.augment import Augmentation
from nas.data.loader import BatchLoader
from nas.errors import InputError
from nas.layers.draw import GateDraw
from nas.search_space.space import Space
from nas.supernet.model import Supernet
from nas.supernet.sampling import widening_draw
from nas.supernet.settings import SupernetSettings
from nas.supernet.views import WeightView
from nas.system.devices import whole_batch
from nas.training import loop
from nas.training.checkpoint import Parts
from nas.training.first_scales import learned_layers, set_first_scales
from nas.training.history import accuracy_cells
from nas.training.steps import WeightSteps
from nas.training.waiting import WaitClock


class SupernetTrainer:
    """Trains a supernet; `run` continues from the checkpoint if there is one.

    Args:
        space: With the data's number of classes.
        split: Training images; a part of them is held out from the weights.
        settings: Of the weights and the draws.
        control: Where the state is kept, how often the training speaks and what stops it.
        seed: Of weights, draws and data order, 0 or more.
    """

    def __init__(
        self,
        space: Space,
        split: Split,
        settings: SupernetSettings,
        control: loop.Control,
        seed: int = 0,
    ) -> None:
        self.space, self.split, self.settings = space, split, settings
        self.control, self.seed = control, seed
        keras.utils.set_random_seed(seed)
        labels = split.labels
        self.weights_part, self.held_out_part = split_holdout(
            len(labels), labels, settings.holdout_share, seed
        )
        # No batch is larger than the images, and the rate follows the batch that there is.
        batch_size = whole_batch(settings.weights.batch_size, len(self.weights_part))
        recipe = replace(settings.weights, batch_size=batch_size)
        self.network = Supernet(space, dropout=recipe.dropout, gate=settings.gate)
        self.weights_view = WeightView(self.network, settings.execution)
        self.weights_loader = self._loader(self.weights_part, seed, recipe.augmentation)
        self.total_steps = max(4, self.weights_loader.steps(recipe.epochs))
        self.warmup_steps = settings.warm_up.steps(self.total_steps)
        self._weight_steps = WeightSteps(
            self.weights_view, recipe, self.total_steps, space.num_classes
        )
        self.waiting = WaitClock(self.weights_loader)
        self._state = loop.LoopState()

    def _loader(self, part: np.ndarray, seed: int, augmentation: Augmentation) -> BatchLoader:
        return BatchLoader(
            self.split,
            batch_size=whole_batch(self.settings.weights.batch_size, len(part)),
            seed=seed,
            indices=part,
            augment=augmentation,
            num_classes=self.space.num_classes,
        )

    def variables(self) -> Parts:
        """Everything that decides the rest of the training."""
        return {
            "network": self.network.variables,
            "weights_optimizer": self.weights_view.optimizer.variables,
        }

    def read_weights(self) -> None:
        """Takes the network, and nothing else, from a checkpoint that is there.

        Whoever only asks a supernet needs no optimizer, and may compute in another precision.

        Raises:
            InputError: There is no checkpoint, or it is of another space.
        """
        path = self.control.checkpoint_path
        if path is None or not path.is_file():
            raise InputError(
                f"the trained weights of the supernet at {path}",
                "no such file",
                "remove search.json of that run, and resume it to train them again",
            )
        loop.restore(path, {"network": self.network.variables})

    def restore(self) -> loop.LoopState:
        """The state of the checkpoint, or a fresh one."""
        self._state = loop.restore(self.control.checkpoint_path, self.variables())
        return self._state

    def train(
        self, on_progress: Callable[[loop.LoopState], None], only_warm_up: bool = False
    ) -> loop.LoopState:
        """Trains to the end.

        Args:
            on_progress: Called after each row of the history.
            only_warm_up: Stop where the gates would begin to learn; up to there a search does not
                depend on penalty or target, and others can go on from its checkpoint.

        Raises:
            Interrupted: A signal came; the state is saved.
            InputError: The loss became NaN.
        """
        steps = self.warmup_steps if only_warm_up else self.total_steps
        control = replace(self.control, on_progress=lambda state, _: on_progress(state))
        state = self.restore()
        if state.step == 0 and learned_layers(self.network):
            self.network.gates.set_draw(widening_draw(self.network, self.rng(0, 0), 0.0))
            set_first_scales(self.network, self.weights_loader.plain_images(0))
        return loop.run(self, state, steps, control)

    def batches(self, start: int) -> Iterator[Any]:
        """Batches of the weights' part of the images.

        Args:
            start: Number of the first step, from 0.
        """
        self.waiting.start(start)
        return self.weights_loader.iterate(start, self.total_steps)

    def rng(self, step: int, kind: int) -> np.random.Generator:
        """The generator of a step, the same again after a kill.

        Args:
            step: Its number, from 0.
            kind: What is drawn: 0 for networks of weight steps.
        """
        return np.random.default_rng((self.seed, kind, step))

    def draw(self, step: int) -> GateDraw:
        """The network that a weight step trains.

        Args:
            step: Its number, from 0.
        """
        evenness = self.settings.warm_up.evenness_at(step, self.total_steps)
        return widening_draw(self.network, self.rng(step, 0), evenness)

    def step(self, step: int, batch: Any) -> None:
        """One weight step.

        Args:
            step: Its number, from 0.
            batch: Images and labels.
        """
        self.network.gates.set_draw(self.draw(step))
        self._weight_steps.train(step, *batch)

    def wait(self) -> None:
        """Nothing is to be waited for: each step brings its loss."""

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        """A row of the history.

        Args:
            step: Steps done.
            steps_per_second: Since the last row.
        """
        logs = self._weight_steps.take_logs()
        return {
            "stage": "warmup" if step <= self.warmup_steps else "search",
            "images_seen": step * self.weights_loader.batch_size,
            "loss": logs.get("loss"),
            "cross_entropy": logs.get("loss"),
            **accuracy_cells(logs, self.settings.weights.augmentation),
            "examples_per_s": steps_per_second * self.weights_loader.batch_size,
            "input_wait_share": self.waiting.take(step, steps_per_second),
        }
