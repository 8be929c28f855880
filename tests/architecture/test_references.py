"""Published networks by name: their counts with sources, their widths, and small images."""

from __future__ import annotations

import re

import pytest

from nas.architecture.references.named import NAMES, described, is_name, reference
from nas.architecture.spec import Architecture, Conv, MaxPool, MBConv
from nas.architecture.text import from_json, parse, to_json, to_text
from nas.cost.counts import architecture_cost
from nas.errors import ArchitectureError, InputError
from nas.search_space.named import get_space
from tests.support.programs import ROOT

# Trainable parameters at the published image size and classes. Sources: "timm" is
# huggingface/pytorch-image-models, results/benchmark-infer-*.csv, millions with two digits there;
# the exact numbers are those of its models and of Keras' (`keras.applications`).
PARAMS = {
    "resnet9": 6_573_120,  # 6,577,600 with statistics: David Page 2018 as a course reports it
    "mobilenetv2": 3_504_872,  # torchvision and timm, mobilenetv2_100
    "mobilenetv3_small": 2_542_856,  # torchvision and timm, mobilenetv3_small_100
    "spnasnet_100": 4_421_616,  # timm: 4.42 M
    "efficientnet_lite0": 4_652_008,  # timm: 4.65 M; 4.7 M in tensorflow/tpu
    "homework_conv": 703_114,  # 704,842 with statistics: the course's own table
    "homework_separable": 102_378,  # 104,106 with statistics: the same
    "homework_skip": 705_226,  # 706,954 with statistics: the same
}
# Multiply-adds of one image.
MACS = {
    "resnet9": 379_261_952,  # pixels * 9 * in * out by hand: tests/architecture/test_golden.py
    "mobilenetv2": 300_774_272,  # "300 M": arXiv 1801.04381, table 4
    "homework_conv": 12_035_328,  # the course's own table
    "homework_separable": 1_650_944,  # its table says 1,678,592: an error of its own
}


@pytest.mark.parametrize("name", list(PARAMS))
def test_parameters_are_the_published_ones(name: str) -> None:
    assert architecture_cost(reference(name)).params == PARAMS[name]


@pytest.mark.parametrize("name", list(MACS))
def test_multiply_adds_are_the_published_ones(name: str) -> None:
    assert architecture_cost(reference(name)).macs == MACS[name]


@pytest.mark.parametrize(
    ("name", "with_statistics"),
    [
        ("resnet9", 6_577_600),
        ("homework_conv", 704_842),
        ("homework_separable", 104_106),
        ("homework_skip", 706_954),
        ("mobilenetv2", 3_538_984),  # keras.applications.MobileNetV2(): total params
        ("mobilenetv2_x0.5", 1_987_224),  # the same with alpha=0.5
    ],
)
def test_parameters_with_statistics_are_the_published_ones(name: str, with_statistics: int) -> None:
    assert architecture_cost(reference(name)).params_with_statistics == with_statistics


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        # Published with two digits: arXiv 1905.02244, table 4 (56 M without the scaling by the
        # squeezes, which is a multiplication a pixel), timm's infer_gmacs 0.06, 0.10 and 0.05.
        ("mobilenetv3_small", (55, 58)),
        ("mobilenetv2_x0.5", (95, 100)),
        ("mobilenetv3_small_x0.75", (40, 50)),
    ],
)
def test_multiply_adds_lie_where_rounded_ones_say(name: str, millions: tuple[int, int]) -> None:
    low, high = millions
    assert low <= architecture_cost(reference(name)).macs / 1e6 <= high


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("mobilenetv2_x0.35", 1.68),
        ("mobilenetv2_x0.5", 1.97),
        ("mobilenetv2_x0.75", 2.64),
        ("mobilenetv2_x1.4", 6.11),
        ("mobilenetv3_small_x0.5", 1.59),
        ("mobilenetv3_small_x0.75", 2.04),
    ],
)
def test_width_multipliers_give_the_parameters_that_timm_states(name: str, millions: float) -> None:
    """Timm's mobilenetv2_035, _050, _075 and _140, and mobilenetv3_small_050 and _075."""
    assert round(architecture_cost(reference(name)).params / 1e6, 2) == millions


def test_mnasnet_5x5_6_is_the_largest_network_of_single_path_nas() -> None:
    assert reference("mnasnet_5x5_6") == get_space("mnasnet").largest()


