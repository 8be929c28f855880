"""The published networks as data: layers at the published image size and number of classes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One published network.

    Args:
        text: Its architecture, in our own text or in timm's.
        source: Who published it, and where.
        keeps_stem: No width multiplier changes the first convolution or the head.
        keeps_head: The last wide layer before the classifier never becomes narrower. It grows with
            multipliers above 1.
        pools_whole_map: Its last maximum is taken over the whole map, whatever the image size.
        by_description: What of it is not published and was decided here; empty if nothing.
    """

    text: str
    source: str
    keeps_stem: bool = False
    keeps_head: bool = True
    pools_whole_map: bool = False
    by_description: str = ""


_COURSE = "homework of an IoT machine-learning course, on CIFAR-10"
_SKIPS = " ".join(["res[cn_k3_s1_c128_bias_nre drop_p0.1]"] * 4)


def _cnv(weight_bits: int, activation_bits: int, accuracy: str) -> Published:
    weights, reads = f"wqb{weight_bits}", f"aqb{activation_bits}"
    conv, dense = f"nno_valid_{weights}_{reads}", f"bn_nobias_{weights}_{reads}"
    return Published(
        f"in_s32 cn_k3_s1_c64_nno_valid_{weights}_aqf8.1 cn_k3_s1_c64_{conv} mp_k2 "
        f"cn_r2_k3_s1_c128_{conv} mp_k2 cn_r2_k3_s1_c256_{conv} flat "
        f"fc_c512_{dense} fc_c512_{dense} fc_c10_{dense}",
        "Umuroglu et al. 2017, arXiv 1612.07119, as Brevitas has it "
        f"(src/brevitas_examples/bnn_pynq, CNV_{weight_bits}W{activation_bits}A: {accuracy})",
        keeps_head=False,
        by_description="Brevitas normalises all class scores with one scale and shift, which are "
        "one a class here; its maxima stand behind its quantisers, and here before them, which "
        "gives the same numbers",
    )


