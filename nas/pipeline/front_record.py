"""Certificates of a front's networks -> front.json: figures, intervals, and who beats whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields

from latency.device.clock import now_text
from nas.errors import InputError
from nas.pipeline.front_networks import first_of_each
from nas.runs.front import Front, FrontNetwork, LostNetwork
from nas.runs.measured import counted
from nas.runs.records import Certificate, SeededRecipe, values_of
from nas.selection.seed_spread import SeedSpread, image_error
from nas.selection.standing import Candidate, places
from nas.system.environment import environment

# What a network of a front has in common with its certificate.
COMMON = {f.name for f in fields(FrontNetwork)} & {f.name for f in fields(Certificate)}


def front_record(
    certificates: Mapping[str, Certificate],
    goals: Mapping[str, str | None],
    recipe: SeededRecipe,
    doubt: str | None,
    lost: Sequence[LostNetwork] = (),
) -> Front:
    """The front of certified networks.

    Args:
        certificates: Name of each network -> its certificate, all of one measurement.
        goals: Name -> the goal of the sweep; None for a further network.
        recipe: All were trained by.
        doubt: Why the times do not fit the sweep's table; None where they do.
        lost: Networks whose weights were lost.

    Raises:
        InputError: A network has no accuracy, or neither measured nor predicted milliseconds.
    """
    found = places([_candidate(name, one) for name, one in certificates.items()])
    same = first_of_each({name: certificates[name].text for name in found})
    networks = []
    for name, place in found.items():
        certificate = certificates[name]
        trainings = _trainings(name, certificate)
        low, high = top1_interval(trainings, certificate.evaluation_images)
        common = {field: getattr(certificate, field) for field in COMMON}
        own = {
            "name": name,
            "goal": goals[name],
            "same_as": same[name],
            "certificate_date": certificate.date,
            "trainings": trainings,
            "top1_low": low,
            "top1_high": high,
            "advice": certificate.exports.advice if certificate.exports else "",
        }
        networks.append(FrontNetwork(**{**common, **values_of(place), **own}))
    first = next(iter(certificates.values()))
    return Front(
        date=now_text(),
        device=first.device,
        environment=environment(),
        conditions=first.conditions,
        doubt=doubt,
        recipe=recipe,
        evaluation_images=first.evaluation_images or 0,
        networks=tuple(networks),
        quantity=first.quantity,
        lost=tuple(lost),
    )


def _trainings(name: str, certificate: Certificate) -> SeedSpread:
    found = certificate.known_trainings
    if found is None:
        raise InputError(f"a trained network in {name}", "no accuracy", "train it with --restart")
    return found


def _candidate(name: str, found: Certificate) -> Candidate:
    if not found.unit.is_measured:
        count = counted(found, found.unit)
        return Candidate(name, count, count, count, _trainings(name, found))
    ms = found.predicted_ms if found.measured_ms is None else found.measured_ms
    if ms is None:
        raise InputError(
            f"milliseconds of {name}",
            "none: it was not measured, and the table lacks a row of it",
            "search again with a table of this space",
        )
    trainings = _trainings(name, found)
    return Candidate(name, ms, found.measured_low_ms, found.measured_high_ms, trainings)


def top1_interval(trainings: SeedSpread, images: int | None) -> tuple[float | None, float | None]:
    """The 95 % interval that is shown of an accuracy.

    Args:
        trainings: Top-1 over seeds.
        images: How many images a share is of.

    Returns:
        Of the mean over several seeds, None where these show no spread; of a share of so many
        images where there is one training.
    """
    if trainings.count > 1:
        return trainings.low, trainings.high
    half = image_error(trainings.mean, images)
    return max(trainings.mean - half, 0.0), min(trainings.mean + half, 1.0)
