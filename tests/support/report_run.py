"""A run folder as a finished search and retraining leave it, made up for the report's tests."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from nas.architecture import text as arch_text
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import ConvOp, DenseOp, all_ops
from nas.architecture.spec import Architecture
from nas.report.network import row_key
from nas.search_space.named import get_space
from nas.search_space.space import Space

SLOPE, INTERCEPT_MS = 1.04, 0.031
CHOSEN = (3, 2, 6, 5, 1, 6, 2, 3, 0, 6, 4, 3)
ENVIRONMENT = {
    "cpu_model": "Example CPU <8 cores> @ 2.5 GHz",
    "cores": 2,
    "onnxruntime": "1.31.1",
    "tensorflow": "2.21.0",
    "keras": "3.15.1",
    "python": "3.11.9",
}


def layer_ms(layer: Any) -> float:
    """Milliseconds that grow with the work of a layer."""
    height, width = layer.output_shape[:2] if len(layer.output_shape) == 3 else (1, 1)
    work = 0.0
    for op in all_ops(layer.ops):
        if isinstance(op, ConvOp):
            inputs = 3.0 if op.depthwise else op.in_channels
            work += height * width * op.kernel**2 * inputs * op.out_channels
        elif isinstance(op, DenseOp):
            work += op.in_units * op.out_units
    return work * 6e-8


def predicted_ms(architecture: Architecture) -> float:
    """What the made-up table predicts."""
    rows = sum(layer_ms(layer) for layer in lower_architecture(architecture))
    return SLOPE * rows + INTERCEPT_MS


def table_record(space: Space, rng: np.random.Generator) -> dict[str, Any]:
    rows = {}
    for _ in range(60):
        for layer in lower_architecture(space.sample(rng)):
            if layer.ops:
                rows[row_key(layer)] = {"latency_ms": layer_ms(layer)}
    points = []
    for number in range(50):
        predicted = predicted_ms(space.sample(rng)) * rng.uniform(0.6, 1.3)
        measured = predicted * (1 + 0.022 * rng.standard_normal())
        points.append([f"held_out_{number}", predicted, measured])
    figures = {
        "within_5_percent": 0.96,
        "within_10_percent": 1.0,
        "mape_percent": 1.78,
        "bias_percent": -0.31,
        "rmspe_percent": 2.24,
        "kendall_tau": 0.951,
        "spearman": 0.994,
    }
    noise = {**figures, "within_5_percent": 1.0, "mape_percent": 0.62, "bias_percent": 0.04}
    return {
        "schema_version": 1,
        "space": space.name,
        "calibration": {"a": SLOPE, "b_ms": INTERCEPT_MS, "n": 10, "residuals_percent": []},
        "audit": {"n": 50, **figures, "spread": 3.42, "noise": noise, "points": points},
        "rows": rows,
        "warnings": [],
    }


def network_record(architecture: Architecture, error: float, top1: float | None) -> dict[str, Any]:
    prediction = predicted_ms(architecture)
    measured = prediction * (1 + error)
    ops = [op for layer in lower_architecture(architecture) for op in all_ops(layer.ops)]
    params = sum(
        op.kernel**2 * (1 if op.depthwise else op.in_channels) * op.out_channels
        for op in ops
        if isinstance(op, ConvOp)
    )
    return {
        "predicted_ms": prediction,
        "measured_ms": measured,
        "measured_low_ms": 0.993 * measured,
        "measured_high_ms": 1.008 * measured,
        "measured_p50_ms": 1.01 * measured,
        "measured_p90_ms": 1.06 * measured,
        "params": params,
        "macs": round(prediction * 1.9e7),
        "size_bytes": 4 * params,
        "file_bytes": 4 * params + 21_412,
        "top1": top1,
        "top5": None if top1 is None else min(0.99, 1.9 * top1),
    }


def history_rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(3)
    rows = []
    for step in range(10, 801, 10):
        warm_up = step <= 250
        done = max(0.0, (step - 250) / 550)
        cross_entropy = 5.3 - 2.1 * (1 - math.exp(-step / 300)) + 0.12 * rng.standard_normal()
        expected = 1.93 - 0.67 * done**0.7 if not warm_up else 1.93
        rows.append(
            {
                "step": step,
                "stage": "warmup" if warm_up else "search",
                "images_seen": 64 * step,
                "loss": cross_entropy + 0.1 * done,
                "cross_entropy": cross_entropy,
                "penalty": None if warm_up else 0.1 * done * math.log(expected),
                "expected_ms": expected,
                "lambda": 0.0 if warm_up else 0.1 * done,
                "temperature": 1.0,
                "accuracy": 0.3 * (1 - math.exp(-step / 500)) + 0.02 * rng.standard_normal(),
                "gate_cross_entropy": None if warm_up else cross_entropy + 0.15,
                "gate_accuracy": None if warm_up else 0.27 * (1 - math.exp(-step / 500)),
                "gate_entropy": 1.9 - 1.3 * done,
                "examples_per_s": 410.0,
                "input_wait_share": 0.01,
            }
        )
    return rows


def gates_record(space: Space) -> dict[str, Any]:
    rng = np.random.default_rng(5)
    steps = list(range(250, 801, 25))
    probabilities = []
    drift = [rng.standard_normal(len(choice.options)) for choice in space.choices]
    for step in steps:
        done, record = (step - 250) / 550, []
        for choice, chosen in enumerate(CHOSEN):
            logits = 0.8 * done * drift[choice]
            logits[chosen] += 3.2 * done
            weights = np.exp(logits)
            record.append([float(p) for p in weights / weights.sum()])
        probabilities.append(record)
    choices = [
        {"tag": c.tag, "options": [arch_text.layer_to_text(o) for o in c.options]}
        for c in space.choices
    ]
    return {"schema_version": 1, "choices": choices, "steps": steps, "probabilities": probabilities}


def config_record(asked_ms: float | None) -> dict[str, Any]:
    ask = "--lambda 0.1" if asked_ms is None else f"--target_ms {asked_ms}"
    return {
        "schema_version": 1,
        "kind": "run",
        "name": "tiny-imagenet-budget",
        "date": "2026-05-04T10:20:30+00:00",
        "command": f"python nas.py {ask} --data_dir data/tiny-imagenet-200",
        "space": "tiny",
        "image_size": 64,
        "num_classes": 200,
        "seed": 1,
        "lambda": 0.1 if asked_ms is None else None,
        "target_ms": asked_ms,
        "data": {
            "name": "Tiny-ImageNet",
            "data_dir": "data/tiny-imagenet-200",
            "is_sample": False,
            "fingerprint": "9f3a61c02b7d",
            "train_images": 100000,
            "evaluation_images": 10000,
            "class_names": [f"n{number:08d}" for number in range(200)],
            "notes": ["1,821 grey images became RGB"],
        },
        "environment": ENVIRONMENT,
        "search": {
            "batch_size": 64,
            "warmup_steps": 250,
            "search_steps": 550,
            "gate": "categorical",
        },
    }


def make_run(
    folder: Path, *, asked_ms: float | None = 1.25, error: float = 0.008, retrained: bool = True
) -> Path:
    """Writes a whole run folder.

    Args:
        folder: Made if it is missing.
        asked_ms: None makes a run with `--lambda`.
        error: Measured over predicted, minus 1, of the searched network.
        retrained: Whether retraining and the baselines have run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    space, rng = get_space("tiny"), np.random.default_rng(7)
    chosen = space.decode(CHOSEN)
    own = network_record(chosen, error, 0.3812 if retrained else None)
    measured_ms = own["measured_ms"]
    met = None if asked_ms is None else abs(measured_ms / asked_ms - 1) <= 0.02
    largest = network_record(space.largest(), 0.012, 0.4127 if retrained else None)
    randoms = [network_record(chosen, 0.01 * i - 0.01, None) for i in range(3)]
    certificate = {
        "schema_version": 1,
        "asked_ms": asked_ms,
        "met": met,
        **own,
        "train_top1": 0.52 if retrained else None,
        "supernet_top1": 0.214,
        "largest": largest,
        "random": randoms,
        "warnings": ["the certificate was measured while the machine was busy"],
        "environment": ENVIRONMENT,
    }
    files: dict[str, Any] = {
        "config.json": config_record(asked_ms),
        "table.json": table_record(space, rng),
        "gates.json": gates_record(space),
        "architecture.json": arch_text.to_json(chosen),
        "certificate.json": certificate,
        "warnings.json": {"warnings": ["gate of stage1_block3 is flat: 22 % against 19 %"]},
    }
    if retrained:
        files["baselines.json"] = baselines_record(own, largest, randoms)
        write_csv(folder / "retrain_history.csv", retrain_rows())
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    write_csv(folder / "history.csv", history_rows())
    return folder


