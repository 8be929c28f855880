"""The top of the report: what was asked, predicted and measured, and whether the budget was met."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.report import numbers
from nas.report.comparison import ComparedNetwork
from nas.runs.reader import RunRecords
from nas.runs.strict_json import Record


def header_html(records: RunRecords) -> str:
    """Name of the run, its space, images and date."""
    config = records.config
    name = (config.text("name") if config else None) or records.path.resolve().name
    facts = []
    if config:
        data = config.child("data")
        space, classes = config.text("space"), config.number("num_classes")
        size = config.number("image_size")
        facts = [
            data.text("name") if data else None,
            f"{numbers.whole(classes)} classes" if classes else None,
            f"{size:.0f} × {size:.0f} px" if size else None,
            f"space {space}" if space else None,
            (config.text("date") or "")[:10],
        ]
    line = " · ".join(escape(fact) for fact in facts if fact)
    return (
        f'<header><p class="brand">Stopwatch NAS</p><h1>{escape(name)}</h1><p>{line}</p></header>'
    )


def asked_ms(records: RunRecords) -> float | None:
    """The target in ms, from the certificate or else the configuration."""
    for record, key in ((records.certificate, "asked_ms"), (records.config, "target_ms")):
        value = record.number(key) if record else None
        if value is not None:
            return value
    return None


def hero_html(records: RunRecords, networks: Sequence[ComparedNetwork]) -> str:
    """The big figures, a bar against the largest network, and the network in numbers."""
    own = next((n for n in networks if n.role == "searched"), None)
    state, verdict = _verdict(records, own)
    if own is None:
        own = ComparedNetwork("searched", "This network", asked_ms=asked_ms(records))
    figures = "".join(
        (_asked(records), _figure("Predicted", own.predicted_ms, "by the latency table"))
    )
    figures += _figure("Measured", own.measured_ms, _reading(records, own), f"main {state}")
    shown = escape(verdict).replace(" %", "&nbsp;%")
    return (
        f'<div class="hero"><div class="verdict {state}">{shown}</div>'
        f'<dl class="figures">{figures}</dl>{_bars(records, networks, state)}'
        f"{_facts(records, own, networks)}</div>"
    )


def _verdict(records: RunRecords, own: ComparedNetwork | None) -> tuple[str, str]:
    if own is None:
        return "", "Search not finished"
    met = records.certificate.flag("met") if records.certificate else None
    asked = asked_ms(records)
    if not asked:
        return "", "No time was asked for: accuracy was traded against latency"
    if met is None or own.measured_ms is None:
        return "", "Not yet measured on the device"
    error = own.measured_ms / asked - 1
    side = "above" if error > 0 else "below"
    text = f"measured {numbers.share(abs(error))} {side} what was asked"
    return ("met", f"Budget met: {text}") if met else ("missed", f"Budget not met: {text}")


def _asked(records: RunRecords) -> str:
    asked = asked_ms(records)
    weight = records.config.number("lambda") if records.config else None
    if asked is None and weight is not None:
        return f"<div><dt>Asked</dt><dd>λ {weight:g}</dd><p>price of ln(ms) in the loss</p></div>"
    return _figure("Asked", asked, "met within ± 2 %")


def _figure(name: str, value_ms: float | None, note: str, state: str = "") -> str:
    unit = "" if value_ms is None else "<small>ms</small>"
    return (
        f'<div class="{state}"><dt>{name}</dt><dd>{numbers.milliseconds(value_ms)}{unit}</dd>'
        f"<p>{escape(note)}</p></div>"
    )


def _reading(records: RunRecords, own: ComparedNetwork) -> str:
    if own.measured_ms is None:
        return "not measured yet"
    quantile = _quantile(records.certificate)
    if own.measured_low_ms is None or own.measured_high_ms is None:
        return f"{quantile}, whole network"
    low, high = map(numbers.milliseconds, (own.measured_low_ms, own.measured_high_ms))
    return f"{quantile}, 95 % interval {low} to {high}"


def _quantile(certificate: Record | None) -> str:
    """Where the runs were read: lower than p25 in processes that other programs slowed down."""
    read = certificate.numbers("measured_quantiles") if certificate else []
    low, high = (f"{100 * q:.0f}" for q in (min(read, default=0.25), max(read, default=0.25)))
    return f"p{low}" if low == high else f"p{low} to p{high}"


def _bars(records: RunRecords, networks: Sequence[ComparedNetwork], state: str) -> str:
    shown = [n for n in networks if n.role in ("searched", "largest", "uniform") and n.measured_ms]
    asked = asked_ms(records)
    if len(shown) < 2:
        return ""
    end_ms = max([n.measured_ms or 0.0 for n in shown] + [asked or 0.0])
    mark = ""
    if asked:
        mark = f'<span class="mark" style="left:{100 * asked / end_ms:.2f}%" title="asked"></span>'
    bars = "".join(
        f'<div class="bar {f"own {state}" if n.role == "searched" else ""}">'
        f'<span>{escape(n.label)}</span><div class="track"><span class="fill" '
        f'style="width:{100 * (n.measured_ms or 0) / end_ms:.2f}%"></span>{mark}</div>'
        f"<b>{numbers.milliseconds(n.measured_ms)} ms</b></div>"
        for n in shown
    )
    return f'<div class="bars">{bars}</div>'


def _facts(records: RunRecords, own: ComparedNetwork, networks: Sequence[ComparedNetwork]) -> str:
    certificate = records.certificate
    facts: list[tuple[str, str, str]] = []
    if own.top1 is not None:
        note = "" if own.top5 is None else f"top-5 {numbers.share(own.top5)}"
        facts.append(("Top-1", numbers.share(own.top1), note))
    elif own.supernet_top1 is not None:
        facts.append(("Top-1", numbers.share(own.supernet_top1), "supernet, not retrained"))
    largest = next((n for n in networks if n.role == "largest"), None)
    if largest and largest.measured_ms and own.measured_ms:
        times = largest.measured_ms / own.measured_ms
        facts.append(("Faster", f"{times:.2f}×", "than the space's largest"))
    if own.params is not None:
        facts.append(("Parameters", numbers.count(own.params), "trainable"))
    if own.macs is not None:
        facts.append(("MACs", numbers.count(own.macs), "multiply-adds an image"))
    size_bytes = certificate.number("size_bytes") if certificate else None
    if certificate and size_bytes is not None:
        file_bytes = certificate.number("file_bytes")
        note = f"ONNX file {numbers.size(file_bytes)}" if file_bytes else "folded weights"
        facts.append(("Size", numbers.size(size_bytes), note))
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in facts
    )
    return f'<dl class="facts">{items}</dl>' if items else ""
