"""Which flag applies beside which others: one that would say nothing is refused by a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from latency.errors import LatencyError

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """Flags that apply only beside others.

    Args:
        names: The flags, without dashes.
        applies: Whether they do, given all options.
        expected: For the message; `{name}` is the flag, others stand for their values.
        received: Likewise.
        fix: Likewise.
    """

    names: Sequence[str]
    applies: Callable[[Options], bool]
    expected: str
    received: str
    fix: str = "leave it out"


def check(
    options: Options,
    given: Callable[[str], bool],
    rules: Iterable[Rule],
    error: type[LatencyError] = LatencyError,
) -> None:
    """Refuses what would say nothing, or something else than it seems to.

    Args:
        options: Name -> value, for the rules and their messages.
        given: Whether a flag was given and asks for something.
        rules: Of the program.
        error: What a refusal is.

    Raises:
        LatencyError: The first rule that is broken.
    """
    for rule in rules:
        for name in rule.names:
            if given(name) and not rule.applies(options):
                words = {**options, "name": name}
                parts = (rule.expected, rule.received, rule.fix)
                raise error(*(part.format(**words) for part in parts))
