"""Bits, bytes and memory of networks with formats, against published figures and by hand."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
import pytest

from nas.architecture.references.named import reference
from nas.architecture.spec import Architecture, Conv, Dense, Flatten, Layer, Skip
from nas.architecture.text import parse
from nas.cost.constraints import Bounds, quantities
from nas.cost.counts import architecture_cost
from nas.errors import ArchitectureError
from nas.report.summary import print_summary, summary_csv
from nas.search_space.named import get_space
from nas.search_space.space import OneOf, Space


@dataclass(frozen=True)
class Trial:
    """A trial of fastmachinelearning/bnn_pynq as its report has it, beside CNV-W1A1.

    Args:
        weights: Bits of weights.
        activations: Bits of what all but the first convolution read, which reads 8.
        channels: Of the six convolutions.
        pools: Convolutions with a maximum behind them.
        strides: Of the six convolutions.
        units: Of the two dense layers.
        kernel: Of all convolutions.
        pool: Pixels of a maximum each way.
        weight_ratio: Its weight bits over those of CNV-W1A1, with its digits.
        bops_ratio: Likewise of bit operations.
    """

    weights: int
    activations: int
    channels: tuple[int, ...]
    pools: tuple[int, ...]
    strides: tuple[int, ...]
    units: tuple[int, int]
    kernel: int
    pool: int
    weight_ratio: str
    bops_ratio: str

    @property
    def network(self) -> Architecture:
        """No padding, no biases, normalisations everywhere, one weight format."""
        tokens, reads = ["in_s32"], "f8.1"
        for place, (channels, stride) in enumerate(zip(self.channels, self.strides, strict=True)):
            shape = f"k{self.kernel}_s{stride}_c{channels}_nno_valid"
            tokens.append(f"cn_{shape}_wqb{self.weights}_aq{reads}")
            reads = f"b{self.activations}"
            if place in self.pools:
                tokens.append(f"mp_k{self.pool}")
        tokens.append("flat")
        dense = f"bn_nobias_wqb{self.weights}_aq{reads}"
        tokens += [f"fc_c{units}_{dense}" for units in (*self.units, 10)]
        return parse(" ".join(tokens))


ONES = (1,) * 6
TRIALS = {
    "1045": Trial(
        *(4, 2, (128, 256, 256, 512, 256, 512), (1, 4, 5), ONES, (16, 128), 3, 2), "11.5", "59.9"
    ),
    "957": Trial(
        *(2, 4, (128, 64, 512, 512, 512, 512), (1, 4), ONES, (32, 64), 2, 2), "4.8", "47.0"
    ),
    "1746": Trial(
        *(2, 1, (128, 512, 128, 256, 512, 512), (3,), ONES, (256, 32), 2, 2), "27.4", "23.6"
    ),
    "25878": Trial(
        *(4, 4, (64, 32, 256, 128, 256, 512), (), (1, 1, 2, 1, 3, 4), (256, 32), 3, 4),
        *("5.2", "15.8"),
    ),
    "30314": Trial(
        *(2, 4, (128, 128, 64, 64, 64, 256), (3,), (2, 2, 1, 1, 1, 2), (16, 64), 2, 2),
        *("0.26", "0.83"),
    ),
    "25815": Trial(
        *(1, 4, (32, 32, 512, 128, 256, 32), (3, 4), (1, 1, 1, 1, 1, 3), (256, 32), 3, 2),
        *("0.73", "27.2"),
    ),
}


@pytest.mark.parametrize("name", list(TRIALS))
def test_ratios_of_the_reported_trials_are_the_reported_ones(name: str) -> None:
    trial, original = TRIALS[name], architecture_cost(reference("cnv_w1a1"))
    cost = architecture_cost(trial.network)
    pairs = (
        (cost.weight_bits / original.weight_bits, trial.weight_ratio),
        (cost.bops / original.bops, trial.bops_ratio),
    )
    for ratio, reported in pairs:
        assert f"{ratio:.{len(reported.partition('.')[2])}f}" == reported


def test_the_original_has_the_published_bits() -> None:
    network = Trial(
        *(1, 1, (64, 64, 128, 128, 256, 256), (1, 3), ONES, (512, 512), 3, 2), "1", "1"
    ).network
    cost = architecture_cost(network)
    assert network == reference("cnv_w1a1")
    assert (cost.weight_bits, cost.bops) == (1_542_848, 70_347_776)


def test_float32_has_32_bits_on_either_side() -> None:
    for network in (get_space("tiny_se").largest(), parse("in_s8 norm cn_k3_s1_c4 gap fc_c3")):
        cost = architecture_cost(network)
        assert cost.bops == 1024 * cost.macs and not cost.has_formats
    # Kernels of the squeeze are kernels; biases and normalisations are none.
    squeeze = architecture_cost(parse("in_s8 cn_k1_s1_c4_nobn se_q2 gap fc_c3"))
    assert squeeze.weight_bits == 32 * (3 * 4 + 2 * 4 * 2 + 4 * 3)


def test_bits_of_formats_by_hand() -> None:
    # 9 * 3 * 8 weights of 4 bits over 6 * 6 pixels of 8 bits, then 8 * 5 float weights.
    cost = architecture_cost(parse("in_s8 cn_k3_s1_c8_valid_wqb4_aqf8.1 gap fc_c5"))
    assert cost.weight_bits == 216 * 4 + 40 * 32
    assert cost.bops == 36 * 216 * 4 * 8 + 40 * 32 * 32
    assert [row.bops for row in cost.layers] == [36 * 216 * 32, 0, 40 * 1024]
    assert cost.has_formats


@pytest.mark.parametrize(
    ("layer", "size_bytes", "other_bits"),
    [
        # 3 * 5 weights each. A normalisation without a format folds, into the kernel or behind it.
        ("cn_k1_s1_c5", 60 + 20, 5 * 32),
        ("cn_k1_s1_c5_nobn", 60, 0),
        ("cn_k1_s1_c5_nobn_bias", 60 + 20, 5 * 32),
        # 15 bits are 2 bytes; 5 factors and 5 biases of 4 bytes.
        ("cn_k1_s1_c5_wqb1", 2 + 20 + 20, 2 * 5 * 32),
        ("cn_k1_s1_c5_wqb1_bqf12.4", 2 + 20 + 8, 5 * 32 + 5 * 12),
        # Codes of whole numbers have a scale without any normalisation, too.
        ("cn_k1_s1_c5_nobn_wqb4", 8 + 20, 5 * 32),
        # Fixed point has none, and 15 * 6 bits are 12 bytes.
        ("cn_k1_s1_c5_nobn_wqf6.2", 12, 0),
        ("cn_k1_s1_c5_wqf6.2", 12 + 20 + 20, 2 * 5 * 32),
        # With a format scale and shift stay.
        ("cn_k1_s1_c5_wqf6.2_nqf12.4", 12 + 8 + 8, 2 * 5 * 12),
        ("cn_k1_s1_c5_bias_wqf6.2_bqf8.2_nqf12.4", 12 + 5 + 8 + 8, 5 * 8 + 2 * 5 * 12),
        # Without a bias its format is that of the shift; a bias and a shift that fold are one sum.
        ("cn_k1_s1_c5_wqf6.2_bqf8.2_nqf12.4", 12 + 5 + 8, 5 * 8 + 5 * 12),
        ("cn_k1_s1_c5_bias_wqf6.2_bqf8.2", 12 + 20 + 20, 2 * 5 * 32),
        # Whole numbers of a bias have one scale.
        ("cn_k1_s1_c5_nobn_bias_wqf6.2_bqb8", 12 + 5 + 4, 5 * 8 + 32),
        # A learned scale of what is read is one number.
        ("cn_k1_s1_c5_nobn_wqf6.2_aqu4l", 12 + 4, 32),
        ("cn_k1_s1_c5_nobn_wqf6.2_aqu4", 12, 0),
    ],
)
def test_bytes_are_those_of_each_tensor_in_its_format(
    layer: str, size_bytes: int, other_bits: int
) -> None:
    own = architecture_cost(parse(f"in_s4 {layer} gap fc_c2"))
    without = architecture_cost(parse("in_s4 cn_k1_s1_c5_nobn gap fc_c2"))
    assert own.size_bytes - (without.size_bytes - 60) == size_bytes
    assert own.other_bits - without.other_bits == other_bits


# Numbers of the map between two layers: 8 x 8 pixels and 16 channels.
MAP = 8 * 8 * 16


def peak(between: str, reads: str) -> int:
    """Bytes of a network whose image is small, since the first layer reads 8 bits."""
    text = f"in_s8 cn_k3_s1_c16_aqf8.1 {between} cn_k3_s1_c16{reads} gap fc_c2"
    return architecture_cost(parse(text)).memory_bytes


def test_a_map_is_kept_as_its_reader_reads_it() -> None:
    # The second convolution reads 4 bits, or float32, and writes float32.
    assert peak("", "_aqb4") == MAP // 2 + 4 * MAP
    assert peak("", "") == 4 * MAP + 4 * MAP
    # A maximum passes codes: all that is left is the second convolution on a quarter of the map.
    assert peak("mp_k2", "_aqb4") == (MAP // 2 + 4 * MAP) // 4
    # A mean does not, and a maximum of codes that wrap around is none: the map is read in float32.
    assert peak("ap_k2", "_aqb4") == peak("mp_k2", "_aqf4.2w")
    assert peak("ap_k2", "_aqb4") == 8 * 8 * 3 + 4 * MAP  # while it is made of the image
    # Dropout passes codes, and so does an activation, a part of the kernel before it. One that
    # multiplies with what it reads does not: that, the factor and the codes are alive at once.
    assert peak("drop_p0.1 act_nre", "_aqb4") == peak("", "_aqb4")
    assert peak("act_nsw", "_aqb4") == 4 * MAP + 4 * MAP + MAP // 2


def test_an_image_is_kept_as_the_first_layer_reads_it() -> None:
    float_image = architecture_cost(parse("in_s16 cn_k3_s2_c1 gap fc_c2"))
    bytes_image = architecture_cost(parse("in_s16 cn_k3_s2_c1_aqf8.1 gap fc_c2"))
    pixels = 16 * 16 * 3
    assert float_image.memory_bytes == 2 * 4 * pixels
    assert bytes_image.memory_bytes == 2 * pixels


@pytest.mark.parametrize(
    ("ways", "bits", "beside_bytes"),
    [
        # Beside the input of both ways stands what they leave, 4 x 4 pixels of 4 floats.
        ("cn_k1_s2_c4_aqb4 | cn_k1_s2_c4_aqb4", 4, 256 + 256),
        # Or what the other way leaves, and the maximum of 64 channels in 4 bits.
        ("mp_k2 cn_k1_s1_c4_aqb4 | cn_k1_s2_c4_aqb4", 4, 256 + 512),
        # Two formats and two learned scales have no codes in common.
        ("cn_k1_s2_c4_aqb4 | cn_k1_s2_c4_aqb2", 32, 256 + 256),
        ("cn_k1_s2_c4_aqb4l | cn_k1_s2_c4_aqb4l", 32, 256 + 256),
    ],
)
def test_what_two_ways_read_is_kept_as_codes_where_they_are_the_same(
    ways: str, bits: int, beside_bytes: int
) -> None:
    text = f"in_s8 cn_k1_s1_c64_aqf8.1 res[{ways}] gap fc_c2"
    assert architecture_cost(parse(text)).memory_bytes == 8 * 8 * 64 * bits // 8 + beside_bytes


def test_what_a_sum_reads_is_float32() -> None:
    text = "in_s8 cn_k1_s1_c64_aqf8.1 res[cn_k1_s1_c64_aqb4] gap fc_c2"
    assert architecture_cost(parse(text)).memory_bytes == 3 * 4 * 8 * 8 * 64


def test_memory_of_cnv_by_hand() -> None:
    # At the second convolution: 30 x 30 and 28 x 28 signs of 64 channels.
    bits = 64 * (30 * 30 + 28 * 28)
    assert architecture_cost(reference("cnv_w1a1")).memory_bytes == bits // 8


def block(kernel: int, weights: str, reads: str) -> Layer:
    return parse(f"in_s8 ir_k{kernel}_s1_e3_c8_wq{weights}_aq{reads}").layers[0]


def space_of(reads: tuple[str, ...]) -> Space:
    """Blocks that choose kernels and formats, behind and before layers that do not."""
    options = tuple(block(k, w, r) for k in (3, 5) for w in ("b4", "float32") for r in reads)
    layers = (Conv(3, 2, 8), OneOf("a", (*options, Skip())), OneOf("b", options), Flatten())
    return Space("bits", 16, (*layers, Dense(3)))


@pytest.mark.parametrize(("reads", "is_exact"), [(("b4",), True), (("b4", "b8", "float32"), False)])
def test_counts_of_spaces_are_those_of_their_networks(
    reads: tuple[str, ...], is_exact: bool
) -> None:
    space = space_of(reads)
    counts = {quantity.name: quantity for quantity in quantities(space, Bounds())}
    rng = np.random.default_rng(0)
    for network in (space.largest(), *(space.sample(rng) for _ in range(30))):
        cost, indices = architecture_cost(network), space.encode(network)
        for name in ("params", "macs", "size_bytes", "weight_bits", "bops"):
            assert counts[name].of(indices) == getattr(cost, name), name
        counted = counts["memory_bytes"].of(indices)
        assert counted == cost.memory_bytes if is_exact else counted >= cost.memory_bytes


def test_a_bound_on_bits_is_one_of_counts() -> None:
    space = space_of(("b4", "b8"))
    bounds = Bounds(max_weight_bits=10**5, max_bops=10**7)
    counts = {quantity.name: quantity for quantity in quantities(space, bounds)}
    assert (counts["weight_bits"].most, counts["bops"].most) == (10**5, 10**7)
    largest = space.encode(space.largest())
    assert not counts["bops"].kept(largest)


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        ("cn_k9_s1_c4_valid", "a map of 9 pixels or more each way for the kernel of `0.conv`"),
        ("cn_k3_s4_c4_valid cn_k3_s1_c4_valid", "the kernel of `1.conv`"),
        ("mp_k9", "a map of 9 pixels or more each way for the window of `0.pool`"),
        ("cn_k3_s1_c4_nobn_nqf8.2", "batch normalisation in `0.conv`"),
        ("cn_k3_s1_c4_nobn_bqf8.2", "a bias or batch normalisation in `0.conv`"),
        ("gap fc_c4_nqf8.2", "batch normalisation in `1.dense`"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(layers: str, named: str) -> None:
    head = "fc_c2" if "gap" in layers else "gap fc_c2"
    with pytest.raises(ArchitectureError) as refused:
        architecture_cost(parse(f"in_s8 {layers} {head}"))
    message = str(refused.value)
    assert named in message, message
    assert all(part in message for part in ("Expected", "Received", "Fix"))


def test_a_stride_beyond_the_map_leaves_one_pixel_as_in_a_reported_trial() -> None:
    """The last convolution of trial 25878 has a stride of 4 on 3x3 pixels."""
    rows = architecture_cost(TRIALS["25878"].network).layers
    maps = [row.output_shape for row in rows if row.type == "Conv"]
    assert maps[-2:] == [(3, 3, 256), (1, 1, 512)]


def test_squeezes_of_blocks_with_formats_stay_float32() -> None:
    plain, squeezed = (
        architecture_cost(parse(f"in_s8 ir_k3_s1_e2_c3{se}_wqb4")) for se in ("", "_se0.5")
    )
    # Two kernels between 6 channels and 8 units.
    assert squeezed.weight_bits - plain.weight_bits == 32 * 2 * 6 * 8


def test_the_summary_has_bits_where_numbers_have_formats() -> None:
    file = io.StringIO()
    print_summary(reference("cnv_w1a1"), file)
    text = file.getvalue()
    (total,) = [line for line in text.splitlines() if " total " in line]
    assert total.split() == ["total", "1,546,708", "3,860", "59,461,376", "1,542,848", "70,347,776"]
    assert "BOPs" in text and "bit operations 70,347,776, kernels 1,542,848 bits" in text
    assert "together 208,296 bytes, activations at most 13,472 bytes at once" in text
    plain = io.StringIO()
    print_summary(reference("trigger"), plain)
    assert "BOPs" not in plain.getvalue() and "kernels" not in plain.getvalue()


def test_the_csv_has_bits_of_every_network() -> None:
    names = ("cnv_w1a1", "trigger")
    text = summary_csv([(name, architecture_cost(reference(name))) for name in names])
    rows = list(csv.DictReader(io.StringIO(text)))
    totals = {row["network"]: row for row in rows if row["layer"] == "total"}
    assert totals["cnv_w1a1"]["weight_bits"] == "1542848"
    assert totals["cnv_w1a1"]["bops"] == "70347776"
    assert totals["trigger"]["bops"] == str(1024 * int(totals["trigger"]["macs"]))
    bops = [int(row["bops"]) for row in rows if row["network"] == "cnv_w1a1"]
    assert sum(bops[:-1]) == bops[-1]
