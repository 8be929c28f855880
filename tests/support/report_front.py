"""A trained front of twelve networks for the page's tests: figures made up, as a phone has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from latency.measurement.verdict import judge
from nas.architecture import text as arch_text
from nas.pipeline.front_record import front_record
from nas.runs.folder import RunFolder
from nas.runs.front import Front
from nas.runs.records import Certificate, CertifiedNetwork
from nas.selection.seed_spread import SeedSpread
from tests.support.report_run import CHOSEN, RECIPE, SPACE, certificate_of
from tests.support.timings import timing

COUNT = 12
# The last two are the same.
NETWORKS = [SPACE.decode((3, 2, 6, 5, 1, 6, 2, 3, 0, 6, 4, i % 4)) for i in range(3)]
NETWORKS += [SPACE.decode((3, 2, 6, 5, i % 4, 6, 2, 3, i, 6, 4, 3)) for i in range(4)]
NETWORKS += [SPACE.decode((i % 3, 1, 6, 5, 1, 6, 2, 3, 0, 6, 4, 3)) for i in (0, 1, 2, 3)]


def made_up_front(seeds: int = 1, count: int = COUNT) -> Front:
    """Networks from 0.3 ms on, each 12 % slower; accuracy grows, but not always.

    Args:
        seeds: Trainings of each.
        count: Networks.
    """
    rng = np.random.default_rng(1)
    certificates = {}
    for number in range(count):
        ms = 0.3 * 1.12**number
        top1 = 0.62 - 0.22 * 0.8**number - (0.05 if number in (4, 9) else 0.0)
        shares = [float(top1 + 0.004 * rng.standard_normal()) for _ in range(seeds)]
        name = f"{ms:.2g}ms" if number % 3 == 0 else f"added-{number}"
        asked_ms = ms if number % 3 == 0 else None
        text = arch_text.to_text(NETWORKS[number % len(NETWORKS)])
        certificates[name] = replace(_certificate(ms, shares, asked_ms), text=text)
    goals = {name: None if name.startswith("added") else name for name in certificates}
    recipe = replace(RECIPE, inherits=True, seeds=seeds, seed=0, epochs=4.0)
    return front_record(certificates, goals, recipe, None)


def _certificate(ms: float, shares: Sequence[float], asked_ms: float | None) -> Certificate:
    found = _network("searched", ms, asked_ms)
    found = replace(
        found,
        params=int(4e6 * ms),
        macs=int(2e8 * ms),
        bops=1024 * int(2e8 * ms),
        top1=shares[0],
        top5=min(0.99, 1.4 * shares[0]),
        evaluation_images=10_000,
        trainings=SeedSpread.of(dict(enumerate(shares))),
    )
    others = [_network(name, ms) for name in ("largest", "uniform", "random 1")]
    return replace(certificate_of([found, *others], True), trainings=found.trainings)


def _network(name: str, ms: float, asked_ms: float | None = None) -> CertifiedNetwork:
    measured = timing(0.999 * ms, ms, 1.001 * ms)
    return CertifiedNetwork.of(
        CHOSEN,
        measured,
        1.01 * ms,
        asked_ms,
        None if asked_ms is None else judge(measured, asked_ms, again="python main.py"),
        name=name,
        role=name.split()[0],
        text=arch_text.to_text(CHOSEN),
    )


def make_front(path: Path, front: Front) -> Path:
    """Writes front.json and, for each network, the files that the page leads to.

    Args:
        path: Of the new sweep folder.
        front: That is written.
    """
    path.mkdir(parents=True)
    RunFolder(path).write(front)
    for one in front.networks:
        folder = path / one.name
        folder.mkdir()
        for file in ("model.onnx", "certificate.json", "architecture.json", "report.html"):
            (folder / file).write_text("")
    return path
