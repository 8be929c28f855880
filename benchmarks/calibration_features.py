#!/usr/bin/env python3
"""Which rule lets a feature join a table's calibration: simulated tables, with and without one.

    python benchmarks/calibration_features.py --json features.json

Rows, features and networks are those of `tiny`; only milliseconds are drawn. What is compared and
how the rule is chosen stands in docs/log.md. See benchmarks/README.md.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
from rich.table import Table
from scipy import stats

from latency import shell
from latency.cli.parser import OutputFile, Parser
from latency.device.settings import SessionSettings
from latency.measurement.measure import MeasurePlan
from latency.onnx_files.features import FEATURES, row_features
from nas.hardware.jobs import space_job, stratified_networks
from nas.hardware.rows import architecture_row_keys
from nas.search_space.named import get_space
from nas.system.console import out

CALIBRATION, HELD_OUT, DRAWS = 10, 50, 20
# Milliseconds of a unit: docs/log.md, "A row that was not measured is predictable".
COSTS_MS = {"pointwise_macs": 28e-9, "conv_macs": 28e-9, "dense_macs": 28e-9}
COSTS_MS |= {"depthwise_macs": 61e-9, "nodes": 5e-4}
SLOPE, INTERCEPT_MS = 1.04, 0.02
# Case -> noise of a row, noise of a network, factor on one calibrating network.
NOISES = {
    "quiet": (0.005, 0.003, 1.0),
    "usual": (0.015, 0.007, 1.0),
    "busy": (0.03, 0.02, 1.0),
    "one slow network": (0.015, 0.007, 1.1),
}
SHARES = (0.02, 0.05, 0.10)
PERMUTATIONS = 999
TABLES_AT_ONCE = 250
MOST_JOINED = 0.005

Seed = tuple[int, ...]


@dataclass(frozen=True)
class Space:
    """What the simulation needs of a search space.

    Args:
        counts: Draw -> network -> row -> how often; calibrating networks first.
        rows_ms: Row -> true milliseconds.
        features: Row -> feature.
    """

    counts: np.ndarray
    rows_ms: np.ndarray
    features: np.ndarray


def tiny(draws: int = DRAWS) -> Space:
    """The rows, features and networks of `tiny` at 64 px.

    Args:
        draws: How often networks are drawn.
    """
    space = get_space("tiny", 64)
    job = space_job(
        space, settings=SessionSettings(), plan=MeasurePlan(), calibration=0, held_out=0
    )
    data = {model.key: model.data for model in job.models}
    keys = {row.key: place for place, row in enumerate(job.rows)}
    rows = [
        row_features(data[r.long_key], data[r.short_key] if r.short_key else None, r.divisor, 8)
        for r in job.rows
    ]
    features = np.array([[row[name] for name in FEATURES] for row in rows])
    cost = np.array([COSTS_MS.get(name, 0.0) for name in FEATURES])
    counts = np.zeros((draws, CALIBRATION + HELD_OUT, len(keys)))
    for seed in range(draws):
        networks = stratified_networks(space, CALIBRATION + HELD_OUT, seed)
        order = np.random.default_rng((seed, 5)).permutation(np.arange(1, len(networks) - 1))
        # Both ends calibrate, as in a table.
        for place, number in enumerate([0, len(networks) - 1, *order]):
            for key in architecture_row_keys(networks[number]):
                counts[seed, place, keys[key]] += 1
    return Space(counts, features @ cost, features)


@dataclass(frozen=True)
class Tables:
    """Simulated tables: table -> network, calibrating ones first.

    Args:
        sums_ms: Measured rows, summed.
        measured_ms: Networks, measured whole.
        true_ms: Networks without noise.
        features: Table -> network -> feature.
    """

    sums_ms: np.ndarray
    measured_ms: np.ndarray
    true_ms: np.ndarray
    features: np.ndarray


def draw(space: Space, noise: str, count: int, seed: Seed, feature: int, share: float) -> Tables:
    """Tables of one case.

    Args:
        space: Of the rows.
        noise: One of `NOISES`.
        count: Of tables.
        seed: Of the draws.
        feature: Place of the feature that costs time which rows miss.
        share: Of a mean network's milliseconds that it costs; 0 for none.
    """
    rng = np.random.default_rng(seed)
    row_noise, network_noise, slow = NOISES[noise]
    counts = space.counts[rng.integers(0, len(space.counts), count)]
    sums = counts @ space.rows_ms
    features = counts @ space.features
    true = SLOPE * sums + INTERCEPT_MS
    if share:
        scale = share * true.mean(axis=1) / features[..., feature].mean(axis=1)
        true = true + scale[:, None] * features[..., feature]
    rows = space.rows_ms * (1 + row_noise * rng.standard_normal((count, len(space.rows_ms))))
    measured = true * (1 + network_noise * rng.standard_normal(true.shape))
    measured[np.arange(count), rng.integers(0, CALIBRATION, count)] *= slow
    return Tables(np.einsum("tnr,tr->tn", counts, rows), measured, true, features)


@dataclass(frozen=True)
class Fits:
    """The plain line and the line with each feature, of every table; all errors are relative.

    Args:
        plain: Table -> coefficient of the sum and of 1.
        plain_error: Table -> left-out error of the plain line.
        wide: Table -> feature -> coefficients of the sum, of 1 and of the feature.
        wide_error: Table -> feature -> left-out error.
        t: Table -> feature -> coefficient over its standard error; none below 0.
        nested_error: Table -> left-out error where each fold chooses its feature anew.
        p_permuted: Table -> share of permuted residuals with as great a t at any feature.
    """

    plain: np.ndarray
    plain_error: np.ndarray
    wide: np.ndarray
    wide_error: np.ndarray
    t: np.ndarray
    nested_error: np.ndarray
    p_permuted: np.ndarray


def _solved(design: np.ndarray, aim: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coefficients, left-out residuals and standard errors of many small least squares."""
    scale = np.abs(design).max(axis=-2, keepdims=True)
    scale[scale == 0] = 1
    inverse = np.linalg.pinv(design / scale, rcond=1e-9)
    beta = np.einsum("...kn,...n->...k", inverse, aim)
    residual = aim - np.einsum("...nk,...k->...n", design / scale, beta)
    leverage = np.einsum("...nk,...kn->...n", design / scale, inverse)
    free = design.shape[-2] - design.shape[-1]
    sigma = np.sqrt(np.sum(residual**2, axis=-1, keepdims=True) / free)
    spread = sigma * np.sqrt(np.sum(inverse**2, axis=-1))
    out_residual = residual / np.maximum(1 - leverage, 1e-9)
    return beta / scale[..., 0, :], out_residual, spread / scale[..., 0, :]