PUBLISHED: dict[str, Published] = {
    "resnet9": Published(
        "in_s32 cn_k3_s1_c64_nre cn_k3_s1_c128_nre mp_k2 "
        "rb_k3_w128_nre_p0.1 cn_k3_s1_c256_nre mp_k2 "
        "cn_k3_s1_c512_nre mp_k2 rb_k3_w512_nre_p0.1 mp_k4 flat fc_c10_nobias_x0.125",
        'David Page, "How to train your ResNet", 2018 (DAWNBench); the dropout is that of a '
        "course's report of 94.1 % in 20 epochs",
        keeps_head=False,
        pools_whole_map=True,
    ),
    "mobilenetv2": Published(
        "in_s224 cn_k3_s2_c32 ir_k3_s1_e1_c16 ir_r2_k3_s2_e6_c24 ir_r3_k3_s2_e6_c32 "
        "ir_r4_k3_s2_e6_c64 ir_r3_k3_s1_e6_c96 ir_r3_k3_s2_e6_c160 ir_k3_s1_e6_c320 "
        "cn_k1_s1_c1280 gap drop_p0.2 fc_c1000",
        "Sandler et al. 2018, arXiv 1801.04381, table 2",
    ),
    "mobilenetv3_small": Published(
        "timm:mobilenetv3 in_s224 stem_c16 ds_r1_k3_s2_c16_se0.25_nre ir_r1_k3_s2_e4.5_c24_nre "
        "ir_r1_k3_s1_e3.67_c24_nre ir_r1_k5_s2_e4_c40_se0.25 ir_r2_k5_s1_e6_c40_se0.25 "
        "ir_r2_k5_s1_e3_c48_se0.25 ir_r3_k5_s2_e6_c96_se0.25 cn_r1_k1_s1_c576 head_c1024 "
        "drop_p0.2 fc_c1000",
        "Howard et al. 2019, arXiv 1905.02244, table 2, with the ratios of its published code",
    ),
    "mnasnet_5x5_6": Published(
        "in_s224 cn_k3_s2_c32_nre ir_k3_s1_e1_c16_nre_noskip ir_r4_k5_s2_e6_c24_nre "
        "ir_r4_k5_s2_e6_c40_nre ir_r4_k5_s2_e6_c80_nre ir_r4_k5_s1_e6_c96_nre "
        "ir_r4_k5_s2_e6_c192_nre ir_k3_s1_e6_c320_nre_noskip cn_k1_s1_c1280_nre gap drop_p0.2 "
        "fc_c1000",
        "Stamoulis et al. 2019, arXiv 1904.02877: what Single-Path NAS starts from, every block "
        "5x5 with expansion 6; the largest network of the space `mnasnet`",
    ),
    "spnasnet_100": Published(
        "in_s224 cn_k3_s2_c32_nre ir_k3_s1_e1_c16_nre_noskip ir_r3_k3_s2_e3_c24_nre "
        "ir_k5_s2_e6_c40_nre ir_r3_k3_s1_e3_c40_nre ir_k5_s2_e6_c80_nre ir_r3_k3_s1_e3_c80_nre "
        "ir_k5_s1_e6_c96_nre ir_r3_k5_s1_e3_c96_nre ir_r4_k5_s2_e6_c192_nre "
        "ir_k3_s1_e6_c320_nre_noskip cn_k1_s1_c1280_nre gap drop_p0.2 fc_c1000",
        "Stamoulis et al. 2019, arXiv 1904.02877, as timm has it",
    ),
    "efficientnet_lite0": Published(
        "in_s224 cn_k3_s2_c32 ir_k3_s1_e1_c16 ir_r2_k3_s2_e6_c24 ir_r2_k5_s2_e6_c40 "
        "ir_r3_k3_s2_e6_c80 ir_r3_k5_s1_e6_c112 ir_r4_k5_s2_e6_c192 ir_k3_s1_e6_c320 "
        "cn_k1_s1_c1280 gap drop_p0.2 fc_c1000",
        "tensorflow/tpu, models/official/efficientnet/lite, 2020",
        keeps_stem=True,
    ),
    "homework_conv": Published(
        "in_s32 cn_k3_s2_c32_bias_nre cn_k3_s2_c64_bias_nre cn_k3_s2_c128_bias_nre "
        "cn_r4_k3_s1_c128_bias_nre mp_k4 flat fc_c128_bn_nre fc_c10",
        f"model 1 of the {_COURSE}",
        keeps_head=False,
    ),
    "homework_separable": Published(
        "in_s32 cn_k3_s2_c32_bias_nre sp_k3_s2_c64_bias_nre sp_k3_s2_c128_bias_nre "
        "sp_r4_k3_s1_c128_bias_nre mp_k4 flat fc_c128_bn_nre fc_c10",
        f"model 2 of the {_COURSE}; its own table says 1,678,592 MACs, having counted depthwise "
        "parts with the channels of the output",
        keeps_head=False,
    ),
    "homework_skip": Published(
        "in_s32 cn_k3_s2_c32_bias_nre res[cn_k3_s2_c64_bias_nre | cn_k1_s2_c64_nno_nobn_bias] "
        f"cn_k3_s2_c128_bias_nre {_SKIPS} mp_k4 flat drop_p0.5 fc_c128_bn_nre fc_c10",
        f"model 3 of the {_COURSE}",
        keeps_head=False,
        by_description="the report says skips and dropout and 706,954 parameters, 2,112 more than "
        "model 1: that is one 1x1 convolution from 32 to 64 channels with biases, and skips "
        "without weights around layers that keep the shape; places and rates of dropout are ours",
    ),
    "homework_50k": Published(
        "in_s32 sp_k3_s2_c64_bias_nre sp_k3_s2_c64_bias_nre sp_k3_s2_c64_bias_nre "
        "res[sp_k3_s1_c64_bias_nre drop_p0.1] res[sp_k3_s1_c64_bias_nre drop_p0.1] "
        "res[sp_k3_s1_c64_bias_nre drop_p0.1] sp_k3_s1_c110_bias_nre mp_k4 flat drop_p0.5 "
        "fc_c128_bn_nre fc_c10",
        f"model 4 of the {_COURSE}",
        keeps_head=False,
        by_description="the report says separable convolutions of 64 channels, the last of 110, "
        "skips without 1x1 convolutions, dropout, and below 50,000 parameters; the rest is as in "
        "its other models, and places and rates of dropout are ours",
    ),
    "cnv_w1a1": _cnv(1, 1, "84.22 % on CIFAR-10"),
    "cnv_w1a2": _cnv(1, 2, "87.80 % on CIFAR-10"),
    "cnv_w2a2": _cnv(2, 2, "89.03 % on CIFAR-10"),
    "trigger": Published(
        "in_s16 cn_k3_s1_c4_nre mp_k2 cn_k3_s1_c8_nre mp_k2 flat fc_c64_bn_nre fc_c2",
        "a log of bit widths of a network that triggers a detector: the baseline in float32, with "
        "4 and 8 filters, accuracy 0.9898 and efficiency 0.90168 at a background of 10 kHz",
        keeps_head=False,
        by_description="the log says two convolutions of 3x3, 64 dense units, relu and batch "
        "normalisation but for the output; image size, pools and two class scores are ours",
    ),
}
