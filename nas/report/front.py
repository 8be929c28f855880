"""A front of trained networks in words: the table in the terminal, and what stands below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from rich import box
from rich.table import Table

from nas.cost.units import MILLISECONDS, Unit
from nas.report import numbers
from nas.report.bit_columns import HEADINGS, bit_cells, bits_are_shown
from nas.report.seeds import FEW_SEEDS, MoreSeeds, difference_text, missing_text, spread_text
from nas.report.terminal import spread_cell
from nas.report.verdict import WORDS
from nas.runs.front import Front, FrontNetwork
from nas.system.console import out


def front_table(front: Front) -> Table:
    """The networks of a front for the terminal.

    Args:
        front: Of the sweep.
    """
    several = has_several_seeds(front)
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("network", no_wrap=True)
    table.add_column("standing", no_wrap=True)
    ms = "measured\nms" if front.is_measured else "predicted\nms"
    for name in (ms, "95 %\ninterval"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("budget", no_wrap=True)
    for name in ("top-1,\nmean" if several else "top-1", "95 %\ninterval"):
        table.add_column(name, justify="right", no_wrap=True)
    if several:
        table.add_column("sd\n(seeds)", justify="right", no_wrap=True)
    has_bits = bits_are_shown(front.networks) or not front.unit.is_measured
    for name in ("params", "MACs", *(HEADINGS if has_bits else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for network in front.networks:
        table.add_row(
            network.name,
            network.standing,
            numbers.milliseconds(network.ms),
            ms_interval(network),
            WORDS[network.outcome],
            numbers.share(network.trainings.mean),
            top1_interval_text(network),
            *([spread_cell(network.trainings)] if several else []),
            numbers.count(network.params),
            numbers.count(network.macs),
            *(bit_cells(network) if has_bits else []),
            style="bold" if network.standing == "front" else None,
        )
    return table


def has_several_seeds(front: Front) -> bool:
    """Whether accuracies are means of several trainings.

    Args:
        front: Of the sweep.
    """
    return any(network.trainings.count > 1 for network in front.networks)


def ms_interval(network: FrontNetwork) -> str:
    """'1.487–1.498', or a dash.

    Args:
        network: Of a front.
    """
    low, high = network.measured_low_ms, network.measured_high_ms
    if low is None or high is None:
        return numbers.UNKNOWN
    return f"{numbers.milliseconds(low)}–{numbers.milliseconds(high)}"


def top1_interval_text(network: FrontNetwork) -> str:
    """'58.1–60.3', in percent, or a dash.

    Args:
        network: Of a front.
    """
    if network.top1_low is None or network.top1_high is None:
        return numbers.UNKNOWN
    return f"{100 * network.top1_low:.1f}–{100 * network.top1_high:.1f}"


def interval_kind(front: Front) -> str:
    """What the intervals of the accuracies are of, which differs by much.

    Args:
        front: Of the sweep.
    """
    if has_several_seeds(front):
        return "Intervals of top-1 are those of a mean over seeds."
    return (
        f"Intervals of top-1 are those of a share of {numbers.whole(front.evaluation_images)} "
        "images; they say nothing of other seeds."
    )


class _Standing(NamedTuple):
    """How networks stand to each other by what they cost, with the verbs of one network or more.

    Attributes:
        equal: What no other network is to one on the front.
        better: What those that dominate are.
        no_worse: What those are that may dominate.
        doubt: Why that cannot be told by what they cost.
    """

    equal: str
    better: str
    no_worse: str
    doubt: str


def _standing(unit: Unit, is_one: bool) -> _Standing:
    have, are = ("has", "is") if is_one else ("have", "are")
    if unit.is_measured:
        return _Standing(
            "is as fast and as accurate",
            f"{are} faster and more accurate, beyond the intervals",
            f"{are} at least as fast and as accurate",
            "the times overlap",
        )
    return _Standing(
        f"has as few {unit.text} and is as accurate",
        f"{have} fewer {unit.text} and {are} more accurate",
        f"{have} as few {unit.text} and {are} as accurate or better",
        "the counts are equal",
    )


def standing_text(network: FrontNetwork, unit: Unit = MILLISECONDS) -> str:
    """Where a network stands among the others, as one sentence.

    Args:
        network: Of a front.
        unit: What networks are compared by.
    """
    others, is_one = ", ".join(network.beaten_by), len(network.beaten_by) == 1
    words = _standing(unit, is_one)
    if network.standing == "front":
        return f"No other network {words.equal} by these figures."
    if network.standing == "dominated":
        which = "" if is_one else " for at least one of them"
        return f"Dominated: {others} {words.better}{which}."
    return (
        f"By the figures {others} {words.no_worse}. Whether that is so cannot be told: "
        f"{words.doubt}, or the seeds do not tell the accuracies apart."
    )


def gain_text(network: FrontNetwork) -> str:
    """What it gains over the next faster network on the front; empty where there is none.

    Args:
        network: Of a front.
    """
    if network.faster is None:
        return ""
    if network.gain is None:
        unknown = "with one training each, the accuracies cannot be told apart"
        return f"Against {network.faster}: {unknown}."
    apart = "" if network.gain.side else "; this cannot tell them apart"
    return f"Against {network.faster}: {difference_text(network.gain)}{apart}."


def front_lines(front: Front, more: MoreSeeds | None = None) -> list[str]:
    """What stands below the table.

    Args:
        front: Of the sweep.
        more: What a command with more seeds is made of; None where none shall be proposed.
    """
    lines = list(_notes(front))
    lines.append(spread_text([network.trainings for network in front.networks]))
    lines.append(interval_kind(front))
    for network in front.networks:
        if network.standing != "front":
            lines.append(f"{network.name}: {standing_text(network, front.unit)}")
        elif network.gain is not None:
            lines.append(f"{network.name}: {gain_text(network)}")
        if network.same_as is not None:
            lines.append(f"{network.name}: the same architecture as {network.same_as}.")
    lines += [f"{n.name}: {n.advice}" for n in front.networks if n.advice]
    missed = [network for network in front.networks if network.met_fix]
    lines += [f"{n.name}: {n.met_reason}. Next: {n.met_fix}." for n in missed]
    if more is not None and not has_several_seeds(front):
        lines.append(f"To know more: {more.command(FEW_SEEDS)}")
    return lines


def _notes(front: Front) -> Iterator[str]:
    if front.device is not None:
        yield f"Milliseconds are predicted for {front.device}; nothing was measured here."
    if front.doubt is not None:
        yield f"Warning: {front.doubt}."
    for lost in front.lost:
        yield f"Warning: {missing_text(lost.name, lost.reason)}"
    if front.recipe.inherits:
        start = "the supernets' weights"
        yield f"All networks trained for {front.recipe.epochs:.3g} epochs from {start}."
    else:
        yield f"All networks trained for {front.recipe.epochs:.3g} epochs from random weights."


def print_front(front: Front, more: MoreSeeds | None = None) -> None:
    """Prints the table and what stands below it.

    Args:
        front: Of the sweep.
        more: What a command with more seeds is made of; None where none shall be proposed.
    """
    out.print(front_table(front))
    for line in front_lines(front, more):
        out.print(line, markup=False)


def front_text(front: Front) -> str:
    """The table as text that can be copied: names, tabs between the columns, plain numbers.

    Args:
        front: Of the sweep.
    """
    heads = ("network", "standing", "ms", "ms_low", "ms_high", "top1", "top1_low", "top1_high")
    counted = ("seeds", "params", "macs", "weight_bits", "bops", "file_bytes")
    rows = ["\t".join((*heads, *counted, "architecture"))]
    for n in front.networks:
        figures = (n.ms, n.measured_low_ms, n.measured_high_ms)
        shares = (n.trainings.mean, n.top1_low, n.top1_high)
        cells = [n.name, n.standing, *map(_plain, figures), *map(_plain, shares)]
        counts = (n.trainings.count, n.params, n.macs, n.weight_bits, n.bops, n.file_bytes)
        rows.append("\t".join([*cells, *("" if c is None else f"{c}" for c in counts), n.text]))
    return "\n".join(rows)


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"
