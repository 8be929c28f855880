"""The exported files: what each computes, how fast it is here, and which one to use."""

from __future__ import annotations

from html import escape

from nas.deployment.records import ExportedFile, Exports, Int8Blocks
from nas.report import cards, numbers
from nas.report.exports import BLOCK_COLUMNS, block_cells, parity_text
from nas.report.facts import RunFacts

COLUMNS = ("file", "top-1", "top-5", "other class than Keras", "size", "ms", "times fp32")


def exports(run: RunFacts) -> str:
    """A row a file."""
    certificate = run.records.certificate
    found = certificate.exports if certificate else None
    if found is None:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    rows = "".join(_row(file, found) for file in found.files)
    texts = [parity_text(file) for file in found.files]
    texts += [f"{f.file}: {f.note}." for f in found.files if f.parity is not None and f.note]
    texts += [found.advice] if found.advice else []
    below = "".join(f"<p>{escape(text)}</p>" for text in texts)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    lead = "They lie in the run folder."
    parts = [f'<div class="scroll">{table}</div>', below]
    if found.int8_blocks is not None:
        parts.append(_blocks(found.int8_blocks))
    return cards.card("Exported files", lead, *parts)


def _blocks(found: Int8Blocks) -> str:
    """A row a block: what int8 would cost and bring there."""
    names = ("layer", *BLOCK_COLUMNS, "runs as")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    rows = ""
    for block in found.blocks:
        cells = [f"{block.name} {block.layer}", *block_cells(block)]
        rows += f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    lead = (
        "Signal-to-noise ratios are of int8 in every block; milliseconds and cross-entropy of it "
        f"in this block alone, the latter on {found.judging_images} training images."
    )
    return (
        f"<h3>Blocks in int8</h3><p>{escape(lead)}</p>"
        f'<div class="scroll">{table}</div><p>{escape(found.reason)}</p>'
    )


def _row(file: ExportedFile, found: Exports) -> str:
    timing = found.timings.of(file.name) if found.timings else None
    ratio = timing.ratio if timing else None
    flips = file.parity.flips if file.parity else None
    cells = [
        file.file,
        numbers.share(file.top1, 2),
        numbers.share(file.top5, 2),
        numbers.UNKNOWN if flips is None else f"{flips} of {file.evaluation_images}",
        numbers.size(file.file_bytes),
        numbers.milliseconds(timing.measured_ms if timing else None),
        numbers.UNKNOWN if ratio is None else f"{ratio:.3f}",
    ]
    return f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
