"""A finished run for the report's tests: records as the programs write them, samples made up."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from latency.device.host import current_host, device_state
from latency.device.plan import MeasurePlan
from latency.device.records import Result
from latency.device.settings import SessionSettings
from latency.device.speed import HostSpeed
from latency.device.statistics import Visit
from latency.jobs.job import OVERHEAD_KEY, Job
from latency.measurement.measure import Measurement
from latency.measurement.timing import Timing
from latency.measurement.verdict import judge
from latency.onnx_files.features import row_features
from latency.tables.build import table_of
from latency.tables.table import LatencyTable
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.deployment.records import ExportedFile, Exports, Parity
from nas.hardware.jobs import space_job
from nas.hardware.rows import architecture_row_keys
from nas.methods.config import SearchConfig, supernet_recipe
from nas.methods.history import GateChoice, GateHistory, SearchRow
from nas.metrics import MetricResults, MetricSpread, MetricValue, Smoothness
from nas.runs.config import RunConfig
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.runs.history import columns
from nas.runs.measured import Conditions, FileHashes
from nas.runs.records import (
    Baselines,
    Certificate,
    CertifiedNetwork,
    RunWarnings,
    SeededRecipe,
    values_of,
)
from nas.search_space.named import get_space
from nas.selection.baselines import uniform_network
from nas.selection.goals import Goal, ResolvedTarget
from nas.system.backend import Compute
from nas.system.environment import Environment
from nas.training.history import TrainingRow
from nas.training.recipe import Recipe

SPACE = get_space("tiny")
CHOSEN = SPACE.decode((3, 2, 6, 5, 1, 6, 2, 3, 0, 6, 4, 3))
PREDICTED_OVER_ASKED = 1.003
# Of the made-up machine: one run, one row, one multiply-add, and networks over sums of rows.
RUN_MS, ROW_MS, MAC_MS = 0.02, 0.004, 6e-8
SLOPE, INTERCEPT_MS, SPREAD = 1.04, 0.031, 0.02
CPU = "Example CPU <8 cores> @ 2.5 GHz"
ENVIRONMENT = Environment(
    cpu_model=CPU,
    cores=2,
    os="Linux",
    python="3.11.9",
    host_fingerprint="0123456789ab",
    stopwatch_nas="0.1.0",
    keras="3.15.1",
    tensorflow="2.21.0",
    onnxruntime="1.31.1",
    onnx=None,
    numpy="2.4.1",
)
SPEED = HostSpeed(
    "full speed",
    probe="example probe",
    full_speed_us=8.7,
    session_us=8.7,
    share_full_speed=0.93,
    probe_quantiles_us={"p1": 8.7, "p50": 8.8, "p99": 11.9},
)
CONDITIONS = Conditions(
    threads=1,
    provider="CPUExecutionProvider",
    graph_level="all",
    set_denormal_as_zero=True,
    statistic="median over processes of the 10th percentile of undisturbed runs",
    processes=3,
    gate=SPEED.gate,
    probe=SPEED.probe,
    full_speed_us=SPEED.full_speed_us,
    host_state=SPEED.state,
    host_reason="",
)
RECIPE = SeededRecipe(epochs=30.0, seed=1).resolved()


@functools.cache
def report_table() -> LatencyTable:
    """The table that `latency` makes of a space's job and of samples from a made-up machine."""
    plan = MeasurePlan(min_rounds=6, max_rounds=6, runs_per_visit=4)
    job = space_job(SPACE, settings=SessionSettings(), plan=plan, calibration=10, held_out=20)
    samples = {key: _visits(ms, number) for number, (key, ms) in enumerate(_model_ms(job).items())}
    result = Result(
        job_id="0123456789ab",
        host=replace(current_host(), cpu_model=CPU),
        settings=job.settings,
        visits=samples,
        speed=SPEED,
        certain=(True,) * (len(job.rows) + len(job.wholes)),
        rounds=6,
        seconds=12.5,
        log=(),
        described={},
        started_at="2026-05-04T10:20:30+00:00",
        finished_at="2026-05-04T10:20:43+00:00",
        state_after=device_state(),
    )
    return table_of(job, result)


