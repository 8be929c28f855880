"""The report below its headline: comparison, network, search, prediction, retraining."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nas.architecture.spec import MBConv
from nas.architecture.text import to_text
from nas.report import numbers, plots
from nas.report.comparison import ComparedNetwork
from nas.report.headline import asked_ms
from nas.report.network import (
    KERNEL_COLOURS,
    OTHER_COLOUR,
    architecture_html,
    gates_html,
    layer_latencies_ms,
    legend_html,
)
from nas.report.plots import BLUE, GREEN, INK, ORANGE, VIOLET, Curve
from nas.report.terminal import interval_text
from nas.runs.reader import RunRecords
from nas.runs.strict_json import ReportError

COMPARED_COLUMNS = (
    "asked ms",
    "predicted ms",
    "measured ms",
    "params",
    "MACs",
    "top-1",
    "top-5",
)
AUDIT_ROWS = (
    ("within 5 %", "within_5_percent", lambda value: numbers.share(value, 0)),
    ("within 10 %", "within_10_percent", lambda value: numbers.share(value, 0)),
    ("mean absolute error", "mape_percent", "{:.2f} %".format),
    ("bias", "bias_percent", "{:+.2f} %".format),
    ("RMSPE", "rmspe_percent", "{:.2f} %".format),
    ("Kendall tau", "kendall_tau", "{:.3f}".format),
    ("Spearman", "spearman", "{:.3f}".format),
)


def section(title: str, lead: str, *parts: str) -> str:
    """One card of the page; `parts` are HTML, title and lead are text."""
    introduction = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return f"<section><h2>{escape(title)}</h2>{introduction}{''.join(parts)}</section>"


def _chart(address: str | None, title: str, caption: str) -> str:
    if address is None:
        return ""
    return (
        f'<figure><h3>{escape(title)}</h3><img src="{address}" alt="{escape(title)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _charts(*charts: str) -> str:
    shown = "".join(charts)
    return f'<div class="charts">{shown}</div>' if shown else ""


def comparison_section(records: RunRecords, networks: Sequence[ComparedNetwork]) -> str:
    """This network beside the largest, uniform scaling and random ones."""
    if not networks:
        return ""
    cells = [_compared_cells(network) for network in networks]
    used = [i for i in range(len(COMPARED_COLUMNS)) if any(c[i] != numbers.UNKNOWN for c in cells)]
    head = "".join(f"<th>{name}</th>" for name in ("", *(COMPARED_COLUMNS[i] for i in used)))
    rows = "".join(
        _compared_row(network, [(COMPARED_COLUMNS[i], own[i]) for i in used])
        for network, own in zip(networks, cells, strict=True)
    )
    table = f'<table class="compare"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    data = records.config.child("data") if records.config else None
    images = data.number("evaluation_images") if data else None
    plot = plots.accuracy_plot(networks, images)
    chart = ""
    if plot:
        figure = _chart(plot, "Accuracy against latency", "Higher and further left is better.")
        chart = f'<div class="gap">{_charts(figure, _fairness(records, images))}</div>'
    lead = "What the same milliseconds buy elsewhere, and what more of them would buy."
    return section("Beside other networks", lead, table, chart)


def _fairness(records: RunRecords, images: float | None) -> str:
    """By which recipe, how often and on how much the networks were compared."""
    text = "Every network was trained once (n = 1) by one recipe."
    if images:
        text += f" Upright lines: 95 % interval of a share of {numbers.whole(images)} images;"
        text += " the spread between training runs comes on top."
    recipe = records.baselines.child("recipe") if records.baselines else None
    pairs = "".join(
        f"<dt>{escape(key.replace('_', ' '))}</dt><dd>{escape(numbers.value_text(value))}</dd>"
        for key, value in (recipe.values.items() if recipe else ())
    )
    shown = f'<dl class="pairs">{pairs}</dl>' if pairs else ""
    return f'<div class="aside"><h3>How they were compared</h3><p>{escape(text)}</p>{shown}</div>'


def _compared_cells(network: ComparedNetwork) -> tuple[str, ...]:
    interval = interval_text(network)
    measured = numbers.milliseconds(network.measured_ms)
    if interval != numbers.UNKNOWN:
        measured += f"<small>{interval}</small>"
    top1 = numbers.share(network.top1)
    if network.top1 is None and network.supernet_top1 is not None:
        top1 = f"{numbers.share(network.supernet_top1)}<small>supernet, not retrained</small>"
    return (
        numbers.milliseconds(network.asked_ms),
        numbers.milliseconds(network.predicted_ms),
        measured,
        numbers.count(network.params),
        numbers.count(network.macs),
        top1,
        numbers.share(network.top5),
    )


def _compared_row(network: ComparedNetwork, cells: Sequence[tuple[str, str]]) -> str:
    columns = "".join(
        f'<td data-label="{name}"{_none_class(cell)}><span>{cell}</span></td>'
        for name, cell in cells
    )
    own = ' class="own"' if network.role == "searched" else ""
    return f"<tr{own}><td>{escape(network.label)}</td>{columns}</tr>"


def _none_class(cell: str) -> str:
    return ' class="none"' if cell == numbers.UNKNOWN else ""


def network_section(records: RunRecords) -> str:
    """The blocks that were chosen, with each one's part of the latency."""
    architecture = records.architecture
    if architecture is None:
        return ""
    latencies = layer_latencies_ms(architecture, records.table)
    certificate = records.certificate
    total_ms = certificate.number("predicted_ms") if certificate else None
    kernels = sorted({x.kernel for x in architecture.layers if isinstance(x, MBConv)})
    colours = {f"kernel {k} × {k}": KERNEL_COLOURS.get(k, OTHER_COLOUR) for k in kernels}
    legend = legend_html({**colours, "fixed layer": OTHER_COLOUR})
    lead = "Colour is the kernel, height the expansion, width the channels; dashed blocks were "
    lead += "left out. "
    if any(latencies):
        what = "share of the predicted time" if total_ms else "part of the time in ms"
        lead += f"Below each block stands its {what}"
        rest_ms = (total_ms or 0.0) - sum(value or 0.0 for value in latencies)
        if total_ms and rest_ms > 0:
            rest = numbers.share(rest_ms / total_ms)
            lead += f"; the other {rest} are the cost of a run and of layers without a row"
        lead += "."
    text = (
        f"<details><summary>As text</summary><pre>{escape(to_text(architecture))}</pre></details>"
    )
    return section(
        "The network", lead, legend, architecture_html(architecture, latencies, total_ms), text
    )