def test_the_network_below_50_000_parameters_is_below_it() -> None:
    found = described("homework_50k")
    assert architecture_cost(found.architecture).params_with_statistics == 49_675
    assert "ours" in found.notes[0]


def test_only_described_networks_say_that_something_was_decided_here() -> None:
    decided = {name for name in NAMES if described(name).notes}
    assert decided == {"homework_skip", "homework_50k", "trigger", *CNV}


# Weight bits and bit operations; those of W1A1 are FINN's (`inference_cost`), which the repository
# fastmachinelearning/bnn_pynq divides by. The first convolution reads 8 bits, all others what the
# name says, so that the others follow from these two.
PIXEL_MACS = 30 * 30 * 9 * 3 * 64
OTHER_MACS = 70_347_776 - 8 * PIXEL_MACS
CNV = {
    "cnv_w1a1": (1_542_848, 70_347_776),
    "cnv_w1a2": (1_542_848, 8 * PIXEL_MACS + 2 * OTHER_MACS),
    "cnv_w2a2": (2 * 1_542_848, 2 * 8 * PIXEL_MACS + 2 * 2 * OTHER_MACS),
}


@pytest.mark.parametrize("name", list(CNV))
def test_bits_of_the_cnvs_are_the_published_ones(name: str) -> None:
    cost = architecture_cost(reference(name))
    assert (cost.weight_bits, cost.bops) == CNV[name]


def test_a_multiplier_below_1_widens_nothing() -> None:
    assert widths(reference("trigger_x0.5")) == widths(reference("trigger")) == [4, 8]
    assert widths(reference("trigger_x2")) == [8, 16]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", ["", "_x0.5", "_x2@published"])
def test_every_network_is_written_in_words(name: str, suffix: str) -> None:
    network = reference(name + suffix, 32, 10)
    assert parse(to_text(network)) == from_json(to_json(network)) == network
    assert network.num_classes == 10
    assert network.name == name + suffix
    assert architecture_cost(network).macs > 0


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_every_network_as_it_is(name: str) -> None:
    page = (ROOT / "docs" / "architectures.md").read_text("utf-8")
    network = reference(name)
    own, small = (architecture_cost(n) for n in (network, reference(name, 32, 10)))
    counts = (own.params, own.params_with_statistics, own.macs, small.params, small.macs)
    cells = [f"`{name}`", f"{network.image_size}/{network.num_classes}"]
    cells += [f"{count:,}" for count in counts]
    assert f"| {' | '.join(cells)} |" in page


def widths(network: Architecture) -> list[int]:
    return [layer.channels for layer in network.layers if isinstance(layer, Conv | MBConv)]


def test_widths_are_rounded_as_published() -> None:
    """Multiples of 8, no more than 10 % below the product, the head of 1280 never narrower."""
    assert widths(reference("mobilenetv2_x0.35"))[:3] == [16, 8, 8]  # of 11.2, 5.6 and 8.4
    assert widths(reference("mobilenetv2_x0.35"))[-2:] == [112, 1280]
    assert widths(reference("mobilenetv2_x1.4"))[-2:] == [448, 1792]
    lite = widths(reference("efficientnet_lite0_x2"))
    assert (lite[0], lite[1], lite[-1]) == (32, 32, 1280)
    assert widths(reference("resnet9_x0.25")) == [16, 32, 64, 128]


@pytest.mark.parametrize("name", NAMES)
def test_a_multiplier_that_leaves_the_least_widths_everywhere_is_refused(name: str) -> None:
    with pytest.raises(ArchitectureError, match="a width multiplier from") as caught:
        reference(f"{name}_x0.0001")
    least = re.search(r"from ([0-9.]+),", caught.value.expected)
    assert least is not None and "up to 16" in caught.value.expected
    # The bound is allowed itself, and a larger multiplier is another network.
    smallest, next_one = reference(f"{name}_x{least[1]}"), reference(f"{name}_x0.5")
    costs = [architecture_cost(network).params for network in (smallest, next_one)]
    assert costs[0] < costs[1]
    with pytest.raises(ArchitectureError, match="a width multiplier"):
        reference(f"{name}_x{float(least[1]) - 0.001:.3f}")


