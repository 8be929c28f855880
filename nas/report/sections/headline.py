"""The top of the page: what was asked, predicted and measured, and whether the budget was met."""

from __future__ import annotations

from html import escape

from nas.cost.units import MILLISECONDS, Unit
from nas.report import numbers
from nas.report.bit_columns import bits_are_shown
from nas.report.comparison import ShownNetwork
from nas.report.facts import RunFacts
from nas.report.verdict import seen_text
from nas.runs.config import RunConfig
from nas.runs.outcome import Outcome

# Class of the style sheet, and words.
VERDICTS = {
    Outcome.MET: ("met", "Budget met"),
    Outcome.NOT_MET: ("missed", "Budget not met"),
    Outcome.CANNOT_TELL: ("unsure", "Cannot tell"),
}


def header(run: RunFacts) -> str:
    """Name of the run, its space, images and date."""
    config, data = run.records.config, run.records.data
    facts: list[str] = []
    if data:
        facts = [
            data.name,
            f"{numbers.whole(data.num_classes)} classes",
            f"{data.image_size} × {data.image_size} px",
        ]
    if isinstance(config, RunConfig):
        facts.append(f"space {config.space}")
    if config:
        facts.append(config.date[:10])
    line = " · ".join(map(escape, facts))
    name = escape(run.records.path.resolve().name)
    return f'<header><p class="brand">Stopwatch NAS</p><h1>{name}</h1><p>{line}</p></header>'


def hero(run: RunFacts) -> str:
    """The big figures, a bar against the largest network, and the network in numbers."""
    state, verdict = _verdict(run)
    own = run.own or ShownNetwork("searched", "This network", asked_ms=run.asked_ms)
    figures = _asked(run) + _found(run, own, state)
    shown = escape(verdict).replace(" %", "&nbsp;%")
    return (
        f'<div class="hero"><div class="verdict {state}">{shown}</div>{_why(run)}'
        f'<dl class="figures">{figures}</dl>{_seen(run)}{_bars(run, state)}{_facts(run, own)}</div>'
    )


def _verdict(run: RunFacts) -> tuple[str, str]:
    own, certificate = run.own, run.records.certificate
    if own is None:
        return "", "Search not finished"
    asked, unit = run.asked_value, run.unit
    if not asked:
        is_given = certificate is not None and certificate.method is None
        traded = "" if is_given else f": accuracy was traded against {unit.noun}"
        what = "time was" if unit.is_measured else f"{unit.text} were"
        return "", f"No {what} asked for{traded}"
    outcome = certificate.outcome if certificate else Outcome.NOT_ASKED
    found = own.has(unit)
    if outcome is Outcome.NOT_ASKED or found is None:
        return "", "Not yet measured on the device"
    error = found / asked - 1
    side = "above" if error > 0 else "below"
    how = "measured" if unit.is_measured else f"{numbers.figure(unit, found)},"
    text = f"{how} {numbers.share(abs(error))} {side} what was asked"
    state, words = VERDICTS[outcome]
    return state, f"{words}: {text}"


def _why(run: RunFacts) -> str:
    """Why a budget is not met or cannot be told, and what to do next."""
    certificate = run.records.certificate
    if certificate is None or not certificate.met_fix:
        return ""
    reason = certificate.met_reason or ""
    said = escape(f"{reason[:1].upper()}{reason[1:]}.")
    return f'<p class="why">{said}<br>Next: {escape(certificate.met_fix)}</p>'


def _seen(run: RunFacts) -> str:
    """What the runs took as they came, beside what they take at full speed."""
    certificate = run.records.certificate
    text = seen_text(certificate, f"on {certificate.date[:10]}" if certificate else "")
    return f'<p class="seen">{escape(text)}</p>' if text else ""


def _asked(run: RunFacts) -> str:
    weight = run.goal.penalty if run.goal else None
    if run.asked_value is None and weight is not None:
        price = f"price of ln({run.unit.text}) in the loss"
        return f"<div><dt>Asked</dt><dd>λ {weight:g}</dd><p>{price}</p></div>"
    return _figure("Asked", run.asked_value, "met within ± 2 %", unit=run.unit)


