"""What our training steps use of JAX, done by TensorFlow, where JAX is not installed.

Functions run as they are written, one operation after another, so that only what they compute is
tested here; that JAX can compile them is tested where it is installed (tests/programs).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import keras
import pytest
import tensorflow as tf


def value_and_grad(function: Callable[..., Any], *, has_aux: bool) -> Callable[..., Any]:
    """The value of a function, and its gradient by all that is in its first argument.

    Args:
        function: Its first argument is a list of arrays; it returns the value and what else it
            found.
        has_aux: True, as JAX calls it where the function returns more than its value.
    """
    if not has_aux:
        raise NotImplementedError("a function that returns its value alone")

    def found(first: list[Any], *others: Any) -> tuple[Any, list[Any]]:
        tensors = [tf.convert_to_tensor(value) for value in first]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value, more = function(tensors, *others)
        return (value, more), tape.gradient(value, tensors)

    return found


def jit(function: Callable[..., Any], *, static_argnames: str | None = None) -> Callable[..., Any]:
    """The function itself, which gets values in place of variables, as a compiled one does.

    Args:
        function: Of arrays in lists, tuples and dicts.
        static_argnames: Name of the argument that is no array, and goes by name; None where all
            are arrays.
    """

    def called(*arguments: Any, **static: Any) -> Any:
        if {*static} != {static_argnames} - {None}:
            raise NotImplementedError("other arguments by name than the one that is no array")
        return function(*tf.nest.map_structure(tf.convert_to_tensor, arguments), **static)

    return called


def stateless_apply(
    optimizer: keras.Optimizer, own: list[Any], gradients: list[Any], trainable: list[Any]
) -> tuple[list[Any], list[Any]]:
    """What an optimizer makes of variables; those that it has stay as they are.

    Keras' optimizers have it with JAX, and refuse it with TensorFlow.

    Args:
        optimizer: Built for variables of these shapes.
        own: Values of its own variables.
        gradients: Of the trainable variables.
        trainable: Values of these.
    """
    parts = (optimizer._trainable_variables, optimizer.variables)
    variables = [variable for part in parts for variable in part]
    before = [variable.numpy() for variable in variables]
    _assign(variables, [*trainable, *own])
    optimizer.apply(gradients)
    found = [[tf.identity(variable.value) for variable in part] for part in parts]
    _assign(variables, before)
    return found[0], found[1]


def _assign(variables: Sequence[Any], values: Sequence[Any]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def stand_in(memory: Mapping[str, int] | None = None) -> ModuleType:
    """A module as `import jax` gives it.

    Args:
        memory: What its only device says of its memory; None as a processor has it.
    """
    module = ModuleType("jax")
    device = SimpleNamespace(memory_stats=lambda: memory)
    found: dict[str, Any] = {
        "jit": jit,
        "block_until_ready": lambda values: values,
        "value_and_grad": value_and_grad,
        "local_devices": lambda: [device],
    }
    vars(module).update(found)
    return module


def install(patch: pytest.MonkeyPatch, memory: Mapping[str, int] | None = None) -> None:
    """Lets trainings make their steps on the device, as they do with JAX on one device.

    Args:
        patch: Takes it away again.
        memory: As `stand_in` takes it.
    """
    patch.setitem(sys.modules, "jax", stand_in(memory))
    patch.setattr(keras.Optimizer, "stateless_apply", stateless_apply)
    patch.setattr("nas.training.device_steps.has_device_steps", lambda: True)
