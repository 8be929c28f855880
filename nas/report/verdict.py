"""The verdict on a budget and what was seen on the day, in words for terminal and page."""

from __future__ import annotations

from nas.cost.units import MILLISECONDS
from nas.report import numbers
from nas.runs.measured import MeasuredRecord
from nas.runs.outcome import Outcome
from nas.runs.records import Certificate, CertifiedNetwork

WORDS = {
    Outcome.NOT_ASKED: "",
    Outcome.MET: "met",
    Outcome.NOT_MET: "NOT met",
    Outcome.CANNOT_TELL: "cannot tell",
}


def title_text(found: CertifiedNetwork) -> str:
    """The verdict as the title of a table.

    Args:
        found: The network in figures.
    """
    asked = found.asked_count
    match found.outcome:
        case Outcome.MET if asked is not None:
            return f"budget met: the {asked.unit.text} are within 2 % of those asked"
        case Outcome.MET:
            return "budget met: the whole interval is within 2 % of the time asked"
        case Outcome.NOT_MET:
            return "budget NOT met"
        case Outcome.CANNOT_TELL:
            return "cannot tell whether the budget is met"
    if found.asked_ms is None:
        unit = found.unit if isinstance(found, Certificate) else MILLISECONDS
        return "no time was asked for" if unit.is_measured else f"no {unit.text} were asked for"
    return "not yet measured on the device"


def why_text(found: MeasuredRecord) -> str:
    """Why a budget is not met or cannot be told, and what to do next; empty otherwise.

    Args:
        found: The network in figures.
    """
    if not found.met_fix:
        return ""
    return f"{WORDS[found.outcome].capitalize()}: {found.met_reason}. Next: {found.met_fix}."


def seen_text(found: MeasuredRecord | None, day: str = "today") -> str:
    """What the runs took as they came; empty where nothing was measured.

    Args:
        found: The network in figures; None for none.
        day: When that was, in words.
    """
    if found is None or found.seen_p50_ms is None:
        return ""
    quantiles = (("p50", found.seen_p50_ms), ("p90", found.seen_p90_ms), ("p99", found.seen_p99_ms))
    listed = ", ".join(f"{name} {numbers.milliseconds(ms)}" for name, ms in quantiles)
    return f"As seen here {day}: {listed} ms; {speed_text(found.share_full_speed)}."


def speed_text(share: float | None) -> str:
    """How much of the time a machine was at full speed.

    Args:
        share: Of the time, from 0 to 1; None where nothing was gated.
    """
    if share is None:
        return "full speed was not told apart"
    return f"the machine was at full speed in {numbers.share(share, digits=0)} of the time"
