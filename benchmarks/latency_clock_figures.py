"""What benchmarks/latency_clock.py found, beside the aims of docs/log.md, 2026-11-26."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean, stdev

from benchmarks.latency_clock_samples import Built, memory, statistic
from benchmarks.latency_clock_script import independent, targets
from benchmarks.latency_page import Aim, Page, Section
from benchmarks.latency_steps import (
    LEVEL_NAMES,
    STATES,
    Case,
    Folder,
    Sizes,
    predict_ms,
    table_name,
)

# Aims; see docs/log.md.
WITHIN_5, WITHIN_10, NOISE = 0.98, 1.0, 0.8
MAPE = {"idle": 1.3, "busy": 1.7}
BUSY_SECONDS, IDLE_SECONDS = 150.0, 25.0
LEVEL, LEVEL_BETWEEN = 1.02, 0.015
CERTIFICATE = 0.007
COMMANDS = (
    "python benchmarks/latency_clock.py --folder clock --state idle",
    "python benchmarks/latency_clock.py --folder clock --state busy",
    "python benchmarks/latency_clock.py --folder clock --output docs/results/clock.md",
)


def tables_of(folder: Folder, sizes: Sizes) -> list[Built]:
    """Every audited table, idle ones first."""
    found = []
    for state in STATES:
        for case in sizes.cases:
            for seed in range(sizes.tables):
                table = folder.table(state, case, seed)
                if table is not None:
                    found.append((state, case, seed, table))
    return found


def audits(folder: Folder, built: Sequence[Built], sizes: Sizes) -> Section:
    """One line a table."""
    rows, aims = [], []
    for state, case, seed, table in built:
        audit, speed = table.audit, table.speed
        if audit is None:
            continue
        name = f"{' '.join(map(str, case))}, seed {seed}, {state}"
        wall_s = (folder.read(state, "seconds") or {}).get(table_name(case, seed), 0.0)
        share = speed.share_full_speed
        noise = audit.noise["mape_percent"]
        rows.append(
            (
                name,
                f"{audit.within_5_percent:.0%}",
                f"{audit.within_10_percent:.0%}",
                f"{audit.mape_percent:.2f} ({noise:.2f})",
                f"{audit.bias_percent:+.2f}",
                f"{audit.kendall_tau:.3f} ({audit.noise['kendall_tau']:.3f})",
                f"{table.rounds}",
                f"{table.duration_seconds:.0f} ({wall_s:.0f})",
                "" if share is None else f"{share:.0%}",
                speed.state,
            )
        )
        limit_s = BUSY_SECONDS if state == "busy" else IDLE_SECONDS
        is_first = case == sizes.cases[0]
        seconds = table.duration_seconds if state == "busy" else wall_s
        is_fast = seconds <= limit_s or (state == "idle" and not is_first)
        is_good = audit.within_5_percent >= WITHIN_5 and audit.within_10_percent >= WITHIN_10
        is_good &= audit.mape_percent <= MAPE[state] and noise <= NOISE
        aims.append((state, is_good and is_fast))
    return Section(
        "Audits",
        "50 held-out networks of each table, in the table's own session; in brackets the noise "
        "floor, and seconds with everything beside those of the rounds. Shares are of the time at "
        "which the probe was at full speed.",
        ("table", "5 %", "10 %", "MAPE %", "bias %", "tau", "rounds", "s", "full speed", "host"),
        tuple(rows),
        tuple(_all_of(state, aims) for state in STATES if any(s == state for s, _ in aims)),
    )


def _all_of(state: str, found: Sequence[tuple[str, bool]]) -> Aim:
    verdicts = [is_good for of_state, is_good in found if of_state == state]
    seconds = f"rounds of at most {BUSY_SECONDS:.0f} s"
    if state == "idle":
        seconds = f"the first case in at most {IDLE_SECONDS:.0f} s"
    text = (
        f"{state}: {WITHIN_5:.0%} within 5 %, all within 10 %, MAPE at most {MAPE[state]} %, noise "
        f"at most {NOISE} %, {seconds}"
    )
    return Aim(text, f"{sum(verdicts)} of {len(verdicts)} tables", all(verdicts))


def level(folder: Folder, built: Sequence[Built], case: Case) -> Section:
    """The same networks by tables of both states."""
    of_case = [(state, table) for state, own, _, table in built if own == case]
    rows, aims = [], []
    for name in LEVEL_NAMES:
        found = [(state, predict_ms(table, folder.network(name))) for state, table in of_case]
        values = [value for _, value in found]
        spread = max(values) / min(values)
        cells = [f"{value:.4f} ({state})" for state, value in found]
        means = [[v for s, v in found if s == state] for state in STATES]
        between = fmean(means[1]) / fmean(means[0]) - 1 if all(means) else None
        shown = "" if between is None else f"{between:+.2%}"
        rows.append((name, ", ".join(cells), f"{spread:.4f}", shown))
        aims.append(Aim(f"{name}: max/min at most {LEVEL}", f"{spread:.4f}", spread <= LEVEL))
        if between is not None:
            text = f"{name}: busy within {LEVEL_BETWEEN:.1%} of idle"
            aims.append(Aim(text, shown, abs(between) <= LEVEL_BETWEEN))
    return Section(
        "Level",
        "What tables that were built in different states say of the same network, in ms.",
        ("network", "predicted ms", "max/min", "busy against idle"),
        tuple(rows),
        tuple(aims),
    )


def certificates(folder: Folder, sizes: Sizes) -> Section:
    """One file, certified again and again."""
    rows, found = [], list[float]()
    for state in STATES:
        for repeat in range(sizes.certificates):
            value = folder.read(state, f"certificate-{repeat}")
            if value is None:
                continue
            c = value["certificates"][0]
            found.append(c["latency_ms"])
            low, high = c["low_ms"], c["high_ms"]
            rows.append(
                (
                    f"{state}, seed {repeat}",
                    f"{c['latency_ms']:.4f}",
                    "" if low is None else f"{low:.4f} to {high:.4f}",
                    f"{c['p50_ms']:.3f}, {c['p90_ms']:.3f}, {c['p99_ms']:.3f}",
                    f"{c['share_full_speed'] or 0:.0%}",
                    f"{len(c['process_ms'])}",
                    "" if c["met"] is not None else c["reason"],
                )
            )
    aims = []
    if len(found) > 1:
        spread = stdev(found) / fmean(found)
        text = f"standard deviation at most {CERTIFICATE:.1%} of the mean"
        aims.append(Aim(text, f"{spread:.2%} (n = {len(found)})", spread <= CERTIFICATE))
    return Section(
        "Certificate",
        "`python -m latency certify` of the middle network, each time anew; as seen are p50, p90 "
        "and p99 of the runs that waited for nothing.",
        ("state", "ms", "95 % interval", "as seen", "full speed", "processes", "cannot tell"),
        tuple(rows),
        tuple(aims),
    )


def wrong_table(folder: Folder) -> Iterator[Section]:
    """Certificates beside a true and a scaled table."""
    for state in STATES:
        found = folder.read(state, "wrong-table")
        if not found:
            continue
        names = list(dict.fromkeys(value["table"] for value in found))
        ms = {name: [v["certified_ms"] for v in found if v["table"] == name] for name in names}
        moved = fmean(ms[names[1]]) / fmean(ms[names[0]]) - 1
        is_met = any(value["met"] for value in found if value["table"] == names[1])
        yield Section(
            f"A wrong table, {state}",
            "The middle network certified beside the known networks of a table and of the same "
            "table with all milliseconds scaled; asked is what each table predicts.",
            ("table", "asked ms", "certified ms", "met", "reason"),
            tuple(
                (
                    value["table"],
                    f"{value['predicted_ms']:.4f}",
                    f"{value['certified_ms']:.4f}",
                    {True: "yes", False: "no", None: "cannot tell"}[value["met"]],
                    value["reason"] or "",
                )
                for value in found
            ),
            (
                Aim(f"moved by at most {CERTIFICATE:.1%}", f"{moved:+.2%}", _within(moved)),
                Aim("nothing met by the wrong table", "some" if is_met else "none", not is_met),
            ),
        )


def _within(moved: float) -> bool:
    return abs(moved) <= CERTIFICATE


def page(folder: Folder, sizes: Sizes) -> Page:
    """Everything that the folder holds.

    Args:
        folder: Of both states.
        sizes: How much was measured.
    """
    built, case = tables_of(folder, sizes), sizes.cases[0]
    sections: list[Section] = []
    if built:
        sections += [audits(folder, built, sizes), level(folder, built, case)]
    sections += [certificates(folder, sizes), *wrong_table(folder)]
    sections += [independent(folder, sizes), *targets(folder)]
    if built:
        sections.append(statistic(folder, built, case))
    found = folder.read("idle", "memory")
    if found:
        sections.append(memory(found))
    shown = tuple(section for section in sections if section.rows)
    return Page("Milliseconds on a busy machine", COMMANDS, tuple(conditions(folder, built)), shown)


def conditions(folder: Folder, built: Sequence[Built]) -> Iterator[str]:
    """Where, when and how."""
    for state in STATES:
        begun = folder.read(state, "begun")
        if begun is None:
            continue
        host = begun["host"]
        seconds = sum((folder.read(state, "seconds") or {}).values())
        yield (
            f"{state}: begun {begun['date']}, {seconds / 60:.0f} minutes of steps; "
            f"{host['cores_visible']} cores of {host['cpu_model']}, load {host['load_average']} "
            f"when it began; onnxruntime {host['onnxruntime']}, python {host['python']}"
        )
    yield (
        "busy: a program of the benchmark on every core but one (matrix products in bursts, walks "
        "over 64 MB, not pinned); idle: nothing of ours. Aims were written into docs/log.md "
        "(2026-11-26) before anything ran"
    )
    bests = [table.speed.best for _, _, _, table in built if table.speed.best is not None]
    if bests:
        best = min(bests, key=lambda best: best.probe_us)
        yield f"best speed of the host: {best.probe_us} us of {best.probe}, at {best.at}"
