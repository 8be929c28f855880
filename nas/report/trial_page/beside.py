"""The original beside the best trials, what is smaller than in the original in bold."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from statistics import fmean

from nas.architecture.number_formats import bits_of, parse_format
from nas.errors import InputError
from nas.report import numbers
from nas.report.bit_widths import LayerBits, bits_of_text, mean_bits, widths_text
from nas.report.cards import card
from nas.report.trial_page.dimensions import (
    decisions,
    is_left_out,
    is_of_recipe,
    is_yes_or_no,
    knobs,
)
from nas.report.trial_page.facts import WORDS, ShownTrial, TrialFacts
from nas.report.trials import value_text
from nas.search_space.decisions import SKIP
from nas.tuning.objectives import QUANTITIES, parse_objective
from nas.tuning.parameters import Configuration, Value, key_of

# Columns that fit beside each other.
MOST_TRIALS = 7
# A knob's value of so many characters is cut; trials.csv has all of it.
CHARACTERS = 28
Cell = Callable[[Configuration], str]


def beside(facts: TrialFacts) -> str:
    """The card; empty where no trial has ended a rung."""
    best = [one for one in facts.trials if one.last is not None][:MOST_TRIALS]
    if not best:
        return ""
    head = "".join(
        f'<th scope="col">{title}<small>{escape(note)}</small></th>'
        for title, note in [
            ("", ""),
            ("original", "not trained"),
            *((f"trial {one.number}", WORDS[one.standing]) for one in best),
        ]
    )
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}'
        "</tr>"
        for name, cells in _rows(facts, best)
    )
    return card(
        "The original beside the best",
        _lead(facts, len(best)),
        '<div class="scroll" tabindex="0" role="group" aria-label="The original beside the best">'
        f'<table class="beside"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>',
    )


def _lead(facts: TrialFacts, shown: int) -> str:
    what = "The original is the network of all trials with the recipe's own values."
    name = facts.record.original.name
    if name:
        what = f"The original is {escape(name)}, which the space is made around."
    elif decisions(facts.record):
        what = "The original is the largest network of the space"
        what += " with the recipe's own values." if knobs(facts.record) else "."
    return (
        f"{what} Bold is smaller than in the original; factors are shares of it. Trials of the "
        f"front stand first, then those that trained longest; {shown} of {len(facts.trials)} are "
        f"shown. The ids in trials.csv, such as {facts.record.id_of(facts.trials[0].number)}, are "
        "of this run alone."
    )


def _rows(facts: TrialFacts, best: Sequence[ShownTrial]) -> Iterator[tuple[str, list[str]]]:
    """Name of a row, and the cells of the original and of each trial."""
    record = facts.record
    original = record.original
    yield "epochs", [numbers.UNKNOWN, *(f"{one.epochs:g}" for one in best)]
    same = next((one for one in best if _is_original(facts, one)), None)
    for text in _reached(facts, best):
        name = text.partition("=")[0]
        own = None if same is None else same.value(text)
        cells = [_value(name, value) for value in (own, *(one.value(text) for one in best))]
        yield text, cells
    yield from _evaluated(facts, best)
    if facts.has_formats:
        networks = [original.network, *(one.trial.network for one in best)]
        cells = [_widths(bits_of_text(text), bits_of_text(original.network)) for text in networks]
        yield "bits of weights / of what is read", cells
    for name, known in original.known.items():
        if name in facts.hidden:
            continue
        yield (
            name.replace("_", " "),
            [_value(name, known), *(_sized(name, one.trial.known[name], known) for one in best)],
        )
    yield from _knobs(facts, best)


def _knobs(facts: TrialFacts, best: Sequence[ShownTrial]) -> Iterator[tuple[str, list[str]]]:
    """What the configurations are: decisions by their names, then knobs without a place."""
    record, original = facts.record, facts.record.original
    configurations = [original.configuration, *(one.trial.configuration for one in best)]
    for kind, members in decisions(record).items():
        names = [member.name for member in members]
        if kind == SKIP:
            cells = [_left_out(names, found, original.configuration) for found in configurations]
            yield f"blocks left out, {len(names)} at most", cells
            continue
        if all(map(is_yes_or_no, members)):
            tags = [name.rpartition(".")[0] for name in names]
            cells = [_places(tags, [bool(found[n]) for n in names]) for found in configurations]
            yield f"{kind.replace('_', ' ')} at", cells
            continue
        cells = [_blocks(names, found, original.configuration) for found in configurations]
        yield f"{kind.replace('_', ' ')}{_several(names, bool(original.name))}", cells
    for knob in knobs(record):
        cells = [_knob(found[knob.name]) for found in configurations]
        if not is_of_recipe(knob.name):
            # Knobs of the network are smaller or larger; a rate is not.
            cells = [_block(knob.name, found, original.configuration) for found in configurations]
        yield knob.name.replace("_", " "), cells


def _several(names: Sequence[str], holds_for_networks: bool) -> str:
    """Where several decisions of one name are, in the order of their values."""
    if len(names) == 1:
        return ""
    if not holds_for_networks:
        return f" of {len(names)} blocks"
    first, last = (name.rpartition(".")[0] for name in (names[0], names[-1]))
    return f", {first} to {last}"


def _places(tags: Sequence[str], is_there: Sequence[bool]) -> str:
    """The layers that have something."""
    found = [tag for tag, is_one in zip(tags, is_there, strict=True) if is_one]
    return escape(", ".join(found)) or "none"


def _widths(layers: Sequence[LayerBits], original: Sequence[LayerBits]) -> str:
    """Bits of weights and of what is read, each in bold where it is less than in the original."""
    if not layers:
        return numbers.UNKNOWN
    both = []
    for text, own, before in zip(
        widths_text(layers), _means(layers), _means(original), strict=True
    ):
        both.append(f'<b class="smaller">{text}</b>' if own < before else text)
    return " / ".join(both)


def _means(layers: Sequence[LayerBits]) -> tuple[float, float]:
    """Bits of a weight and of what is read, on average; nothing is less than unknown ones."""
    if not layers:
        return 0.0, 0.0
    return mean_bits(layers), fmean(one.reads_bits for one in layers[1:] or layers)


def _evaluated(facts: TrialFacts, best: Sequence[ShownTrial]) -> Iterator[tuple[str, list[str]]]:
    """What whole trainings come to on the evaluation images, which chose nothing."""
    found = {
        (one.trial, value.metric): value.value
        for one in facts.record.evaluated
        if one.metrics is not None
        for value in one.metrics.values
    }
    for text in dict.fromkeys(metric for _, metric in found):
        name = text.partition("=")[0]
        cells = [_value(name, found.get((one.number, text))) for one in best]
        yield f"{text}, evaluation images", [numbers.UNKNOWN, *cells]


def _is_original(facts: TrialFacts, one: ShownTrial) -> bool:
    return key_of(one.trial.configuration) == key_of(facts.record.original.configuration)


def _reached(facts: TrialFacts, best: Sequence[ShownTrial]) -> list[str]:
    """Objectives that are trained for, and what else was measured of all of these."""
    measured = [set(one.last.reached) for one in best if one.last is not None]
    further = set.intersection(*measured) - set(facts.record.objectives)
    known = facts.record.original.known
    return [*facts.judged, *sorted(text for text in further if text not in known)]


def _value(name: str, value: float | None) -> str:
    return numbers.UNKNOWN if value is None else escape(value_text(name, value))


def _sized(name: str, value: float, original: float) -> str:
    """A quantity with its share of the original's; in bold where it is less."""
    text = _value(name, value)
    # Only what costs something is worth to be smaller.
    if name not in QUANTITIES or parse_objective(name).direction != "minimise" or not original:
        return text
    shown = f'<b class="smaller">{text}</b>' if value < original else text
    ratio = value / original
    digits = f"{ratio:.2f}" if ratio >= 0.01 else f"{ratio:.1g}"
    return f"{shown}<small>{digits} ×</small>"


