"""A `.keras` file -> an architecture.

The graph is walked from the scores back to the image. Between them stands a chain; where two ways
meet in `Add` or `Multiply`, both begin at one place of the chain and are chains themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from nas.architecture.bounds import shown
from nas.architecture.keras_files.archive import read_config
from nas.architecture.keras_files.graph import Graph, Node, graph_of
from nas.architecture.keras_files.joined import (
    as_pixel,
    joined,
    same_padded,
    squeeze_of,
    with_scale,
)
from nas.architecture.keras_files.layers import ends_in_softmax, layers_of, notes_of
from nas.architecture.lowering import lower_chain
from nas.architecture.shapes import Shape
from nas.architecture.spec import (
    IMAGE_CHANNELS,
    Architecture,
    Dense,
    Layer,
    Residual,
    SqueezeExcite,
)
from nas.errors import ArchitectureError, InputError

MERGES = ("Add", "Multiply")
SCALE = "Rescaling"
_ENDS = "with softmax, with sigmoid or without an activation"
IMAGE = 0  # index of the node that is the image


@dataclass(frozen=True)
class KerasNetwork:
    """The architecture of a Keras file.

    Args:
        architecture: Its layers.
        notes: What the training here replaces, in sentences.
    """

    architecture: Architecture
    notes: tuple[str, ...]


def read_keras(path: Path, image_size: int | None = None) -> KerasNetwork:
    """The architecture of a file of Keras 3. Its weights are not read, and no program in it is run.

    Args:
        path: Of the file.
        image_size: Height and width in pixels of the images, for models that take any; None if
            nobody says it.

    Raises:
        InputError: No such file, or no model of Keras 3 in it.
        ArchitectureError: Names the layer that cannot be expressed.
    """
    with _named(path):
        graph = graph_of(read_config(path))
        size = _image_size(graph.input_shape, image_size)
        return _Reader(graph, size).network(path.stem)


def takes_any_size(path: Path) -> bool:
    """Whether the model of a file leaves the size of its images open.

    Args:
        path: Of the file.

    Raises:
        InputError: As `read_keras`.
        ArchitectureError: Not one square image in, or no description of Keras.
    """
    with _named(path):
        return _own_size(graph_of(read_config(path)).input_shape) is None


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Adds to what is refused which file it is in."""
    try:
        yield
    except ArchitectureError as error:
        received = f"{error.received} of {path}"
        raise ArchitectureError(error.expected, received, error.fix) from None
    except InputError:
        raise  # the file itself cannot be read, and is named there
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ArchitectureError(
            "a model as Keras 3 describes it",
            f"{type(error).__name__}: {shown(str(error))} in {path}",
            "save the model again with Keras 3",
        ) from None


def _image_size(shape: Sequence[int | None], asked: int | None) -> int:
    size = _own_size(shape) or asked
    if size is None:
        raise ArchitectureError(
            "an image size, since the model takes any", "no size", "give --image_size"
        )
    return size


def _own_size(shape: Sequence[int | None]) -> int | None:
    """Height and width of the images in pixels; None where the model takes any."""
    if len(shape) != 3 or shape[2] not in (None, IMAGE_CHANNELS):
        raise ArchitectureError(
            f"images of height, width and {IMAGE_CHANNELS} channels", f"{tuple(shape)}", "use RGB"
        )
    sides = {side for side in shape[:2] if side is not None}
    if len(sides) > 1:
        raise ArchitectureError("square images", f"{tuple(shape)}", "use one size")
    return int(sides.pop()) if sides else None


