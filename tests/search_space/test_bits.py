"""`--bits`: number formats of each block as decisions of a space."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.architecture.lowering import lower_layer
from nas.architecture.number_formats import FixedPoint, ScaledInteger, parse_format
from nas.architecture.operations import ConvOp, all_ops
from nas.architecture.spec import (
    Conv,
    Dense,
    GlobalAveragePool,
    MBConv,
    Residual,
    WidthsBlock,
)
from nas.cost.constraints import Bounds, quantities
from nas.cost.counts import architecture_cost
from nas.errors import InputError, SpaceError
from nas.hardware.measurable import check_measurable, has_table
from nas.search_space.bits import BitWidths, with_bits
from nas.search_space.decisions import ordered
from nas.search_space.named import SPACES, get_space
from nas.search_space.space import OneOf, Space
from nas.tuning.parameters import OneOfList
from nas.tuning.space_candidates import SpaceCandidates

HEAD = (GlobalAveragePool(), Dense(3))


@pytest.mark.parametrize("name", [*SPACES, "around:mobilenetv2_x0.5"])
def test_every_space_of_inverted_residuals_gets_two_more_decisions(name: str) -> None:
    plain = get_space(name)
    space = with_bits(plain, BitWidths.parse("4,8"))
    # Fewer bits first, whatever order they are written in.
    found = space.tables.options_json()
    assert found["weight_format"] == ["b4", "b8"]
    assert found["activation_format"] == ["b4l", "b8l"]
    assert set(found) == {*plain.tables.options_json(), "weight_format", "activation_format"}
    for choice, before in zip(space.choices, plain.choices, strict=True):
        assert len(choice.blocks) == 4 * len(before.blocks)
        assert choice.skippable == before.skippable
    assert space.name == f"{plain.name}-b4-8" and space.fingerprint() != plain.fingerprint()
    assert with_bits(plain, None) is plain


@pytest.mark.parametrize("name", ["toy", "small_se"])
def test_largest_and_smallest_networks_have_the_most_and_the_fewest_bits(name: str) -> None:
    space = with_bits(get_space(name), BitWidths((32, 2, 8)))
    for network, bits in ((space.largest(), 32), (space.smallest(), 2)):
        chosen = [
            layer
            for layer, place in zip(network.layers, space.layers, strict=True)
            if isinstance(place, OneOf) and isinstance(layer, MBConv)
        ]
        wanted = None if bits == 32 else ScaledInteger(bits)
        assert chosen and {layer.weight_format for layer in chosen} == {wanted}


def test_what_is_no_choice_has_the_bits_of_the_ends() -> None:
    text = arch_text.to_text(with_bits(get_space("toy"), BitWidths((4,))).largest())
    first, fixed, *blocks, head, _, _, classes = text.split()[1:]
    assert first.endswith("wqb8_aqf8.1"), "pixels have 8 bits"
    assert all("wqb4_aqb4l_iqu4l" in block for block in blocks)
    assert "wqb8_aqb8l" in fixed and "wqb8_aqb8l" in head and "wqb8_aqb8l" in classes
    free = arch_text.to_text(with_bits(get_space("toy"), BitWidths((4,), 32)).largest())
    assert free.count("wq") == len(blocks)
    few = arch_text.to_text(with_bits(get_space("toy"), BitWidths((4,), 2)).largest())
    assert "wqb2_aqb2l" in few.split()[1]


def test_numbers_behind_an_activation_that_is_never_negative_have_no_sign() -> None:
    for name, wanted in (("toy", {"u4l"}), ("small_se", set())):
        space = with_bits(get_space(name), BitWidths((4,)))
        inner = {b.inner_format for c in space.choices for b in c.blocks if isinstance(b, MBConv)}
        assert {x.text for x in inner if x} == wanted


@pytest.mark.parametrize(("expansion", "wanted"), [(3, ["b4", "u4", "u4"]), (1, ["b4", "u4"])])
def test_the_first_convolution_of_a_block_reads_the_format_with_a_sign(
    expansion: int, wanted: list[str]
) -> None:
    signed, unsigned = ScaledInteger(4), ScaledInteger(4, False)
    block = MBConv(3, 1, expansion, 8, activation_format=signed, inner_format=unsigned)
    ops = [op for op in all_ops(lower_layer(block, (8, 8, 8)).ops) if isinstance(op, ConvOp)]
    assert [op.formats.activations.text for op in ops if op.formats.activations] == wanted


def test_costs_of_options_are_those_of_their_networks() -> None:
    space = with_bits(get_space("toy"), BitWidths((8, 4, 2)))
    rng = np.random.default_rng(0)
    found = quantities(space, Bounds())
    for _ in range(5):
        indices = space.even_indices(rng)
        network = space.decode(indices)
        assert arch_text.parse(arch_text.to_text(network)) == network
        assert arch_text.from_json(arch_text.to_json(network)) == network
        cost = architecture_cost(network)
        for quantity in found:
            if quantity.kind == "sum":
                assert quantity.of(indices) == getattr(cost, quantity.name)


def test_bit_operations_and_weight_bits_follow_the_options() -> None:
    space = with_bits(get_space("toy"), BitWidths((8, 4)))
    found = {q.name: q for q in quantities(space, Bounds())}
    choice = space.choices[0]
    by_option = dict(zip(choice.options, found["bops"].options[0], strict=True))
    weights = dict(zip(choice.options, found["weight_bits"].options[0], strict=True))
    for kernel, expansion in itertools.product((3, 5), (3, 6)):
        ops, bits = {}, {}
        for option in choice.blocks:
            assert isinstance(option, MBConv) and option.weight_format and option.activation_format
            if (option.kernel, option.expansion) == (kernel, expansion):
                key = (option.weight_format.bits, option.activation_format.bits)
                ops[key], bits[key] = by_option[option], weights[option]
        # Multiply-adds times the bits of both factors; kernels times their bits.
        assert ops[8, 8] == 2 * ops[8, 4] == 2 * ops[4, 8] == 4 * ops[4, 4]
        assert bits[8, 8] == bits[8, 4] == 2 * bits[4, 8] == 2 * bits[4, 4]


def test_formats_are_ordered_by_their_bits() -> None:
    texts = ("f16.4", "b2", "float32", "f8.4", "u4l", "b4")
    values = [parse_format(text) for text in texts]
    assert [v and v.text for v in ordered(values)] == ["b2", "b4", "u4l", "f8.4", "f16.4", None]
    assert ordered([3, 1, 2, 1]) == (1, 2, 3)
    assert ordered(["relu6", "none"]) == ("relu6", "none")
    assert ordered([None, "a"]) == (None, "a")


def test_formats_that_follow_from_others_are_no_decisions() -> None:
    formats = (FixedPoint(8, 4), FixedPoint(16, 4))
    tied = tuple(Conv(3, 1, 4, weight_format=f, norm_format=f) for f in formats)
    assert [d.name for d in OneOf("a", tied).decisions] == ["weight_format"]
    mixed = tuple(
        Conv(3, 1, 4, weight_format=f, norm_format=g)
        for f, g in itertools.product(formats, formats)
    )
    assert [d.name for d in OneOf("a", mixed).decisions] == ["weight_format", "norm_format"]
    with pytest.raises(SpaceError, match="every combination of weight_format, norm_format"):
        OneOf("a", mixed[:3])


def test_trials_name_formats_by_their_texts() -> None:
    space = with_bits(get_space("toy"), BitWidths((32, 4)))
    candidates = SpaceCandidates(space)
    options = {p.name: p.options for p in candidates.parameters if isinstance(p, OneOfList)}
    assert options["stage1_block1.weight_format"] == ("b4", "float32")
    network = space.largest()
    indices = space.encode(network)
    assert candidates.network(candidates._of(indices)) == network


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", "from 1 to 8, or 32.*Received: 0"),
        ("-4", "from 1 to 8, or 32.*Received: -4"),
        ("9,4", "from 1 to 8, or 32.*Received: 9, 4"),
        ("16", "from 1 to 8"),
        ("4,8,4", "different --bits.*4 twice"),
        ("", "whole numbers"),
        ("8;4", "whole numbers"),
        ("4.5", "whole numbers"),
    ],
)
def test_bits_that_no_numbers_have_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"(?s){message}.*--bits"):
        BitWidths.parse(text)


def test_bits_of_the_ends_are_checked_too() -> None:
    assert BitWidths.parse("8, 4", 32) == BitWidths((8, 4), 32)
    with pytest.raises(InputError, match=r"(?s)--end_bits from 1 to 8.*Received: 0"):
        BitWidths.parse("8", 0)


def test_spaces_whose_blocks_have_no_formats_are_refused() -> None:
    widths = tuple(WidthsBlock(k, 1, 8) for k in (3, 5))
    convs = tuple(Conv(k, 1, 8) for k in (3, 5))
    fixed = Residual((Conv(3, 1, 8),))
    for layers, named in (
        ((OneOf("a", widths),), "wb_r1_k3_s1_c8 among `a`"),
        ((fixed, OneOf("a", convs)), "res.* among its fixed layers"),
    ):
        space = Space("own", 8, (Conv(3, 1, 8), *layers, *HEAD))
        with pytest.raises(SpaceError, match=f"(?s){named}.*leave --bits out"):
            with_bits(space, BitWidths((8, 4)))
    written = tuple(Conv(k, 1, 8, weight_format=ScaledInteger(4)) for k in (3, 5))
    space = Space("own", 8, (Conv(3, 1, 8), OneOf("a", written), *HEAD))
    with pytest.raises(SpaceError, match="(?s)a space in float32.*says its formats"):
        with_bits(space, BitWidths((8, 4)))


def test_spaces_with_formats_have_no_milliseconds() -> None:
    plain = get_space("toy")
    assert has_table(plain)
    check_measurable(plain)
    space = with_bits(plain, BitWidths((8,)))
    assert not has_table(space)
    with pytest.raises(SpaceError, match="(?s)no table has it.*wqb8.*--target_bops"):
        check_measurable(space)
    # Float32 blocks between ends with formats have none either.
    assert not has_table(with_bits(plain, BitWidths((32,))))
    assert has_table(with_bits(plain, BitWidths((32,), 32)))
