"""A run folder -> `report.html`, one page that needs no other file and no network."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path

from latency import atomic
from latency.device.text import visible
from nas.report.bit_chart import STYLE as BIT_STYLE
from nas.report.facts import RunFacts
from nas.report.sections.bits import bits
from nas.report.sections.comparison import comparison
from nas.report.sections.definitions import definitions
from nas.report.sections.exports import exports
from nas.report.sections.headline import header, hero
from nas.report.sections.layers import layers
from nas.report.sections.metrics import metrics
from nas.report.sections.network import network
from nas.report.sections.notes import notes
from nas.report.sections.origin import origin
from nas.report.sections.prediction import prediction
from nas.report.sections.retraining import retraining
from nas.report.sections.search import search
from nas.report.style import STYLE_SHEET
from nas.runs.reader import RunRecords, read_run

REPORT_NAME = "report.html"

# From top to bottom; one that has nothing to show yet gives no text.
SECTIONS: tuple[Callable[[RunFacts], str], ...] = (
    header,
    hero,
    notes,
    comparison,
    metrics,
    network,
    bits,
    search,
    prediction,
    retraining,
    exports,
    layers,
    origin,
    definitions,
)


def write_report(run_dir: Path) -> Path:
    """Writes `report.html` into a run folder from whatever stages have run.

    Args:
        run_dir: Folder that `nas.py` writes.

    Returns:
        Path of the page.

    Raises:
        LatencyError: No run folder, or a malformed file in it; an older page stays as it is.
    """
    path = Path(run_dir) / REPORT_NAME
    atomic.write_text(path, report_html(read_run(Path(run_dir))))
    return path


def report_html(records: RunRecords) -> str:
    """The whole page.

    Args:
        records: What the run folder holds.
    """
    facts = RunFacts.of(records)
    body = "".join(section(facts) for section in SECTIONS)
    title = escape(f"{records.path.resolve().name} · Stopwatch NAS")
    # Names of others neither end a tag, which sections see to, nor turn the direction of writing.
    return visible(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # A page without a picture of its own would make browsers ask a server for one.
        f'<title>{title}</title><link rel="icon" href="data:,">'
        f"<style>{STYLE_SHEET}{BIT_STYLE}</style></head><body><main>{body}"
        "<footer>Written by Stopwatch NAS from the records in this run folder.</footer>"
        "</main></body></html>\n"
    )