def test_the_bound_of_a_multiplier_is_that_of_the_widest_layer_that_it_changes() -> None:
    for name, least in (("resnet9", 0.016), ("mobilenetv2", 0.025), ("homework_50k", 0.063)):
        with pytest.raises(ArchitectureError, match=f"multiplier from {least}, below which {name}"):
            reference(f"{name}_x0.0001")


@pytest.mark.parametrize("name", NAMES)
def test_a_multiplier_of_1_is_the_network_itself(name: str) -> None:
    assert reference(f"{name}_x1") == reference(name)


def last_map(network: Architecture) -> int:
    maps = [row.output_shape for row in architecture_cost(network).layers]
    return [shape[0] for shape in maps if len(shape) == 3][-1]


MOBILE = [name for name in NAMES if name.startswith(("mobile", "mnas", "spnas", "efficient"))]


@pytest.mark.parametrize("name", MOBILE)
@pytest.mark.parametrize(("image_size", "size"), [(32, 4), (64, 4), (128, 4), (224, 7)])
def test_small_images_keep_maps_of_4x4_pixels(name: str, image_size: int, size: int) -> None:
    assert last_map(reference(name, image_size)) == size
    assert last_map(reference(f"{name}@published", image_size)) == image_size // 32


def test_the_first_strides_go_first_and_are_told() -> None:
    found = described("mobilenetv2", 32)
    pairs = zip(found.architecture.layers, reference("mobilenetv2").layers, strict=True)
    changed = [number for number, (ours, published) in enumerate(pairs) if ours != published]
    # The stem and the first block of the second stage; the last layer has as many classes.
    assert changed == [0, 2]
    (note,) = found.notes
    assert "4x4 pixels and not 1x1" in note and "@published" in note
    assert described("mobilenetv2@published", 32).notes == ()
    assert described("mobilenetv2", 224).notes == ()


@pytest.mark.parametrize(("image_size", "pool"), [(32, 4), (64, 8), (36, 4), (8, 1)])
def test_resnet9_looks_at_its_whole_last_map(image_size: int, pool: int) -> None:
    found = described("resnet9", image_size, 10)
    assert [x.size for x in found.architecture.layers if isinstance(x, MaxPool)][-1] == pool
    assert architecture_cost(found.architecture).params == PARAMS["resnet9"]
    assert bool(found.notes) == (pool != 4)


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("mobilnetv2", "'mobilenetv2'"),
        ("resnet-9", "'resnet9'"),
        ("MobileNetV2", "'mobilenetv2'"),
        ("mobilnetv2_x0.5", "'mobilenetv2'"),
        ("vgg16", "homework_conv"),
        ("resnet9_x0", "'_x0'"),
        ("resnet9_x", "'_x'"),
        ("resnet9_xhalf", "'_xhalf'"),
        ("resnet9_x-1", "'_x-1'"),
        ("resnet9_x1e3", "'_x1e3'"),
        ("resnet9_x17", "'_x17'"),
        ("resnet9_xnan", "'_xnan'"),
        ("resnet9@small", "'@small'"),
        ("resnet9@", "'@'"),
        ("", "''"),
    ],
)
def test_what_is_no_name_is_refused_with_what_it_should_be(name: str, named: str) -> None:
    with pytest.raises(InputError) as refused:
        reference(name)
    message = str(refused.value)
    assert named in message, message
    assert all(part in message for part in ("Expected", "Received", "Fix"))


@pytest.mark.parametrize(("name", "least"), [("mobilenetv2", 4), ("resnet9", 8)])
def test_images_without_a_map_are_refused(name: str, least: int) -> None:
    reference(name, least)
    with pytest.raises(ArchitectureError, match=f"images of {least} px or more"):
        reference(name, least - 1)


def test_images_that_kernels_without_padding_use_up_are_refused() -> None:
    reference("cnv_w1a1", 32)
    with pytest.raises(ArchitectureError, match="large enough for cnv_w1a1: a map of 3") as caught:
        reference("cnv_w1a1", 31)
    assert caught.value.received.startswith("31 px: ") and "enlarge" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("resnet9", True),
        ("resnet9_xhalf", True),
        ("resnet9@small", True),
        ("vgg16", False),
        ("in_s32 gap fc_c2", False),
    ],
)
def test_names_are_told_from_other_texts(text: str, is_one: bool) -> None:
    assert is_name(text) == is_one
