"""A run folder -> `report.html`, one page that needs no other file and no network."""

from __future__ import annotations

from html import escape
from pathlib import Path

from latency import atomic
from nas.report.appendix import definitions_section, layers_section, notes_html, origin_section
from nas.report.comparison import compare
from nas.report.headline import header_html, hero_html
from nas.report.sections import (
    comparison_section,
    network_section,
    prediction_section,
    retraining_section,
    search_section,
)
from nas.report.style import STYLE_SHEET
from nas.runs.reader import RunRecords, read_run
from nas.runs.strict_json import ReportError

__all__ = ["REPORT_NAME", "ReportError", "report_html", "write_report"]

REPORT_NAME = "report.html"


def write_report(run_dir: Path) -> Path:
    """Writes `report.html` into a run folder from whatever stages have run.

    Args:
        run_dir: Folder that `nas.py` writes.

    Returns:
        Path of the page.

    Raises:
        ReportError: No run folder, or a malformed file in it; an older page stays as it is.
    """
    path = Path(run_dir) / REPORT_NAME
    atomic.write_text(path, report_html(read_run(Path(run_dir))))
    return path


def report_html(records: RunRecords) -> str:
    """The whole page.

    Args:
        records: What the run folder holds.

    Raises:
        ReportError: An entry has the wrong type; names file and entry.
    """
    networks = compare(records.certificate, records.baselines)
    body = "".join(
        (
            header_html(records),
            hero_html(records, networks),
            notes_html(records, networks),
            comparison_section(records, networks),
            network_section(records),
            search_section(records),
            prediction_section(records, networks),
            retraining_section(records),
            layers_section(records),
            origin_section(records),
            definitions_section(),
        )
    )
    title = escape(f"{records.path.resolve().name} · Stopwatch NAS")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        # A page without a picture of its own would make browsers ask a server for one.
        f'<title>{title}</title><link rel="icon" href="data:,">'
        f"<style>{STYLE_SHEET}</style></head><body><main>{body}"
        "<footer>Written by Stopwatch NAS from the records in this run folder.</footer>"
        "</main></body></html>\n"
    )
