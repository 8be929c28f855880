"""Exported files in figures, as frozen records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from latency.measurement.compare import UNKNOWN


@dataclass(frozen=True)
class Parity:
    """How well an exported file computes what model.keras does, on evaluation images.

    Args:
        max_abs_difference: Greatest difference of two scores.
        max_abs_logit: Greatest score.
        top1_agreement: Share of the images with the same best class, 0 to 1.
        file_bytes: Size of the file.
        images: How many images these are; None where an earlier version compared 16 of them.
        flips: Images with another best class; each of them is a row of flips.csv. None likewise.
    """

    max_abs_difference: float
    max_abs_logit: float
    top1_agreement: float
    file_bytes: float
    images: int | None = None
    flips: int | None = None


@dataclass(frozen=True)
class Flip:
    """flips.csv: an evaluation image for which an exported file names another class than Keras.

    Args:
        format: Of the file, such as `fp32`.
        image: Place in the evaluation split, from 0.
        label: Index of its own class.
        keras_class: Index of the class that model.keras names.
        file_class: Index of the class that the file names.
        keras_margin: How far Keras' score of its own class is above that of the file's class.
        file_margin: How far the file's score of its own class is above that of Keras' class.
    """

    FILE: ClassVar[str] = "flips.csv"

    format: str
    image: int
    label: int
    keras_class: int
    file_class: int
    keras_margin: float
    file_margin: float


@dataclass(frozen=True, kw_only=True)
class Int8Settings:
    """How an int8 file was made.

    Args:
        images: Training images that the ranges of activations were read from.
        seed: Of the choice of these images.
        method: Of the ranges: `minmax`, from the least to the greatest value.
        scheme: Types of activations and weights, such as `u8s8`; u is unsigned.
        per_channel: Whether weights have a scale for each output channel.
        reduce_range: Whether weights have 7 bits.
        processor: Which processor these were chosen for, in words.
    """

    images: int
    seed: int
    method: str
    scheme: str
    per_channel: bool
    reduce_range: bool
    processor: str


@dataclass(frozen=True, kw_only=True)
class ExportedFile:
    """exported/*.json: one file that the trained network was exported to, and what it computes.

    Args:
        name: Of the format: `fp32`, `int8`, `int8_blocks` or `litert`.
        file: Name of the file in the run folder.
        file_bytes: Its size.
        file_sha256: Of its content, 64 hex digits.
        source_sha256: Of the file that it was made of, likewise; None for model.onnx.
        top1: Share of the evaluation images, 0 to 1, that this file classifies right; None where
            nothing here can run it.
        top5: Likewise with five guesses.
        evaluation_images: How many images these are.
        parity: Against model.keras, on all of these images; None where model.keras is gone or
            nothing here can run the file.
        int8: How it was quantised; None for other formats.
        note: What is not known of it, and why; empty for nothing.
        host_fingerprint: Of the machine that ran it for `top1` and `parity`; None in files of
            earlier versions.
    """

    FILE: ClassVar[str] = "exported/{name}.json"
    SCHEMA_VERSION: ClassVar[int] = 2

    name: str
    file: str
    file_bytes: int
    file_sha256: str
    source_sha256: str | None
    top1: float | None
    top5: float | None
    evaluation_images: int
    parity: Parity | None
    int8: Int8Settings | None = None
    note: str = ""
    host_fingerprint: str | None = None


@dataclass(frozen=True, kw_only=True)
class Int8Block:
    """One block of a network, and what int8 would cost and bring there.

    Args:
        name: Index of the layer in the network.
        layer: Its text.
        kernel_decibel: Signal-to-noise ratio of its kernels in int8, 200 at most; None where they
            could not be compared.
        output_decibel: Likewise of what it gives, with every block in int8: the errors of all
            blocks before it are among its own.
        gain_ms: Milliseconds that it saves where it alone runs as int8; below 0 it costs some.
        cross_entropy_loss: Nats of cross-entropy that it costs then; below 0 it gains some.
        is_int8: Whether it was chosen.
    """

    name: str
    layer: str
    kernel_decibel: float | None
    output_decibel: float | None
    gain_ms: float
    cross_entropy_loss: float
    is_int8: bool


@dataclass(frozen=True, kw_only=True)
class Int8Candidate:
    """Several blocks that were tried together in int8.

    Args:
        blocks: Their names.
        measured_ms: At the machine's full speed; None where that cannot be told.
        ratio: Its milliseconds over those of model.onnx in the same processes; None likewise.
        ratio_low: Lower end of the 95 % interval.
        ratio_high: Upper end.
        verdict: As in export_timings.json.
        top1: Share of the judging images that it classifies right, 0 to 1.
    """

    blocks: tuple[str, ...]
    measured_ms: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    verdict: str
    top1: float


@dataclass(frozen=True, kw_only=True)
class Int8Blocks:
    """int8_blocks.json: which blocks run as int8 on this machine, and why.

    Args:
        source_sha256: Of model.onnx, 64 hex digits.
        host_fingerprint: Of the machine that measured.
        date: When, ISO 8601 in UTC.
        int8: How blocks are quantised.
        judging_images: Training images that accuracy was judged on; ranges were read from others.
        fp32_ms: Of model.onnx, while single blocks were measured.
        fp32_top1: Share of the judging images that model.onnx classifies right, 0 to 1.
        blocks: In the order of the network.
        candidates: Sets of blocks that were tried together.
        chosen: Names of the blocks that run as int8; none where nothing pays.
        reason: Why, in words.
    """

    FILE: ClassVar[str] = "int8_blocks.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    source_sha256: str
    host_fingerprint: str
    date: str
    int8: Int8Settings
    judging_images: int
    fp32_ms: float
    fp32_top1: float
    blocks: tuple[Int8Block, ...]
    candidates: tuple[Int8Candidate, ...]
    chosen: tuple[str, ...]
    reason: str

    @property
    def is_told(self) -> bool:
        """Whether of every set that was tried it could be told how fast it is."""
        return all(candidate.verdict != UNKNOWN for candidate in self.candidates)


@dataclass(frozen=True, kw_only=True)
class TimedFile:
    """Milliseconds of one exported file; None where they are not known.

    Args:
        name: Of the format.
        file_sha256: Of the file that was measured.
        measured_ms: At the machine's full speed.
        measured_low_ms: Lower end of the 95 % interval.
        measured_high_ms: Upper end.
        ratio: Its milliseconds over those of model.onnx in the same processes.
        ratio_low: Lower end of the 95 % interval.
        ratio_high: Upper end.
        verdict: `faster`, `slower`, `no difference seen` or `cannot tell`, by the whole interval;
            `reference` for model.onnx itself.
        reason: Why it cannot be told; empty where it can.
    """

    name: str
    file_sha256: str
    measured_ms: float | None
    measured_low_ms: float | None
    measured_high_ms: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    verdict: str
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ExportTimings:
    """export_timings.json: exported ONNX files, timed next to each other in the same processes.

    Args:
        host_fingerprint: Of the machine that measured.
        date: When, ISO 8601 in UTC.
        threads: Inside an operation.
        processes: New processes that they were measured in.
        files: What was measured; model.onnx is the first.
    """

    FILE: ClassVar[str] = "export_timings.json"
    SCHEMA_VERSION: ClassVar[int] = 1

    host_fingerprint: str
    date: str
    threads: int
    processes: int
    files: tuple[TimedFile, ...]

    @property
    def is_told(self) -> bool:
        """Whether of every file it could be told how fast it is beside model.onnx."""
        return all(file.verdict != UNKNOWN for file in self.files)

    def of(self, name: str) -> TimedFile | None:
        """What was measured of a format; None where nothing was."""
        return next((file for file in self.files if file.name == name), None)


@dataclass(frozen=True, kw_only=True)
class Exports:
    """What a network was exported to, and which of these files to use here.

    Args:
        files: One for each format.
        timings: None where only one file can be timed, or with `--device`.
        int8_blocks: How blocks were chosen for int8; None where nobody asked.
        recommended: Name of the format to use on this machine; None where nothing was compared.
        advice: Why, in words, with the figures.
    """

    files: tuple[ExportedFile, ...]
    timings: ExportTimings | None = None
    recommended: str | None = None
    advice: str = ""
    int8_blocks: Int8Blocks | None = None

    @property
    def is_told(self) -> bool:
        """Whether of everything that was timed it could be told how fast it is."""
        return all(found is None or found.is_told for found in (self.timings, self.int8_blocks))

    @property
    def parity(self) -> Parity | None:
        """Of model.onnx; None where it could not be compared."""
        own = self.of("fp32")
        return own.parity if own else None

    def of(self, name: str) -> ExportedFile | None:
        """A format's file; None where it was not exported."""
        return next((file for file in self.files if file.name == name), None)
