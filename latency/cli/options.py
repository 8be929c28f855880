"""Flags that every measuring command shares: how a model is run, and for how long."""

from __future__ import annotations

import argparse
from typing import Any

from latency.command_line import latency_command, with_flags
from latency.device.flags import add_loading_flags, asked_loading, option_pairs
from latency.device.plan import MeasurePlan
from latency.device.settings import CPU_PROVIDER, GRAPH_LEVELS, SessionSettings
from latency.errors import LatencyError
from latency.measurement.processes import ProcessRule


class OptionError(LatencyError):
    """A flag whose value no command can work with."""


def add_settings_flags(parser: Any) -> None:
    """Adds the settings that a user deploys with."""
    group = parser.add_argument_group("how the models are run (measure what you deploy)")
    group.add_argument("--threads", type=int, help="threads of one operator (1)")
    group.add_argument("--graph_level", choices=sorted(GRAPH_LEVELS), help="(all)")
    group.add_argument("--provider", help=f"execution provider ({CPU_PROVIDER})")
    add_loading_flags(group)
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


def add_plan_flags(parser: Any, plan: MeasurePlan | None = None) -> None:
    """Adds rounds, times and seed.

    Args:
        parser: Of the command.
        plan: The command's own defaults, for its help.
    """
    plan = plan or MeasurePlan()
    group = parser.add_argument_group("how long")
    group.add_argument("--min_rounds", type=int, help=f"({plan.min_rounds})")
    group.add_argument("--max_rounds", type=int, help=f"({plan.max_rounds})")
    group.add_argument("--max_seconds", type=float, help="stop after the round that reaches it")
    group.add_argument(
        "--max_wait_seconds",
        type=float,
        help=f"time that may be spent in waiting for full speed ({plan.max_wait_seconds:g})",
    )
    group.add_argument("--seed", type=int, help=f"({plan.seed})")


def add_process_flags(parser: Any, processes: int, most: int) -> None:
    """Adds how many fresh processes measure.

    Args:
        parser: Of the command.
        processes: The default of the command.
        most: So many at most, if they do not become precise; a budget ends them earlier.
    """
    group = parser.add_argument_group("how many fresh processes")
    number = f"at least ({processes})" if most > processes else f"({processes})"
    group.add_argument("--processes", type=int, metavar="N", help=number)
    parser.set_defaults(budget_seconds=None, most_processes=most)
    if most > processes:
        group.add_argument(
            "--budget_seconds", type=float, help="no further process begins after so long"
        )


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
        "allow_spinning": options.spinning,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if options.config:
        changes["config_entries"] = option_pairs("--config", options.config)
    if options.affinity is not None:
        changes["affinity"] = tuple(_cores(options.affinity))
    return (base or SessionSettings()).asked(**changes, **asked_loading(options))


def plan_of(options: argparse.Namespace, **defaults: Any) -> MeasurePlan:
    """Reads the plan flags; what was not given comes from `defaults`.

    Raises:
        LatencyError: A value is out of range.
    """
    given = {
        name: getattr(options, name)
        for name in ("min_rounds", "max_rounds", "max_seconds", "max_wait_seconds", "seed")
        if getattr(options, name) is not None
    }
    values = {**defaults, **given}
    least = values.get("min_rounds", MeasurePlan.min_rounds)
    # Asking for more rounds at least means more at most as well, and the other way round.
    if "min_rounds" in given and "max_rounds" not in given:
        values["max_rounds"] = max(least, values.get("max_rounds", MeasurePlan.max_rounds))
    if "max_rounds" in given and "min_rounds" not in given:
        values["min_rounds"] = min(least, values["max_rounds"])
    return MeasurePlan(**values)


def rule_of(options: argparse.Namespace, **defaults: Any) -> ProcessRule:
    """Reads the flags of `add_process_flags`; what was not given comes from `defaults`.

    Raises:
        LatencyError: A value is out of range.
    """
    values = {**defaults, "max_seconds": options.budget_seconds}
    if options.processes is not None:
        values["processes"] = options.processes
    least = values.get("processes", ProcessRule.processes)
    values["most"] = max(least, values.get("most", ProcessRule.most))
    return ProcessRule(**values)


def next_command(options: argparse.Namespace, **flags: object) -> str:
    """Returns the command that was called, quoted, with some flags changed.

    Args:
        options: Of the command line, with its `arguments`.
        **flags: Flag without dashes -> new value.
    """
    return latency_command(*with_flags(options.arguments, flags))


def _cores(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise OptionError(
            "--affinity as core numbers with commas between",
            f"--affinity {text!r}",
            "write it like --affinity 2,3",
        ) from error
