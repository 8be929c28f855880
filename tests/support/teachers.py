"""Teachers of tests: ONNX files that score an image by its mean colours, written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# As our own files say how their pixels are meant.
OURS = {"input": "image: float32 [1, height, width, 3], RGB, pixels 0 to 255, not scaled"}

# An operator, its constant and its attributes.
Step = tuple[str, np.ndarray | None, dict[str, Any]]


def weights_of(classes: int, seed: int = 0) -> np.ndarray:
    """(3, classes) weights of a `ToyTeacher`."""
    return np.random.default_rng(seed).normal(size=(3, classes)).astype(np.float32) / 50


@dataclass(frozen=True, kw_only=True)
class ToyTeacher:
    """A linear classifier of mean colours.

    Args:
        classes: Number of classes.
        size: Height and width; None for any.
        batch: Images in one run; None for any.
        channels_last: Whether colours stand last.
        channels: How many colours there are.
        element: Type of the input's numbers.
        first: What is done to the input first: operator and its constant.
        last: Operator behind the scores.
        class_names: In the metadata.
        metadata: Further ones.
        fixed_reshape: Whether the batch is written into the graph, too.
        seed: Of the weights.
    """

    classes: int
    size: int | None = 32
    batch: int | None = 1
    channels_last: bool = True
    channels: int = 3
    element: int = TensorProto.FLOAT
    first: tuple[str, Sequence[float]] | None = None
    last: str | None = None
    class_names: Sequence[str] | None = None
    metadata: Mapping[str, str] = field(default_factory=lambda: OURS)
    fixed_reshape: bool = False
    seed: int = 0

    def write(self, path: Path) -> Path:
        """Writes the file and returns its path.

        Args:
            path: Of the file.
        """
        steps = [step for step in self._steps if step is not None]
        nodes, tensors, x = [], [], "image"
        for number, (operator, constant, attributes) in enumerate(steps):
            inputs = [x]
            if constant is not None:
                inputs.append(f"constant_{number}")
                tensors.append(numpy_helper.from_array(constant, inputs[1]))
            x = f"x_{number}"
            nodes.append(helper.make_node(operator, inputs, [x], **attributes))
        batch, size = self.batch or "n", self.size
        spatial = [size or "height", size or "width"]
        dims = [*spatial, self.channels] if self.channels_last else [self.channels, *spatial]
        graph = helper.make_graph(
            nodes,
            "teacher",
            [helper.make_tensor_value_info("image", self.element, [batch, *dims])],
            [helper.make_tensor_value_info(x, TensorProto.FLOAT, [batch, self.classes])],
            tensors,
        )
        opset = helper.make_opsetid("", 17)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=8)
        names = self.class_names
        named = {} if names is None else {"class_names": json.dumps(list(names))}
        helper.set_model_props(model, {**self.metadata, **named})
        onnx.save(model, path)
        return path

    @property
    def _steps(self) -> list[Step | None]:
        """Operator, its constant and its attributes, in order; None where one is left out."""
        is_float = self.element == TensorProto.FLOAT
        axes = [1, 2] if self.channels_last else [2, 3]
        shape = (-1,) if self.channels_last else (-1, 1, 1)
        first: Step | None = None
        if self.first is not None:
            operator, constant = self.first
            first = (operator, np.array(constant, np.float32).reshape(shape), {})
        wanted = np.array([self.batch or 1, self.classes], np.int64)
        return [
            None if is_float else ("Cast", None, {"to": TensorProto.FLOAT}),
            first,
            ("ReduceMean", None, {"axes": axes, "keepdims": 0}),
            ("MatMul", weights_of(self.classes, self.seed)[: self.channels], {}),
            ("Reshape", wanted, {}) if self.fixed_reshape else None,
            (self.last, None, {}) if self.last else None,
            ("Identity", None, {}),
        ]


def expected_scores(images: np.ndarray, classes: int, seed: int = 0) -> np.ndarray:
    """Scores that a `ToyTeacher` gives.

    Args:
        images: (batch, height, width, 3) pixels from 0 to 255.
        classes: Number of classes.
        seed: Of the weights.
    """
    means = images.astype(np.float64).mean(axis=(1, 2))
    return np.asarray(means @ weights_of(classes, seed), np.float64)
