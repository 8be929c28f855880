"""What a retraining reached, as its certificate and the records beside it say it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from latency.device.clock import now_text
from latency.tables.table import LatencyTable
from nas.cost.units import UNITS
from nas.deployment.records import Exports
from nas.hardware.measurement import TimedNetworks
from nas.metrics import spreads
from nas.pipeline.certify import asked_verdict, conditions_of, predicted_ms
from nas.pipeline.company import earlier_certificate, training_warnings, verdict_on_search
from nas.pipeline.retrain_job import RetrainJob
from nas.runs.measured import FileHashes
from nas.runs.records import Certificate, CertifiedNetwork, TrainedRecord, values_of
from nas.selection.seed_spread import SeedSpread
from nas.selection.success_rate import SuccessRate
from nas.system.environment import environment


def certified_networks(
    job: RetrainJob,
    trained: Sequence[Sequence[TrainedRecord]],
    timed: TimedNetworks,
    exports: Exports,
    table: LatencyTable | None,
    again: str,
) -> tuple[CertifiedNetwork, ...]:
    """What was trained, counted, measured and predicted.

    Args:
        job: What was trained.
        trained: The trainings of each network, the found one first, first seed first.
        timed: Of the same networks by their names.
        exports: The files of the found network.
        table: That milliseconds are predicted by; None where the run has none.
        again: The command that measures again.
    """

    def certified(records: Sequence[TrainedRecord]) -> CertifiedNetwork:
        first = records[0]
        network = job.network_of(first)
        asked = job.asked if first.role == "searched" else None
        values = {**values_of(first), **judged_values(job, records)}
        del values["seed"], values["held_out"]  # stand among the trainings
        if first.role == "searched":
            values["parity"] = exports.parity or first.parity
        return CertifiedNetwork.of(
            network,
            timed.get(first.name),
            predicted_ms(table, network),
            asked.ms if asked else None,
            asked_verdict(network, timed, first.name, asked, again),
            **values,
            asked_count=asked.count if asked else None,
        )

    return tuple(certified(records) for records in trained)


def judged_values(job: RetrainJob, records: Sequence[TrainedRecord]) -> dict[str, Any]:
    """Fields of a certified network that its trainings give, by what is asked of them now.

    Args:
        job: What was trained.
        records: Trainings of the network that ended, first seed first.
    """
    of_seed = TrainedRecord.by_seed(records, job.seed)
    judged = {seed: one.metrics for seed, one in of_seed.items()}
    return {
        "trainings": SeedSpread.of({seed: one.top1 for seed, one in of_seed.items()}),
        "metrics": records[0].metrics,
        "metric_spreads": spreads(judged, job.metrics.goals),
        "success": _success(job, of_seed),
    }


def _success(job: RetrainJob, of_seed: Mapping[int, TrainedRecord]) -> SuccessRate | None:
    """How often a goal was reached; a training whose weights were lost did not reach it."""
    if job.goal_top1 is None:
        return None
    found = [of_seed.get(job.seed + number) for number in range(job.seeds)]
    top1 = [0.0 if record is None else record.top1 for record in found]
    curves = [() if record is None else record.curve for record in found]
    return SuccessRate.of(job.goal_top1, top1, curves)


def certificate_of(
    job: RetrainJob,
    records: Sequence[CertifiedNetwork],
    timed: TimedNetworks,
    exports: Exports,
    hashes: FileHashes,
) -> Certificate:
    """What this call found, and of the search's certificate what it did not make anew.

    Args:
        job: What was trained.
        records: All networks, the found one first.
        timed: Of the same networks by their names.
        exports: The files of the found network.
        hashes: Of its model.onnx.
    """
    own = records[0]
    before = earlier_certificate(job.folder, job.seeded_recipe)
    by_role = {
        role: tuple(r for r in records if r.role == role)
        for role in ("largest", "uniform", "random")
    }
    parity = own.parity
    random = by_role["random"] or (before.random if before else ())
    search = verdict_on_search(own, random)
    return Certificate(
        **values_of(own),
        method=before.method if before else None,
        supernet_top1=before.supernet_top1 if before else None,
        supernet_top5=before.supernet_top5 if before else None,
        largest=next(iter(by_role["largest"]), before.largest if before else None),
        uniform=next(iter(by_role["uniform"]), before.uniform if before else None),
        random=random,
        device=job.device,
        date=now_text(),
        environment=environment(),
        conditions=conditions_of(timed, job.scale),
        hashes=hashes,
        file_bytes=int(parity.file_bytes) if parity else None,
        onnx_max_abs_difference=parity.max_abs_difference if parity else None,
        recipe=job.seeded_recipe,
        warnings=(
            *job.early_warnings,
            *job.lost_warnings,
            *training_warnings(own, search, UNITS[job.quantity]),
        ),
        search_verdict=search,
        run_id=job.folder.run_id,
        exports=exports,
        quantity=job.quantity,
    )
