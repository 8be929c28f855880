"""The formats that a trained network can be exported to: `--export`.

A new one is a function that makes the file, a function that gives its scores, and an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from nas.data import Dataset, Split
from nas.deployment.int8 import to_int8
from nas.deployment.litert import check_litert, litert_scores, no_interpreter, to_litert
from nas.deployment.metadata import ModelMetadata, with_metadata
from nas.deployment.records import Int8Settings
from nas.deployment.scores import Told, onnx_scores, tell_nobody
from nas.registry import Registry, check_known


@dataclass(frozen=True)
class Source:
    """What a format makes its file of.

    Args:
        onnx: Content of model.onnx.
        keras_file: Path of model.keras.
        metadata: What model.onnx says of itself.
        dataset: The images; only training images may change a file.
        int8: How to quantise.
        nodes: Names of the nodes of the blocks that were chosen for int8; None for all.
    """

    onnx: bytes
    keras_file: Path
    metadata: ModelMetadata
    dataset: Dataset
    int8: Int8Settings
    nodes: tuple[str, ...] | None = None


class Scores(Protocol):
    """Gives a file's scores for images."""

    def __call__(self, data: bytes, split: Split, told: Told = tell_nobody) -> np.ndarray:
        """(images, classes) float32 scores; `told` is told the progress."""
        ...


def check_nothing() -> None:
    """Refuses nothing."""


def nothing_missing() -> str:
    """Nothing keeps a file from being run here."""
    return ""


@dataclass(frozen=True)
class ExportFormat:
    """One format.

    Args:
        file: Name of its file in the run folder.
        make: Gives the file's content.
        scores: Gives its scores.
        check: Refuses what cannot be made here, before any work.
        missing: Why the file cannot be run here, in words; empty where it can.
        is_onnx: Whether ONNX Runtime runs and times it.
        is_quantized: Whether it is made with `Source.int8`, of training images.
    """

    file: str
    make: Callable[[Source], bytes]
    scores: Scores
    check: Callable[[], None] = check_nothing
    missing: Callable[[], str] = nothing_missing
    is_onnx: bool = False
    is_quantized: bool = False


# The file that is measured and certified, and that all others are compared with.
REFERENCE = "fp32"
# The file whose blocks are chosen by what they bring; `int8` is made beside it to compare with.
INT8_BLOCKS = "int8_blocks"
EXPORT_FORMATS: Registry[ExportFormat] = Registry("export format")


@dataclass(frozen=True)
class AskedExports:
    """What files are asked for.

    Args:
        formats: Names in `EXPORT_FORMATS`; model.onnx is always among them, as all others are
            compared with it.
        calibration_images: Training images for int8; None for the usual number.

    Raises:
        InputError: A name is unknown.
    """

    formats: tuple[str, ...] = (REFERENCE,)
    calibration_images: int | None = None

    def __post_init__(self) -> None:
        for name in self.formats:
            check_known("export", name, EXPORT_FORMATS)

    @classmethod
    def of(
        cls,
        export: str | Sequence[str] | None,
        calibration_images: int | None = None,
        int8_blocks: str | None = None,
    ) -> AskedExports:
        """From options.

        Args:
            export: Names, or a text of names with commas between them; None for model.onnx alone.
            calibration_images: As the flag.
            int8_blocks: `auto` to choose the blocks that run as int8; None for all of `int8`.

        Raises:
            InputError: A name is unknown.
        """
        names = export.split(",") if isinstance(export, str) else list(export or ())
        names = [name.strip() for name in names]
        for name in names:
            check_known("export", name, EXPORT_FORMATS)
        if int8_blocks is not None:
            check_known("int8_blocks", int8_blocks, ("auto",))
            names.append(INT8_BLOCKS)
        asked = {REFERENCE, *names}
        if INT8_BLOCKS in asked:
            asked.add("int8")
        known = tuple(name for name in EXPORT_FORMATS if name in asked)
        return cls(known, calibration_images)

    def without(self, made: Callable[[str], bool]) -> AskedExports:
        """The files that are still to be made; model.onnx is always among them.

        Args:
            made: Whether there is the file of a format.
        """
        names = tuple(name for name in self.formats if name == REFERENCE or not made(name))
        is_calibrated = any(EXPORT_FORMATS[name].is_quantized for name in names)
        return AskedExports(names, self.calibration_images if is_calibrated else None)

    def check(self) -> None:
        """Refuses formats that cannot be made here, before any work.

        Raises:
            InputError: There is one.
        """
        for name in self.formats:
            EXPORT_FORMATS[name].check()


def _onnx(source: Source) -> bytes:
    return source.onnx


def _int8(source: Source) -> bytes:
    import onnx

    made = to_int8(source.onnx, source.int8, source.dataset.train)
    proto = onnx.ModelProto.FromString(made)
    return with_metadata(proto, source.metadata.in_precision("int8"))


def _int8_blocks(source: Source) -> bytes:
    import onnx

    if source.nodes == ():  # no block pays: the file is that of float32
        return source.onnx
    made = to_int8(source.onnx, source.int8, source.dataset.train, source.nodes)
    proto = onnx.ModelProto.FromString(made)
    return with_metadata(proto, source.metadata.in_precision("int8"))


def _litert(source: Source) -> bytes:
    return to_litert(source.keras_file)


EXPORT_FORMATS.register(REFERENCE, ExportFormat("model.onnx", _onnx, onnx_scores, is_onnx=True))
EXPORT_FORMATS.register(
    "int8",
    ExportFormat("model_int8.onnx", _int8, onnx_scores, is_onnx=True, is_quantized=True),
)
EXPORT_FORMATS.register(
    INT8_BLOCKS,
    ExportFormat(
        "model_int8_blocks.onnx", _int8_blocks, onnx_scores, is_onnx=True, is_quantized=True
    ),
)
EXPORT_FORMATS.register(
    "litert",
    ExportFormat(
        "model.tflite",
        _litert,
        litert_scores,
        check=check_litert,
        missing=no_interpreter,
    ),
)
