"""Searches that are replayed, by their names: ours, and those of other libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.tuning_players import OBJECTIVES, Algorithm2, Chance, Deck, Ours, Player
from nas.tuning.asha import Asha
from nas.tuning.candidates import Sampler
from nas.tuning.hyperband import Hyperband
from nas.tuning.ladder import EvenLadder, Ladder
from nas.tuning.median import MedianStopping
from nas.tuning.samplers import EvolutionSampler, TpeSampler
from nas.tuning.scheduler import Scheduler

# More than any recording has: the deck ends before.
ENDLESS = 10**9
Make = Callable[[Ladder, Deck, int], Player]
MakeScheduler = Callable[[Ladder, Deck], Scheduler]
MakeSampler = Callable[[Deck, int, int], Sampler | None]


def _asha(ladder: Ladder, _deck: Deck) -> Scheduler:
    return Asha(ladder, ENDLESS)


def _algorithm2(ladder: Ladder, _deck: Deck) -> Scheduler:
    return Algorithm2(ladder, ENDLESS)


def _hyperband(ladder: Ladder, deck: Deck) -> Scheduler:
    return Hyperband(ladder, len(deck.curves))


def _median(ladder: Ladder, _deck: Deck) -> Scheduler:
    # It looks at every epoch.
    return MedianStopping(EvenLadder(ladder.max_epochs, round(ladder.max_epochs)), ENDLESS)


def _in_order(_deck: Deck, _objectives: int, _seed: int) -> Sampler | None:
    return None


def _evolution(deck: Deck, _objectives: int, seed: int) -> Sampler | None:
    return EvolutionSampler(deck, seed)


def _tpe(deck: Deck, objectives: int, seed: int) -> Sampler | None:
    return TpeSampler(deck, seed, OBJECTIVES[:objectives])


def _ours(
    scheduler: MakeScheduler,
    sampler: MakeSampler,
    objectives: int,
    ladder: Ladder,
    deck: Deck,
    seed: int,
) -> Player:
    return Ours(scheduler(ladder, deck), deck, objectives, sampler(deck, objectives, seed))


def _optuna(sampler: str, ladder: Ladder, deck: Deck, seed: int) -> Player:
    from benchmarks.tuning_others import OptunaHalving

    return OptunaHalving(ladder, deck, sampler, seed)


def _synetune(objectives: int, ladder: Ladder, deck: Deck, seed: int) -> Player:
    from benchmarks.tuning_others import SyneTune

    return SyneTune(ladder, deck, objectives, seed)


OWN: Mapping[str, Make] = {
    "asha, top1": partial(_ours, _asha, _in_order, 1),
    "asha, top1 and cost": partial(_ours, _asha, _in_order, 2),
    "algorithm 2, top1": partial(_ours, _algorithm2, _in_order, 1),
    "algorithm 2, top1 and cost": partial(_ours, _algorithm2, _in_order, 2),
    "asha, evolution, top1": partial(_ours, _asha, _evolution, 1),
    "asha, evolution, top1 and cost": partial(_ours, _asha, _evolution, 2),
    "hyperband, top1": partial(_ours, _hyperband, _in_order, 1),
    "hyperband, top1 and cost": partial(_ours, _hyperband, _in_order, 2),
    "median, top1": partial(_ours, _median, _in_order, 1),
    "random": lambda ladder, deck, _seed: Chance(ladder, deck),
}
OTHERS: Mapping[str, Mapping[str, Make]] = {
    "optuna": {
        "asha, TPE, top1": partial(_ours, _asha, _tpe, 1),
        "asha, TPE, top1 and cost": partial(_ours, _asha, _tpe, 2),
        "Optuna halving, random": partial(_optuna, "random"),
        "Optuna halving, TPE": partial(_optuna, "tpe"),
    },
    "synetune": {
        "Syne Tune ASHA": partial(_synetune, 1),
        "Syne Tune MOASHA, corrected": partial(_synetune, 2),
    },
}
# Whose whole length is told: what decides how many epochs all configurations take.
SAVERS = {
    name: OWN[name]
    for name in ("asha, top1", "asha, top1 and cost", "algorithm 2, top1", "hyperband, top1")
}
# Measure -> one of ours -> those with the same sampler, which its lead is over.
RIVALS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "top1": {
        "asha, top1": ("Optuna halving, random", "Syne Tune ASHA", "random"),
        "asha, TPE, top1": ("Optuna halving, TPE",),
    },
    "hypervolume": {"asha, top1 and cost": ("Syne Tune MOASHA, corrected", "random")},
}
