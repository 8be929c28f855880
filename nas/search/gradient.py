"""Differentiable search: weights and gates learn in turns on separate parts of the data.

The warm-up trains the largest network first and then more and more networks drawn evenly over
all options. After it, weight steps run networks drawn from the gates, and every `gate_every`
weight steps one gate step follows the gradient of cross-entropy + penalty on held-out images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from nas.data import Split, split_holdout
from nas.data.loader import BatchLoader
from nas.hardware.predictor import SpaceLatency
from nas.layers.gates import Gates
from nas.search.config import USUAL_PACE, SearchConfig
from nas.search.gate_probabilities import GateProbabilities
from nas.search.objective import approached_ms, damped_strength, temperature, updated_multiplier
from nas.search_space.space import Space
from nas.supernet.model import Supernet
from nas.supernet.sampling import gate_draw, widening_draw
from nas.supernet.views import GateView, WeightView
from nas.system.interrupt import Interrupter
from nas.training import loop
from nas.training.recipe import Pace
from nas.training.schedules import ramp
from nas.training.steps import WeightSteps, one_hot


@dataclass(frozen=True)
class SearchResult:
    """What a search ends with.

    Args:
        network: The trained supernet.
        probabilities: Of the gates.
        expected_ms: E[ms] under them.
        history: Rows for history.csv.
        gates: Data for gates.json.
    """

    network: Supernet
    probabilities: GateProbabilities
    expected_ms: float
    history: list[dict[str, Any]]
    gates: dict[str, Any]


@dataclass(eq=False)
class GradientSearch:
    """One search; `run` continues from the checkpoint if there is one.

    Args:
        space: With the data's number of classes.
        latency: Its milliseconds.
        split: Training images.
        config: Settings.
        checkpoint_path: Where the state is kept; None to keep none.
        interrupter: Asked whether to stop.
        penalty: `--lambda`, weight of ln(E[ms]); None with a target.
        target_ms: Milliseconds to land on; None with a penalty.
        seed: Of weights, draws and data order, 0 or more.
        pace: How often the search speaks and saves.
    """

    space: Space
    latency: SpaceLatency
    split: Split
    config: SearchConfig
    checkpoint_path: Path | None
    interrupter: Interrupter
    penalty: float | None = None
    target_ms: float | None = None
    seed: int = 0
    pace: Pace = USUAL_PACE

    def __post_init__(self) -> None:
        config, latency = self.config, self.latency
        keras.utils.set_random_seed(self.seed)
        self.network = Supernet(self.space, dropout=config.weights.dropout, gate=config.gates.form)
        self.weights_view = WeightView(self.network, config.execution)
        self.gate_view = GateView(
            self.network,
            latency.cost,
            self.target_ms,
        )
        self._make_loaders()
        self._compile()

    def _make_loaders(self) -> None:
        config = self.config
        self.weights_part, self.gates_part = split_holdout(
            len(self.split.labels), self.split.labels, config.holdout_share, self.seed
        )
        self.weights_loader, self.gates_loader = (
            BatchLoader(
                self.split,
                batch_size=min(config.weights.batch_size, len(part)),
                seed=self.seed + offset,
                indices=part,
                augment=config.weights.augmentation,
            )
            for part, offset in ((self.weights_part, 0), (self.gates_part, 1))
        )
        self.total_steps = max(4, self.weights_loader.steps(config.weights.epochs))
        self.warmup_steps = int(config.warm_up.share * self.total_steps)
        penalty = config.penalty
        share = penalty.ramp_share if self.target_ms is None else penalty.approach_share
        self._ramp_steps = int(share * self.total_steps)
        self.largest_steps = int(config.warm_up.largest_share * self.total_steps)

    def _compile(self) -> None:
        self._weight_steps = WeightSteps(
            self.weights_view, self.config.weights, self.total_steps, self.space.num_classes
        )
        gate_optimizer = keras.optimizers.Adam(self.config.gates.learning_rate, beta_1=0.5)
        gate_optimizer.build(self.gate_view.trainable_variables)
        self.gate_view.compile(
            optimizer=gate_optimizer,
            loss=keras.losses.CategoricalCrossentropy(from_logits=True),
            metrics=[
                keras.metrics.CategoricalAccuracy(name="accuracy"),
                keras.metrics.CategoricalCrossentropy(from_logits=True, name="cross_entropy"),
            ],
            jit_compile=False,
        )
        self._gate_logs = loop.MeanLogs()
        self._waited = 0.0

    def variables(self) -> list[Any]:
        """Everything that decides the rest of the search."""
        return [
            *self.network.variables,
            *self.weights_view.optimizer.variables,
            *self.gate_view.optimizer.variables,
        ]

    def run(
        self, on_progress: Callable[[loop.LoopState], None], only_warm_up: bool = False
    ) -> SearchResult:
        """Searches to the end.

        Args:
            on_progress: Called after each row of the history.
            only_warm_up: Stop where the gates would begin to learn; up to there a search does not
                depend on penalty or target, and others can go on from its checkpoint.

        Raises:
            Interrupted: A signal came; the state is saved.
            InputError: The loss became NaN.
        """
        state = loop.restore(self.checkpoint_path, self.variables())
        state.extra.setdefault("gates", {"steps": [], "probabilities": []})
        self._state = state
        settings = loop.LoopSettings(
            self.warmup_steps if only_warm_up else self.total_steps,
            self.pace.log_every,
            self.checkpoint_path,
            self.pace.checkpoint_seconds,
        )
        loop.run(
            settings,
            state,
            self._batches,
            self._step,
            self._row,
            self.variables,
            self.interrupter,
            on_progress,
        )
        return SearchResult(
            self.network,
            self._probabilities(),
            float(keras.ops.convert_to_numpy(self.gate_view.expected_ms())),
            state.history,
            {"choices": self._choice_names(), **state.extra["gates"]},
        )

    def _batches(self, start: int) -> Iterator[Any]:
        return self.weights_loader.iterate(start, self.total_steps)

    def _rng(self, step: int, kind: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, kind, step))

    def _step(self, step: int, batch: Any) -> None:
        images, labels = batch
        config = self.config
        warming = step < self.warmup_steps
        rng = self._rng(step, 0)
        if warming:
            widening = self.warmup_steps - self.largest_steps
            evenness = config.warm_up.evenness * ramp(step, self.largest_steps, widening)
            self.network.gates.set_draw(widening_draw(self.network, rng, evenness))
        else:
            self.network.gates.set_draw(gate_draw(self.network, rng))
        self._weight_steps.train(step, images, labels)
        if not warming and (step + 1) % config.gates.every == 0:
            self._gate_step(step)

    def _gate_step(self, step: int) -> None:
        config = self.config
        images, labels = self.gates_loader.batch(step // config.gates.every)
        gates = self.network.gates
        gates.set_draw(gate_draw(self.network, self._rng(step, 1)))
        if isinstance(gates, Gates):  # thresholds have no temperature
            gates.temperature.assign(
                temperature(
                    step,
                    self.warmup_steps,
                    self.total_steps,
                    config.gates.temperature_first,
                    config.gates.temperature_last,
                )
            )
        self.gate_view.strength.assign(self._strength(step))
        self._gate_logs.add(
            self.gate_view.train_on_batch(
                images, one_hot(labels, self.space.num_classes), return_dict=True
            )
        )

    def _strength(self, step: int) -> float:
        """Weight of the penalty at a step; with a target it follows the expectation."""
        control = self.config.penalty
        share = ramp(step, self.warmup_steps, self._ramp_steps)
        if self.target_ms is None:
            return share * (self.penalty or 0.0)
        expected_ms = float(keras.ops.convert_to_numpy(self.gate_view.expected_ms()))
        first_ms = self._state.extra.setdefault("first_ms", expected_ms)
        aim_ms = approached_ms(first_ms, self.target_ms, share)
        multiplier = updated_multiplier(
            self._state.extra.get("multiplier", 0.0), expected_ms, aim_ms, control.multiplier_rate
        )
        self._state.extra["multiplier"] = multiplier
        return damped_strength(multiplier, expected_ms, aim_ms, control.multiplier_gain)

    def _row(self, step: int, steps_per_second: float) -> dict[str, Any]:
        probabilities = self._probabilities()
        joint = probabilities.joint(self.space)
        gates = self._state.extra["gates"]
        gates["steps"].append(step)
        gates["probabilities"].append([[round(float(p), 5) for p in row] for row in joint])
        expected = float(keras.ops.convert_to_numpy(self.gate_view.expected_ms()))
        strength = float(keras.ops.convert_to_numpy(self.gate_view.strength))
        entropy = np.mean([-(row * np.log(row + 1e-12)).sum() for row in joint])
        loss, gate = self._weight_steps.take_logs(), self._gate_logs.take()
        relative = expected / self.target_ms - 1 if self.target_ms else None
        waited = self.weights_loader.seconds_waiting - self._waited
        self._waited = self.weights_loader.seconds_waiting
        seconds = self.pace.log_every / max(steps_per_second, 1e-9)
        row = {
            "stage": "warmup" if step <= self.warmup_steps else "search",
            "images_seen": step * self.weights_loader.batch_size,
            "loss": loss.get("loss"),
            "cross_entropy": gate.get("cross_entropy") if gate else loss.get("loss"),
            "penalty": strength * (math.log(expected) if relative is None else relative),
            "expected_ms": expected,
            "lambda": strength,
            "ramp": ramp(step, self.warmup_steps, self._ramp_steps),
            "temperature": float(keras.ops.convert_to_numpy(self.network.gates.temperature)),
            "accuracy": loss.get("accuracy"),
            "gate_cross_entropy": gate.get("cross_entropy"),
            "gate_accuracy": gate.get("accuracy"),
            "gate_entropy": float(entropy),
            "examples_per_s": steps_per_second * self.weights_loader.batch_size,
            "input_wait_share": max(0.0, waited) / max(seconds, 1e-9),
        }
        return {k: float(v) if isinstance(v, np.floating) else v for k, v in row.items()}

    def _probabilities(self) -> GateProbabilities:
        values = {
            kind: np.asarray(keras.ops.convert_to_numpy(p))
            for kind, p in self.network.gates.probabilities().items()
        }
        return GateProbabilities(values)

    def _choice_names(self) -> list[dict[str, Any]]:
        from nas.architecture.text import layer_to_text

        return [
            {"tag": c.tag, "options": [layer_to_text(o) for o in c.options]}
            for c in self.space.choices
        ]
