"""The only stride and padding arithmetic: TensorFlow's `same` and `valid` rules."""

from __future__ import annotations

Shape = tuple[int, ...]  # (height, width, channels) of a map or (units,) of a vector


def same_output_size(size: int, stride: int) -> int:
    """Output length of a `same` convolution: ceil(size / stride)."""
    return -(-size // stride)


def valid_output_size(size: int, kernel: int, stride: int) -> int:
    """Output length of a convolution without padding: floor((size - kernel) / stride) + 1."""
    return (size - kernel) // stride + 1


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after one axis for a `same` convolution.

    Source: https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2
    """
    total = max((same_output_size(size, stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def pooled_size(size: int, window: int) -> int:
    """Output length of non-overlapping pooling without padding."""
    return size // window


def round_to_multiple(value: float, multiple: int = 8) -> int:
    """Nearest multiple, never below one of it, never more than 10 % below the value.

    The 10 % rule is the one of MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) code.
    """
    rounded = max(multiple, int(value + multiple / 2) // multiple * multiple)
    if rounded < 0.9 * value:
        rounded += multiple
    return rounded