@dataclass
class _Reader:
    """Walks one graph; every layer is taken once."""

    graph: Graph
    image_size: int
    taken: set[int] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def network(self, name: str) -> KerasNetwork:
        """The whole network."""
        nodes = self.graph.nodes
        self.back = [-1] * len(nodes)  # what stands before each node on the chain
        for index, node in enumerate(nodes[1:], start=1):
            self.back[index] = self._before(node)
        output = self._without_softmax(self.graph.output)
        shape = (self.image_size, self.image_size, IMAGE_CHANNELS)
        layers = self.chain(IMAGE, output, shape)
        if not layers or not isinstance(layers[-1], Dense):
            raise nodes[output].refused(
                f"a model that ends in Dense, {_ENDS}",
                f"the end in {nodes[output].kind}",
                "end it in GlobalAveragePooling2D and Dense",
            )
        layers[-1] = self._scores_of(layers[-1], output)
        notes = ["its weights are not read: the training begins with new ones", *self.notes]
        return KerasNetwork(Architecture(self.image_size, tuple(layers), name), tuple(notes))

    def _without_softmax(self, output: int) -> int:
        """The node of the scores; a softmax behind it is left out."""
        node = self.graph.nodes[output]
        if not ends_in_softmax(node):
            return output
        self.notes.append(f"the softmax of {node.name} is left out: the loss has its own")
        is_alone = node.kind in ("Softmax", "Activation")
        return self.back[output] if is_alone else output

    def _scores_of(self, classifier: Dense, output: int) -> Dense:
        """The last layer without a sigmoid, which ranks the classes as the scores do."""
        node = self.graph.nodes[output]
        if classifier.activation == "sigmoid" and output == self.graph.output:
            self.notes.append(
                f"the sigmoid of {node.name} is left out: an image has one class here, and the "
                "loss takes the scores"
            )
        elif classifier.activation != "none":
            raise node.refused(
                f"a model that ends in Dense, {_ENDS}",
                f"{classifier.activation} behind it",
                "leave the activation out: the loss takes the scores of the classes",
            )
        return replace(classifier, activation="none")

    def _before(self, node: Node) -> int:
        if len(node.inputs) == 1:
            return node.inputs[0]
        if node.kind not in MERGES or not node.is_keras or len(node.inputs) != 2:
            raise node.refused(
                "layers of one input, or Add or Multiply of two",
                f"{shown(node.kind)} of {len(node.inputs)} inputs",
                "write the sum of two ways as Add()([a, b])",
            )
        first, second = (self._behind(index) for index in node.inputs)
        return next(index for index in first if index in second)

    def _behind(self, index: int) -> dict[int, None]:
        """A node and all before it on the chain, nearest first; the last one is the image."""
        found = {index: None}
        while index != IMAGE:
            index = self.back[index]
            found[index] = None
        return found

    def chain(self, start: int, end: int, shape: Shape) -> list[Layer]:
        """The records between two nodes of one chain."""
        places = []
        while end != start:
            places.append(end)
            end = self.back[end]
        layers: list[Layer] = []
        pads: Node | None = None
        now = shape
        for place in reversed(places):
            node = self.graph.nodes[place]
            kind = node.kind if node.is_keras else ""
            with node.named():
                self._take(place)
                if kind == SCALE and start == IMAGE and not layers:
                    self.notes.append(
                        f"{node.name} gives way to the network's own scaling of pixels"
                    )
                elif kind == SCALE:
                    layers = with_scale(node, layers)
                elif kind == "ZeroPadding2D" and pads is None:
                    pads = node
                elif kind == "Reshape":
                    layers = as_pixel(node, layers, _shape_after(layers[:-1], shape))
                else:
                    made = self._made(place, now)
                    layers = joined(layers, [same_padded(pads, made, now)] if pads else made)
                    pads = None
                now = _shape_after(layers, shape)  # layers that do not fit are refused here
        if pads is not None:
            raise pads.refused("a convolution behind ZeroPadding2D", "none", "leave it out")
        return layers

    def _take(self, index: int) -> None:
        node = self.graph.nodes[index]
        if index in self.taken:
            raise node.refused(
                "ways that begin at one place and meet once",
                "two uses of the output",
                "write it as residuals, each around layers of its own",
            )
        self.taken.add(index)
        self.notes += notes_of(node)
        if ends_in_softmax(node) and index != self.graph.output:
            raise node.refused("softmax at the end alone", "one before it", "leave it out")

    def _made(self, place: int, shape: Shape) -> list[Layer]:
        """The records of one node."""
        node = self.graph.nodes[place]
        if len(node.inputs) == 1:
            return layers_of(node, shape)
        ways = [self.chain(self.back[place], end, shape) for end in node.inputs]
        if node.kind == "Multiply":
            return [_squeeze(node, ways, shape)]
        shortcut, body = sorted(ways, key=len)
        if not body:
            raise node.refused("two different ways", "a sum of one with itself", "leave it out")
        return [Residual(tuple(body), tuple(shortcut))]


def _shape_after(layers: Sequence[Layer], shape: Shape) -> Shape:
    return lower_chain(layers, shape)[-1].output_shape if layers else shape


def _squeeze(node: Node, ways: Sequence[Sequence[Layer]], shape: Shape) -> SqueezeExcite:
    """The gate that a product of two ways is."""
    direct, gate = sorted(ways, key=len)
    found = None if direct else squeeze_of(gate, shape)
    if found is None:
        raise node.refused(
            "Multiply as a squeeze-and-excitation: x times [GlobalAveragePooling2D(keepdims=True), "
            "two Dense layers or 1x1 Conv2D, the last with sigmoid or hard_sigmoid]",
            "another product",
            "write it so, or leave it out",
        )
    return found
