"""The trigger network with formats of its own for each layer, as searches by gradient take it."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from nas.architecture import text as arch_text
from nas.architecture.number_formats import FixedPoint
from nas.builders.keras_layers import LayerSettings
from nas.cost.counts import architecture_cost
from nas.errors import SpaceError
from nas.hardware.measurable import has_table
from nas.search_space.bits import BitWidths, with_bits
from nas.search_space.knob_space import KnobSpace
from nas.search_space.knob_spaces.trigger import (
    ACTIVATIONS,
    LAYER_ACTIVATIONS,
    LAYER_WEIGHTS,
    TRIGGER,
    WEIGHTS,
    places,
)
from nas.search_space.named import any_space, get_space
from nas.supernet.super_layers import layer_of


def test_the_name_of_the_trigger_is_a_space_of_either_kind() -> None:
    assert isinstance(any_space("trigger"), KnobSpace)
    space = get_space("trigger", 16, 2)
    assert [choice.tag for choice in space.choices] == ["layer1", "layer2", "layer3", "layer4"]
    assert space.tables.block_names == ("weight_format", "activation_format")
    pairs = len(LAYER_WEIGHTS) * len(LAYER_ACTIVATIONS)
    assert [len(choice.options) for choice in space.choices] == [len(LAYER_WEIGHTS), *[pairs] * 3]
    assert not has_table(space)
    assert get_space("trigger", 32, 3).num_classes == 3
    with pytest.raises(SpaceError, match="(?s)trigger.*Received: space cnv, whose knobs"):
        get_space("cnv")


@pytest.mark.parametrize("grid", TRIGGER.grids, ids=["batch_norm", "dropout"])
def test_every_published_configuration_is_a_network_of_it(grid: Any) -> None:
    filters = itertools.product(grid["conv1.filters"], grid["conv2.filters"])
    for form, (first, second) in itertools.product(grid["regularisation"], filters):
        space = places(16, 2, (first, second), form)
        for weights, between in itertools.product(WEIGHTS, ACTIVATIONS):
            values = {
                "regularisation": form,
                "weight_format": weights,
                "activation_format": between,
                "conv1.filters": first,
                "conv2.filters": second,
            }
            network = TRIGGER.network(values)
            assert space.decode(space.encode(network)) == network


def test_each_layer_may_have_fewer_bits_than_any_published_configuration() -> None:
    space = get_space("trigger")
    smallest = architecture_cost(space.smallest())
    published = architecture_cost(
        TRIGGER.network(
            {
                "regularisation": "batch_norm",
                "weight_format": "f8.4",
                "activation_format": "f12.4",
                "conv1.filters": 4,
                "conv2.filters": 8,
            }
        )
    )
    assert smallest.weight_bits * 8 == published.weight_bits * 3
    # The first layer reads 8 bits in both.
    assert smallest.bops < published.bops * 3 / 8
    text = arch_text.to_text(space.smallest())
    assert text.split()[1].endswith("wqf3.1_aqf8.1_bqf8.4_nqf8.4")


def test_formats_behind_the_sums_follow_the_weights() -> None:
    for choice in get_space("trigger").choices:
        options: tuple[Any, ...] = choice.options
        for option in options:
            behind = {option.bias_format, option.norm_format} - {None}
            wide = option.weight_format.integer == 4
            assert behind == {option.weight_format if wide else FixedPoint(8, 4)}


def test_layers_of_the_trigger_share_their_weights_over_formats() -> None:
    space = get_space("trigger")
    shapes = dict(zip(space.choice_layers, space.choices, strict=True))
    for index, choice in shapes.items():
        layer = layer_of(choice, space.input_shapes()[index], LayerSettings(), "x")
        assert type(layer).__name__ == "FormatLayer"


def test_the_trigger_says_its_formats_itself() -> None:
    with pytest.raises(SpaceError, match="(?s)a space in float32 with --bits.*leave --bits out"):
        with_bits(get_space("trigger"), BitWidths((8, 4)))
