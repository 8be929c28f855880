"""The exported files on the terminal: accuracy and milliseconds of each, and which one to use."""

from __future__ import annotations

from pathlib import Path

from rich import box
from rich.table import Table

from nas.deployment.formats import EXPORT_FORMATS, INT8_BLOCKS, REFERENCE
from nas.deployment.records import (
    ExportedFile,
    Exports,
    Flip,
    Int8Block,
    Int8Blocks,
    TimedFile,
)
from nas.report import numbers
from nas.system.console import out
from nas.system.program import go_on_command


def print_exports(exports: Exports, run_dir: Path, device: str | None) -> None:
    """Prints what the exported files are and what follows.

    Args:
        exports: Of a run.
        run_dir: Its folder.
        device: Another one that the network is for; None for this machine.
    """
    if exports.int8_blocks is not None:
        out.print(blocks_table(exports.int8_blocks))
    if len(exports.files) > 1:
        out.print(exports_table(exports))
    for line in export_lines(exports, run_dir, device):
        out.print(line, markup=False)


def exports_table(exports: Exports) -> Table:
    """A row a file: accuracy, agreement with Keras, size and milliseconds.

    Args:
        exports: Of a run.
    """
    table = Table(title="Exported files", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("file", no_wrap=True)
    for name in (
        "top-1",
        "top-5",
        "other class\nthan Keras",
        "size",
        "measured\nms",
        "95 %\ninterval",
        "times\nfp32",
        "95 %\ninterval",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for file in exports.files:
        timing = exports.timings.of(file.name) if exports.timings else None
        style = "bold" if file.name == exports.recommended else None
        table.add_row(file.file, *_cells(file, timing), style=style)
    return table


# What is proposed where model.onnx stands alone; the choice of blocks takes minutes.
FURTHER = tuple(name for name in EXPORT_FORMATS if name not in (REFERENCE, INT8_BLOCKS))
BLOCK_COLUMNS = ("kernels\ndB", "output\ndB", "alone\nms saved", "alone\nnats lost")


def blocks_table(found: Int8Blocks) -> Table:
    """A row a block: errors of int8, and what it brings and costs alone.

    Args:
        found: The choice of blocks.
    """
    table = Table(title="Blocks in int8", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("layer", no_wrap=True)
    for name in (*BLOCK_COLUMNS, "runs as"):
        table.add_column(name, justify="right", no_wrap=True)
    for block in found.blocks:
        table.add_row(f"{block.name} {block.layer}", *block_cells(block))
    return table


def block_cells(block: Int8Block) -> list[str]:
    """What stands in the columns behind a block's text.

    Args:
        block: One of the choice.
    """
    ratios = (block.kernel_decibel, block.output_decibel)
    return [
        *(numbers.UNKNOWN if ratio is None else f"{ratio:.1f}" for ratio in ratios),
        f"{block.gain_ms:+.4f}",
        f"{block.cross_entropy_loss:+.5f}",
        "int8" if block.is_int8 else "float32",
    ]


def _cells(file: ExportedFile, timing: TimedFile | None) -> list[str]:
    known = file.parity and f"{file.parity.flips} of {file.parity.images}"
    cells = [
        numbers.share(file.top1, 2),
        numbers.share(file.top5, 2),
        known or numbers.UNKNOWN,
        numbers.size(file.file_bytes),
    ]
    if timing is None:
        return [*cells, *[numbers.UNKNOWN] * 4]
    low, high = timing.measured_low_ms, timing.measured_high_ms
    return [
        *cells,
        numbers.milliseconds(timing.measured_ms),
        _interval(low, high),
        numbers.UNKNOWN if timing.ratio is None else f"{timing.ratio:.3f}",
        _interval(timing.ratio_low, timing.ratio_high),
    ]


def _interval(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return numbers.UNKNOWN
    return f"{numbers.milliseconds(low)}–{numbers.milliseconds(high)}"


def export_lines(exports: Exports, run_dir: Path, device: str | None) -> list[str]:
    """What stands below the table, in whole sentences.

    Args:
        exports: Of a run.
        run_dir: Its folder.
        device: Another one that the network is for; None for this machine.
    """
    lines = [parity_text(file) for file in exports.files]
    lines += [f"{f.file}: {f.note}." for f in exports.files if f.parity is not None and f.note]
    for file in exports.files:
        if file.int8 is not None and file.file_sha256 != exports.files[0].file_sha256:
            made = file.int8
            weights = "a scale for each channel" if made.per_channel else "one scale a tensor"
            lines.append(
                f"{file.file}: {made.scheme}, {weights}, calibrated ({made.method}) on "
                f"{made.images} training images, for {made.processor}."
            )
    if exports.int8_blocks is not None:
        lines.append(exports.int8_blocks.reason)
    if exports.advice:
        lines.append(exports.advice)
    elif device is not None and exports.of("int8") is not None:
        lines.append(
            f"Which file is faster on {device} cannot be told here: copy both to it and run "
            "`python -m latency compare model.onnx model_int8.onnx` there."
        )
    if len(exports.files) == 1 and not exports.files[0].note:
        command = go_on_command("retrain", run_dir.absolute())
        others = ",".join(FURTHER)
        lines.append(f"Other files of this network, without training: {command} --export {others}")
    return lines


def parity_text(file: ExportedFile) -> str:
    """Whether a file names the classes that Keras names, in a sentence.

    Args:
        file: Exported.
    """
    if file.parity is None or file.parity.images is None:
        return f"{file.file}: not compared with Keras: {file.note or 'it was not run'}."
    images, flips = file.parity.images, file.parity.flips
    difference = f"largest difference of a score {file.parity.max_abs_difference:.2g}"
    if not flips:
        return f"{file.file}: same class as Keras on all {images} evaluation images ({difference})."
    return (
        f"{file.file}: another class than Keras on {flips} of {images} evaluation images "
        f"({difference}); {Flip.FILE} has each of them."
    )
