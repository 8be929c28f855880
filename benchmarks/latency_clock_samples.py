"""The stored samples of benchmarks/latency_clock.py read in other ways, and its second probe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

from benchmarks.latency_memory import ALONE, ALONE_ONE_PROBE, BESIDE
from benchmarks.latency_page import Aim, Section
from benchmarks.latency_steps import LEVEL_NAMES, Case, Folder, predict_ms
from latency.device.speed import GATE
from latency.device.statistics import Visit, kept_runs, weighted_quantile
from latency.tables.build import audit_networks
from latency.tables.networks import fit_networks
from latency.tables.rows import Row
from latency.tables.table import LatencyTable

# Aims; see docs/log.md, 2026-11-26.
DISTURBED, KEPT_AS_IT_IS = 0.02, 0.01

Built = tuple[str, Case, int, LatencyTable]  # state, case, seed, table


def plain(visits: tuple[Visit, ...]) -> tuple[Visit, ...]:
    """Visits that waited for nothing; all of them where there is none."""
    return tuple(visit for visit in visits if visit.plain) or visits


def read_again(table: LatencyTable, gate: float | None, quantile: float) -> LatencyTable:
    """The table as another statistic of its stored samples makes it.

    Args:
        table: With raw samples.
        gate: A run counts within so many times full speed; None for every run that waited for
            nothing.
        quantile: From 0 to 1.
    """
    full_us = table.speed.full_speed_us
    limit_us = gate * full_us if gate and full_us else None

    def read(row: Row) -> Row:
        visits = [row.visits[side] for side in ("long", "short")]
        sides = [kept_runs(of_side, limit_us) for of_side in visits]
        if limit_us is None or not all(any(runs) for runs in sides):
            # As rows do: one at full speed less one that was held up would be neither.
            sides = [kept_runs(plain(of_side), None) for of_side in visits]
        weights = (1 / row.divisor, -1 / row.divisor)
        value_ms = max(0.0, weighted_quantile(sides, weights, quantile))
        return replace(row, latency_ms=value_ms, low_ms=value_ms, high_ms=value_ms)

    rows = {key: read(row) for key, row in table.rows.items()}
    networks = {}
    for key, network in table.networks.items():
        reading = network.measurement
        visits = reading.visits if limit_us else plain(reading.visits)
        reading = replace(reading, visits=visits, quantile=quantile, limit_us=limit_us)
        networks[key] = replace(network, measurement=reading)
    calibration = fit_networks(rows, networks)
    audit = audit_networks(rows, networks, calibration, table.run_overhead_ms)
    return replace(table, rows=rows, networks=networks, calibration=calibration, audit=audit)


def statistic(folder: Folder, built: Sequence[Built], case: Case) -> Section:
    """The stored samples of all tables, read in other ways."""
    rows = []
    for gate in (1.02, GATE, 1.06, None):
        for quantile in (0.10, 0.25, 0.50):
            mape, values = list[float](), {name: list[float]() for name in LEVEL_NAMES}
            for _, own, _, table in built:
                again = read_again(table, gate, quantile)
                mape += [again.audit.mape_percent] if again.audit else []
                for name in LEVEL_NAMES if own == case else ():
                    values[name].append(predict_ms(again, folder.network(name)))
            spread = max(max(found) / min(found) for found in values.values() if found)
            read_at = "every run" if gate is None else f"gate {gate}"
            cells = (f"{fmean(mape):.2f}", f"{max(mape):.2f}", f"{spread:.4f}")
            rows.append((f"{read_at}, p{100 * quantile:.0f}", *cells))
    return Section(
        "Statistic",
        f"The same samples read in other ways, {len(built)} tables: MAPE of the audits, and the "
        "greatest max/min of the three networks above over the tables of their space.",
        ("read at", "mean MAPE %", "worst MAPE %", "level max/min"),
        tuple(rows),
    )


def memory(found: Sequence[Any]) -> Section:
    """Whether a second probe is needed."""
    by_model: dict[str, dict[str, Any]] = {}
    for value in found:
        by_model.setdefault(value["model"], {})[value["condition"]] = value
    aims = []
    for model, of_model in by_model.items():
        alone, beside = of_model[ALONE], of_model[BESIDE]
        gate = _ratio(beside["gate_ms"], alone["gate_ms"])
        both = _ratio(beside["both_ms"], alone["both_ms"])
        cost = _ratio(alone["gate_ms"], of_model[ALONE_ONE_PROBE]["gate_ms"])
        known = {"beside, by the gate": gate, "by both": both, "alone, for being read": cost}
        text = "; ".join(
            f"{name} {'unknown' if value is None else f'{value:+.1%}'}"
            for name, value in known.items()
        )
        is_needed = gate is not None and gate > DISTURBED
        helps = is_needed and both is not None and both <= DISTURBED
        is_harmless = cost is not None and cost <= KEPT_AS_IT_IS
        aims.append(Aim(f"{model}: a second probe helps, harmlessly", text, helps and is_harmless))

    def cell(value: float | None, form: str) -> str:
        return "" if value is None else form.format(value)

    return Section(
        "Memory",
        "p10 of runs beside a program that walks over memory: all runs, those that the gate keeps, "
        "and those that a second probe, a walk over 4 MiB, keeps as well.",
        ("weights", "condition", "runs", "all ms", "gate ms (kept)", "both ms (kept)"),
        tuple(
            (
                value["model"],
                value["condition"],
                str(value["runs"]),
                cell(value["all_ms"], "{:.4f}"),
                cell(value["gate_ms"], "{:.4f}") + f" ({value['gate_share']:.0%})",
                cell(value["both_ms"], "{:.4f}") + cell(value["both_share"], " ({:.0%})"),
            )
            for value in found
        ),
        tuple(aims),
    )


def _ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or base is None else value / base - 1
