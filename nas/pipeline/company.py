"""The networks beside the found one after a training: what stays of them, and what they judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas.cost.units import MILLISECONDS, Unit
from nas.report.seeds import search_text
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate, CertifiedNetwork, SeededRecipe
from nas.selection.diagnostics import label_warning
from nas.selection.seed_spread import SearchVerdict, search_verdict


def earlier_certificate(folder: RunFolder, recipe: SeededRecipe) -> Certificate | None:
    """The certificate so far, without what another recipe reached: that would be no comparison.

    Args:
        folder: Of the run.
        recipe: Of this training; the number of seeds may differ.
    """
    if not folder.has(Certificate):
        return None
    before = folder.read(Certificate)
    if before.recipe is None or replace(before.recipe, seeds=recipe.seeds) == recipe:
        return before
    return replace(
        before,
        largest=before.largest and _untrained(before.largest),
        uniform=before.uniform and _untrained(before.uniform),
        random=tuple(map(_untrained, before.random)),
    )


def _untrained(network: CertifiedNetwork) -> CertifiedNetwork:
    """A network without what its training reached."""
    return replace(
        network,
        top1=None,
        top5=None,
        evaluation_images=None,
        train_top1=None,
        running_accuracy=None,
        images_seen=None,
        seconds=None,
        weights=None,
        trainings=None,
        success=None,
    )


def verdict_on_search(
    own: CertifiedNetwork, random: Sequence[CertifiedNetwork]
) -> SearchVerdict | None:
    """Whether the search paid; None where single trainings, or no random networks, cannot tell.

    Args:
        own: The found network.
        random: Random networks of equal cost; those that were not trained do not count.
    """
    if own.known_trainings is None:
        return None
    trainings = [network.known_trainings for network in random]
    return search_verdict(own.known_trainings, [t for t in trainings if t is not None])


def training_warnings(
    own: CertifiedNetwork, search: SearchVerdict | None, unit: Unit = MILLISECONDS
) -> tuple[str, ...]:
    """What a user should know of a training, with the numbers.

    Args:
        own: The found network.
        search: Whether the search paid; None where that is not known.
        unit: What the goal was asked in.
    """
    texts = []
    if own.running_accuracy is not None and own.train_top1 is not None:
        texts = [finding.text for finding in label_warning(own.running_accuracy, own.train_top1)]
    if search is not None and search.paid is False:
        texts.append(search_text(search, unit))
    return tuple(texts)
