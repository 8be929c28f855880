"""Spaces around published networks."""

from __future__ import annotations

import numpy as np
import pytest

from nas.architecture.references.named import NAMES, reference
from nas.architecture.spec import Conv, MBConv, Residual, ResidualBlock, Skip, WidthsBlock
from nas.cost.counts import architecture_cost
from nas.errors import InputError, SpaceError
from nas.search_space.named import get_space
from nas.search_space.space import Space

# Kernels without padding leave no choice.
FIXED = [name for name in NAMES if name.startswith("cnv")]
AROUND = [name for name in NAMES if name not in FIXED]


@pytest.mark.parametrize("name", FIXED)
def test_a_network_without_a_choice_is_refused(name: str) -> None:
    with pytest.raises(SpaceError, match=f"(?s)leaves a choice.*{name}.*--space cnv"):
        get_space(f"around:{name}", 32, 10)


@pytest.mark.parametrize("name", AROUND)
def test_every_published_network_is_in_the_space_around_it(name: str) -> None:
    space = get_space(f"around:{name}", 32, 10)
    assert space.contains(reference(name, 32, 10))
    # One convolution of `trigger` has another kernel to choose.
    assert space.size > (1 if name == "trigger" else 10)
    assert (space.image_size, space.num_classes) == (32, 10)


@pytest.mark.parametrize("name", AROUND)
def test_smallest_and_largest_lie_on_both_sides_of_it(name: str) -> None:
    space = get_space(f"around:{name}", 32, 10)
    own = architecture_cost(reference(name, 32, 10)).macs
    smallest, largest = (architecture_cost(n).macs for n in (space.smallest(), space.largest()))
    assert smallest <= own <= largest and smallest < largest


def decided(space: Space, kind: type) -> set[str]:
    choices = [choice for choice in space.choices if isinstance(choice.options[0], kind)]
    return {" ".join(decision.name for decision in choice.decisions) for choice in choices}


EXPANDED = ("kernel expanded", "kernel expanded skip")


@pytest.mark.parametrize(
    ("name", "kind", "decisions"),
    [
        # The first block of a stage cannot be left out, and one without expansion has none.
        ("mobilenetv2", MBConv, {"kernel", "kernel expansion", "kernel expansion skip"}),
        ("mobilenetv3_small", WidthsBlock, {"kernel skip", *EXPANDED}),
        ("resnet9", ResidualBlock, {"width skip"}),
        ("resnet9", Conv, {"kernel"}),
        ("homework_skip", Residual, {"skip"}),
    ],
)
def test_what_is_decided(name: str, kind: type, decisions: set[str]) -> None:
    assert decided(get_space(f"around:{name}", 32, 10), kind) == decisions


def test_widths_of_resnet9_are_parts_of_its_own() -> None:
    space = get_space("around:resnet9_x0.25")
    widths = [
        [option.width for option in choice.blocks if isinstance(option, ResidualBlock)]
        for choice in space.choices
        if isinstance(choice.options[0], ResidualBlock)
    ]
    assert widths == [[8, 16, 32], [32, 64, 128]]


def test_names_are_those_of_networks() -> None:
    assert get_space("around:mobilenetv2_x0.5").name == "around-mobilenetv2_x0.5"
    assert get_space("around:mobilenetv2@published").image_size == 224
    with pytest.raises(InputError, match="'mobilenetv2'"):
        get_space("around:mobilnetv2")
    with pytest.raises(InputError, match="around:NETWORK"):
        get_space("aroundmobilenetv2")


def test_draws_keep_first_layer_and_classes() -> None:
    space = get_space("around:spnasnet_100_x0.35", 32, 10)
    rng = np.random.default_rng(0)
    own = reference("spnasnet_100_x0.35", 32, 10)
    for network in (space.sample(rng) for _ in range(5)):
        assert network.layers[0] == own.layers[0] and network.layers[-1] == own.layers[-1]
        assert len(network.layers) == len(own.layers)
        assert any(isinstance(layer, Skip) for layer in network.layers)
