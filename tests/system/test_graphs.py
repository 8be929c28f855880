"""Models as one compiled graph: what JAX is told, and that variables move as they would.

JAX itself is not needed: TensorFlow computes what a graph asks of it; see `jax_stand_in`.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import nas
from nas.layers.batch_norm import BatchNorm
from nas.system.graphs import jit_compile, one_graph
from nas.training.evaluation import batch_norm_layers, reestimate_statistics
from tests.support import jax_stand_in

PIXELS = np.random.default_rng(0).uniform(0, 255, (3, 8, 4, 4, 3)).astype(np.float32)


@pytest.fixture
def on_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are compiled as with JAX."""
    monkeypatch.setitem(sys.modules, "jax", jax_stand_in.stand_in())
    monkeypatch.setattr("nas.system.graphs.jit_compile", lambda: True)


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 3), BatchNorm()])


def test_only_jax_is_told_to_compile() -> None:
    assert jit_compile() is False  # the tests' backend is TensorFlow


def test_a_backend_that_makes_graphs_itself_gets_the_function() -> None:
    def function(value: float) -> float:
        return value

    assert one_graph(function, network()) is function


def test_a_graph_gives_what_the_function_does_and_moves_the_same_variables(on_jax: None) -> None:
    plain, compiled = network(), network()
    expected = plain(PIXELS[0], training=True)
    found = one_graph(lambda images: compiled(images, training=True), compiled)(PIXELS[0])
    np.testing.assert_array_equal(found, expected)
    for one, other in zip(compiled.variables, plain.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    (norm,) = batch_norm_layers(compiled)
    assert np.abs(keras.ops.convert_to_numpy(norm.mean)).max() > 0


def test_statistics_are_averaged_in_one_graph_as_without(on_jax: None) -> None:
    compiled = network()
    assert reestimate_statistics(compiled, iter(PIXELS)) == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.system.graphs.jit_compile", lambda: False)
        plain = network()
        reestimate_statistics(plain, iter(PIXELS))
    for one, other in zip(compiled.variables, plain.variables, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    assert [norm.momentum for norm in batch_norm_layers(compiled)] == [0.9]


def test_whatever_compiles_a_model_asks_how() -> None:
    """On JAX, `jit_compile=False` would compute each step operation by operation."""
    root, fixed = Path(nas.__file__).parent, []
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr != "compile":
                continue
            asked = {one.arg: one.value for one in node.keywords}
            if "jit_compile" in asked and isinstance(asked["jit_compile"], ast.Constant):
                fixed.append(f"{path.relative_to(root)}:{node.lineno}")
    assert not fixed