def _model_ms(job: Job) -> dict[str, float]:
    """Milliseconds of every graph: rows by their work, networks near an affine sum of rows."""
    data = {model.key: model.data for model in job.models}
    found = {OVERHEAD_KEY: RUN_MS}
    rows = {}
    for row in job.rows:
        short = data[row.short_key] if row.short_key else None
        features = row_features(data[row.long_key], short, row.divisor, 8)
        macs = sum(value for name, value in features.items() if name.endswith("_macs"))
        rows[row.key] = ROW_MS + MAC_MS * macs
        short_ms = found.setdefault(row.short_key or OVERHEAD_KEY, 5 * RUN_MS)
        found[row.long_key] = short_ms + row.divisor * rows[row.key]
    rng = np.random.default_rng(7)
    for whole in job.wholes:
        exact_ms = SLOPE * sum(rows[key] for key in whole.row_keys) + INTERCEPT_MS
        found[whole.key] = exact_ms * (1 + SPREAD * float(rng.standard_normal()))
    return found


def _visits(ms: float, seed: int) -> tuple[Visit, ...]:
    noise = 1 + 0.003 * np.abs(np.random.default_rng(seed).standard_normal((6, 4)))
    probes_us = (8.8,) * 4
    return tuple(Visit(tuple(v), probes_us, probes_us) for v in (ms * noise).tolist())


def predicted_ms(architecture: Architecture) -> float | None:
    """By the made-up machine's table; None for a network with rows of no option."""
    table, keys = report_table(), architecture_row_keys(architecture)
    return table.predict_ms(keys) if all(key in table.rows for key in keys) else None


def network(
    name: str, architecture: Architecture, ms: float, asked_ms: float | None = None, **others: Any
) -> CertifiedNetwork:
    """A network in figures, measured in three processes.

    Args:
        name: Begins with its role.
        architecture: The network.
        ms: Near what was measured.
        asked_ms: Target.
        **others: Further figures.
    """
    visits = [_visits(ms, seed) for seed in range(3)]
    readings = [Measurement(name, of_process, 0.1, True) for of_process in visits]
    timing = Timing.of(readings, [SPEED] * len(readings))
    return CertifiedNetwork.of(
        architecture,
        timing,
        predicted_ms(architecture),
        asked_ms,
        None if asked_ms is None else judge(timing, asked_ms, again="python main.py"),
        name=name,
        role=name.split()[0],
        text=arch_text.to_text(architecture),
        **others,
    )


def _trained(found: CertifiedNetwork, top1: float) -> CertifiedNetwork:
    return replace(
        found,
        top1=top1,
        top5=min(0.99, 1.9 * top1),
        evaluation_images=10_000,
        train_top1=0.52,
        running_accuracy=0.49,
        images_seen=3_000_000,
        seconds=5210.0,
    )


def history() -> tuple[SearchRow, ...]:
    """A search whose expectation falls after a warm-up of 250 steps."""
    rng = np.random.default_rng(3)
    rows = []
    for step in range(10, 801, 10):
        done = max(0.0, (step - 250) / 550)
        cross_entropy = 5.3 - 2.1 * (1 - math.exp(-step / 300)) + 0.12 * rng.standard_normal()
        expected = 1.93 - 0.67 * done**0.7
        warm_up = SearchRow(
            step,
            stage="warmup",
            images_seen=64 * step,
            loss=cross_entropy + 0.1 * done,
            cross_entropy=cross_entropy,
            expected_ms=expected,
            penalty_weight=0.1 * done,
            ramp=done,
            temperature=1.0,
            accuracy=0.3 * (1 - math.exp(-step / 500)) + 0.02 * rng.standard_normal(),
            gate_entropy=1.9 - 1.3 * done,
            examples_per_s=410.0,
            input_wait_share=0.01,
        )
        if step <= 250:
            rows.append(warm_up)
            continue
        rows.append(
            replace(
                warm_up,
                stage="search",
                penalty=0.1 * done * math.log(expected),
                gate_cross_entropy=cross_entropy + 0.15,
                gate_accuracy=0.27 * (1 - math.exp(-step / 500)),
            )
        )
    return tuple(rows)


