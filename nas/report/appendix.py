"""The end of the report: layers, warnings, what is missing, where it ran, what words mean."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from nas.cost.counts import architecture_cost
from nas.report import numbers
from nas.report.comparison import ComparedNetwork
from nas.report.sections import section
from nas.runs.reader import RunRecords
from nas.runs.strict_json import Record

LAYER_COLUMNS = ("", "layer", "type", "output", "params", "MACs")
DEFINITIONS = (
    (
        "measured ms",
        "the 25th percentile (p25) of runs of the whole ONNX file in visits that are interleaved "
        "with other networks; a lower one where other programs slowed a process down, such that "
        "networks beside it take what the table says; its interval is a 95 % bootstrap over visits",
    ),
    ("predicted ms", "a × (sum of the table's rows) + b, both fitted on whole networks"),
    ("met", "measured within 2 % of what was asked: 0.98 T to 1.02 T"),
    ("params", "trainable parameters, batch-norm statistics not counted"),
    ("MACs", "multiply-adds of one image; one multiply-add is one MAC"),
    ("size", "bits of the folded weights / 8; kB and MB are 1000 and 1,000,000 bytes"),
    ("uniform scaling", "all kernels 3 × 3, all expansions 6, one width multiplier"),
    ("random", "drawn from the space, within 2 % of this network's measured ms"),
    (
        "supernet, not retrained",
        "accuracy with weights taken from the supernet, batch norm re-estimated; not what the "
        "network reaches after its own training",
    ),
)


def notes_html(records: RunRecords, networks: Sequence[ComparedNetwork]) -> str:
    """Warnings first, then what has not run yet and the command for it."""
    warnings = [*records.warnings]
    if records.table:
        warnings += [str(text) for text in records.table.items("warnings")]
    if records.certificate:
        warnings += [str(text) for text in records.certificate.items("warnings")]
    shown = [escape(text) for text in dict.fromkeys(warnings)]
    missing = [
        f"{escape(what)}: {verb} <code>{escape(command)}</code>"
        for what, verb, command in _missing(records, networks)
    ]
    return _note("Warnings", shown, "") + _note("Not there yet", missing, " plain")


def _note(title: str, items: Sequence[str], kind: str) -> str:
    if not items:
        return ""
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f'<div class="note{kind}"><b>{title}</b><ul>{listed}</ul></div>'


def _missing(
    records: RunRecords, networks: Sequence[ComparedNetwork]
) -> list[tuple[str, str, str]]:
    """What has not run, what to do, and the command."""
    retrain = f"python main.py --run {records.path}"
    own = next((n for n in networks if n.role == "searched"), None)
    if records.architecture is None:
        return [("no architecture yet", "repeat the search's command with", "--resume")]
    if records.certificate is None:
        return [("not certified yet", "repeat the search's command with", "--resume")]
    if own is not None and own.top1 is None:
        return [("not retrained yet", "run", retrain)]
    if records.baselines is None:
        return [("not compared by training yet", "run", f"{retrain} --baselines")]
    return []


def layers_section(records: RunRecords) -> str:
    """Every layer with its type, output, parameters and MACs."""
    if records.architecture is None:
        return ""
    cost = architecture_cost(records.architecture)
    rows = "".join(
        f"<tr><td>{layer.index}</td><td><code>{escape(layer.name)}</code></td>"
        f"<td>{escape(layer.type)}</td><td>{' × '.join(map(str, layer.output_shape))}</td>"
        f"<td>{numbers.whole(layer.params)}</td><td>{numbers.whole(layer.macs)}</td></tr>"
        for layer in cost.layers
    )
    rows += (
        f'<tr class="total"><td></td><td>in total</td><td></td><td></td>'
        f"<td>{numbers.whole(cost.params)}</td><td>{numbers.whole(cost.macs)}</td></tr>"
    )
    head = "".join(f"<th>{name}</th>" for name in LAYER_COLUMNS)
    table = (
        f'<div class="scroll"><table class="layers"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )
    return section("Layer by layer", "", f"<details><summary>Show</summary>{table}</details>")


def origin_section(records: RunRecords) -> str:
    """Command, images, machine and hyper-parameters: what it takes to repeat the run."""
    config = records.config
    blocks = []
    commands = ""
    if config:
        command = config.text("command")
        if command:
            retrain = f"python main.py --run {records.path}"
            commands = f"<pre>{escape(command)}\n{escape(retrain)}</pre>"
        plain = ("seed", "space", "image_size", "num_classes")
        search = config.child("search")
        values = {key: config.values[key] for key in plain if key in config.values}
        blocks.append(_pairs("Search", {**values, **(search.values if search else {})}))
        blocks.append(_record_pairs("Images", config.child("data")))
    blocks.append(_record_pairs("Machine and versions", _environment(records)))
    shown = "".join(block for block in blocks if block)
    if not shown and not commands:
        return ""
    return section("To repeat it", "", commands, f'<div class="columns">{shown}</div>')


def _environment(records: RunRecords) -> Record | None:
    for record in (records.certificate, records.config):
        environment = record.child("environment") if record else None
        if environment is not None:
            return environment
    return None


def _record_pairs(title: str, record: Record | None) -> str:
    return "" if record is None else _pairs(title, dict(record.values))


def _pairs(title: str, values: dict[str, Any]) -> str:
    items = "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{escape(numbers.value_text(value))}</dd>"
        for key, value in values.items()
        if value not in (None, [], {}, "")
    )
    return f'<div><h3>{title}</h3><dl class="pairs">{items}</dl></div>' if items else ""


def definitions_section() -> str:
    """What the words of the page mean."""
    items = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in DEFINITIONS)
    return section("What the words mean", "", f'<dl class="pairs">{items}</dl>')