def search_section(records: RunRecords) -> str:
    """How latency, loss and gates moved."""
    rows, target = records.history, asked_ms(records)
    latency = plots.history_plot(
        rows, [Curve("expected_ms", "expected", GREEN)], "ms", target=target, smooth=False
    )
    loss = plots.history_plot(
        rows,
        [
            Curve("cross_entropy", "cross-entropy, weights", BLUE),
            Curve("gate_cross_entropy", "cross-entropy, held-out part", VIOLET),
            Curve("penalty", "latency penalty", ORANGE),
        ],
        "loss",
    )
    accuracy = plots.history_plot(
        rows,
        [
            Curve("accuracy", "training batches", BLUE, 100),
            Curve("gate_accuracy", "held-out part", VIOLET, 100),
        ],
        "top-1 of the supernet, %",
    )
    entropy = plots.history_plot(
        rows, [Curve("gate_entropy", "gate entropy", INK)], "nats", smooth=False
    )
    charts = _charts(
        _chart(latency, "Expected latency", "Mean over the gates, by the latency table."),
        _chart(loss, "Loss", "Thin: every record. Thick: moving average, where there are many."),
        _chart(accuracy, "Accuracy of the supernet", "Of networks drawn by the gates."),
        _chart(entropy, "Undecidedness of the gates", "Mean entropy; 0 is a firm decision."),
    )
    gates = ""
    if records.gates:
        gates = (
            '<h3 class="gap">What the gates chose</h3><p class="lead">Probability of each option '
            "from the first to the last step; the likeliest is named.</p>"
        ) + gates_html(records.gates)
    return section("The search", "", charts, gates) if charts or gates else ""


def prediction_section(records: RunRecords, networks: Sequence[ComparedNetwork]) -> str:
    """The table's audit on held-out networks beside the noise floor."""
    audit = records.table.child("audit") if records.table else None
    if audit is None:
        return ""
    points = []
    for point in audit.items("points"):
        if not (isinstance(point, list) and len(point) == 3) or any(
            isinstance(x, bool) or not isinstance(x, int | float) for x in point[1:]
        ):
            raise ReportError(
                f"points of name, predicted ms and measured ms in {audit.source}",
                repr(point)[:80],
                "audit the table again",
            )
        points.append((float(point[1]), float(point[2])))
    noise = audit.child("noise")
    head = f"<tr><th></th><th>prediction</th>{'<th>noise floor</th>' if noise else ''}</tr>"
    body = ""
    for name, key, form in AUDIT_ROWS:
        value = audit.number(key)
        floor = noise.number(key) if noise else None
        cells = [value] + ([floor] if noise else [])
        shown = "".join(
            f"<td>{numbers.UNKNOWN if c is None else _minus(form(c))}</td>" for c in cells
        )
        body += f"<tr><td>{name}</td>{shown}</tr>"
    spread = audit.number("spread")
    table = f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
    lead = f"{numbers.whole(audit.number('n'))} held-out networks that took no part in the "
    lead += "calibration"
    lead += f"; the slowest takes {spread:.2f} times the fastest. " if spread else ". "
    lead += "The noise floor is the same measurement against itself."
    chart = _chart(
        plots.prediction_plot(points, networks),
        "Predicted against measured",
        "On the line is exact.",
    )
    return section("Can the milliseconds be trusted?", lead, _charts(chart, table))


def _minus(text: str) -> str:
    return text.replace("-", "\u2212")


def retraining_section(records: RunRecords) -> str:
    """The curve of the final training."""
    rows = records.retrain_history
    charts = _charts(
        _chart(
            plots.history_plot(rows, [Curve("accuracy", "training", GREEN, 100)], "top-1, %"),
            "Accuracy on training batches",
            "The recipe's crops, flips and dropout make these harder than the evaluation images.",
        ),
        _chart(
            plots.history_plot(rows, [Curve("loss", "loss", BLUE)], "loss"), "Training loss", ""
        ),
    )
    return section("Retraining", "", charts) if charts else ""
