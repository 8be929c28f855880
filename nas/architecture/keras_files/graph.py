"""The layers of a Keras model and what each gets, with models inside of models laid open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nas.architecture.bounds import MOST_LAYERS, MOST_LEVELS, check_most, shown
from nas.errors import ArchitectureError, InputError

MODELS = ("Functional", "Sequential", "Model")
INPUT = "InputLayer"
MOST_NODES = 10 * MOST_LAYERS  # layers of Keras; several make one of ours


class LayerError(ArchitectureError):
    """A layer that cannot be expressed, which the error names."""


@dataclass(frozen=True)
class Node:
    """One layer of a Keras model.

    Args:
        name: The user's.
        kind: Name of its class.
        is_keras: Whether the class is Keras' own.
        config: Its arguments.
        inputs: Indices of the nodes that it gets, in the graph's order.
    """

    name: str
    kind: str
    is_keras: bool
    config: Mapping[str, Any]
    inputs: tuple[int, ...]

    def refused(self, expected: str, received: str, fix: str) -> ArchitectureError:
        """The error of a layer that cannot be expressed.

        Args:
            expected: What would do.
            received: What stands there.
            fix: What to change.
        """
        return LayerError(expected, f"{received} in layer {shown(self.name)}", fix)

    @contextmanager
    def named(self) -> Iterator[None]:
        """Adds the layer to what is refused inside without naming one.

        Raises:
            LayerError: Something is refused, or the layer's arguments are none of Keras' layers.
        """
        try:
            yield
        except LayerError:
            raise
        except InputError as error:
            fix = "change the layer, or the layers that it gets, so that this holds"
            raise self.refused(error.expected, error.received, fix) from None
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise self.refused(
                f"arguments of keras.layers.{self.kind}",
                f"{type(error).__name__}: {shown(str(error))}",
                f"write it by keras.layers.{self.kind} and not by keras.ops, or leave it out",
            ) from None


@dataclass(frozen=True)
class Graph:
    """A Keras model.

    Args:
        nodes: Each after those that it gets; the first is the image.
        output: Index of the node that gives the scores.
        input_shape: Height, width and channels; None where the model takes any.
    """

    nodes: tuple[Node, ...]
    output: int
    input_shape: tuple[int | None, ...]


def graph_of(model: Mapping[str, Any]) -> Graph:
    """The layers of a model.

    Args:
        model: Its description, as Keras 3 writes it.

    Raises:
        ArchitectureError: Not one image in and one list of scores out, or a layer that is used
            twice.
        KeyError, TypeError, ValueError, IndexError: The description is none of Keras.
    """
    kind = model["class_name"]
    if kind not in MODELS:
        raise ArchitectureError(
            f"a model of one of Keras' kinds {', '.join(MODELS)}",
            f"{shown(kind)}, a class of its own",
            "build the model from layers by keras.Model(inputs, outputs) or keras.Sequential",
        )
    shape = _input_shape(model["config"])
    nodes: list[Node] = [Node("input", INPUT, True, {}, ())]
    output = _lay_open(model, 0, nodes, 0)
    return Graph(tuple(nodes), output, shape)


def _input_shape(config: Mapping[str, Any]) -> tuple[int | None, ...]:
    inputs = [entry for entry in config["layers"] if entry["class_name"] == INPUT]
    if len(inputs) > 1:
        raise ArchitectureError("a model of one image", f"{len(inputs)} inputs", "leave one")
    if inputs:
        shape = inputs[0]["config"]["batch_shape"]
    else:
        shape = config.get("build_input_shape") or [None] * 4
    return tuple(shape[1:])


def _lay_open(model: Mapping[str, Any], source: int, nodes: list[Node], level: int) -> int:
    """Adds the layers of a model that gets a node; gives the index of its last one."""
    check_most("models inside of models", level, MOST_LEVELS, "lay them open")
    config = model["config"]
    if model["class_name"] == "Sequential":
        for entry in config["layers"]:
            source = _add(entry, (source,), nodes, level)
        return source
    outputs = _tensors(config["output_layers"])
    if len(outputs) != 1 or len(_tensors(config["input_layers"])) != 1:
        raise ArchitectureError(
            "a model with one input and one output",
            f"{len(_tensors(config['input_layers']))} and {len(outputs)} in "
            f"{shown(config.get('name', ''))}",
            "leave one of each",
        )
    entries = {entry["name"]: entry for entry in config["layers"]}
    places: dict[str, int] = {}
    for name in _in_order(entries, outputs[0]):
        inputs = tuple(places[other] for other in _inputs(entries[name]))
        places[name] = _add(entries[name], inputs or (source,), nodes, level)
    return places[outputs[0]]


def _add(entry: Mapping[str, Any], inputs: tuple[int, ...], nodes: list[Node], level: int) -> int:
    """Adds one layer, or those of a model inside; gives the index of what comes out."""
    kind = entry["class_name"]
    if kind == INPUT:
        return inputs[0]
    is_keras = str(entry.get("module") or "").split(".")[0] == "keras"
    if kind in MODELS and is_keras and len(inputs) == 1:
        return _lay_open(entry, inputs[0], nodes, level + 1)
    check_most("layers of a Keras model", len(nodes), MOST_NODES, "leave layers out")
    name = entry.get("name") or entry["config"]["name"]
    nodes.append(Node(str(name), str(kind), is_keras, entry["config"], inputs))
    return len(nodes) - 1


def _in_order(entries: Mapping[str, Mapping[str, Any]], output: str) -> list[str]:
    """The layers that the output needs, each after those that it gets."""
    order: dict[str, None] = {}
    waiting, begun = [output], set()
    while waiting:
        name = waiting[-1]
        missing = [other for other in _inputs(entries[name]) if other not in order]
        if name in order or not missing:
            order[waiting.pop()] = None
            continue
        if name in begun:
            raise ValueError(f"layer {name} needs itself")
        begun.add(name)
        waiting += missing
    return list(order)


def _inputs(entry: Mapping[str, Any]) -> list[str]:
    """Names of the layers whose outputs a layer gets."""
    calls: Sequence[Mapping[str, Any]] = entry["inbound_nodes"]
    if not calls:
        return []
    if len(calls) > 1:
        raise ArchitectureError(
            "layers that are used once",
            f"{len(calls)} uses of layer {shown(entry['name'])}",
            "make a layer of its own for each use",
        )
    found = [_names(value) for value in (*calls[0]["args"], *calls[0].get("kwargs", {}).values())]
    return [name for names in found for name in names]


def _names(value: Any) -> list[str]:
    """Names of the layers in an argument: a tensor, a list of them, or something else."""
    if isinstance(value, list):
        return [name for inner in value for name in _names(inner)]
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        return [value["config"]["keras_history"][0]]
    return []


def _tensors(value: list[Any]) -> list[str]:
    """Names of the layers in a list of outputs, or of one alone."""
    return [value[0]] if isinstance(value[0], str) else [inner[0] for inner in value]
