"""The gates as small areas over the search; plain HTML and SVG."""

from __future__ import annotations

from html import escape

from nas.architecture import text as arch_text
from nas.architecture.spec import Layer, MBConv, Skip
from nas.errors import ArchitectureError
from nas.methods.history import GateHistory
from nas.report import cards, numbers
from nas.report.blocks import OTHER_COLOUR, box_text, kernel_colour

SKIP_COLOUR = "#e2e6ec"
# Small expansions are drawn in a lighter tint of their kernel's colour.
LIGHT_EXPANSION_BELOW = 5
TINT = 0.45
SMALL_WIDTH, SMALL_HEIGHT = 160, 72


def option_colour(token: str) -> str:
    """Colour of an option: its kernel's, lighter for a small expansion, grey for skip.

    Args:
        token: Text of its layer.
    """
    record = _option(token)
    if isinstance(record, Skip):
        return SKIP_COLOUR
    colour = OTHER_COLOUR if record is None else kernel_colour(record)
    if isinstance(record, MBConv) and record.expansion < LIGHT_EXPANSION_BELOW:
        return _lighter(colour)
    return colour


def option_label(token: str) -> str:
    """'k5 e6', 'skip', or the token of a user's own block.

    Args:
        token: Text of its layer.
    """
    record = _option(token)
    if isinstance(record, Skip):
        return "skip"
    return box_text(record) if isinstance(record, MBConv) else token


def _option(token: str) -> Layer | None:
    """The record of an option, or None for a block that is not registered here."""
    try:
        return arch_text.parse(f"in_s1 {token}").layers[0]
    except (ArchitectureError, IndexError):
        return None


def _lighter(colour: str) -> str:
    parts = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(value + TINT * (255 - value)):02x}" for value in parts)


def gates_html(gates: GateHistory) -> str:
    """One small picture a choice: how the probability of each option moved over the search.

    Args:
        gates: With one record or more.
    """
    cells = []
    for place, choice in enumerate(gates.choices):
        last = gates.probabilities[-1][place]
        best = max(range(len(last)), key=last.__getitem__)
        token = choice.options[best]
        cells.append(
            f'<figure class="gate">{_areas(gates, place)}<figcaption>'
            f"<span>{escape(choice.tag.replace('_', ' '))}</span>"
            f"<b>{escape(option_label(token))}</b> {numbers.share(last[best], 0)}"
            "</figcaption></figure>"
        )
    return f'{_legend(gates)}<div class="gates">{"".join(cells)}</div>'


def _areas(gates: GateHistory, place: int) -> str:
    """Stacked areas as SVG polygons; a single record becomes bands over the whole width."""
    choice = gates.choices[place]
    steps = gates.steps if len(gates.steps) > 1 else (0, 1)
    records = [record[place] for record in gates.probabilities]
    if len(records) == 1:
        records *= 2
    span = (steps[-1] - steps[0]) or 1.0
    xs = [SMALL_WIDTH * (step - steps[0]) / span for step in steps]
    floor = [0.0] * len(records)
    shapes = []
    for option, token in enumerate(choice.options):
        top = [low + record[option] for low, record in zip(floor, records, strict=True)]
        upper = [_point(x, y) for x, y in zip(xs, top, strict=True)]
        lower = [_point(x, y) for x, y in zip(xs, floor, strict=True)]
        shapes.append(
            f'<polygon fill="{option_colour(token)}" points="{" ".join(upper + lower[::-1])}"/>'
        )
        floor = top
    return (
        f'<svg viewBox="0 0 {SMALL_WIDTH} {SMALL_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="gate probabilities of {escape(choice.tag)}">{"".join(shapes)}</svg>'
    )


def _point(x: float, probability: float) -> str:
    return f"{x:.1f},{SMALL_HEIGHT * (1 - min(probability, 1.0)):.1f}"


def _legend(gates: GateHistory) -> str:
    seen = {option_label(t): option_colour(t) for c in gates.choices for t in c.options}
    return cards.legend(seen)
