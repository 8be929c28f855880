"""Flags that every measuring command shares: how a model is run, and for how long."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from latency.device.plan import MeasurePlan
from latency.device.settings import CPU_PROVIDER, GRAPH_LEVELS, SessionSettings
from latency.errors import LatencyError


class OptionError(LatencyError):
    """A flag whose value no command can work with."""


def add_settings_flags(parser: Any) -> None:
    """Adds the settings that a user deploys with."""
    group = parser.add_argument_group("how the models are run (measure what you deploy)")
    group.add_argument("--threads", type=int, help="threads of one operator (1)")
    group.add_argument("--graph_level", choices=sorted(GRAPH_LEVELS), help="(all)")
    group.add_argument("--provider", help=f"execution provider ({CPU_PROVIDER})")
    group.add_argument(
        "--provider_option", action="append", metavar="NAME=VALUE", help="may be repeated"
    )
    group.add_argument("--provider_library", help="library file of a plugin provider")
    group.add_argument(
        "--spinning",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="whether idle threads spin (yes)",
    )
    group.add_argument("--affinity", metavar="CORES", help="cores to pin the process to: 2,3")
    group.add_argument(
        "--config", action="append", metavar="KEY=VALUE", help="onnxruntime session configuration"
    )


def add_plan_flags(parser: Any) -> None:
    """Adds rounds and seed."""
    group = parser.add_argument_group("how long")
    group.add_argument("--min_rounds", type=int, help=f"({MeasurePlan.min_rounds})")
    group.add_argument("--max_rounds", type=int, help=f"({MeasurePlan.max_rounds})")
    group.add_argument("--max_seconds", type=float, help="stop after the round that reaches it")
    group.add_argument("--seed", type=int, default=0)


def settings_of(
    options: argparse.Namespace, base: SessionSettings | None = None
) -> SessionSettings:
    """Reads the settings flags; what was not given keeps the value of `base`.

    Raises:
        LatencyError: A value is malformed or out of range.
    """
    changes: dict[str, Any] = {
        "intra_op_num_threads": options.threads,
        "graph_level": options.graph_level,
        "provider": options.provider,
        "provider_library": options.provider_library,
        "allow_spinning": options.spinning,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if options.provider_option:
        changes["provider_options"] = pairs("--provider_option", options.provider_option)
    if options.config:
        changes["config_entries"] = pairs("--config", options.config)
    if options.affinity is not None:
        changes["affinity"] = tuple(_cores(options.affinity))
    return replace(base or SessionSettings(), **changes)


def plan_of(options: argparse.Namespace, **defaults: Any) -> MeasurePlan:
    """Reads the plan flags; what was not given comes from `defaults`.

    Raises:
        LatencyError: A value is out of range.
    """
    given = {
        name: getattr(options, name)
        for name in ("min_rounds", "max_rounds", "max_seconds")
        if getattr(options, name) is not None
    }
    values = {**defaults, **given, "seed": options.seed}
    least = values.get("min_rounds", MeasurePlan.min_rounds)
    # Asking for more rounds at least means more at most as well, and the other way round.
    if "min_rounds" in given and "max_rounds" not in given:
        values["max_rounds"] = max(least, values.get("max_rounds", MeasurePlan.max_rounds))
    if "max_rounds" in given and "min_rounds" not in given:
        values["min_rounds"] = min(least, values["max_rounds"])
    return MeasurePlan(**values)


def flags_text(options: argparse.Namespace) -> str:
    """Returns the given settings flags as text, for the next command to run."""
    values: Mapping[str, Any] = vars(options)
    names = ("threads", "graph_level", "provider", "provider_library", "affinity")
    parts = [f"--{name} {values[name]}" for name in names if values.get(name) is not None]
    for name in ("provider_option", "config", "input_shape"):
        parts += [f"--{name} {text}" for text in values.get(name) or []]
    if values.get("precision", "fp32") != "fp32":
        parts.append(f"--precision {values['precision']}")
    if values.get("spinning") is not None:
        parts.append("--spinning" if values["spinning"] else "--no-spinning")
    return "".join(f" {part}" for part in parts)


def pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Reads NAME=VALUE texts.

    Raises:
        OptionError: A text has no name or no equals sign, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in found:
            raise OptionError(
                f"{flag} NAME=VALUE, every name once",
                f"{flag} {text!r}",
                f"write {flag} {name or 'NAME'}=VALUE, or give {name!r} once",
            )
        found[name] = value
    return found


def _cores(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(
            "--affinity as core numbers with commas between",
            f"--affinity {text!r}",
            "write it like --affinity 2,3",
        ) from error
