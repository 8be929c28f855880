"""All trials in one table, folded up."""

from __future__ import annotations

from html import escape

from nas.report import numbers
from nas.report.cards import card
from nas.report.trial_page.dimensions import knobs
from nas.report.trial_page.facts import WORDS, ShownTrial, TrialFacts
from nas.report.trials import value_text

# A page of more rows is slow; trials.csv has all.
MOST_ROWS = 1000


def every(facts: TrialFacts) -> str:
    """The card; empty without trials."""
    if not facts.trials:
        return ""
    shown = facts.trials[:MOST_ROWS]
    left_out = {*facts.record.objectives, *facts.hidden}
    further = [name for name in facts.record.original.known if name not in left_out]
    columns = [*facts.record.objectives, *further]
    tuned = [knob.name for knob in knobs(facts.record)]
    heads = ["trial", "standing", "epochs", *columns, *tuned, "network"]
    head = "".join(f'<th scope="col">{escape(text.replace("_", " "))}</th>' for text in heads)
    rows = "".join(_row(facts, one, columns, tuned) for one in shown)
    lead = "Bold is smaller than in the original. trials.csv has these and every rung of all."
    if len(shown) < len(facts.trials):
        lead = f"The best {len(shown)} of {len(facts.trials)}. {lead}"
    return card(
        "All trials",
        lead,
        f"<details><summary>{len(shown)} trials, the best first</summary>"
        '<div class="scroll" tabindex="0" role="group" aria-label="All trials">'
        f'<table class="every"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
        "</details>",
    )


def _row(facts: TrialFacts, one: ShownTrial, columns: list[str], tuned: list[str]) -> str:
    cells = [str(one.number), WORDS[one.standing], f"{one.epochs:g}"]
    cells += [_cell(facts, one, text) for text in columns]
    cells += [escape(_knob(one, name)) for name in tuned]
    shown = "".join(f"<td>{cell}</td>" for cell in cells)
    own = ' class="own"' if one.standing == "front" else ""
    return f'<tr{own}>{shown}<td class="network">{escape(one.trial.network)}</td></tr>'


def _cell(facts: TrialFacts, one: ShownTrial, text: str) -> str:
    value = one.value(text)
    if value is None:
        return numbers.UNKNOWN
    shown = escape(value_text(text.partition("=")[0], value))
    original = facts.record.original.known.get(text)
    is_smaller = original is not None and value < original
    return f'<b class="smaller">{shown}</b>' if is_smaller else shown


def _knob(one: ShownTrial, name: str) -> str:
    value = one.trial.configuration[name]
    return "none" if value is None else numbers.value_text(value)
