"""Differentiable search: weights and gates learn in turns on separate parts of the data.

After the warm-up of `nas.supernet.trainer`, weight steps run networks drawn from the gates, and
every few weight steps one gate step follows the gradient of cross-entropy + penalty on held-out
images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from nas.architecture.text import layer_to_text
from nas.cost.additive import AdditiveCost
from nas.data import Split
from nas.data.loader import Batch, one_hot
from nas.layers.draw import GateDraw
from nas.layers.gates import Gates
from nas.methods.config import USUAL_PACE, SearchConfig
from nas.methods.gate_gradients import GateGradients
from nas.methods.gate_probabilities import GateProbabilities
from nas.methods.history import GateChoice, GateHistory
from nas.methods.objective import approached, damped_strength, temperature, updated_multiplier
from nas.search_space.space import Space
from nas.supernet.model import Supernet
from nas.supernet.sampling import gate_draw
from nas.supernet.trainer import SupernetTrainer
from nas.supernet.views import GateView
from nas.system.devices import own_rows
from nas.system.graphs import jit_compile
from nas.training import loop
from nas.training.checkpoint import Parts
from nas.training.optimizers import built
from nas.training.schedules import ramp
from nas.training.waiting import WaitClock

# Gate steps for each whose two gradients are measured; a quarter tells a median.
GRADIENTS_EVERY = 4
# How often a search speaks; nothing is kept of it.
USUAL_CONTROL = loop.Control(pace=USUAL_PACE)


@dataclass(frozen=True)
class SearchResult:
    """What a search ends with.

    Args:
        network: The trained supernet.
        probabilities: Of the gates.
        expected: E[cost] under them, in the goal's unit.
        history: Rows for history.csv.
        gates: Their probabilities over the search.
    """

    network: Supernet
    probabilities: GateProbabilities
    expected: float
    history: list[dict[str, Any]]
    gates: GateHistory


class GradientSearch(SupernetTrainer):
    """One search; `run` continues from the checkpoint if there is one.

    Args:
        space: With the data's number of classes.
        cost: Of its networks, in what the goal is asked in: milliseconds by a table, or a count.
        split: Training images; the held-out part is the gates'.
        config: Settings.
        control: Where the state is kept, how often the search speaks and what stops it.
        penalty: `--lambda`, weight of ln(E[cost]); None with a target.
        target: Cost to land on; None with a penalty.
        seed: Of weights, draws and data order, 0 or more.
    """

    def __init__(
        self,
        space: Space,
        cost: AdditiveCost,
        split: Split,
        config: SearchConfig,
        control: loop.Control = USUAL_CONTROL,
        *,
        penalty: float | None = None,
        target: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(space, split, config.supernet, control, seed)
        self.config, self.penalty, self.target = config, penalty, target
        self.unit = cost.unit
        # Gates are judged by the plain cross-entropy, on images of one class.
        plain = config.weights.augmentation.unmixed
        self.gates_loader = self._loader(self.held_out_part, seed + 1, plain)
        share = config.penalty.ramp_share if target is None else config.penalty.approach_share
        self._ramp_steps = int(share * self.total_steps)
        self.gate_view = GateView(self.network, cost, target)
        optimizer = keras.optimizers.Adam(
            config.gates.rate_at(self.gates_loader.batch_size), beta_1=0.5
        )
        self.gate_view.compile(
            optimizer=built(optimizer, self.gate_view.trainable_variables),
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            metrics=[
                keras.metrics.CategoricalAccuracy(name="accuracy"),
                keras.metrics.CategoricalCrossentropy(from_logits=True, name="cross_entropy"),
            ],
            jit_compile=jit_compile(),
        )
        self._gradients = GateGradients(self.gate_view, optimizer)
        self._gate_batches: Iterator[Batch] | None = None
        self.waiting = WaitClock(self.weights_loader, self.gates_loader)
        self._gate_logs = loop.MeanLogs()
        self._gradient_logs = loop.MeanLogs()

    def variables(self) -> Parts:
        """Everything that decides the rest of the search."""
        return {**super().variables(), "gates_optimizer": self.gate_view.optimizer.variables}

    def restore(self) -> loop.LoopState:
        """The state of the checkpoint, or a fresh one."""
        state = super().restore()
        state.extra.setdefault("gates", {"steps": [], "probabilities": []})
        for row in state.history:  # an older version measured no gradients
            row.setdefault("cross_entropy_gradient", None)
            row.setdefault("penalty_gradient", None)
        return state

    def run(
        self, on_progress: Callable[[loop.LoopState], None], only_warm_up: bool = False
    ) -> SearchResult:
        """Searches to the end; see `SupernetTrainer.train`.

        Args:
            on_progress: Called after each row of the history.
            only_warm_up: Stop where the gates would begin to learn.
        """
        self.train(on_progress, only_warm_up)
        return self.result()

    def result(self) -> SearchResult:
        """What the search has come to."""
        return SearchResult(
            self.network,
            self._probabilities(),
            _number(self.gate_view.expected_cost()),
            self._state.history,
            self._gate_history(),
        )

    def draw(self, step: int) -> GateDraw:
        """The warm-up's network, and after it one that the gates stand for.

        Args:
            step: Its number, from 0.
        """
        if step < self.warmup_steps:
            return super().draw(step)
        return gate_draw(self.network, self.rng(step, 0))

    def step(self, step: int, batch: Any) -> None:
        """One weight step, and after the warm-up a gate step where it is due.

        Args:
            step: Its number, from 0.
            batch: Images and labels of the weights' part.
        """
        super().step(step, batch)
        if step >= self.warmup_steps and (step + 1) % self.config.gates.every == 0:
            self._gate_step(step)

    def _gate_step(self, step: int) -> None:
        config = self.config.gates
        if self._gate_batches is None:
            # Gate steps follow each other without a gap from the first one on.
            first, end = step // config.every, self.total_steps // config.every
            self._gate_batches = self.gates_loader.iterate(first, end)
        images, labels = next(self._gate_batches)
        gates = self.network.gates
        gates.set_draw(gate_draw(self.network, self.rng(step, 1)))
        if isinstance(gates, Gates):  # thresholds have no temperature
            gates.temperature.assign(
                temperature(
                    step,
                    self.warmup_steps,
                    self.total_steps,
                    config.temperature_first,
                    config.temperature_last,
                )
            )
        self.gate_view.strength.assign(self._strength(step))
        targets = one_hot(labels, self.space.num_classes)

        def train() -> None:
            part = own_rows(images), own_rows(targets)
            self._gate_logs.add(self.gate_view.train_on_batch(*part, return_dict=True))

        if step // config.every % GRADIENTS_EVERY == 0:
            self._gradient_logs.add(self._gradients.norms(train))
        else:
            train()

    def _strength(self, step: int) -> float:
        """Weight of the penalty at a step; with a target it follows the expectation."""
        control, extra = self.config.penalty, self._state.extra
        share = ramp(step, self.warmup_steps, self._ramp_steps)
        if self.target is None:
            return share * (self.penalty or 0.0)
        expected = _number(self.gate_view.expected_cost())
        # Checkpoints call it so, whatever the unit: those of earlier versions have to be read.
        first = extra.setdefault("first_ms", expected)
        aim = approached(first, self.target, share)
        multiplier = updated_multiplier(
            extra.get("multiplier", 0.0), expected, aim, control.multiplier_rate
        )
        extra["multiplier"] = multiplier
        return damped_strength(multiplier, expected, aim, control.multiplier_gain)

    def row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        """A row of the history, with the gates' figures; keeps their probabilities.

        Args:
            step: Steps done.
            steps_per_second: Since the last row.
        """
        weights = super().row(step, steps_per_second)
        joint = self._probabilities().joint(self.space)
        gates = self._state.extra["gates"]
        gates["steps"].append(step)
        gates["probabilities"].append([[round(float(p), 5) for p in row] for row in joint])
        expected, strength = (
            _number(self.gate_view.expected_cost()),
            _number(self.gate_view.strength),
        )
        entropy = np.mean([-(row * np.log(row + 1e-12)).sum() for row in joint])
        gate, gradients = self._gate_logs.take(), self._gradient_logs.take()
        relative = expected / self.target - 1 if self.target else None
        return {
            "stage": weights["stage"],
            "images_seen": weights["images_seen"],
            "loss": weights["loss"],
            "cross_entropy": gate.get("cross_entropy") if gate else weights["cross_entropy"],
            "penalty": strength * (math.log(expected) if relative is None else relative),
            self.unit.column: expected,
            "lambda": strength,
            "ramp": ramp(step, self.warmup_steps, self._ramp_steps),
            "temperature": _number(self.network.gates.temperature),
            "accuracy": weights["accuracy"],
            "dominant_accuracy": weights["dominant_accuracy"],
            "gate_cross_entropy": gate.get("cross_entropy"),
            "gate_accuracy": gate.get("accuracy"),
            "gate_entropy": float(entropy),
            "cross_entropy_gradient": gradients.get("cross_entropy_gradient"),
            "penalty_gradient": gradients.get("penalty_gradient"),
            "examples_per_s": weights["examples_per_s"],
            "input_wait_share": weights["input_wait_share"],
        }

    def _probabilities(self) -> GateProbabilities:
        return GateProbabilities(
            {
                name: np.asarray(keras.ops.convert_to_numpy(p))
                for name, p in self.network.gates.probabilities().items()
            }
        )

    def _gate_history(self) -> GateHistory:
        recorded = self._state.extra["gates"]
        return GateHistory(
            tuple(
                GateChoice(choice.tag, tuple(layer_to_text(option) for option in choice.options))
                for choice in self.space.choices
            ),
            tuple(recorded["steps"]),
            tuple(tuple(map(tuple, record)) for record in recorded["probabilities"]),
        )


def _number(value: Any) -> float:
    return float(keras.ops.convert_to_numpy(value))
