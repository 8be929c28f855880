"""What the independent script says of the predictions of benchmarks/latency_clock.py."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

from benchmarks.latency_page import Aim, Section
from benchmarks.latency_steps import STATES, Folder, Sizes, predict_ms

# Aims; see docs/log.md, 2026-11-26.
NEAR, NEAR_SHARE = 0.03, 0.95
TARGET = 0.02


def independent(folder: Folder, sizes: Sizes) -> Section:
    """Predictions beside what onnxruntime alone says."""
    space, size, precision = sizes.cases[0]
    rows, aims = [], []
    for table_state, script_state in (("idle", "idle"), ("busy", "busy"), ("busy", "idle")):
        errors, cells = list[float](), list[str]()
        for pixels in (size, sizes.other_size):
            table = folder.table(table_state, (space, pixels, precision), 0)
            script = folder.read(script_state, f"independent-{pixels}px")
            if table is None or script is None:
                continue
            own = [
                predict_ms(table, folder.network(name)) / value["p2_ms"] - 1
                for name, value in script["networks"].items()
            ]
            errors += own
            cells.append(f"{pixels} px: {fmean(own):+.2%} ({min(own):+.1%} to {max(own):+.1%})")
        if not errors:
            continue
        share = fmean(abs(error) <= NEAR for error in errors)
        name = f"{table_state} table, script {script_state}"
        rows.append((name, str(len(errors)), f"{share:.0%}", *cells, *[""] * (2 - len(cells))))
        if table_state == script_state:
            text = f"{table_state}: {NEAR_SHARE:.0%} within {NEAR:.0%}"
            aims.append(Aim(text, f"{share:.0%} of {len(errors)}", share >= NEAR_SHARE))
    return Section(
        "An independent script",
        "Predictions against the 2 % quantile of all runs of a script that uses onnxruntime alone: "
        "mean error, least and greatest.",
        ("which", "n", f"within {NEAR:.0%}", "first size", "second size"),
        tuple(rows),
        tuple(aims),
    )


def targets(folder: Folder) -> Iterator[Section]:
    """Asked milliseconds, judged by the independent script."""
    for state in STATES:
        found, script = folder.read(state, "targets"), folder.read(state, "targets-independent")
        if not found or not script:
            continue
        rows, errors = [], []
        for value in found:
            p2_ms = script["networks"][value["model"]]["p2_ms"]
            errors.append(p2_ms / value["target_ms"] - 1)
            met = {True: "yes", False: "no", None: "cannot tell"}[value["met"]]
            milliseconds = ("target_ms", "predicted_ms", "certified_ms")
            rows.append(
                (
                    f"{value['percent']} %",
                    *(f"{value[name]:.4f}" for name in milliseconds),
                    met,
                    f"{p2_ms:.4f}",
                    f"{errors[-1]:+.2%}",
                    f"{value['p50_ms']:.3f}",
                    f"{value['attempts']}",
                )
            )
        worst = max(errors, key=abs)
        near = sum(abs(error) <= TARGET for error in errors)
        aim = Aim(
            f"{state}: all within {TARGET:.0%} by the script",
            f"{near} of {len(errors)}, the worst {worst:+.2%}",
            near == len(errors),
        )
        yield Section(
            f"Targets, {state}",
            "Networks for milliseconds that are asked; p50 as seen is what a user saw meanwhile.",
            (
                *("target", "asked ms", "predicted ms", "certified ms", "met"),
                *("script ms", "script against asked", "p50 as seen ms", "attempts"),
            ),
            tuple(rows),
            (aim,),
        )
