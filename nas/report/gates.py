"""The gates as small areas over the search; plain HTML and SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.methods.history import GateHistory
from nas.report import cards, numbers
from nas.report.gate_facets import Facet, facets_of

SMALL_WIDTH, SMALL_HEIGHT = 160, 72


def gates_html(gates: GateHistory) -> str:
    """Small pictures of each choice: how the probability of each option moved over the search.

    Where options differ in more than their block, such as in bits, each decision has a picture of
    its own with the sums over all options of a value.

    Args:
        gates: With one record or more.
    """
    facets = facets_of(gates.choices)
    cells = []
    for place, choice in enumerate(gates.choices):
        shown = [facet for facet in facets if facet.is_decided(place)] or list(facets[:1])
        pictures = "".join(_picture(gates, place, facet, len(facets) > 1) for facet in shown)
        cells.append(
            f'<figure class="gate"><span>{escape(choice.tag.replace("_", " "))}</span>'
            f"{pictures}</figure>"
        )
    return f'{_legends(facets)}<div class="gates">{"".join(cells)}</div>'


def _legends(facets: Sequence[Facet]) -> str:
    """What the colours mean, with a title each where there are several facets."""
    found = []
    for facet in facets:
        title = f'<p class="facet">{escape(facet.title)}</p>' if len(facets) > 1 else ""
        found.append(title + cards.legend(facet.colours))
    return "".join(found)


def _picture(gates: GateHistory, place: int, facet: Facet, is_titled: bool) -> str:
    """The areas of one decision of a choice, and its likeliest value at the end."""
    rows = [_sums(facet.labels[place], record[place]) for record in gates.probabilities]
    best = max(rows[-1], key=rows[-1].__getitem__)
    title = f"{escape(facet.title)} " if is_titled else ""
    label = f"gate probabilities of {escape(gates.choices[place].tag)}, {escape(facet.title)}"
    return (
        f"{_areas(gates.steps, rows, facet, label)}<figcaption>{title}<b>{escape(best)}</b> "
        f"{numbers.share(rows[-1][best], 0)}</figcaption>"
    )


def _sums(labels: Sequence[str], probabilities: Sequence[float]) -> dict[str, float]:
    """Label -> the probability of all options that have it."""
    found: dict[str, float] = dict.fromkeys(labels, 0.0)
    for label, probability in zip(labels, probabilities, strict=True):
        found[label] += probability
    return found


def _areas(steps: Sequence[int], rows: Sequence[dict[str, float]], facet: Facet, label: str) -> str:
    """Stacked areas as SVG polygons; a single record becomes bands over the whole width."""
    if len(rows) == 1:
        steps, rows = (0, 1), [*rows, *rows]
    span = (steps[-1] - steps[0]) or 1.0
    xs = [SMALL_WIDTH * (step - steps[0]) / span for step in steps]
    floor = [0.0] * len(rows)
    shapes = []
    for value in (value for value in facet.colours if value in rows[0]):
        top = [low + row[value] for low, row in zip(floor, rows, strict=True)]
        upper = [_point(x, y) for x, y in zip(xs, top, strict=True)]
        lower = [_point(x, y) for x, y in zip(xs, floor, strict=True)]
        points = " ".join(upper + lower[::-1])
        shapes.append(f'<polygon fill="{facet.colours[value]}" points="{points}"/>')
        floor = top
    return (
        f'<svg viewBox="0 0 {SMALL_WIDTH} {SMALL_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{label}">{"".join(shapes)}</svg>'
    )


def _point(x: float, probability: float) -> str:
    return f"{x:.1f},{SMALL_HEIGHT * (1 - min(probability, 1.0)):.1f}"