def _blocks(names: Sequence[str], found: Configuration, original: Mapping[str, Value]) -> str:
    """Values of one attribute over all blocks, those smaller than the original's in bold."""
    return " ".join(_block(name, found, original) for name in names)


def _left_out(names: Sequence[str], found: Configuration, original: Mapping[str, Value]) -> str:
    """How many blocks are left out; more of them make a smaller network."""
    count, before = (sum(bool(each[name]) for name in names) for each in (found, original))
    return f'<b class="smaller">{count}</b>' if count > before else str(count)


def _block(name: str, found: Configuration, original: Mapping[str, Value]) -> str:
    value, before = found[name], original[name]
    if is_left_out(found, name):
        is_less = not is_left_out(original, name)
        return f'<b class="smaller">{numbers.UNKNOWN}</b>' if is_less else numbers.UNKNOWN
    return f'<b class="smaller">{_knob(value)}</b>' if _is_less(value, before) else _knob(value)


def _is_less(value: Value, before: Value) -> bool:
    """Whether a value makes a smaller network: fewer of something, or a format of fewer bits."""
    own, other = _size(value), _size(before)
    return own is not None and other is not None and own < other


def _size(value: Value) -> float | None:
    """A number, or the bits of a number format; None of anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return bits_of(parse_format(value)) if isinstance(value, str) else None
    except InputError:
        return None


def _knob(value: Value) -> str:
    """A value as people read it."""
    if isinstance(value, float):
        return f"{value:.3g}"
    text = value if isinstance(value, str) else "none" if value is None else json.dumps(value)
    return escape(text if len(text) <= CHARACTERS else f"{text[: CHARACTERS - 1]}…")
