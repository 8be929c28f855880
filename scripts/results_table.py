#!/usr/bin/env python3
"""Prints a run folder as the Markdown of docs/results: command, hardware, date, figures, n.

python scripts/results_table.py runs/tiny-imagenet-cpu
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency import shell
from nas.errors import InputError
from nas.runs.config import AnyConfig, DataRecord, RunConfig, read_config
from nas.runs.folder import RunFolder


def read(path: Path) -> dict[str, Any]:
    """A JSON file of the run, or nothing."""
    return json.loads(path.read_text()) if path.is_file() else {}


def number(value: float | None, form: str) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else form.format(value)


def network_rows(networks: list[dict[str, Any]]) -> list[str]:
    """One Markdown row a network."""
    lines = [
        "| network | predicted ms | measured ms (95 % interval) | params | MACs | top-1 | top-5 | "
        "top-1 on training images | images seen | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for n in networks:
        interval = (
            f"{n['measured_ms']:.3f} ({n['measured_low_ms']:.3f} to {n['measured_high_ms']:.3f})"
            if n.get("measured_ms")
            else "-"
        )
        cells = [
            n["name"],
            number(n.get("predicted_ms"), "{:.3f}"),
            interval,
            f"{n['params']:,}",
            f"{n['macs']:,}",
            number(n.get("top1"), "{:.2%}"),
            number(n.get("top5"), "{:.2%}"),
            number(n.get("train_top1"), "{:.2%}"),
            number(n.get("images_seen"), "{:,}"),
            number(n.get("seconds"), "{:.0f}"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def audit_lines(table: dict[str, Any]) -> list[str]:
    """The table's audit in one sentence."""
    audit = table.get("audit")
    if not audit:
        return []
    return [
        f"Latency table: {len(table['rows'])} rows in {table['duration_seconds']:.0f} s; on "
        f"{audit['n']} held-out networks (spread {audit['spread']:.2f}) "
        f"{audit['within_5_percent']:.0%} within 5 %, MAPE {audit['mape_percent']:.2f} % "
        f"(noise floor {audit['noise']['mape_percent']:.2f} %), "
        f"Kendall tau {audit['kendall_tau']:.3f} (noise {audit['noise']['kendall_tau']:.3f}).",
        "",
    ]


def search_lines(run: Path, config: AnyConfig) -> list[str]:
    """How long the search was, from its history."""
    if not (run / "history.csv").is_file() or not isinstance(config, RunConfig):
        return []
    with open(run / "history.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rates = sorted(float(row["examples_per_s"]) for row in rows)
    waits = sorted(float(row["input_wait_share"] or 0) for row in rows)
    search = config.search
    steps = int(float(rows[-1]["step"]))
    gates = int(steps * (1 - search.warm_up.share) / search.gates.every)
    return [
        f"Search: {int(float(rows[-1]['images_seen'])):,} images for the weights and about "
        f"{gates * search.weights.batch_size:,} for the gates; median {rates[len(rates) // 2]:.0f} "
        f"weight images a second, input wait {waits[len(waits) // 2]:.1%}.",
        "",
    ]


def print_page(run: Path) -> int:
    """Prints the page of a run; returns the exit code."""
    config, folder = read_config(run), RunFolder(run)
    data = folder.read(DataRecord)
    certificate = read(run / "certificate.json")
    environment = certificate["environment"]
    networks = read(run / "baselines.json").get("networks") or [certificate]
    versions = ", ".join(
        f"{name} {environment[name]}"
        for name in ("python", "tensorflow", "keras", "onnxruntime")
        if environment.get(name)
    )
    print(
        f"- hardware: {environment['cores']} shared cores of {environment['cpu_model']}; {versions}"
    )
    print(f"- date: {certificate['date'][:10]}; n = 1 of each network, seed {config.seed}")
    print(
        f"- images: {data.name}, {data.train_images:,} training and "
        f"{data.evaluation_images:,} evaluation images"
    )
    print()
    print("\n".join(audit_lines(read(run / "table.json"))))
    print("\n".join(search_lines(run, config)))
    print("\n".join(network_rows(networks)))
    print(f"\nFound network: `{certificate['text']}`")
    share = certificate.get("supernet_top1")
    print(f"\nWith the supernet's weights, not retrained: top-1 {number(share, '{:.2%}')}.")
    for warning in read(run / "warnings.json").get("warnings", []):
        print(f"\nWarning of the search: {warning}")
    return 0


def main(arguments: list[str]) -> int:
    """Prints the page of the run that is named."""
    if len(arguments) != 1:
        raise InputError("one run folder", f"{arguments}", "name a folder that nas.py wrote")
    return print_page(Path(arguments[0]))


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))