def fit(tables: Tables, seed: Seed) -> Fits:
    """Everything that the rules look at."""
    x, y = tables.sums_ms[:, :CALIBRATION], tables.measured_ms[:, :CALIBRATION]
    f = tables.features[:, :CALIBRATION]
    narrow = np.stack([x / y, 1 / y], axis=-1)
    ones = np.ones_like(y)
    plain, out_plain, _ = _solved(narrow, ones)
    columns = np.moveaxis(f, -1, 1) / y[:, None]
    both = np.broadcast_to(narrow[:, None], (*columns.shape, 2))
    design = np.concatenate([both, columns[..., None]], axis=-1)
    wide, out_wide, spread = _solved(design, np.broadcast_to(ones[:, None], columns.shape))
    varies = _varies(narrow, columns)
    allowed = (wide[..., 0] > 0) & (wide[..., 2] > 0) & varies
    t = np.where(allowed, wide[..., 2] / spread[..., 2], 0.0)
    wide_error = np.where(allowed, np.sqrt(np.mean(out_wide**2, axis=-1)), np.inf)
    return Fits(
        plain,
        np.sqrt(np.mean(out_plain**2, axis=-1)),
        wide,
        wide_error,
        t,
        _nested(narrow, design, varies),
        _permuted(narrow, columns * varies[..., None], t.max(axis=1), seed),
    )