def gates() -> GateHistory:
    """Gates that come to prefer the chosen network."""
    rng = np.random.default_rng(5)
    steps = tuple(range(250, 801, 25))
    drift = [rng.standard_normal(len(choice.options)) for choice in SPACE.choices]
    probabilities = []
    for step in steps:
        done, record = (step - 250) / 550, []
        for choice, chosen in enumerate(SPACE.encode(CHOSEN)):
            logits = 0.8 * done * drift[choice]
            logits[chosen] += 3.2 * done
            weights = np.exp(logits)
            record.append(tuple((weights / weights.sum()).tolist()))
        probabilities.append(tuple(record))
    choices = tuple(
        GateChoice(c.tag, tuple(arch_text.layer_to_text(o) for o in c.options))
        for c in SPACE.choices
    )
    return GateHistory(choices, steps, tuple(probabilities))


def retrain_history() -> tuple[TrainingRow, ...]:
    """A training of 30 epochs."""
    rng = np.random.default_rng(9)
    return tuple(
        TrainingRow(
            step,
            epoch=step / 780,
            loss=1.6 + 3.7 * math.exp(-step / 7000) + 0.06 * rng.standard_normal(),
            accuracy=0.44 * (1 - math.exp(-step / 9000)) + 0.012 * rng.standard_normal(),
            learning_rate=2e-3 * (1 + math.cos(math.pi * step / 23400)),
            examples_per_s=620.0,
        )
        for step in range(100, 23401, 100)
    )


def config_of(asked_ms: float | None) -> RunConfig:
    """What such a run was asked for."""
    ask = "--lambda 0.1" if asked_ms is None else f"--target_ms {asked_ms}"
    source = DataSource(kind="files", path="data/tiny-imagenet-200")
    return RunConfig(
        date="2026-05-04T10:20:30+00:00",
        command=f"python nas.py {ask} --data_dir {source.path}",
        seed=1,
        scale="images",
        data=source,
        compute=Compute(),
        recipe=Recipe(epochs=30.0),
        environment=ENVIRONMENT,
        goals=(Goal(penalty=0.1) if asked_ms is None else Goal(target=asked_ms),),
        space="tiny",
        search=SearchConfig(weights=supernet_recipe(8.0)),
    )


DATA = DataRecord(
    name="Tiny-ImageNet",
    is_sample=False,
    fingerprint="9f3a61c02b7d",
    image_size=64,
    train_images=100_000,
    evaluation_images=10_000,
    class_names=tuple(f"n{number:08d}" for number in range(200)),
    notes=("1,821 grey images became RGB",),
)


def metrics_of(top1: float) -> MetricResults:
    """Two metrics that might have been asked for.

    Args:
        top1: Of the network.
    """
    name = DATA.class_names[1]
    cut = MetricValue("tpr_at_fpr=0.01", top1, top1 - 0.02, top1 + 0.02, 3.25, 99, 98)
    auc = MetricValue("auc", 0.5 + top1 / 2, 0.45 + top1 / 2, 0.55 + top1 / 2)
    return MetricResults((cut, auc), 10_000, name, 50, 9_950, None, 1_000, 0, 0.95)