def _found(run: RunFacts, own: ShownNetwork, state: str) -> str:
    """What the network has of what was asked, and its milliseconds where they are known."""
    if run.unit.is_measured:
        figures = _figure("Predicted", own.predicted_ms, "by the latency table")
        return figures + _figure("Measured", own.measured_ms, _reading(own), f"main {state}")
    figures = _figure("Found", own.has(run.unit), "counted exactly", f"main {state}", run.unit)
    if own.measured_ms is None:
        return figures
    return figures + _figure("Measured", own.measured_ms, _reading(own))


def _figure(
    name: str, value: float | None, note: str, state: str = "", unit: Unit = MILLISECONDS
) -> str:
    text = "" if value is None else f"<small>{unit.text}</small>"
    return (
        f'<div class="{state}"><dt>{name}</dt><dd>{numbers.bare_figure(unit, value)}{text}</dd>'
        f"<p>{escape(note)}</p></div>"
    )


def _reading(own: ShownNetwork) -> str:
    if own.measured_ms is None:
        return "not measured yet"
    if own.measured_low_ms is None or own.measured_high_ms is None:
        return "whole network, at full speed"
    low, high = map(numbers.milliseconds, (own.measured_low_ms, own.measured_high_ms))
    return f"at full speed, 95 % interval {low} to {high}"


def _bars(run: RunFacts, state: str) -> str:
    roles = ("searched", "largest", "uniform")
    unit, every = run.unit, [(n, n.has(run.unit)) for n in run.networks if n.role in roles]
    shown = [(network, cost) for network, cost in every if cost]
    if len(shown) < 2:
        return ""
    asked = run.asked_value
    end = max(*(cost for _, cost in shown), asked or 0.0)
    mark = ""
    if asked:
        mark = f'<span class="mark" style="left:{100 * asked / end:.2f}%" title="asked"></span>'
    bars = "".join(
        f'<div class="bar {f"own {state}" if network.role == "searched" else ""}">'
        f'<span>{escape(network.label)}</span><div class="track"><span class="fill" '
        f'style="width:{100 * cost / end:.2f}%"></span>{mark}</div>'
        f"<b>{numbers.figure(unit, cost)}</b></div>"
        for network, cost in shown
    )
    return f'<div class="bars">{bars}</div>'


def _facts(run: RunFacts, own: ShownNetwork) -> str:
    facts = [*_accuracy_facts(own), *_speed_facts(run, own)]
    if own.params is not None:
        facts.append(("Parameters", numbers.count(own.params), "trainable"))
    if own.macs is not None:
        facts.append(("MACs", numbers.count(own.macs), "multiply-adds an image"))
    if bits_are_shown([own]) or not run.unit.is_measured:
        facts.append(("Weight bits", numbers.count(own.weight_bits), "of all kernels"))
        facts.append(("BOPs", numbers.count(own.bops), "bit operations an image"))
    certificate = run.records.certificate
    if certificate:
        file_bytes = certificate.file_bytes
        note = f"ONNX file {numbers.size(file_bytes)}" if file_bytes else "folded weights"
        facts.append(("Size", numbers.size(certificate.size_bytes), note))
    if own.memory_bytes is not None:
        note = "activations of one image at most"
        facts.append(("Memory", numbers.size(own.memory_bytes), note))
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in facts
    )
    return f'<dl class="facts">{items}</dl>' if items else ""


def _accuracy_facts(own: ShownNetwork) -> list[tuple[str, str, str]]:
    if own.top1 is not None:
        note = "" if own.top5 is None else f"top-5 {numbers.share(own.top5)}"
        facts = [("Top-1", numbers.share(own.top1), note)]
        seeds = own.known_trainings
        if seeds is not None and seeds.count > 1:
            note = f"of {seeds.count} trainings, of which the first is exported"
            facts.append(("Mean top-1", numbers.share(seeds.mean), note))
        return facts
    if own.supernet_top1 is not None:
        return [("Top-1", numbers.share(own.supernet_top1), "supernet, not retrained")]
    return []


def _speed_facts(run: RunFacts, own: ShownNetwork) -> list[tuple[str, str, str]]:
    largest = next((n for n in run.networks if n.role == "largest"), None)
    if not largest or not largest.measured_ms or not own.measured_ms:
        return []
    times = largest.measured_ms / own.measured_ms
    return [("Faster", f"{times:.2f}×", "than the space's largest")]
