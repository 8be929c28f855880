"""Trials against bits, coloured by the bit width of their weights, and bits of each layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from html import escape
from itertools import product

from nas.report import bit_chart, cards, numbers
from nas.report.bit_widths import bits_of_text, has_formats, mean_bits, widths_text
from nas.report.trial_page import svg
from nas.report.trial_page.facts import WORDS, ShownTrial, TrialFacts, epochs_text
from nas.report.trials import value_text
from nas.tuning.objectives import Objective, parse_objective

COSTS = ("weight_bits", "bops")
# Charts beyond these are of further metrics, which the table of all trials has.
MOST_METRICS = 2
# Layers of so many networks are drawn: the original, and the first of the best trials.
MOST_NETWORKS = 3
# Marks of more trials than these hold no number.
MOST_NUMBERS = 80
# From few bits to many: light to dark, told apart by colour-blind readers, and on paper as greys.
SHADES = ((0xE0, 0x8A, 0x1E), (0xC2, 0x3B, 0x75), (0x5B, 0x3A, 0x99), (0x14, 0x2A, 0x57))
STYLE = f"""
.bitdot{{stroke:#fff;stroke-width:1.2}}
.bitdot.front{{stroke:#1b2a41;stroke-width:2.2}}
.chart .in{{font-size:10.5px;font-weight:650;fill:#fff;pointer-events:none}}
{bit_chart.STYLE}"""


def accuracy_against_bits(facts: TrialFacts) -> str:
    """The card; empty where no network has formats, or no trial has ended a rung."""
    shown = [one for one in facts.trials if one.last is not None and facts.bits(one)]
    metrics = [parse_objective(text) for text in facts.judged[:MOST_METRICS]]
    costs = [name for name in COSTS if name in facts.record.original.known]
    if not (facts.has_formats and shown and metrics):
        return ""
    widths = sorted({_width(facts, one) for one in shown})
    charts = [
        chart
        for metric, cost in product(metrics, map(Objective, costs))
        if (chart := _chart(facts, shown, cost, metric, widths))
    ]
    unknown = sum(one.last is not None for one in facts.trials) - len(shown)
    lead = (
        "Colour and number are the bits of a weight, on average where layers differ. What is "
        "ringed is on the front. Values of other trials are those after their last training."
    )
    if unknown:
        lead += f" Of {numbers.counted(unknown, 'trial')} the blocks are not known here: their "
        lead += "bits are not drawn."
    colours = {numbers.counted(width, "bit"): _colour(width, widths) for width in widths}
    legend = cards.legend(colours)
    return cards.card("Accuracy against bits", lead, legend, *charts)


def layer_bits(facts: TrialFacts) -> str:
    """The card with the layers of the original and of the best trials; empty without formats."""
    parts = list(_networks(facts))[:MOST_NETWORKS]
    if not parts:
        return ""
    drawn = [f"<h3>{escape(name)}</h3>{chart}" for name, chart in parts]
    return cards.card("Bits by layer", bit_chart.LEAD, bit_chart.bit_legend(), *drawn)


def _networks(facts: TrialFacts) -> Iterator[tuple[str, str]]:
    """Name and picture of each network that has formats, each network once."""
    original = facts.record.original
    best = [one for one in facts.trials if one.last is not None]
    named = [
        ("The original", original.name, original.network),
        *((f"Trial {one.number}", WORDS[one.standing], one.trial.network) for one in best),
    ]
    seen = set()
    for name, note, network in named:
        layers = bits_of_text(network)
        if has_formats(layers) and network not in seen:
            seen.add(network)
            title = f"{name}, {note}" if note else name
            yield title, bit_chart.bit_chart(f"Bits of each layer of {name.lower()}", layers)


def _width(facts: TrialFacts, one: ShownTrial) -> int:
    """Bits of a weight of a trial, as a whole number."""
    return round(mean_bits(facts.bits(one)))


def _colour(width: int, widths: Sequence[int]) -> str:
    """The shade of a bit width: by its place among those of the search."""
    place = widths.index(width) / max(len(widths) - 1, 1) * (len(SHADES) - 1)
    before = min(int(place), len(SHADES) - 2)
    pairs = zip(SHADES[before], SHADES[before + 1], strict=True)
    return "#" + "".join(f"{round(a + (place - before) * (b - a)):02x}" for a, b in pairs)


def _chart(
    facts: TrialFacts,
    shown: Sequence[ShownTrial],
    cost: Objective,
    metric: Objective,
    widths: Sequence[int],
) -> str:
    """One pair of a cost and a metric; empty where no trial has both."""
    places = [
        (one, x, y)
        for one in shown
        if (x := one.value(cost.text)) and (y := one.value(metric.text)) is not None
    ]
    if not places:
        return ""
    original = facts.record.original.known[cost.text]
    known = [original] if original else []
    along = svg.Scale.of(
        [*(x for _, x, _ in places), *known], svg.LEFT, svg.WIDTH - svg.RIGHT, is_log=True
    )
    ys = [y for _, _, y in places]
    up = svg.Scale.of(ys, svg.HEIGHT - svg.BOTTOM, svg.TOP, most=metric.quantity.most)
    has_numbers = len(places) <= MOST_NUMBERS
    # The better ones lie on top.
    marks = [
        _mark(facts, one, (along.place(x), up.place(y)), widths, has_numbers)
        for one, x, y in reversed(places)
    ]
    told = "; ".join(_words(facts, one, metric) for one, _, _ in places[:20])
    better = "more" if metric.direction == "maximise" else "less"
    return svg.drawing(
        f"{metric.text} against {cost.text}",
        f"{len(places)} trials. {told}",
        svg.frame(
            along,
            up,
            f"{cost.text}: {cost.quantity.text}; equal ratios are equally long",
            f"{metric.text}, {better} is better",
            (numbers.count, partial(svg.tick, metric)),
        ),
        svg.original(along, original) if original else "",
        *marks,
    )


def _mark(
    facts: TrialFacts,
    one: ShownTrial,
    place: tuple[float, float],
    widths: Sequence[int],
    has_numbers: bool,
) -> str:
    x, y = place
    width = _width(facts, one)
    ring = " front" if one.standing == "front" else ""
    number = f'<text class="in" x="{x:.1f}" y="{y + 3.8:.1f}" text-anchor="middle">{width}</text>'
    words = "; ".join(_words(facts, one, parse_objective(text)) for text in facts.judged[:1])
    return (
        f'<g><title>{escape(words)}</title><circle class="bitdot{ring}" cx="{x:.1f}" '
        f'cy="{y:.1f}" r="{9 if has_numbers else 5}" fill="{_colour(width, widths)}"/>'
        f"{number if has_numbers else ''}</g>"
    )


def _words(facts: TrialFacts, one: ShownTrial, metric: Objective) -> str:
    weights, reads = widths_text(facts.bits(one))
    value = one.value(metric.text)
    reached = numbers.UNKNOWN if value is None else value_text(metric.name, value)
    return (
        f"Trial {one.number}, {WORDS[one.standing]}, {epochs_text(one.epochs)}: {metric.text} "
        f"{reached}, weights of {weights} bits, reads {reads} bits"
    )
