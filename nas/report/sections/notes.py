"""Warnings, what is to be known of the images, and what has not run yet with its command."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.report.cards import TOY_SIZE
from nas.report.facts import RunFacts


def notes(run: RunFacts) -> str:
    """Warnings first, then the images, then what is not there yet."""
    records = run.records
    is_toy = records.config is not None and records.config.is_smoke
    warnings = [*([TOY_SIZE] if is_toy else []), *records.warnings]
    warnings += records.table.warnings if records.table else ()
    warnings += records.certificate.warnings if records.certificate else ()
    shown = [escape(text) for text in dict.fromkeys(warnings)]
    missing = [
        f"{escape(what)}: {verb} <code>{escape(command)}</code>"
        for what, verb, command in _missing(run)
    ]
    images = [escape(text) for text in (records.data.notes if records.data else ())]
    parts = (("Warnings", shown, ""), ("Images", images, " plain"))
    return "".join(_note(*part) for part in (*parts, ("Not there yet", missing, " plain")))


def _note(title: str, items: Sequence[str], kind: str) -> str:
    if not items:
        return ""
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<div class="note{kind}"><b>{title}</b><ul>{listed}</ul></div>'


def _missing(run: RunFacts) -> list[tuple[str, str, str]]:
    """What has not run, what to do, and the command."""
    records = run.records
    if records.architecture is None:
        return [("no architecture yet", "repeat the search's command with", "--resume")]
    if records.certificate is None:
        return [("not certified yet", "repeat the search's command with", "--resume")]
    if run.own is not None and run.own.top1 is None:
        return [("not retrained yet", "run", run.retrain_command)]
    # A network that was given has no others to be compared with.
    if records.baselines is None and records.certificate.method is not None:
        return [("not compared by training yet", "run", f"{run.retrain_command} --baselines")]
    return []
