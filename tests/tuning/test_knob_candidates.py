"""Configurations of knob spaces, and grids: every configuration once, in an order of chance."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nas.architecture.text import to_text
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.recipes.smoke import SMOKE
from nas.search_space.knob_space import KnobSpace
from nas.search_space.knob_spaces import CNV, TRIGGER
from nas.search_space.named import get_space
from nas.tuning.budgets import parse_budget
from nas.tuning.candidates import Candidates, NothingLeft, Proposal, new_proposal
from nas.tuning.counted_networks import COUNTS
from nas.tuning.grid import GridSampler
from nas.tuning.knob_candidates import KnobCandidates
from nas.tuning.legs import Leg, Plan, SearchState
from nas.tuning.objectives import parse_objectives
from nas.tuning.parameters import OneOfList, Range, key_of
from nas.tuning.samplers import LEAST_OBSERVATIONS, SAMPLERS
from nas.tuning.space_candidates import SpaceCandidates
from nas.tuning.tune import parse_tune
from tests.search_space.test_knob_space import OWN

OBJECTIVES = parse_objectives("top1,weight_bits")
RATES = parse_tune(str(CNV.tune))


def begun(state: SearchState, found: Proposal) -> SearchState:
    """The same search with one more trial that is trained whole."""
    refused = sum(found.refusals.values())
    trial = len(state.trials)
    chosen = (found.configuration, found.known, found.margins)
    plan = Plan(trial, 0, 1.0, 0, *chosen, refused, found.refusals)
    leg = Leg(trial, plan)
    state.begin(leg)
    share = int(key_of(found.configuration).encode().hex()[-6:], 16) / 0xFFFFFF
    values = (share, found.known["weight_bits"])
    state.end(replace(leg, state="done", values=values, reached={"top1": share}))
    return state


def test_every_draw_of_a_network_has_the_counts_that_are_known() -> None:
    candidates = KnobCandidates(CNV, RATES, [parse_budget("bops<=1e8")])
    assert [p.name for p in candidates.parameters] == [*CNV.knobs, "learning_rate"]
    assert set(candidates.known_names) == set(COUNTS.values()) and "bops" in COUNTS.values()
    rng, told = np.random.default_rng(1), Counter[str]()
    while sum(told.values()) < 200:
        configuration = candidates.canonical(candidates.draw(rng))
        assert all(p.has(configuration[p.name]) for p in candidates.parameters)
        margins = candidates.margins(configuration)
        if "bops<=100000000.0" not in margins and "bops<=1e+08" not in margins:
            # The one condition that keeps it from having a network.
            assert list(margins.values()) == [1.0]
            told["without"] += 1
            continue
        cost = architecture_cost(candidates.network(configuration))
        known = candidates.known(configuration)
        assert known == {name: getattr(cost, count) for count, name in COUNTS.items()}
        assert list(margins.values()) == [cost.bops - 1e8]
        told["with"] += 1
    assert min(told.values()) > 0


def test_original_has_its_own_rate_and_other_knobs_are_the_recipes() -> None:
    recipe = SMOKE.resolved()
    own = KnobCandidates(CNV, RATES).original(recipe)
    assert own == CNV.original
    others = KnobCandidates(CNV, parse_tune("batch_size={8,16},flip={true,false}"), recipe=recipe)
    found = others.original(recipe)
    assert {name: found[name] for name in ("batch_size", "flip")} == {
        "batch_size": recipe.batch_size,
        "flip": recipe.augmentation.flip,
    }
    assert others.margins(found)["knobs"] == 0.0
    assert others.changes(found) == {"batch_size": recipe.batch_size, "flip": True}


def test_a_knob_of_one_value_is_none_that_trials_differ_in() -> None:
    space = KnobSpace("one", 8, 3, ({"width": (4,)},), OWN.build, {"width": 2})
    knobs = (OneOfList("batch_size", (8, 16)),)
    candidates = KnobCandidates(space, knobs)
    assert candidates.parameters == knobs and candidates.size == 2
    assert candidates.point(1) == {"batch_size": 16}
    assert to_text(candidates.network(candidates.point(0))).startswith("in_s8 cn_r1_k3_s1_c4")
    # The original has its own value of it.
    original = candidates.original(SMOKE.resolved())
    assert to_text(candidates.network(original)).startswith("in_s8 cn_r1_k3_s1_c2")
    for taken in ("bops", "dropout"):
        other = replace(space, grids=({taken: (1, 2)},), original={taken: 1})
        with pytest.raises(InputError, match=f"{taken} in space one"):
            KnobCandidates(other)
    with pytest.raises(InputError, match="width twice"):
        KnobCandidates(OWN, [OneOfList("width", (1, 2))])
    with pytest.raises(InputError, match="a budget of .*bops"):
        KnobCandidates(OWN, budgets=[parse_budget("ms<=1")])
    with pytest.raises(InputError, match="add --tune"):
        KnobCandidates(space)


@pytest.mark.parametrize("sampler", ["random", "evolution", "tpe"])
def test_samplers_stay_in_the_grids_and_train_no_network_twice(sampler: str) -> None:
    candidates = KnobCandidates(TRIGGER, budgets=[parse_budget("weight_bits<=100000")])
    proposes = SAMPLERS[sampler](candidates, 0, OBJECTIVES)
    state = SearchState(OBJECTIVES)
    points = {key_of(candidates.point(number)) for number in range(TRIGGER.size)}
    for trial in range(LEAST_OBSERVATIONS + 3):
        found = new_proposal(proposes, candidates, trial, state)
        assert isinstance(found, Proposal)
        assert key_of(found.configuration) in points - state.keys
        begun(state, found)
    assert state.refused == state.refusals["weight_bits<=100000"] > 0


def test_a_grid_is_gone_through_once_and_what_is_refused_is_counted() -> None:
    budget = parse_budget("weight_bits<=41000")
    candidates = KnobCandidates(TRIGGER, budgets=[budget])
    kept = [
        number
        for number in range(TRIGGER.size)
        if candidates.known(candidates.point(number))["weight_bits"] <= budget.limit
    ]
    state = SearchState(OBJECTIVES)
    found: Proposal | NothingLeft = NothingLeft({}, False)
    for trial in range(len(kept) + 1):
        # Made anew each time, as by a search that goes on.
        found = new_proposal(GridSampler(candidates, 3), candidates, trial, state)
        if isinstance(found, Proposal):
            begun(state, found)
    assert state.keys == {key_of(candidates.point(number)) for number in kept}
    assert isinstance(found, NothingLeft) and found.is_whole_list
    behind = found.refusals.get(budget.text, 0)
    assert state.refused + behind == TRIGGER.size - len(kept) > 0


def test_orders_of_a_grid_are_those_of_their_seeds() -> None:
    candidates = KnobCandidates(TRIGGER)
    orders = [GridSampler(candidates, seed).order for seed in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2]) == list(range(255))


def test_a_grid_of_networks_with_left_out_blocks_has_each_of_them_once() -> None:
    knobs = parse_tune("batch_size={8,16}")
    candidates = SpaceCandidates(get_space("toy", 32, 12), knobs)
    points = [candidates.point(number) for number in range(candidates.size or 0)]
    assert len(points) == get_space("toy").size * 2 == len({key_of(point) for point in points})
    assert all(candidates.canonical(point) == point for point in points)
    assert len(GridSampler(candidates, 0).order) == len(points)


def test_grids_of_pools_without_a_size_leave_doubles_out() -> None:
    pools = {name: (False,) for name in CNV.knobs if name.endswith(".pool")}
    others = {name: (CNV.original[name],) for name in CNV.knobs}
    grid = {**others, **pools, "pool_size": (2, 4), "act_bit_width": (1, 2)}
    space = replace(CNV, grids=(grid,), tune=None)
    sampler = GridSampler(KnobCandidates(space), 0)
    assert space.size == 4 and len(sampler.order) == 2


class Unlisted:
    """Candidates that have no list."""

    parameters = (OneOfList("a", (1, 2)),)
    draw = canonical = known = margins = None


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (KnobCandidates(CNV, RATES), r"learning_rate=log\[1e-05,1\]"),
        (KnobCandidates(CNV), "10,616,832,000,000"),
        (KnobCandidates(TRIGGER, [Range("l2", 0.0, 1.0)]), "a list by --tune, such as l2={a,b}"),
        (Unlisted(), "configurations that are a list"),
    ],
)
def test_grids_without_an_end_are_refused(candidates: Any, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        GridSampler(candidates, 0)


def test_sizes_and_points_of_ranges_are_not_known() -> None:
    candidates: Candidates = KnobCandidates(CNV, RATES)
    assert isinstance(candidates, KnobCandidates) and candidates.size is None
