"""Command, images, machine and hyper-parameters: what it takes to repeat the run."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from latency.device import strict_json
from nas.report import cards
from nas.report.facts import RunFacts
from nas.report.recipe_facts import recipe_facts
from nas.runs.config import AnyConfig

# What stands elsewhere on the page, or in a block of its own.
SHOWN_ELSEWHERE = ("kind", "date", "command", "data", "environment")


def origin(run: RunFacts) -> str:
    """What was asked for, and of what machine the figures are."""
    config, data, certificate = run.records.config, run.records.data, run.records.certificate
    if config is None and certificate is None:
        return ""
    commands = ""
    blocks = []
    environment = certificate.environment if certificate else None
    if config:
        environment = environment or config.environment
        text = "\n".join(escape(line) for line in (config.command, run.retrain_command) if line)
        commands = f"<pre>{text}</pre>"
        blocks.append(_block("Settings", _settings(config)))
        blocks.append(_block("Images", {**_asked_images(config), **strict_json.encode(data or {})}))
    blocks.append(_block("Machine and versions", strict_json.encode(environment)))
    if certificate:
        parts = (certificate.conditions, certificate.hashes)
        measured = [strict_json.encode(part) for part in parts if part is not None]
        blocks.append(_block("How it was measured", {k: v for p in measured for k, v in p.items()}))
    shown = "".join(blocks)
    return cards.card("To repeat it", "", commands, f'<div class="columns">{shown}</div>')


def _settings(config: AnyConfig) -> dict[str, Any]:
    """Everything that decides the run; what is nested deeply, part by part."""
    shown: dict[str, Any] = {}
    for name, value in strict_json.encode(config).items():
        if name in SHOWN_ELSEWHERE:
            continue
        if name == "recipe":
            facts = recipe_facts(config.recipe)
            shown |= {f"{name}: {knob}": part for knob, part in facts.items()}
        elif isinstance(value, dict) and any(isinstance(part, dict) for part in value.values()):
            shown |= {f"{name}: {part}": inner for part, inner in value.items()}
        else:
            shown[name] = value
    return shown


def _asked_images(config: AnyConfig) -> dict[str, Any]:
    asked = config.data
    return {
        "path": asked.path,
        "skip_bad_images": asked.skip_bad_images,
        "resize": asked.resize,
        "verify_data": asked.verify_data,
    }


def _block(title: str, values: Mapping[str, Any]) -> str:
    pairs = cards.pairs(values)
    return f"<div><h3>{title}</h3>{pairs}</div>" if pairs else ""
