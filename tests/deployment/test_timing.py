"""Which exported file is recommended, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nas.deployment.records import ExportedFile, ExportTimings, TimedFile
from nas.deployment.timing import recommended


def file(name: str, top1: float | None) -> ExportedFile:
    return ExportedFile(
        name=name,
        file=f"{name}.onnx",
        file_bytes=1,
        file_sha256=name,
        source_sha256=None,
        top1=top1,
        top5=top1,
        evaluation_images=100,
        parity=None,
    )


def timings(
    verdict: str, ratio: float | None, low: float | None, high: float | None, reason: str = ""
) -> ExportTimings:
    reference = TimedFile(
        name="fp32",
        file_sha256="fp32",
        measured_ms=1.0,
        measured_low_ms=0.9,
        measured_high_ms=1.1,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        verdict="reference",
    )
    other = replace(
        reference,
        name="int8",
        file_sha256="int8",
        ratio=ratio,
        ratio_low=low,
        ratio_high=high,
        verdict=verdict,
        reason=reason,
    )
    return ExportTimings(
        host_fingerprint="h", date="d", threads=1, processes=5, files=(reference, other)
    )


@pytest.mark.parametrize(
    ("timing", "top1", "name", "words"),
    [
        (("faster", 0.6, 0.58, 0.62), 0.897, "int8", "costs 0.30 points of top-1"),
        (("faster", 0.6, 0.58, 0.62), 0.897, "int8", "95 % interval 0.580 to 0.620"),
        (("faster", 0.6, 0.58, 0.62), 0.903, "int8", "gains 0.30 points"),
        (("faster", 0.6, 0.58, 0.62), 0.85, "fp32", "costs more than 1 points"),
        (("faster", 0.6, 0.58, 0.62), None, "fp32", "its accuracy is not known"),
        (("no difference seen", 0.98, 0.94, 1.02), 0.9, "fp32", "it is not faster here"),
        (("slower", 1.3, 1.2, 1.4), 0.9, "fp32", "it is not faster here"),
        (("cannot tell", None, None, None, "too few"), 0.9, "fp32", "cannot be told (too few)"),
    ],
)
def test_int8_is_recommended_where_it_is_faster_here_and_as_good(
    timing: tuple[str, float, float, float], top1: float | None, name: str, words: str
) -> None:
    found, text = recommended((file("fp32", 0.9), file("int8", top1)), timings(*timing))
    assert found == name and words in text
    assert ("It is recommended" in text) == (name == "int8")


def test_nothing_is_recommended_where_nothing_was_compared() -> None:
    assert recommended((file("fp32", 0.9),), None) == (None, "")
