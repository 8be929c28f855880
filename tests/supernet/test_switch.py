"""A choice whose options share nothing: the drawn branch alone counts, however it is run."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from nas.architecture.spec import Conv, Dropout, MBConv, Residual, Skip
from nas.builders.keras_layers import LayerSettings
from nas.layers.draw import SKIP
from nas.search_space.choice import OneOf
from nas.supernet import switch
from nas.supernet.switch import SwitchLayer

SHAPE = (6, 6, 8)
BLOCKS = (Conv(3, 1, 8, "relu"), MBConv(3, 1, 2, 8), Residual((Conv(1, 1, 8), Dropout(0.5))))
RNG = np.random.default_rng(0)


def made(*more: Skip) -> tuple[OneOf, SwitchLayer]:
    choice = OneOf("a", (*BLOCKS, *more))
    layer = SwitchLayer(choice, SHAPE, LayerSettings())
    layer.build((None, *SHAPE))
    for variable in layer.variables:
        if variable.dtype == "float32":
            change = 0.1 * np.abs(RNG.standard_normal(variable.shape))
            variable.assign(keras.ops.convert_to_numpy(variable) + change)
    return choice, layer


def gates_of(choice: OneOf, number: int) -> dict[str, np.ndarray]:
    """One-hot gates of an option; what a skipped block decides besides is of no account."""
    option = choice.options[number]
    values = choice.values(BLOCKS[0] if isinstance(option, Skip) else option)
    found = {
        decision.name: np.eye(len(decision.options), dtype=np.float32)[
            decision.options.index(values[decision.name])
        ]
        for decision in choice.block_decisions
    }
    found[SKIP] = np.eye(2, dtype=np.float32)[int(isinstance(option, Skip))]
    return found


def numpy(tensor: object) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs all branches")
def test_branches_give_the_same_chosen_or_weighted(monkeypatch: pytest.MonkeyPatch) -> None:
    choice, layer = made(Skip())
    x = keras.ops.convert_to_tensor(RNG.standard_normal((4, *SHAPE)).astype(np.float32))
    old = [numpy(value) for norm in layer.norms() for value in norm.statistics]
    owners = [i for i, chain in enumerate(layer._chains) for _ in chain.norms for _ in (0, 1)]
    for number in (1, 3):
        outputs = []
        for switches in (True, False):
            monkeypatch.setattr(switch, "SWITCHES", switches)
            y, statistics = layer.sampled(x, gates_of(choice, number), training=True)
            outputs.append([numpy(y), *(numpy(value) for pair in statistics for value in pair)])
        for one, other in zip(*outputs, strict=True):
            # The same float32 products, and sums with zeros.
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
        is_identity = np.array_equal(outputs[0][0], numpy(x))
        assert is_identity == (number == 3)
        moved = [not np.array_equal(a, b) for a, b in zip(outputs[0][1:], old, strict=True)]
        assert moved == [owner == number for owner in owners], "only those of what was drawn"


def test_weights_of_an_option_are_those_of_its_branch() -> None:
    choice, layer = made()
    for number, block in enumerate(BLOCKS):
        found = layer.weights_of(choice.values(block))
        own = [v for part in layer.branches[number] for v in part.variables]
        # Beside weights, dropout has the state of what it draws.
        sizes = [int(np.prod(v.shape)) for v in own if v.dtype == "float32"]
        assert sorted(value.size for value in found.values()) == sorted(sizes) != []
        assert not any(name.startswith("block.") for name in found)
    assert layer.compute_output_shape((None, *SHAPE)) == (None, *SHAPE)
    with pytest.raises(NotImplementedError, match="rebuilt from its space"):
        layer.get_config()
