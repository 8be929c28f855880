#!/usr/bin/env python3
"""Prints a run folder as the Markdown of docs/results: command, hardware, date, figures, n.

python scripts/results_table.py runs/tiny-imagenet-cpu
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median_high

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

from latency import shell
from latency.cli.parser import Parser
from latency.tables.table import LatencyTable
from nas.errors import InputError
from nas.methods.history import SearchRow
from nas.report.comparison import compare
from nas.report.seeds import seed_lines
from nas.runs.config import AnyConfig, RunConfig
from nas.runs.reader import RunRecords, read_run
from nas.runs.records import Certificate, CertifiedNetwork
from nas.system.environment import Environment


def number(value: float | None, form: str) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else form.format(value)


def network_rows(networks: Sequence[CertifiedNetwork]) -> list[str]:
    """One Markdown row a network: top-1 is a mean over n seeds, the rest of the first of them."""
    lines = [
        "| network | predicted ms | measured ms (95 % interval) | params | MACs | top-1 | sd | n | "
        "top-5 | top-1 on training images | images seen | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for n in networks:
        interval = (
            f"{n.measured_ms:.3f} ({n.measured_low_ms:.3f} to {n.measured_high_ms:.3f})"
            if n.measured_ms and n.measured_low_ms and n.measured_high_ms
            else number(n.measured_ms, "{:.3f}")
        )
        seeds = n.known_trainings
        cells = [
            n.name,
            number(n.predicted_ms, "{:.3f}"),
            interval,
            f"{n.params:,}",
            f"{n.macs:,}",
            number(seeds.mean if seeds else None, "{:.2%}"),
            number(seeds.standard_deviation if seeds else None, "{:.2%}"),
            number(seeds.count if seeds else None, "{}"),
            number(n.top5, "{:.2%}"),
            number(n.train_top1, "{:.2%}"),
            number(n.images_seen, "{:,}"),
            number(n.seconds, "{:.0f}"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def audit_lines(table: LatencyTable | None) -> list[str]:
    """The table's audit in one sentence."""
    audit = table.audit if table else None
    if table is None or audit is None:
        return []
    return [
        f"Latency table: {len(table.rows)} rows in {table.duration_seconds:.0f} s; on "
        f"{audit.n} held-out networks (spread {audit.spread:.2f}) "
        f"{audit.within_5_percent:.0%} within 5 %, MAPE {audit.mape_percent:.2f} % "
        f"(noise floor {audit.noise['mape_percent']:.2f} %), "
        f"Kendall tau {audit.kendall_tau:.3f} (noise {audit.noise['kendall_tau']:.3f}).",
        "",
    ]


def search_lines(rows: Sequence[SearchRow], config: AnyConfig | None) -> list[str]:
    """How long the search was, from its history."""
    if not rows or not isinstance(config, RunConfig):
        return []
    search, last = config.search, rows[-1]
    gates = int(last.step * (1 - search.warm_up.share) / search.gates.every)
    rate = median_high(row.examples_per_s or 0.0 for row in rows)
    wait = median_high(row.input_wait_share or 0.0 for row in rows)
    return [
        f"Search: {last.images_seen:,} images for the weights and about "
        f"{gates * search.weights.batch_size:,} for the gates; median {rate:.0f} "
        f"weight images a second, input wait {wait:.1%}.",
        "",
    ]


def origin_lines(records: RunRecords, certificate: Certificate) -> list[str]:
    """Hardware, versions, date, seed and images."""
    environment, data, config = certificate.environment, records.data, records.config
    if data is None or config is None:
        raise InputError(
            f"a whole run in {records.path}",
            "no config.json or no data.json",
            "name a folder that nas.py wrote",
        )
    return [
        f"- hardware: {environment.cores} shared cores of {environment.cpu_model}; "
        + _versions(environment),
        f"- date: {certificate.date[:10]}; n = 1 search, seed {config.seed}",
        f"- images: {data.name}, {data.train_images:,} training and "
        f"{data.evaluation_images:,} evaluation images",
        "",
    ]


def _versions(environment: Environment) -> str:
    known = {
        "python": environment.python,
        "tensorflow": environment.tensorflow,
        "keras": environment.keras,
        "onnxruntime": environment.onnxruntime,
    }
    return ", ".join(f"{name} {version}" for name, version in known.items() if version)


def print_page(run: Path) -> int:
    """Prints the page of a run; returns the exit code."""
    records = read_run(run)
    certificate = records.certificate
    if certificate is None:
        raise InputError(f"a certificate in {run}", "none", "finish the run with --resume")
    print("\n".join(origin_lines(records, certificate)))
    print("\n".join(audit_lines(records.table)))
    print("\n".join(search_lines(records.history, records.config)))
    networks = records.baselines.networks if records.baselines else (certificate,)
    print("\n".join(network_rows(networks)))
    for line in seed_lines(compare(certificate, records.baselines), certificate):
        print(f"\n{line}")
    print(f"\nFound network: `{certificate.text}`")
    share = number(certificate.supernet_top1, "{:.2%}")
    print(f"\nWith the supernet's weights, not retrained: top-1 {share}.")
    for warning in records.warnings:
        print(f"\nWarning of the search: {warning}")
    for warning in certificate.warnings:
        print(f"\nWarning: {warning}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Prints the page of the run that is named; returns the exit code.

    Args:
        arguments: Command line; None for the program's own.
    """
    parser = Parser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, help="folder that nas.py wrote")
    return print_page(parser.parse_args(arguments).run)


if __name__ == "__main__":
    sys.exit(shell.run(main))
