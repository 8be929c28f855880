"""How int8 files are made: for which processor, of which images, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from latency.device.host import Host, current_host
from latency.errors import LatencyError
from nas.architecture.text import parse
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx_bytes
from nas.data import Split
from nas.deployment.int8 import (
    CALIBRATION_IMAGES,
    calibration_images,
    drawn_images,
    int8_settings,
    to_int8,
)
from nas.deployment.records import Int8Settings
from nas.deployment.scores import onnx_scores
from nas.errors import InputError

NETWORK = parse("in_s16 cn_k3_s2_c8 ir_k3_s1_e3_c8_se0.25 gap fc_c5")
FP32 = to_onnx_bytes(NETWORK, random_weights(NETWORK))


def split(count: int = 12, least: int = 0, most: int = 256) -> Split:
    images = np.random.default_rng(0).integers(least, most, (count, 16, 16, 3))
    return Split(images.astype(np.uint8), np.zeros(count, np.int32))


def host(architecture: str, *flags: str) -> Host:
    return replace(current_host(), architecture=architecture, isa_flags=flags)


@pytest.mark.parametrize(
    ("machine", "scheme", "reduced", "words"),
    [
        (host("x86_64", "avx2"), "u8s8", True, "no VNNI found"),
        (host("x86_64", "avx2", "avx512f"), "u8s8", True, "no VNNI found"),
        (host("x86_64", "avx2", "avx512_vnni"), "u8s8", False, "VNNI found"),
        (host("x86_64", "avx2", "avx_vnni"), "u8s8", False, "VNNI found"),
        (host("AMD64"), "u8s8", True, "no VNNI found"),
        (host("aarch64", "asimd"), "s8s8", False, "ARM"),
        (None, "u8s8", True, "not this machine"),
    ],
)
def test_types_and_ranges_follow_the_processor(
    machine: Host | None, scheme: str, reduced: bool, words: str
) -> None:
    found = int8_settings(20, 3, machine)
    assert (found.scheme, found.reduce_range, found.per_channel) == (scheme, reduced, True)
    assert words in found.processor and (found.images, found.seed) == (20, 3)


def test_seven_bit_weights_stay_in_their_range() -> None:
    settings = int8_settings(4, 0, host("x86_64", "avx2"))
    graph = onnx.ModelProto.FromString(to_int8(FP32, settings, split())).graph
    weights = [
        onnx.numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name.endswith("kernel_quantized")
    ]
    assert weights and all(w.dtype == np.int8 for w in weights)
    assert max(int(np.abs(w.astype(int)).max()) for w in weights) == 64
    scales = [t for t in graph.initializer if t.name.endswith("kernel_scale")]
    assert max(len(onnx.numpy_helper.to_array(scale)) for scale in scales) > 1, "one a channel"


def test_the_usual_number_of_images_is_taken_or_all_there_are() -> None:
    assert calibration_images(None, 12) == 12
    assert calibration_images(None, CALIBRATION_IMAGES + 1) == CALIBRATION_IMAGES
    assert calibration_images(12, 12) == 12
    for asked in (0, 13):
        with pytest.raises(InputError, match="--calibration_images from 1 to 12.*") as caught:
            calibration_images(asked, 12)
        assert str(asked) in caught.value.received


def settings(images: int = 6, seed: int = 0) -> Int8Settings:
    return int8_settings(images, seed, host("x86_64", "avx512_vnni"))


def test_images_are_drawn_once_and_the_same_again() -> None:
    whole = split(40)
    rows = drawn_images(settings(), whole)
    assert len(set(rows.tolist())) == 6 and list(rows) == sorted(rows)
    assert np.array_equal(rows, drawn_images(settings(), whole))
    assert not np.array_equal(rows, drawn_images(settings(seed=1), whole))


def test_ranges_come_from_the_images_and_the_same_images_give_the_same_bytes() -> None:
    bright, dark = split(), split(most=20)
    made = to_int8(FP32, settings(), bright)
    assert made == to_int8(FP32, settings(), bright)
    expected = onnx_scores(FP32, bright)
    size = np.abs(expected).max()
    # Some 20 roundings to 1/256 of a range each: a few percent of the largest score.
    assert np.abs(onnx_scores(made, bright) - expected).max() < 0.1 * size
    # Of images with a tenth of the range, everything above it is cut off.
    cut = to_int8(FP32, settings(), dark)
    assert np.abs(onnx_scores(cut, bright) - expected).max() > 0.1 * size


def test_scores_are_not_rounded_to_256_values() -> None:
    graph = onnx.ModelProto.FromString(to_int8(FP32, settings(), split())).graph
    assert next(n for n in graph.node if "logits" in n.output).op_type == "Gemm"


def test_a_network_that_the_quantizer_fails_at_is_told_in_three_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise NotImplementedError("no int8 form of Erf")

    monkeypatch.setattr("onnxruntime.quantization.quantize_static", fail)
    with pytest.raises(LatencyError, match="turns into int8") as caught:
        to_int8(FP32, settings(), split())
    assert "no int8 form of Erf" in caught.value.received and caught.value.fix
