"""What a search by trials chooses from: the networks of a space of either kind, and recipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nas.architecture.text import to_text
from nas.errors import InputError
from nas.hardware.predictor import SpaceLatency
from nas.runs.trials import TrialsConfig
from nas.runs.trials_record import Original
from nas.search_space.knob_space import KnobSpace
from nas.search_space.space import Space
from nas.tuning.budgets import Budget, known_before_training
from nas.tuning.candidates import NetworkCandidates, Sampler, broken_of
from nas.tuning.grid import GridSampler
from nas.tuning.knob_candidates import KnobCandidates
from nas.tuning.parameters import Configuration
from nas.tuning.samplers import SAMPLERS, OriginalFirst
from nas.tuning.space_candidates import SpaceCandidates

# Draws, or configurations of a list, among which one has to keep all budgets.
MOST_LOOKED_AT = 10_000


def has_choice(space: Space | KnobSpace) -> bool:
    """Whether the networks of trials differ.

    Args:
        space: Of a search.
    """
    return isinstance(space, KnobSpace) or bool(space.choices)


def candidates_of(
    config: TrialsConfig, space: Space | KnobSpace, latency: SpaceLatency | None = None
) -> NetworkCandidates:
    """The configurations of a search.

    Args:
        config: What is asked for.
        space: That networks come from; without a choice where there is one network.
        latency: Of the space; None where no milliseconds are asked for.

    Raises:
        InputError: A name stands twice, nothing is left to choose, or a budget of what is not
            known before training.
    """
    knobs, budgets, recipe = config.knobs, config.parsed_budgets, config.recipe
    if isinstance(space, KnobSpace):
        return KnobCandidates(space, knobs, budgets, recipe)
    return SpaceCandidates(space, knobs, latency, budgets, recipe)


def grid_size(config: TrialsConfig, space: Space | KnobSpace) -> int:
    """Configurations of a grid that has no number of trials.

    Args:
        config: What is asked for.
        space: That networks come from.

    Raises:
        InputError: There are too many of them, or endlessly many.
    """
    without_ms = replace(config, budgets=())
    return len(GridSampler(candidates_of(without_ms, space), config.seed).order)


def sampler_of(config: TrialsConfig, candidates: NetworkCandidates) -> Sampler:
    """Where the configurations of a search come from.

    Args:
        config: What is asked for.
        candidates: Of the search.

    Raises:
        InputError: The first trial shall be the original, which has a value that no trial has, or
            breaks a condition that is known before training.
    """
    made = SAMPLERS[config.sampler](candidates, config.seed, config.parsed_objectives)
    if config.first_trial == "sampled":
        return made
    found = candidates.original(config.recipe)
    fix = "leave --first_trial out"
    for parameter in candidates.parameters:
        value = found[parameter.name]
        if not parameter.has(value):
            name = parameter.name
            raise InputError(
                f"an original with values of {name} that trials have", f"{name}={value}", fix
            )
    margins = candidates.margins(candidates.canonical(found))
    if (broken := broken_of(margins)) is not None:
        above = f"one that is {margins[broken]:.6g} on the wrong side of it"
        raise InputError(f"an original that keeps {broken}", above, fix)
    return OriginalFirst(made, found)


def original_of(
    config: TrialsConfig, space: Space | KnobSpace, candidates: NetworkCandidates
) -> Original:
    """What trials stand beside.

    Args:
        config: What is asked for.
        space: That networks come from.
        candidates: Of the search.
    """
    found = candidates.original(config.recipe)
    name = space.original_name if isinstance(space, KnobSpace) else ""
    return Original(to_text(candidates.network(found)), found, candidates.known(found), name)


def check_some_are_kept(
    space: KnobSpace, candidates: NetworkCandidates, config: TrialsConfig
) -> None:
    """Refuses budgets that no configuration keeps, before anything is trained.

    All configurations are looked at where they are few, else as many as one trial draws.

    Args:
        space: Of knobs.
        candidates: Of the search.
        config: What is asked for.

    Raises:
        InputError: None was found; says the best that there is of each quantity.
    """
    known = known_before_training(config.parsed_budgets)
    if not known:
        return
    size = candidates.size
    is_whole = size is not None and size <= MOST_LOOKED_AT
    broken: Counter[str] = Counter()
    best: dict[str, float] = {}
    for found in _looked_at(candidates, config.seed):
        margins = candidates.margins(found)
        name = broken_of(margins)
        if name is None:
            return
        broken[name] += 1
        # One without a network has no counts.
        if any(budget.text in margins for budget in known):
            counts = candidates.known(found)
            for budget in known:
                value = counts[budget.objective.text]
                best[budget.objective.text] = min(best.get(budget.objective.text, value), value)
    raise _unreachable(space, known, is_whole, broken, best)


def _looked_at(candidates: NetworkCandidates, seed: int) -> Iterator[Configuration]:
    size = candidates.size
    if size is not None and size <= MOST_LOOKED_AT:
        yield from (candidates.canonical(candidates.point(number)) for number in range(size))
        return
    rng = np.random.default_rng((seed, 25))
    yield from (candidates.canonical(candidates.draw(rng)) for _ in range(MOST_LOOKED_AT))


def _unreachable(
    space: KnobSpace,
    budgets: Sequence[Budget],
    is_whole: bool,
    broken: Mapping[str, int],
    best: Mapping[str, float],
) -> InputError:
    looked = f"{sum(broken.values()):,}"
    where = f"the {looked} of space {space.name}" if is_whole else f"{looked} that were drawn"
    counts = ", ".join(f"{count:,} break {name}" for name, count in broken.items())
    least = ", ".join(f"{name} {value:,.0f}" for name, value in best.items())
    return InputError(
        f"a configuration that keeps {', '.join(budget.text for budget in budgets)}",
        f"none among {where}: {counts}",
        f"loosen a budget; the least of each that was seen, by itself: {least or 'none'}",
    )
