"""Training steps whose images, and all that changes them, are on the device; for JAX.

A step is one call of a compiled function. Nothing of it comes back to the host until a row of the
history is due, so that the device never waits for the host.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from nas.data.loader import Plan
from nas.training.device_images import (
    DeviceImages,
    device_memory_bytes,
    fit_on_device,
    has_device_steps,
)
from nas.training.image_sizes import size_at
from nas.training.losses import training_loss
from nas.training.lost import check_loss
from nas.training.optimizers import unscaled
from nas.training.recipe import Recipe
from nas.training.steps import WeightSteps

# Trainable variables, other variables, those of the optimizer, and sums for the next row.
State = tuple[list[Any], list[Any], list[Any], dict[str, Any]]


def device_steps(
    model: keras.Model, recipe: Recipe, total_steps: int, num_classes: int, images: np.ndarray
) -> DeviceSteps | None:
    """Steps that are made on the device as a whole; None where host and device take turns.

    Args:
        model: Pixels (batch, height, width, 3) -> logits (batch, classes).
        recipe: Without a teacher.
        total_steps: Steps in all, 1 or more.
        num_classes: Of the targets.
        images: Of the split (n, height, width, 3) uint8.
    """
    is_half = keras.config.dtype_policy().compute_dtype == "float16"
    if is_half or not has_device_steps():
        return None
    augmentation = recipe.augmentation
    is_resident = not augmentation.needs_pillow and fit_on_device(images, device_memory_bytes())
    made = DeviceImages(
        images if is_resident else None,
        (images.shape[1], images.shape[2]),
        num_classes,
        augmentation.crop_padding_pixels,
        bool(augmentation.erasing.erasing_probability),
    )
    return DeviceSteps(model, recipe, total_steps, num_classes, made)


class DeviceSteps(WeightSteps):
    """Steps by plans of batches; between `settle` and the next step the model has the weights.

    Args:
        model: Pixels (batch, height, width, 3) -> logits (batch, classes); it is compiled here.
        recipe: Without a teacher; products of float16, whose loss has to be scaled, are not for it.
        total_steps: Steps in all, 1 or more.
        num_classes: Of the targets.
        images: Makes the batches.
    """

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        total_steps: int,
        num_classes: int,
        images: DeviceImages,
    ) -> None:
        import jax

        super().__init__(model, recipe, total_steps, num_classes)
        self._images = images
        self.is_resident = images.is_resident
        self._loss = training_loss(recipe)
        rate = unscaled(model.optimizer).learning_rate
        self._rate_place = next(n for n, v in enumerate(model.optimizer.variables) if v is rate)
        self._state: State | None = None
        self._steps_since_row = 0
        self._last_step = 0
        self._gradient = jax.value_and_grad(self._loss_of, has_aux=True)
        # The side of the images decides the shapes, so that each has a function of its own.
        self._compiled = jax.jit(self._step, static_argnames="size")

    def train_plan(self, step: int, plan: Plan) -> None:
        """One step; its loss is looked at when `take_logs` is called.

        Args:
            step: Its number, from 0.
            plan: Of its batch.
        """
        self.rate = self.rate_of(step)
        state = self._state or self._from_model()
        rate = np.float32(self.rate)
        sizes = self.recipe.image_sizes
        size = size_at(sizes, step, self.total_steps) if sizes else None
        self._state = self._compiled(state, rate, self._images.arrays, plan, size=size)
        self._steps_since_row += 1
        self._last_step = step

    def wait(self) -> None:
        """Waits until all steps are done; calls return long before."""
        import jax

        jax.block_until_ready(self._state)

    def take_logs(self) -> dict[str, float]:
        """Mean loss and accuracy of the steps since the last call; empty if there were none.

        Raises:
            LostWeightsError: The loss became NaN or infinite.
        """
        if self._state is None or not self._steps_since_row:
            return {}
        trainable, others, optimizer, sums = self._state
        means = {name: float(total) / self._steps_since_row for name, total in sums.items()}
        self._state = (trainable, others, optimizer, _no_sums())
        self._steps_since_row = 0
        check_loss(means["loss"], self._last_step, self.recipe.peak_rate)
        return means

    def settle(self) -> None:
        """Writes what was learned into the variables of the model and of its optimizer."""
        if self._state is None:
            return
        for variables, values in zip(self._variables(), self._state[:3], strict=True):
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)

    def forget(self) -> None:
        """Lets the next step begin from the variables of the model, which others wrote."""
        self._state = None

    def _variables(self) -> tuple[list[Any], list[Any], list[Any]]:
        model = self.model
        return model.trainable_variables, model.non_trainable_variables, model.optimizer.variables

    def _from_model(self) -> State:
        values = [[variable.value for variable in part] for part in self._variables()]
        return (values[0], values[1], values[2], _no_sums())

    def _step(
        self, state: State, rate: Any, arrays: dict[str, Any], plan: Plan, size: int | None
    ) -> State:
        trainable, others, optimizer, sums = state
        optimizer = [*optimizer]
        optimizer[self._rate_place] = rate
        pixels, targets = self._images.batch(plan, arrays, size)
        (loss, (others, accuracy)), gradients = self._gradient(trainable, others, pixels, targets)
        trainable, optimizer = self.model.optimizer.stateless_apply(optimizer, gradients, trainable)
        sums = {"loss": sums["loss"] + loss, "accuracy": sums["accuracy"] + accuracy}
        return trainable, others, optimizer, sums

    def _loss_of(
        self, trainable: list[Any], others: list[Any], pixels: Any, targets: Any
    ) -> tuple[Any, tuple[list[Any], Any]]:
        scores, others, penalties = self.model.stateless_call(
            trainable, others, pixels, training=True, return_losses=True
        )
        loss = self._loss(targets, scores) + sum(penalties)
        accuracy = ops.mean(keras.metrics.categorical_accuracy(targets, scores))
        return loss, (others, accuracy)


def _no_sums() -> dict[str, Any]:
    return {"loss": np.float32(0.0), "accuracy": np.float32(0.0)}
