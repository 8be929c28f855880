"""What a model computes as one compiled graph, where a backend would go operation by operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def jit_compile() -> bool:
    """What `keras.Model.compile` is to be told.

    JAX compiles what it is told to, and else computes each operation by itself. TensorFlow makes a
    graph of each step in any case; for it, compilation means XLA, which has no shapes that change.
    """
    import keras

    return bool(keras.backend.backend() == "jax")


def one_graph(function: Callable[..., Any], model: keras.Model) -> Callable[..., Any]:
    """A function that runs a model, compiled on JAX; on other backends the function itself.

    Args:
        function: Of tensors; it may assign variables of the model, and nothing else.
        model: Whose variables it reads and assigns.

    Returns:
        Computes the same, and leaves the variables as the function does.
    """
    if not jit_compile():
        return function
    import jax
    import keras

    variables = [*model.trainable_variables, *model.non_trainable_variables]

    def pure(values: list[Any], *arguments: Any) -> tuple[Any, list[Any]]:
        begun = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=begun) as scope:
            found = function(*arguments)
        return found, [scope.get_current_value(variable) for variable in variables]

    compiled = jax.jit(pure)

    def run(*arguments: Any) -> Any:
        found, values = compiled([variable.value for variable in variables], *arguments)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        return found

    return run