def baselines_record(
    own: dict[str, Any], largest: dict[str, Any], randoms: list[dict[str, Any]]
) -> dict[str, Any]:
    extra = {"train_top1": 0.5, "images_seen": 3_000_000, "seconds": 5210.0, "text": ""}
    uniform = {**own, "measured_ms": 1.011 * own["measured_ms"], "top1": 0.3655, "top5": 0.63}
    uniform["measured_low_ms"] = 1.004 * own["measured_ms"]
    uniform["measured_high_ms"] = 1.02 * own["measured_ms"]
    networks = [
        {"name": "searched", "role": "searched", **own, **extra},
        {"name": "largest", "role": "largest", **largest, **extra},
        {"name": "uniform", "role": "uniform", **uniform, **extra},
    ]
    for number, (record, top1) in enumerate(zip(randoms[:2], (0.3571, 0.3498), strict=True)):
        trained = {**record, "top1": top1, "top5": 1.7 * top1}
        networks.append({"name": f"random-{number}", "role": "random", **trained, **extra})
    recipe = {"epochs": 30, "batch_size": 128, "optimizer": "AdamW", "label_smoothing": 0.1}
    return {"schema_version": 1, "recipe": recipe, "networks": networks}


def retrain_rows() -> list[dict[str, Any]]:
    rng = np.random.default_rng(9)
    return [
        {
            "step": step,
            "epoch": step / 780,
            "loss": 1.6 + 3.7 * math.exp(-step / 7000) + 0.06 * rng.standard_normal(),
            "accuracy": 0.44 * (1 - math.exp(-step / 9000)) + 0.012 * rng.standard_normal(),
            "learning_rate": 2e-3 * (1 + math.cos(math.pi * step / 23400)),
            "examples_per_s": 620.0,
        }
        for step in range(100, 23401, 100)
    ]


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows with empty cells where a value is None."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
