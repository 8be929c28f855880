"""front.html: one page to pick a network from; it needs no other file to be read."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote

from latency import atomic
from latency.device.text import visible
from nas.cost.units import Unit
from nas.deployment.formats import EXPORT_FORMATS
from nas.report import numbers
from nas.report.bit_columns import HEADINGS, bits_are_shown
from nas.report.cards import card, legend, pairs
from nas.report.front import (
    front_lines,
    front_text,
    gain_text,
    has_several_seeds,
    interval_kind,
    ms_interval,
    standing_text,
    top1_interval_text,
)
from nas.report.front_chart import front_chart
from nas.report.front_script import FRONT_STYLE, SCRIPT
from nas.report.plots import GREEN, ORANGE
from nas.report.style import STYLE_SHEET
from nas.report.verdict import WORDS
from nas.runs.front import Front, FrontNetwork

FRONT_PAGE = "front.html"
# What the page leads to beside the exported files of each network, where they are.
FILES = ("certificate.json", "architecture.json", "model.keras", "report.html")
COLOURS = {"on the front": GREEN, "cannot tell": ORANGE, "dominated": "#98a4b5"}
# A page that came from somewhere else may not load anything either.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def write_front_page(sweep_dir: Path, front: Front) -> Path:
    """Writes the page beside front.json.

    Args:
        sweep_dir: Folder of the sweep, with those of the networks.
        front: Of the sweep.

    Returns:
        Path of the page.
    """
    path = sweep_dir / FRONT_PAGE
    atomic.write_text(path, front_html(sweep_dir, front))
    return path


def front_html(sweep_dir: Path, front: Front) -> str:
    """The whole page.

    Args:
        sweep_dir: Folder of the sweep.
        front: Of the sweep.
    """
    name = sweep_dir.resolve().name
    ids = {network.name: f"network-{i}" for i, network in enumerate(front.networks)}
    on_front = sum(network.standing == "front" for network in front.networks)
    lead = (
        f"{len(front.networks)} trained networks, {on_front} of them on the front. Point at one "
        f"or choose it to see its files. {interval_kind(front)}"
    )
    body = (
        f'<header><p class="brand">Stopwatch NAS</p><h1>{escape(name)}</h1>'
        f"<p>{escape(_facts(front))}</p></header>"
        + card(
            "Pick a network",
            lead,
            legend(COLOURS),
            front_chart(front, ids),
            "".join(_network(n, ids[n.name], sweep_dir, front) for n in front.networks),
        )
        + card("All networks", "A click on a heading sorts.", _table(front, ids))
        + _note(front)
        + card("As text", "For a spreadsheet: tabs between the columns.", _text(front))
        + card("Trained by", "", pairs(_recipe(front)))
    )
    return visible(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(name)} · Stopwatch NAS</title><link rel="icon" href="data:,">'
        f"<style>{STYLE_SHEET}{FRONT_STYLE}</style>"
        "<noscript><style>.net{display:block}</style></noscript>"
        f"</head><body><main>{body}"
        "<footer>Written by Stopwatch NAS from front.json in this folder.</footer>"
        f"</main><script>{SCRIPT}</script></body></html>\n"
    )


def _facts(front: Front) -> str:
    where = front.environment.cpu_model if front.is_measured else f"predicted for {front.device}"
    images = f"{numbers.whole(front.evaluation_images)} evaluation images"
    return " · ".join((where, images, front.date[:10]))


def _recipe(front: Front) -> dict[str, object]:
    recipe = front.recipe
    return {
        "start": "weights of the supernets" if recipe.inherits else "random weights",
        "epochs": recipe.epochs,
        "batch size": recipe.batch_size,
        "optimizer": recipe.optimizer,
        "schedule": recipe.schedule,
        "seeds": [recipe.seed + i for i in range(recipe.seeds)],
    }


def _note(front: Front) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in front_lines(front) if line)
    return f'<div class="note plain"><b>What these figures say</b><ul>{items}</ul></div>'


def _network(network: FrontNetwork, target: str, sweep_dir: Path, front: Front) -> str:
    """What is said of one network when it is pointed at."""
    kind = network.standing.replace(" ", "-")
    words = {"front": "on the front"}.get(network.standing, network.standing)
    ms = "measured ms" if front.is_measured else "predicted ms"
    mean = "top-1, mean" if has_several_seeds(front) else "top-1"
    figures = [
        (ms, numbers.milliseconds(network.ms), ms_interval(network)),
        (mean, numbers.share(network.trainings.mean), f"{top1_interval_text(network)} %"),
        ("top-5", numbers.share(network.top5), "first training"),
        ("params", numbers.count(network.params), f"{numbers.count(network.macs)} MACs"),
        *_bit_figures(network, front.unit),
        ("model.onnx", numbers.size(network.file_bytes), _format(network)),
    ]
    shown = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(more)}</small></dd></div>"
        for name, value, more in figures
    )
    told = (standing_text(network, front.unit), gain_text(network), _asked(network), network.advice)
    says = " ".join(filter(None, told))
    return (
        f'<article class="net" id="{target}"><h3>{escape(network.name)} '
        f'<span class="chip {kind}">{escape(words)}</span></h3>'
        f'<dl class="facts">{shown}</dl><p class="says">{escape(says)}</p>'
        f'<p class="links">{_links(network, sweep_dir)}</p>'
        f'<pre id="{target}-text">{escape(network.text)}</pre>'
        f'<button class="copy" data-copy="{target}-text">Copy the architecture</button></article>'
    )


def _format(network: FrontNetwork) -> str:
    return "with number formats" if bits_are_shown([network]) else "float32"


def _bit_figures(network: FrontNetwork, unit: Unit) -> list[tuple[str, str, str]]:
    if unit.is_measured and not bits_are_shown([network]):
        return []
    return [
        ("weight bits", numbers.count(network.weight_bits), f"{numbers.count(network.bops)} BOPs")
    ]


def _asked(network: FrontNetwork) -> str:
    parts = []
    if network.asked_ms is not None:
        verdict = WORDS[network.outcome] or "not measured"
        parts.append(f"Asked for {numbers.milliseconds(network.asked_ms)} ms: {verdict}.")
    if network.asked_count is not None:
        target = network.asked_count
        asked = numbers.figure(target.unit, target.value)
        parts.append(f"Asked for {asked}: {WORDS[network.outcome]}.")
    if network.goal is None:
        parts.append("A further network, which no goal asked for.")
    if network.same_as is not None:
        parts.append(f"The same architecture as {network.same_as}.")
    return " ".join(parts)


def _links(network: FrontNetwork, sweep_dir: Path) -> str:
    files = (*(EXPORT_FORMATS[name].file for name in EXPORT_FORMATS), *FILES)
    there = [file for file in files if (sweep_dir / network.name / file).is_file()]
    return "".join(f'<a href="{quote(f"{network.name}/{file}")}">{file}</a>' for file in there)


def _table(front: Front, ids: dict[str, str]) -> str:
    several = has_several_seeds(front)
    ms = "measured ms" if front.is_measured else "predicted ms"
    heads = ["network", "standing", ms, "as seen, p50", "top-1, mean" if several else "top-1"]
    has_bits = bits_are_shown(front.networks) or not front.unit.is_measured
    bits = HEADINGS if has_bits else ()
    heads += [
        "top-5, first training" if several else "top-5",
        "params",
        "MACs",
        *bits,
        "file",
        "budget",
    ]
    head = "".join(f'<th scope="col"><button>{escape(text)}</button></th>' for text in heads)
    rows = "".join(_row(network, ids[network.name], heads) for network in front.networks)
    return (
        '<div class="scroll"><table class="compare" id="all"><thead><tr>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(network: FrontNetwork, target: str, heads: list[str]) -> str:
    mean = network.trainings.mean
    cells: list[tuple[object, str, str]] = [
        (network.name, f'<a href="#{target}">{escape(network.name)}</a>', ""),
        (network.standing, escape(network.standing), ""),
        (network.ms, numbers.milliseconds(network.ms), ms_interval(network)),
        (network.seen_p50_ms, numbers.milliseconds(network.seen_p50_ms), ""),
        (mean, numbers.share(mean), top1_interval_text(network)),
        (network.top5, numbers.share(network.top5), ""),
        (network.params, numbers.count(network.params), ""),
        (network.macs, numbers.count(network.macs), ""),
        *_bit_cells(network, heads),
        (network.file_bytes, numbers.size(network.file_bytes), ""),
        (WORDS[network.outcome], escape(WORDS[network.outcome]) or numbers.UNKNOWN, ""),
    ]
    shown = "".join(_cell(head, *cell) for head, cell in zip(heads, cells, strict=True))
    own = ' class="own"' if network.standing == "front" else ""
    return f'<tr{own} data-network="{target}">{shown}</tr>'


def _bit_cells(network: FrontNetwork, heads: list[str]) -> list[tuple[object, str, str]]:
    if HEADINGS[0] not in heads:
        return []
    return [(value, numbers.count(value), "") for value in (network.weight_bits, network.bops)]


def _cell(head: str, value: object, text: str, more: str) -> str:
    """One cell, with what it is sorted by."""
    sorted_by = "" if value is None else escape(str(value))
    small = f"<small>{escape(more)}</small>" if more not in ("", numbers.UNKNOWN) else ""
    return (
        f'<td data-label="{escape(head)}" data-value="{sorted_by}"><span>{text}{small}</span></td>'
    )


def _text(front: Front) -> str:
    # As a reference a tab stays one: `visible` would show it as a backslash and a t.
    text = escape(front_text(front)).replace("\t", "&#9;")
    return (
        f'<pre id="text" class="table">{text}</pre>'
        '<button class="copy" data-copy="text">Copy</button>'
    )
