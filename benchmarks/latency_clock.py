#!/usr/bin/env python3
"""Whether milliseconds mean the same on a busy machine as on an idle one.

    python benchmarks/latency_clock.py --folder clock --state idle
    python benchmarks/latency_clock.py --folder clock --state busy
    python benchmarks/latency_clock.py --folder clock --output docs/results/clock.md

Every measurement is a process of its own. What the folder holds is not measured again. Without
--state nothing is measured. See benchmarks/README.md and docs/log.md, 2026-11-26.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np

from benchmarks.latency_audit import scaled
from benchmarks.latency_clock_figures import page
from benchmarks.latency_load import loaded, other_cores
from benchmarks.latency_steps import (
    LEVEL_NAMES,
    SEED,
    SMOKE,
    STATES,
    Bench,
    Case,
    Folder,
    Sizes,
    StepError,
    predict_ms,
    table_name,
    write_model,
    write_models,
)
from latency import atomic, shell
from latency.cli.parser import OutputFile, OutputFolder, Parser
from latency.device.settings import SessionSettings
from latency.tables.table import LatencyTable
from nas.hardware.measurement import KnownNetworks, measure_networks, network_bytes
from nas.hardware.plans import FULL, TOY
from nas.hardware.predictor import SpaceLatency
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.selection.integer_program import choose
from nas.system.console import err, out

# Exit codes of `latency certify`: met, cannot tell, not met.
CERTIFIED = (0, 4, 5)
WRONG_FACTOR, WRONG_REPEATS = 0.93, 3
# A network is looked for so near to its target by prediction, and again if its certificate is off.
WINDOWS, CORRECTED_ABOVE, ATTEMPTS = (0.003, 0.02, 0.2), 0.01, 3


def build(bench: Bench, case: Case, seed: int, *flags: str) -> Path:
    """Builds one table."""
    space, size, precision = case
    arguments = ("--space", space, "--image_size", size, "--precision", precision, "--seed", seed)
    name = table_name(case, seed)
    program_name = "scripts/build_latency_table.py"
    return bench.step(name, program_name, *arguments, *bench.sizes.table_flags, *flags)


def certify(bench: Bench, name: str, model: Path, target_ms: float, seed: int) -> dict[str, Any]:
    """Certifies one file; returns the certificate."""
    words = ("certify", model, "--target_ms", target_ms, "--seed", seed)
    path = bench.step(name, "latency", *words, *bench.sizes.certify_flags, allowed=CERTIFIED)
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["certificates"][0]
    return found


def audits(bench: Bench) -> None:
    """Tables with their audits, and between them certificates of one file."""
    sizes = bench.sizes
    for seed in range(sizes.tables):
        for case in sizes.cases:
            build(bench, case, seed)
        # Spread over the whole time, since a machine's neighbours come and go.
        for repeat in range(seed, sizes.certificates, sizes.tables):
            middle = bench.folder.models / f"{LEVEL_NAMES[1]}.onnx"
            certify(bench, f"certificate-{repeat}", middle, 1.0, repeat)


def independent(bench: Bench) -> None:
    """The independent script at two image sizes, and the table of the second one."""
    space, size, precision = bench.sizes.cases[0]
    build(bench, (space, bench.sizes.other_size, precision), 0, "--no-audit")
    for pixels in (size, bench.sizes.other_size):
        files = sorted(bench.folder.models.glob(f"{pixels} px, *.onnx"))
        script = "benchmarks/latency_independent.py"
        bench.step(f"independent-{pixels}px", script, *files, "--runs", bench.sizes.runs)


def targets(bench: Bench) -> None:
    """Networks for milliseconds that are asked, certified and timed by the independent script."""
    case = bench.sizes.cases[0]
    space = get_space(case[0], case[1])
    table = LatencyTable.load(bench.folder.path(bench.state, table_name(case, 0)))
    latency = SpaceLatency.from_table(space, table)
    low_ms, high_ms = latency.range_ms()
    found, files = [], []
    for percent in bench.sizes.targets:
        target_ms = low_ms + percent / 100 * (high_ms - low_ms)
        value, path = land(bench, (space, latency), percent, target_ms)
        found.append(value)
        files.append(path)
    script = "benchmarks/latency_independent.py"
    bench.step("targets-independent", script, *files, "--runs", bench.sizes.runs)
    atomic.write_json(bench.folder.path(bench.state, "targets"), found)


def land(
    bench: Bench, known: tuple[Space, SpaceLatency], percent: int, target_ms: float
) -> tuple[dict[str, Any], Path]:
    """Chooses and certifies a network; corrects the prediction where the certificate is off."""
    space, latency = known
    rng = np.random.default_rng((SEED, percent))
    scores = [rng.standard_normal(len(row)) for row in latency.option_ms]
    aim_ms, forbidden = target_ms, list[tuple[int, ...]]()
    attempts: list[tuple[float, dict[str, Any], Path]] = []
    while len(attempts) < (1 if bench.smoke else ATTEMPTS):
        chosen = near(latency, scores, aim_ms, forbidden)
        name = f"{bench.state} target {percent}, {len(attempts)}"
        model = write_model(bench.folder, name, space.decode(chosen))
        step = f"target-{percent}-{len(attempts)}"
        certificate = certify(bench, step, model, target_ms, SEED)
        attempts.append((latency.predict_ms(chosen), certificate, model))
        ratio = certificate["latency_ms"] / target_ms
        if abs(ratio - 1) <= CORRECTED_ABOVE:
            break
        aim_ms /= ratio
        forbidden.append(chosen)
    predicted_ms, best, model = min(
        attempts, key=lambda attempt: abs(attempt[1]["latency_ms"] / target_ms - 1)
    )
    value = {"percent": percent, "target_ms": target_ms, "predicted_ms": predicted_ms}
    value |= {"certified_ms": best["latency_ms"], "met": best["met"], "p50_ms": best["p50_ms"]}
    return {**value, "model": model.stem, "attempts": len(attempts)}, model


def near(
    latency: SpaceLatency,
    scores: Sequence[np.ndarray],
    aim_ms: float,
    forbidden: Sequence[tuple[int, ...]],
) -> tuple[int, ...]:
    """The network of the highest score that is predicted near some milliseconds.

    Args:
        latency: Predicts.
        scores: Of each option of each choice.
        aim_ms: Milliseconds.
        forbidden: Networks that were tried.

    Raises:
        StepError: There is none.
    """
    for window in WINDOWS:
        low, high = (latency.cost.options_sum(aim_ms * (1 + side * window)) for side in (-1, 1))
        costs = latency.option_ms
        chosen = choose(scores, costs, low, high, forbidden, relative_gap=1e-3)
        if chosen is not None:
            return chosen
    raise StepError(
        f"a network within {WINDOWS[-1]:.0%} of {aim_ms:.4f} ms",
        "none by this table",
        "look at the table's range, or ask for another target",
    )


def wrong_table(bench: Bench) -> None:
    """One file certified as a search does, beside a true table and one scaled by 0.93."""
    path = bench.folder.path(bench.state, "wrong-table")
    if path.is_file():
        return
    err.print(f"{bench.state}: wrong table", markup=False)
    case, plans = bench.sizes.cases[0], TOY if bench.smoke else FULL
    true = LatencyTable.load(bench.folder.path(bench.state, table_name(case, 0)))
    tables = {"true": true, f"times {WRONG_FACTOR}": scaled(true, WRONG_FACTOR)}
    network = bench.folder.network(LEVEL_NAMES[1])
    files = {"searched": network_bytes(network)}
    found = []
    for repeat in range(1 if bench.smoke else WRONG_REPEATS):
        plan = replace(plans.certificate, seed=repeat)
        for name, table in tables.items():
            known = KnownNetworks.of(table, "")
            rule = plans.certificate_rule
            timed = measure_networks(files, SessionSettings(), plan, rule, known)
            asked_ms = predict_ms(table, network)
            verdict = timed.verdict("searched", asked_ms, "")
            value = {"table": name, "predicted_ms": asked_ms}
            value |= {"certified_ms": timed["searched"].latency_ms}
            value |= {"met": verdict and verdict.met, "reason": verdict and verdict.reason}
            found.append(value)
    atomic.write_json(path, found)


def recording(bench: Bench) -> None:
    """Runs and probes of one model, for the picture in docs/measuring.md."""
    middle = bench.folder.models / f"{LEVEL_NAMES[1]}.onnx"
    seconds = 0.05 if bench.smoke else 3
    script = "benchmarks/latency_recording.py"
    bench.step("recording", script, middle, "--seconds", seconds)


def memory(bench: Bench) -> None:
    """Models that wait for memory; it starts programs of its own, so it needs an idle machine."""
    flags = ["--smoke"] if bench.smoke else []
    if bench.state == "idle":
        bench.step("memory", "benchmarks/latency_memory.py", *flags)


PARTS: Mapping[str, Callable[[Bench], None]] = {
    "audits": audits,
    "recording": recording,
    "independent": independent,
    "targets": targets,
    "wrong_table": wrong_table,
    "memory": memory,
}


def main(arguments: list[str] | None = None) -> int:
    """Measures what is missing in one state, and prints everything that the folder holds."""
    parser = Parser(description=__doc__)
    parser.add_argument(
        "--folder", action=OutputFolder, type=Path, required=True, help="keeps all steps"
    )
    parser.add_argument("--state", choices=STATES, help="of the machine; default: measure nothing")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"({','.join(PARTS)})")
    parser.add_argument(
        "--output", action=OutputFile, type=Path, help="also write the page of results (Markdown)"
    )
    parser.add_argument("--smoke", action="store_true", help="toy size; figures mean nothing")
    options = parser.parse_args(arguments)
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"expected --parts of {','.join(PARTS)}, received {','.join(unknown)}")
    folder = Folder(options.folder)
    if options.state:
        if not options.smoke:
            # The first step knows no best speed of this host, whoever measured here before.
            os.environ["STOPWATCH_CACHE"] = str(folder.root.resolve() / "cache")
        bench = Bench(folder, options.state, options.smoke)
        folder.begin(options.state)
        write_models(folder, bench.sizes)
        with loaded("mixed", other_cores() if options.state == "busy" else 0):
            for part in parts:
                PARTS[part](bench)
    found = page(folder, SMOKE if options.smoke else Sizes())
    found.print(out)
    if options.output:
        atomic.write_text(options.output, found.markdown())
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main, how_to_resume="Finished steps are kept. Run the same command again."))
