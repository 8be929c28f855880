"""Records that become operations, and those that do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from nas.architecture import text as arch_text
from nas.architecture.lowering import lower, lower_architecture, lower_chain
from nas.architecture.spec import Conv, Dense, GlobalAveragePool, Layer
from nas.errors import ArchitectureError


@dataclass(frozen=True)
class Unlowered(Layer):
    """A record of a user's own whose author has forgotten the function."""

    TOKEN: ClassVar[str] = "odd"


def test_record_without_a_function_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(ArchitectureError) as caught:
        lower_chain([Conv(3, 2, 8), Unlowered()], (16, 16, 3))
    error = caught.value
    assert error.received == "Unlowered as layer 1 on an input of (8, 8, 8)"
    known = error.expected.removeprefix("a layer that can be lowered, one of ").split(", ")
    assert {"Conv", "Dense", "MBConv", "Residual"} <= set(known) and known == sorted(known)
    assert "object" not in known and error.fix.endswith(
        "`nas.architecture.lowering.lower.register`"
    )


@pytest.mark.parametrize("text", ["cn_k3_s1_c4", "dw_k3_s1", "ir_k3_s1_e3_c4"])
def test_layer_of_maps_behind_them_is_refused(text: str) -> None:
    network = arch_text.parse(f"in_s16 gap {text} fc_c4")
    with pytest.raises(ArchitectureError) as caught:
        lower_architecture(network)
    assert caught.value.expected == f"a map before `{text.partition('_')[0]}`"
    assert caught.value.received == "shape (3,)" and "before `gap`" in caught.value.fix


def test_names_of_operations_begin_with_the_layers_place() -> None:
    lowered = lower_chain([Conv(3, 2, 8), GlobalAveragePool(), Dense(4)], (16, 16, 3))
    assert [layer.output_shape for layer in lowered] == [(8, 8, 8), (8,), (4,)]
    for layer in lowered:
        assert layer.ops == lower(layer.layer, f"{layer.index}", layer.input_shape)
