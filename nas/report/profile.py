"""A space in figures as a table (`python nas.py --profile`)."""

from __future__ import annotations

from rich import box
from rich.table import Table

from nas.report import numbers
from nas.selection.profile import CountRange, GoalFinding, SpaceProfile

NAMES = {
    "ms": "ms, predicted",
    "params": "params",
    "macs": "MACs",
    "size_bytes": "size",
    "memory_bytes": "memory",
    "weight_bits": "weight bits",
    "bops": "BOPs",
}


def profile_table(profile: SpaceProfile) -> Table:
    """Least, median and greatest of each count, with what is asked.

    Args:
        profile: Of a space.
    """
    size, classes = profile.image_size, profile.num_classes
    title = f"Space {profile.space}: {profile.networks:.3g} networks, {size} px, {classes} classes"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("", no_wrap=True)
    for name in ("least", "median\nof random", "greatest", "asked\nat most", "random\nkeep it"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in profile.ranges:
        figures = [_figure(row.name, value) for value in (row.least, row.median, row.greatest)]
        asked = [_asked(row), numbers.share(row.kept_share)]
        table.add_row(NAMES[row.name], *figures, *asked)
    return table


def _figure(name: str, value: float | None) -> str:
    if name == "ms":
        return numbers.milliseconds(value)
    return numbers.size(value) if name.endswith("_bytes") else numbers.count(value)


def _asked(row: CountRange) -> str:
    return numbers.UNKNOWN if row.most is None else _figure(row.name, row.most)


def finding_text(finding: GoalFinding) -> str:
    """What is said of one goal.

    Args:
        finding: Of a profile.
    """
    words = {True: "can be kept", False: "CANNOT be kept", None: "cannot tell"}
    text = f"{finding.label}: {words[finding.can_be_kept]}: {finding.reason}."
    return f"{text}\n  For example: {finding.network}" if finding.network else text
