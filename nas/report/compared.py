"""A comparison for people: the table in the terminal, what to be careful with, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from latency import atomic
from latency.device import strict_json
from latency.device.text import visible
from nas.report import cards, numbers
from nas.report.bit_columns import HEADINGS, bit_cells, bits_are_shown
from nas.report.bubbles import bubbles_address, bubbles_caption, bubbles_png
from nas.report.curves import PICTURE_NAME as CURVES_NAME
from nas.report.curves import TrainingCurve, curves_address, write_curves
from nas.report.metrics import spread_cells
from nas.report.page import REPORT_NAME
from nas.report.recipe_facts import recipe_facts
from nas.report.style import STYLE_SHEET
from nas.report.terminal import spread_cell
from nas.runs.compared import ComparedNetworks, ComparedRow
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.history import read_history
from nas.selection.success_rate import SuccessRate
from nas.training.history import TrainingRow

PICTURE_NAME = "compared.png"
# Of a figure that each of several trainings has, where it is not their mean.
FIRST = ", first training"
# Columns that the page shows small below the column before.
BELOW = ("sd (seeds)", "95 % interval")
LEAD = (
    "Every network as the file that ships, measured in one session with all visits in random "
    "order. A kB is 1000 bytes; peak memory is that of the maps between layers, without weights."
)


def columns(found: ComparedNetworks) -> list[tuple[str, list[str]]]:
    """Heading -> a cell for each network, in the order of the table.

    Args:
        found: The comparison.
    """
    rows = found.networks
    several = any(row.trainings and row.trainings.count > 1 for row in rows)
    mean, first = (", mean", FIRST) if several else ("", "")
    shown = [(f"top-1{mean}", [numbers.share(r.mean_top1) for r in rows])]
    if several:
        shown.append(("sd (seeds)", [spread_cell(row.trainings) for row in rows]))
    if any(row.success for row in rows):
        shown.append(("reached", [success_cell(row.success) for row in rows]))
    metrics = spread_cells([row.metric_spreads for row in rows])
    return [
        *shown,
        *((f"{metric}{mean}", cells) for metric, cells in metrics),
        (f"top-5{first}", [numbers.share(row.top5) for row in rows]),
        (f"training top-1{first}", [numbers.share(row.train_top1) for row in rows]),
        ("params", [numbers.count(row.params) for row in rows]),
        ("MACs", [numbers.count(row.macs) for row in rows]),
        *_bit_columns(rows),
        ("file", [numbers.size(row.file_bytes) for row in rows]),
        ("peak memory", [numbers.size(row.memory_bytes) for row in rows]),
        ("measured ms", [numbers.milliseconds(row.measured_ms) for row in rows]),
        ("95 % interval", [_interval(row) for row in rows]),
        ("s/epoch", [_seconds(row.seconds_per_epoch) for row in rows]),
    ]


def _bit_columns(rows: Sequence[ComparedRow]) -> list[tuple[str, list[str]]]:
    if not bits_are_shown(rows):
        return []
    cells = zip(*map(bit_cells, rows), strict=True)
    return [(name, list(column)) for name, column in zip(HEADINGS, cells, strict=True)]


def compared_table(found: ComparedNetworks) -> Table:
    """The table that ends `main.py --compare`.

    Args:
        found: The comparison.
    """
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("network", overflow="fold")
    shown = columns(found)
    for name, _ in shown:
        table.add_column(_in_two_lines(name), justify="right", no_wrap=True)
    for number, row in enumerate(found.networks):
        table.add_row(row.name, *(cells[number] for _, cells in shown))
    return table


def _in_two_lines(name: str) -> str:
    if len(name) <= 7:
        return name
    comma = ", " in name
    head, space, rest = name.rpartition(", " if comma else " ")
    return f"{head}{',' if comma else ''}\n{rest}" if space else name


def success_cell(success: SuccessRate | None) -> str:
    """'4 of 5 (92 %)': trainings that reached a goal; a dash where nobody asked.

    Args:
        success: Of a network.
    """
    if success is None:
        return numbers.UNKNOWN
    return f"{success.reached} of {success.trainings} ({100 * success.goal_top1:g} %)"


def _interval(row: ComparedRow) -> str:
    if row.measured_low_ms is None or row.measured_high_ms is None:
        return numbers.UNKNOWN
    low, high = row.measured_low_ms, row.measured_high_ms
    return f"{numbers.milliseconds(low)}–{numbers.milliseconds(high)}"


def _seconds(value: float | None) -> str:
    """Seconds with three digits or so."""
    if value is None:
        return numbers.UNKNOWN
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def compared_warnings(
    rows: Sequence[ComparedRow], host_fingerprint: str, is_smoke: bool
) -> tuple[str, ...]:
    """What makes the figures of a comparison less comparable.

    Args:
        rows: Of the comparison.
        host_fingerprint: Of this machine.
        is_smoke: Whether it is of toy size.
    """
    found = []
    if is_smoke:
        found.append("This comparison is of toy size: its figures mean nothing.")
    for other in rows[1:]:
        differing = recipe_differences(rows[0], other)
        if differing:
            found.append(
                f"{other.name} was trained by another recipe than {rows[0].name}: "
                f"{'; '.join(differing)}. Their accuracies differ by that, too."
            )
    elsewhere = [row.name for row in rows if row.trained_on != host_fingerprint]
    if elsewhere:
        found.append(
            f"{', '.join(elsewhere)}: trained or measured on another machine before. The "
            "milliseconds here are new ones of this machine; s/epoch is that machine's."
        )
    return tuple(found)


def recipe_differences(one: ComparedRow, other: ComparedRow) -> list[str]:
    """In which knobs two trainings differ, in words.

    Args:
        one: A network.
        other: Another one.
    """
    if one.recipe is None or other.recipe is None:
        known = one if one.recipe else other
        return [] if one.recipe is other.recipe else [f"the recipe of {known.name} alone is known"]
    first, second = _flat(strict_json.encode(one.recipe)), _flat(strict_json.encode(other.recipe))
    return [
        f"{name.replace('_', ' ')} {_value(second.get(name))} instead of {_value(value)}"
        for name, value in {**dict.fromkeys(second), **first}.items()
        # More seeds of the same training are no other recipe.
        if second.get(name) != value and name not in ("seeds", "seed")
    ]


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Knobs by their names, those of records inside of the recipe among them."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value) if isinstance(value, Mapping) else {name: value}
    return found


def _value(value: Any) -> str:
    return "none" if value is None else numbers.value_text(value)


def write_compared_page(path: Path) -> Path:
    """Writes the pictures and the page of a comparison from its records.

    Args:
        path: Folder of the comparison.

    Returns:
        Path of the page.

    Raises:
        LatencyError: The comparison is not finished, or a record is broken.
    """
    found = RunFolder(path).read(ComparedNetworks)
    picture = bubbles_png(found.networks)
    if picture is not None:
        atomic.write_bytes(path / PICTURE_NAME, picture)
    curves = training_curves(path, found)
    if curves:
        write_curves(curves, path / CURVES_NAME)
    page = path / REPORT_NAME
    atomic.write_text(page, compared_html(path, found, curves))
    return page


def training_curves(path: Path, found: ComparedNetworks) -> list[TrainingCurve]:
    """The histories of a comparison's trainings, of those that have one.

    Args:
        path: Folder of the comparison.
        found: Its record.
    """
    histories = [
        (row.name, read_history(TrainingRow, path / row.run / TrainingRow.FILE))
        for row in found.networks
    ]
    return [TrainingCurve(name, rows) for name, rows in histories if rows]


def compared_html(path: Path, found: ComparedNetworks, curves: Sequence[TrainingCurve]) -> str:
    """The whole page.

    Args:
        path: Folder of the comparison.
        found: Its record.
        curves: Of its trainings.
    """
    data = RunFolder(path / found.networks[0].run).read(DataRecord)
    title = f"{len(found.networks)} networks compared"
    parts = [
        f'<header><p class="brand">Stopwatch NAS</p><h1>{escape(title)}</h1>'
        f"<p>{escape(data.name)}, {data.num_classes} classes, {data.train_images:,} training and "
        f"{data.evaluation_images:,} evaluation images of {data.image_size} px · "
        f"{escape(found.environment.cpu_model)} · {escape(found.date)}</p></header>",
        _notes(found.warnings),
        cards.card("Beside each other", LEAD, _html_table(found)),
        cards.card("In pictures", "", _pictures(found, curves)),
        cards.card("How they were compared", "", _conditions(found)),
    ]
    return visible(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)} · Stopwatch NAS</title><link rel="icon" href="data:,">'
        f"<style>{STYLE_SHEET}</style></head><body><main>{''.join(parts)}"
        "<footer>Written by Stopwatch NAS from compared.json in this folder.</footer>"
        "</main></body></html>\n"
    )


def _notes(warnings: Sequence[str]) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    return f'<div class="note"><ul>{items}</ul></div>' if items else ""


def _html_table(found: ComparedNetworks) -> str:
    """The same table; a spread stands small below its figure, so that all columns have room."""
    shown: list[tuple[str, list[str]]] = []
    for name, values in columns(found):
        cells = [escape(value) for value in values]
        if name in BELOW:
            small = [f"<small>{x}</small>" if x != numbers.UNKNOWN else "" for x in cells]
            title, above = shown.pop()
            shown.append((title, [a + below for a, below in zip(above, small, strict=True)]))
        else:
            shown.append((escape(name), cells))
    head = "".join(f"<th>{name}</th>" for name in ("network", *(n for n, _ in shown)))
    body = ""
    for number, row in enumerate(found.networks):
        cells_of_row = "".join(
            f'<td data-label="{name}"><span>{values[number]}</span></td>' for name, values in shown
        )
        name = escape(row.name)
        link = f'<a href="{escape(row.run)}/{REPORT_NAME}">{name}</a>'
        body += f"<tr><td>{link if row.is_trained_here else name}</td>{cells_of_row}</tr>"
    return (
        f'<div class="scroll"><table class="compare"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _pictures(found: ComparedNetworks, curves: Sequence[TrainingCurve]) -> str:
    shown = [
        cards.chart(
            bubbles_address(found.networks),
            "Accuracy against milliseconds",
            bubbles_caption(found.networks),
        )
    ]
    if curves:
        caption = "Loss and accuracy are means over training steps, on augmented images."
        shown.append(cards.chart(curves_address(curves), "Trainings", caption))
    return cards.charts(*shown)


def _conditions(found: ComparedNetworks) -> str:
    recipe = found.networks[0].recipe
    conditions = {} if found.conditions is None else strict_json.encode(found.conditions)
    parts = [f"<h3>Measurement</h3>{cards.pairs(conditions)}"]
    if recipe is not None:
        name = escape(found.networks[0].name)
        pairs = cards.pairs(recipe_facts(recipe))
        parts.append(f"<h3>Recipe of {name}</h3>{pairs}")
    texts = {row.name: row.text for row in found.networks}
    parts.append(f"<h3>Networks</h3>{cards.pairs(texts)}")
    return "".join(f'<div class="aside gap">{part}</div>' for part in parts)
