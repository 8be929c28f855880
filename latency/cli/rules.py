"""Which flag of the measuring commands applies beside which others; see `latency.flag_rules`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from latency.cli.parser import UsageError
from latency.flag_rules import Options, Rule, check


def _is_threaded(options: Options) -> bool:
    return (options["threads"] or 1) > 1


# Of everything that converts models.
PRECISION_RULES = (
    Rule(
        ("scheme",),
        lambda o: o["precision"] == "int8",
        "--precision int8 with --scheme",
        "--precision {precision}",
        "leave --scheme out, or ask for int8",
    ),
)
# Of everything that says itself how many threads there are.
THREAD_RULES = (
    Rule(
        ("spinning",),
        _is_threaded,
        "--threads 2 or more with --spinning and --no-spinning: one thread waits for no other",
        "one thread",
        "leave it out, or ask for more threads",
    ),
)
MEASURE_RULES = (
    *PRECISION_RULES,
    *THREAD_RULES,
    Rule(
        ("budget_seconds",),
        lambda o: (o["processes"] or 0) < o["most_processes"],
        "--processes below {most_processes} with --budget_seconds",
        "--processes {processes}, after which none begins anyway",
        "leave --budget_seconds out, or ask for fewer processes",
    ),
)
TABLE_RULES = (*PRECISION_RULES, *THREAD_RULES)
RUN_JOB_RULES = (
    Rule(
        ("ssh_option", "remote_python", "remote_folder"),
        lambda o: o["ssh"] is not None,
        "--ssh HOST with --{name}",
        "no --ssh: the job would run here",
        "name the device by --ssh, or leave --{name} out",
    ),
)


def check_rules(options: argparse.Namespace, rules: Iterable[Rule]) -> None:
    """Refuses the first flag that does not apply.

    Args:
        options: As `latency.cli.parser.Parser` reads them.
        rules: Of the command.

    Raises:
        UsageError: There is one.
    """
    check(vars(options), lambda name: name in options.given, rules, UsageError)