def certificate_of(networks: Sequence[CertifiedNetwork], is_retrained: bool) -> Certificate:
    """The first network's, with the others as its company.

    Args:
        networks: Found, largest, uniform and random ones.
        is_retrained: Whether main.py wrote it.
    """
    parity = Parity(2e-6, 9.5, 1.0, networks[0].size_bytes + 21_412.0) if is_retrained else None
    whole = parity and replace(parity, images=10_000, flips=0)
    exported = ExportedFile(
        name="fp32",
        file="model.onnx",
        file_bytes=int(parity.file_bytes) if parity else 0,
        file_sha256="0" * 64,
        source_sha256=None,
        top1=networks[0].top1,
        top5=networks[0].top5,
        evaluation_images=10_000,
        parity=whole,
    )
    return Certificate(
        **values_of(
            replace(
                networks[0],
                parity=whole,
                smoothness=(Smoothness("last", 8, 0.021, 0.034, 3.0),),
                metrics=metrics_of(networks[0].top1) if networks[0].top1 else None,
                metric_spreads=(MetricSpread("auc", (0, 1), (0.69, 0.7), 0.695, 0.0071),),
            )
        ),
        method="gradient",
        supernet_top1=0.214,
        supernet_top5=0.46,
        largest=networks[1],
        uniform=networks[2],
        random=tuple(networks[3:]),
        device=None,
        date="2026-05-04T12:20:30+00:00",
        environment=ENVIRONMENT,
        conditions=CONDITIONS,
        hashes=FileHashes("0" * 64, "f" * 64) if is_retrained else None,
        file_bytes=int(parity.file_bytes) if parity else None,
        onnx_max_abs_difference=parity.max_abs_difference if parity else None,
        recipe=RECIPE if is_retrained else None,
        exports=Exports(files=(exported,)) if is_retrained else None,
        warnings=("the certificate was measured while the machine was busy",),
    )


def make_run(
    path: Path, *, asked: bool = True, error: float = 0.008, retrained: bool = True
) -> Path:
    """Writes a whole run folder.

    Args:
        path: Of the new folder.
        asked: Whether milliseconds were asked for; else it is a run with `--lambda`.
        error: Measured over predicted, minus 1, of the searched network.
        retrained: Whether retraining and the baselines have run.
    """
    chosen_ms = predicted_ms(CHOSEN) or 0.0
    largest_ms = predicted_ms(SPACE.largest()) or 0.0
    asked_ms = round(chosen_ms / PREDICTED_OVER_ASKED, 4) if asked else None
    measured_ms = (1 + error) * chosen_ms
    networks = [
        network("searched", CHOSEN, measured_ms, asked_ms),
        network("largest", SPACE.largest(), 1.012 * largest_ms),
        network("uniform", uniform_network(SPACE, 0.75), 1.011 * measured_ms),
        network("random 1", CHOSEN, 0.99 * measured_ms),
        network("random 2", CHOSEN, 1.005 * measured_ms),
    ]
    if retrained:
        shares = (0.3812, 0.4127, 0.366, 0.3571, 0.3498)
        networks = [_trained(n, top1) for n, top1 in zip(networks, shares, strict=True)]
    config = config_of(asked_ms)
    folder = RunFolder.create(path, config, "report")
    folder.write(DATA)
    folder.write(ResolvedTarget.of(config.goal, 0.2, largest_ms))
    folder.write_json("architecture.json", arch_text.to_json(CHOSEN))
    report_table().save(folder.path / "table.json")
    folder.write(gates())
    folder.write(certificate_of(networks, retrained))
    folder.write(RunWarnings(("gate of stage1_block3 is flat: 22 % against 19 %",)))
    write_rows(folder, history())
    if retrained:
        folder.write(Baselines(RECIPE, tuple(networks)))
        write_rows(folder, retrain_history())
    return folder.path


def write_rows(folder: RunFolder, rows: Sequence[SearchRow] | Sequence[TrainingRow]) -> None:
    """Records of a history as the CSV file that their class names."""
    names = columns(rows[0])
    lines = [{column: getattr(row, name) for column, name in names.items()} for row in rows]
    folder.write_csv(rows[0].FILE, lines)
