"""The activations, one table: their names in text, in Keras and in ONNX."""

from __future__ import annotations

from dataclasses import dataclass

from nas.errors import ArchitectureError


@dataclass(frozen=True)
class Activation:
    """One activation in every language that a network is written in.

    Args:
        short: Two letters of architecture strings, after the `n` of the part.
        keras: Name of the function in `keras.activations`.
        onnx: Operator of the graph; empty for no operator.
        onnx_inputs: Name and value of each further input of the operator.
        onnx_attributes: Name and value of each attribute that differs from the operator's default.
        is_gate: The operator's output is what the input is multiplied with.
        is_never_negative: Whether no output is below 0.
    """

    short: str
    keras: str
    onnx: str = ""
    onnx_inputs: tuple[tuple[str, float], ...] = ()
    onnx_attributes: tuple[tuple[str, float], ...] = ()
    is_gate: bool = False
    is_never_negative: bool = False


ACTIVATIONS: dict[str, Activation] = {
    "none": Activation("no", "linear"),
    "relu": Activation("re", "relu", "Relu", is_never_negative=True),
    "relu6": Activation(
        "r6",
        "relu6",
        "Clip",
        (("relu6_low", 0.0), ("relu6_high", 6.0)),
        is_never_negative=True,
    ),
    "hard_swish": Activation("hs", "hard_silu", "HardSwish"),
    # The opset has no operator of its own for x * sigmoid(x).
    "swish": Activation("sw", "silu", "Sigmoid", is_gate=True),
    # max(x, 0.2 x), as `keras.activations` has it.
    "leaky_relu": Activation("lr", "leaky_relu", "LeakyRelu", onnx_attributes=(("alpha", 0.2),)),
    "elu": Activation("el", "elu", "Elu"),
    "selu": Activation("se", "selu", "Selu"),
    "tanh": Activation("th", "tanh", "Tanh"),
    "sigmoid": Activation("si", "sigmoid", "Sigmoid", is_never_negative=True),
    # clip(x + 3, 0, 6) / 6
    "hard_sigmoid": Activation(
        "hg",
        "hard_sigmoid",
        "HardSigmoid",
        onnx_attributes=(("alpha", 1 / 6), ("beta", 0.5)),
        is_never_negative=True,
    ),
    "softplus": Activation("sp", "softplus", "Softplus", is_never_negative=True),
}


def activation(name: str) -> Activation:
    """The activation of a name.

    Args:
        name: One of `ACTIVATIONS`.

    Raises:
        ArchitectureError: Another name.
    """
    if name not in ACTIVATIONS:
        raise ArchitectureError(
            f"an activation, one of {', '.join(ACTIVATIONS)}", repr(name), "choose one of these"
        )
    return ACTIVATIONS[name]
