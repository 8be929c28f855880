"""Command, images, machine and hyper-parameters: what it takes to repeat the run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from latency.device import strict_json
from nas.report import cards
from nas.report.facts import RunFacts

PLAIN = ("seed", "space", "image_size", "num_classes")


def origin(run: RunFacts) -> str:
    """What was asked for, and of what machine the figures are."""
    config, certificate = run.records.config, run.records.certificate
    commands = ""
    blocks = []
    environment: Any = None
    if config:
        if config.get("command"):
            text = f"{escape(config['command'])}\n{escape(run.retrain_command)}"
            commands = f"<pre>{text}</pre>"
        values = {key: config[key] for key in PLAIN if key in config}
        blocks.append(_block("Search", {**values, **(config.get("search") or {})}))
        blocks.append(_block("Images", config.get("data") or {}))
        environment = config.get("environment")
    if certificate:
        environment = strict_json.encode(certificate.environment)
    blocks.append(_block("Machine and versions", environment or {}))
    shown = "".join(blocks)
    if not shown and not commands:
        return ""
    return cards.card("To repeat it", "", commands, f'<div class="columns">{shown}</div>')


def _block(title: str, values: Mapping[str, Any]) -> str:
    pairs = cards.pairs(values)
    return f"<div><h3>{title}</h3>{pairs}</div>" if pairs else ""