def _varies(narrow: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Table -> feature -> whether it is no constant and no multiple of the sum: a rank of 3."""
    off = np.eye(narrow.shape[1]) - narrow @ np.linalg.pinv(narrow)
    beyond = np.einsum("tnm,tfm->tfn", off, columns)
    varies: np.ndarray = np.abs(beyond).max(axis=-1) > 1e-6 * np.abs(columns).max(axis=-1)
    return varies


def _nested(narrow: np.ndarray, design: np.ndarray, varies: np.ndarray) -> np.ndarray:
    """Left-out error of "the feature with the least left-out error", chosen in each fold."""
    count = design.shape[2]
    errors = []
    for place in range(count):
        keep = np.arange(count) != place
        inner = design[:, :, keep]
        beta, beyond, _ = _solved(inner, np.ones(inner.shape[:-1]))
        error = np.mean(beyond**2, axis=-1)
        allowed = varies & (beta[..., 0] > 0) & (beta[..., 2] > 0)
        error = np.where(allowed, error, np.inf)
        best = error.argmin(axis=1)
        tables = np.arange(len(design))
        fitted = np.sum(design[tables, best, place] * beta[tables, best], axis=-1)
        plain, _, _ = _solved(narrow[:, keep], np.ones((len(design), count - 1)))
        alone = np.sum(narrow[:, place] * plain, axis=-1)
        errors.append(np.where(np.isfinite(error.min(axis=1)), fitted, alone) - 1)
    left_out: np.ndarray = np.sqrt(np.mean(np.square(errors), axis=0))
    return left_out


def _permuted(narrow: np.ndarray, columns: np.ndarray, seen: np.ndarray, seed: Seed) -> np.ndarray:
    """How often permuted residuals of the plain line give as great a t at any feature.

    Source: Freedman and Lane, "A nonstochastic interpretation of reported significance levels",
    Journal of Business and Economic Statistics 1983; the greatest over features as Westfall and
    Young 1993.
    """
    count = narrow.shape[1]
    rng = np.random.default_rng(seed)
    orders = np.argsort(rng.random((PERMUTATIONS, count)), axis=1)
    hat = narrow @ np.linalg.pinv(narrow)
    off = np.eye(count) - hat
    residual = off @ np.ones(count)
    drawn = np.einsum("tnm,tpm->tpn", off, residual[:, orders])
    beyond = np.einsum("tnm,tfm->tfn", off, columns)
    size = np.sqrt(np.sum(beyond**2, axis=-1, keepdims=True))
    unit = beyond / np.where(size > 0, size, 1.0)
    along = np.einsum("tpn,tfn->tpf", drawn, unit)
    rest = np.sum(drawn**2, axis=-1, keepdims=True) - along**2
    t = along / np.sqrt(np.maximum(rest, 1e-30) / (count - 3))
    greater: np.ndarray = np.sum(t.max(axis=2) >= seen[:, None], axis=1)
    return (1 + greater) / (1 + PERMUTATIONS)


Rule = Callable[[Fits], np.ndarray]


def _gain(share: float) -> Rule:
    return lambda f: f.wide_error.min(axis=1) < (1 - share) * f.plain_error


def _t_test(level: float) -> Rule:
    limit = float(stats.t.isf(level / len(FEATURES), CALIBRATION - 3))
    return lambda f: f.t.max(axis=1) > limit


def _nested_gain(share: float) -> Rule:
    return lambda f: f.nested_error < (1 - share) * f.plain_error


def _p(level: float) -> Rule:
    return lambda f: f.p_permuted <= level


def rules() -> dict[str, tuple[Rule, str]]:
    """Name -> which tables a feature joins, and what picks it: the least `error` or most `t`."""
    found: dict[str, tuple[Rule, str]] = {"gain 30 % (as it is)": (_gain(0.3), "error")}
    found |= {f"gain {100 * g:.0f} %": (_gain(g), "error") for g in (0.4, 0.5, 0.6, 0.7)}
    tests = {f"t-test {100 * a:g} %": _t_test(a) for a in (0.005, 0.002, 0.001, 0.0005)}
    tests |= {"permutation 0.4 %": _p(0.004), "nested gain 30 %": _nested_gain(0.3)}
    tests |= {f"nested gain {100 * g:.0f} %": _nested_gain(g) for g in (0.4, 0.5, 0.6)}
    for name, test in tests.items():
        found[name] = (test, "error" if "nested" in name else "t")
        found[f"{name} and gain 30 %"] = (_both(test, _gain(0.3)), found[name][1])
    return found


def _both(first: Rule, second: Rule) -> Rule:
    return lambda f: first(f) & second(f)


def judged(tables: Tables, fits: Fits, joins: np.ndarray, pick: str, shrink: bool) -> np.ndarray:
    """Mean relative error of each table's held-out networks against their true milliseconds."""
    x, true = tables.sums_ms[:, CALIBRATION:], tables.true_ms[:, CALIBRATION:]
    place = fits.t.argmax(axis=1) if pick == "t" else fits.wide_error.argmin(axis=1)
    number = np.arange(len(place))
    beta, t = fits.wide[number, place], fits.t[number, place]
    values = tables.features[number, CALIBRATION:, place]
    plain = fits.plain[:, :1] * x + fits.plain[:, 1:]
    wide = beta[:, :1] * x + beta[:, 1:2] + beta[:, 2:] * values
    keep = (np.maximum(0.0, 1 - 1 / np.maximum(t, 1e-9) ** 2) if shrink else 1.0) * joins
    predicted = plain + np.asarray(keep)[:, None] * (wide - plain)
    error: np.ndarray = np.mean(np.abs(predicted / true - 1), axis=1)
    return error


def simulate(
    space: Space, noise: str, count: int, seed: int, feature: int = 0, share: float = 0.0
) -> dict[str, np.ndarray]:
    """Rule -> tables that a feature joined, their errors, those without it, those with shrinking.

    Args:
        space: Of the rows.
        noise: One of `NOISES`.
        count: Of tables.
        seed: Of the draws.
        feature: See `draw`.
        share: See `draw`.
    """
    parts: dict[str, list[np.ndarray]] = {name: [] for name in rules()}
    for start in range(0, count, TABLES_AT_ONCE):
        number = min(TABLES_AT_ONCE, count - start)
        key = (seed, start, feature, round(1000 * share))
        tables = draw(space, noise, number, key, feature, share)
        fits = fit(tables, key)
        for name, (rule, pick) in rules().items():
            joins = rule(fits)
            never = np.zeros_like(joins)
            figures = [joins.astype(float), judged(tables, fits, joins, pick, False)]
            figures += [judged(tables, fits, never, pick, False)]
            figures += [judged(tables, fits, joins, pick, True)]
            parts[name].append(np.stack(figures))
    return {name: np.concatenate(found, axis=1) for name, found in parts.items()}


def upper(joined: float, count: int) -> float:
    """Upper end of the 95 % interval of a rate (Clopper and Pearson)."""
    hits = round(joined * count)
    return float(stats.beta.ppf(0.975, hits + 1, count - hits)) if hits < count else 1.0


def study(none: int, some: int) -> dict[str, Any]:
    """Every case; rule -> rates and errors.

    Args:
        none: Tables a case without a feature.
        some: Tables a case with one.
    """
    space = tiny()
    # What is the same in every network is part of the intercept, whatever it costs.
    spread = np.ptp(space.counts @ space.features, axis=(0, 1))
    varying = [int(place) for place in np.flatnonzero(spread)]
    found: dict[str, dict[str, Any]] = {name: {"none": {}, "some": {}} for name in rules()}
    for noise in NOISES:
        for name, (joins, error, plain, _) in simulate(space, noise, none, 1).items():
            rate = float(joins.mean())
            hit = joins > 0
            found[name]["none"][noise] = {
                "joined": rate,
                "upper": upper(rate, none),
                "error_ratio": float(np.mean(error[hit] / plain[hit])) if hit.any() else None,
            }
    for noise in ("quiet", "usual", "busy"):
        for share in SHARES:
            cases = [simulate(space, noise, some, 2, i, share) for i in varying]
            for name in found:
                joins, error, plain, shrunk = np.concatenate([c[name] for c in cases], axis=1)
                found[name]["some"][f"{noise}, {share:.0%}"] = {
                    "joined": float(joins.mean()),
                    "mape_percent": float(100 * error.mean()),
                    "mape_percent_without": float(100 * plain.mean()),
                    "mape_percent_shrunk": float(100 * shrunk.mean()),
                }
    return found


def show(found: dict[str, Any]) -> None:
    """Prints one line a rule."""
    view = Table("rule", "worst upper", *NOISES, "found", "error %", "without", "shrunk")
    for name, figures in found.items():
        none, some = figures["none"], figures["some"].values()
        worst = max(case["upper"] for case in none.values())
        means = [
            math.fsum(case[key] for case in some) / len(some)
            for key in ("joined", "mape_percent", "mape_percent_without", "mape_percent_shrunk")
        ]
        view.add_row(
            name if worst < MOST_JOINED else f"({name})",
            f"{worst:.2%}",
            *(f"{none[noise]['joined']:.2%}" for noise in NOISES),
            f"{means[0]:.1%}",
            *(f"{value:.3f}" for value in means[1:]),
        )
    out.print(view)


def main(arguments: list[str]) -> int:
    """Runs the study; returns the exit code."""
    parser = Parser(description=__doc__)
    parser.add_argument("--none", type=int, default=20_000, help="tables a case without a feature")
    parser.add_argument("--some", type=int, default=1_000, help="tables a case with one")
    parser.add_argument("--json", action=OutputFile, type=Path, help="file for every figure")
    flags = parser.parse_args(arguments)
    found = study(flags.none, flags.some)
    if flags.json:
        flags.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    show(found)
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
