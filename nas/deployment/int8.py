"""model.onnx -> an int8 file, calibrated on training images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from latency.device.host import Host
from latency.onnx_files.int8 import Quantization, default_scheme
from latency.onnx_files.precision import quantized
from nas.data import Split
from nas.deployment.metadata import ModelMetadata
from nas.deployment.records import Int8Settings
from nas.errors import InputError

# More of them change hardly any range any more: docs/decisions/0043-exported-files.md.
CALIBRATION_IMAGES = 200
METHOD = "minmax"
# Instructions that add four products in 32 bits, so that 8-bit weights cannot saturate.
VNNI = frozenset(("avx512_vnni", "avx_vnni", "avx_vnni_int8", "amx_int8"))
# Mixed into the seed, so that these images are no prefix of another draw of the run.
CALIBRATION_DRAW = 43


def int8_settings(images: int, seed: int, host: Host | None) -> Int8Settings:
    """How to quantise for a processor.

    Weights have a scale for each channel, as depthwise kernels differ much between channels. By
    onnxruntime's guide this takes 7-bit weights on AVX2 and AVX-512 without VNNI, and 8-bit ones
    on all other processors.

    Args:
        images: Training images to calibrate on.
        seed: Of their choice.
        host: The machine that the file is for; None for another device, of which nothing is known.
    """
    reduced = False
    if host is None:
        scheme, reduced = "u8s8", True
        processor = "a device that is not this machine: 7-bit weights saturate nowhere"
    elif default_scheme(host.architecture) == "s8s8":
        scheme, processor = "s8s8", f"{host.cpu_model}: ARM, 8-bit weights"
    elif VNNI & set(host.isa_flags):
        scheme, processor = "u8s8", f"{host.cpu_model}: VNNI found, 8-bit weights"
    else:
        scheme, reduced = "u8s8", True
        processor = f"{host.cpu_model}: no VNNI found, 7-bit weights that cannot saturate"
    return Int8Settings(
        images=images,
        seed=seed,
        method=METHOD,
        scheme=scheme,
        per_channel=True,
        reduce_range=reduced,
        processor=processor,
    )


def calibration_images(asked: int | None, there: int) -> int:
    """How many training images to calibrate on.

    Args:
        asked: `--calibration_images`; None for the usual number, or all images where there are
            fewer.
        there: Number of training images, 1 or more.

    Raises:
        InputError: More are asked for than there are.
    """
    if asked is None:
        return min(CALIBRATION_IMAGES, there)
    if not 1 <= asked <= there:
        raise InputError(
            f"--calibration_images from 1 to {there}, the number of training images",
            str(asked),
            "ask for fewer, or leave it out",
        )
    return asked


def to_int8(
    fp32: bytes, settings: Int8Settings, split: Split, nodes: tuple[str, ...] | None = None
) -> bytes:
    """An fp32 file as an int8 one; metadata are lost.

    Args:
        fp32: Of model.onnx.
        settings: From `int8_settings`.
        split: Training images, of which as many are drawn as the settings say.
        nodes: Names of the only nodes that become int8; None for all.

    Raises:
        PrecisionError: The network has an operator that the quantizer fails at.
    """
    return quantized(
        fp32,
        replace(_quantization(settings), nodes=nodes),
        image_inputs(split.images, drawn_images(settings, split)),
    )


def drawn_images(settings: Int8Settings, split: Split) -> np.ndarray:
    """Indices of the images that a file is calibrated on, ascending.

    Args:
        settings: Their number and their seed.
        split: Training images.
    """
    rng = np.random.default_rng((settings.seed, CALIBRATION_DRAW))
    return np.sort(rng.permutation(len(split.labels))[: settings.images])


def _quantization(settings: Int8Settings) -> Quantization:
    return Quantization(
        settings.scheme,
        per_channel=settings.per_channel,
        reduce_range=settings.reduce_range,
        keeps_scores=True,
    )


def image_inputs(images: np.ndarray, rows: np.ndarray) -> Iterator[Mapping[str, np.ndarray]]:
    """Images as a file's input, one a run.

    Args:
        images: (n, height, width, 3) pixels.
        rows: Indices of those that are given.
    """
    for row in rows:
        yield {ModelMetadata.INPUT: np.asarray(images[row : row + 1], np.float32)}
