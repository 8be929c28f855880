"""This network beside the largest, a uniformly scaled one and random ones."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.cost.units import Unit
from nas.report import cards, numbers, plots
from nas.report.bit_columns import HEADINGS, bit_cells, bits_are_shown
from nas.report.comparison import ShownNetwork, has_several_seeds
from nas.report.facts import RunFacts
from nas.report.recipe_facts import recipe_facts
from nas.report.seeds import MoreSeeds, difference_text, seed_lines
from nas.report.terminal import interval_text, spread_cell
from nas.selection.seed_spread import difference

COLUMNS = (
    *("asked", "predicted ms", "measured ms", "as seen ms"),
    *("params", "MACs", *HEADINGS, "memory", "top-1", "top-5"),
)
LEAD = "What the same {} buy elsewhere, and what more of them would buy."


def comparison(run: RunFacts) -> str:
    """The final table, and accuracy against latency once there are two accuracies."""
    networks = run.networks
    if not networks:
        return ""
    unit = run.unit
    has_bits = bits_are_shown(networks) or not unit.is_measured
    cells = [_cells(network, has_bits, unit) for network in networks]
    used = [i for i in range(len(COLUMNS)) if any(c[i] != numbers.UNKNOWN for c in cells)]
    columns = (f"asked {unit.text}", *COLUMNS[1:])
    head = "".join(f"<th>{name}</th>" for name in ("", *(columns[i] for i in used)))
    rows = "".join(
        _row(network, [(columns[i], own[i]) for i in used])
        for network, own in zip(networks, cells, strict=True)
    )
    table = f'<table class="compare"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    images = _evaluation_images(run)
    plot = plots.accuracy_plot(networks, images, unit)
    figure = ""
    if any(network.top1 is not None for network in networks):
        chart = cards.chart(
            plot, f"Accuracy against {unit.noun}", "Higher and further left is better."
        )
        fairness = _fairness(run, images, plot is not None)
        figure = f'<div class="gap">{cards.charts(chart, fairness)}</div>'
    wanted = unit.plural
    return cards.card("Beside other networks", LEAD.format(wanted), table, figure)


def _evaluation_images(run: RunFacts) -> int | None:
    """How many images the accuracies are shares of."""
    certificate = run.records.certificate
    return certificate.evaluation_images if certificate else None


def _fairness(run: RunFacts, images: int | None, has_plot: bool) -> str:
    """By which recipe, with which seeds and on how much the networks were compared."""
    texts = ["One recipe trained all of them.", *_seed_texts(run)]
    if has_plot and has_several_seeds(run.networks):
        texts.append("Upright lines: 95 % interval of the mean over seeds.")
    elif has_plot and images:
        texts.append(
            f"Upright lines: 95 % interval of a share of {numbers.whole(images)} images by itself, "
            "which is not the spread between seeds."
        )
    baselines = run.records.baselines
    recipe = cards.pairs(recipe_facts(baselines.recipe)) if baselines else ""
    said = "".join(f"<p>{escape(text)}</p>" for text in texts)
    return f'<div class="aside"><h3>How they were compared</h3>{said}{recipe}</div>'


def _seed_texts(run: RunFacts) -> list[str]:
    """The spread between seeds, the verdict on the search, and each network against the found."""
    certificate = run.records.certificate
    if certificate is None:
        return []
    texts = seed_lines(run.networks, certificate, MoreSeeds(run.records.path))
    own = certificate.known_trainings
    for network in run.networks:
        other = network.known_trainings
        if own is None or other is None or network.role == "searched":
            continue
        found = difference(own, other)
        if found is not None:
            texts.append(f"This network against {network.label}: {difference_text(found)}.")
    return texts


def _cells(network: ShownNetwork, has_bits: bool, unit: Unit) -> tuple[str, ...]:
    interval = interval_text(network)
    measured = numbers.milliseconds(network.measured_ms)
    if interval != numbers.UNKNOWN:
        measured += f"<small>{interval}</small>"
    seen = numbers.milliseconds(network.seen_p50_ms)
    if network.seen_p90_ms is not None:
        seen += f"<small>p90 {numbers.milliseconds(network.seen_p90_ms)}</small>"
    top1, top5 = numbers.share(network.mean_top1), numbers.share(network.top5)
    if network.known_trainings is not None and network.known_trainings.count > 1:
        top1 += f"<small>sd (seeds) {spread_cell(network.known_trainings)}</small>"
        top5 += "<small>first training</small>" if network.top5 is not None else ""
    if network.top1 is None and network.supernet_top1 is not None:
        top1 = f"{numbers.share(network.supernet_top1)}<small>supernet, not retrained</small>"
    return (
        numbers.bare_figure(unit, network.asked(unit)),
        numbers.milliseconds(network.predicted_ms),
        measured,
        seen,
        numbers.count(network.params),
        numbers.count(network.macs),
        *(bit_cells(network) if has_bits else [numbers.UNKNOWN for _ in HEADINGS]),
        numbers.size(network.memory_bytes),
        top1,
        top5,
    )


def _row(network: ShownNetwork, cells: Sequence[tuple[str, str]]) -> str:
    columns = "".join(
        f'<td data-label="{name}"{_none_class(cell)}><span>{cell}</span></td>'
        for name, cell in cells
    )
    own = ' class="own"' if network.role == "searched" else ""
    return f"<tr{own}><td>{escape(network.label)}</td>{columns}</tr>"


def _none_class(cell: str) -> str:
    return ' class="none"' if cell == numbers.UNKNOWN else ""
