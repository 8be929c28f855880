"""What a space offers, and whether what is asked can be kept together."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import nas
from nas.architecture.text import parse
from nas.cost.constraints import Bounds, quantities
from nas.cost.counts import architecture_cost
from nas.errors import InputError
from nas.interface import profiling
from nas.interface.profiling import check_profile, profile_of
from nas.report.profile import finding_text, profile_table
from nas.search_space.bits import BitWidths
from nas.search_space.named import get_space
from nas.selection.default_space import default_space
from nas.selection.goals import Goal
from nas.selection.profile import space_profile
from tests.support.toy_stages import toy_dataset, toy_latency

SPACE = get_space("toy")
LATENCY = toy_latency(SPACE)
EVERY = list(itertools.product(*(range(len(c.options)) for c in SPACE.choices)))


def test_ranges_are_those_of_every_network() -> None:
    found = space_profile(SPACE, LATENCY, Bounds(max_params=2000))
    ms, *counts = found.ranges
    predicted = [LATENCY.predict_ms(network) for network in EVERY]
    assert (ms.name, ms.least, ms.greatest) == ("ms", min(predicted), max(predicted))
    for quantity, row in zip(quantities(SPACE, Bounds()), counts, strict=True):
        values = [quantity.of(network) for network in EVERY]
        assert (row.name, row.least, row.greatest) == (quantity.name, min(values), max(values))
        assert row.median is not None and min(values) <= row.median <= max(values)
    params = counts[0]
    values = [quantities(SPACE, Bounds())[0].of(network) for network in EVERY]
    assert params.most == 2000 and params.kept_share is not None
    # A share of 1000 draws is known to 0.016; four times that.
    assert params.kept_share == pytest.approx(np.mean(np.array(values) <= 2000), abs=0.07)


def test_bounds_and_milliseconds_are_decided_together() -> None:
    params = quantities(SPACE, Bounds())[0]
    fastest_ms, slowest_ms = LATENCY.range_ms()
    few = Bounds(max_params=min(params.of(network) for network in EVERY))
    goals = (Goal(target=fastest_ms), Goal(target=slowest_ms), Goal(percent=50.0))
    both, neither, share = space_profile(SPACE, LATENCY, few, goals).findings
    assert both.can_be_kept and share.can_be_kept
    network = parse(both.network)
    assert architecture_cost(network).params == few.max_params
    assert LATENCY.predict_ms(SPACE.encode(network)) == pytest.approx(fastest_ms, rel=0.02)
    assert neither.can_be_kept is False
    assert "--max_params alone rules it out" in neither.reason and not neither.network


def test_a_percentage_is_one_of_what_the_bounds_allow() -> None:
    params, *_, bops = quantities(SPACE, Bounds())
    few = Bounds(max_params=5000)
    within = [bops.of(n) for n in EVERY if params.of(n) <= 5000]
    goals = tuple(Goal(percent=percent, quantity="bops") for percent in (0.0, 50.0, 100.0))
    for goal, finding in zip(goals, space_profile(SPACE, None, few, goals).findings, strict=True):
        target = goal.resolved(min(within), max(within)) or 0.0
        near = [count for count in within if abs(count / target - 1) <= 0.02]
        assert finding.can_be_kept is bool(near)
        if near:
            found = architecture_cost(parse(finding.network))
            assert found.params <= 5000 and found.bops in near


def test_a_percentage_of_milliseconds_needs_a_table() -> None:
    found = space_profile(SPACE, None, Bounds(), (Goal(percent=25.0),))
    assert found.can_be_kept is None and "latency table" in found.findings[0].reason


def test_what_cannot_be_told_is_not_told() -> None:
    goals = (Goal(target=1.0),)
    unknown = space_profile(SPACE, None, Bounds(), goals)
    assert unknown.can_be_kept is None and unknown.ranges[0].least is None
    assert "latency table" in unknown.findings[0].reason
    # Bounds that no network keeps need no milliseconds.
    impossible = space_profile(SPACE, None, Bounds(max_memory_bytes=100), goals)
    assert impossible.can_be_kept is False
    assert "memory_bytes of at least" in impossible.findings[0].reason
    assert space_profile(SPACE, None, Bounds()).can_be_kept


def test_the_table_has_every_figure() -> None:
    found = space_profile(SPACE, LATENCY, Bounds(max_memory_bytes=60_000))
    console = Console(width=100, record=True, file=None, quiet=False)
    with console.capture() as captured:
        console.print(profile_table(found))
    text = captured.get()
    for cell in ("ms, predicted", "params", "MACs", "size", "memory", "60.0 kB", "20 networks"):
        assert cell in text
    assert finding_text(found.findings[0]).startswith("bounds: can be kept")


def test_no_image_is_decoded(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            (folder / "0.png").write_bytes(b"no image at all")
    options = {"data_dir": f"{tmp_path}", "image_size": 32, "max_params": 50_000}
    found, notes = profile_of(options)
    assert (found.space, found.image_size, found.num_classes) == ("small", 32, 2)
    assert "Space small and not cifar" in notes[0] and "--space small" in notes[1]


@pytest.mark.parametrize("name", ["lambda", "run_dir", "search_epochs", "race", "smoke"])
def test_what_a_profile_does_not_look_at_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"Received: --{name} as well"):
        check_profile({"profile": True, name: 1})


def test_images_handed_over_have_the_size_and_the_classes() -> None:
    found, notes = profile_of({"space": "toy"}, dataset=toy_dataset())
    assert (found.space, found.image_size, found.num_classes) == ("toy", 32, 12)
    assert "--num_classes=12" in notes[-1]


def test_milliseconds_are_those_of_the_table(
    toy_table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"space": "toy", "table": str(toy_table)}
    # Between six and nine units of the toy table lie networks of seven and eight.
    goals = (Goal(percent=100 / 3), Goal(percent=50.0))
    found, notes = profile_of(asked, goals, dataset=toy_dataset())
    ms = found.ranges[0]
    assert ms.least is not None and ms.greatest is not None
    third, half = found.findings
    assert third.can_be_kept and half.can_be_kept is False
    assert "50 % of the range is " in half.reason and "no network is within 2%" in half.reason
    # Six units of the toy table, and nine.
    assert ms.greatest / ms.least == pytest.approx(1.5)
    assert notes == ()
    # The same table, where it would be after it was measured here.
    monkeypatch.setattr(profiling, "default_table_path", lambda *arguments: toy_table)
    kept, notes = profile_of({"space": "toy"}, dataset=toy_dataset())
    assert kept.ranges[0] == ms and notes == ()
    with pytest.raises(InputError, match="--table with --device") as caught:
        profile_of({"space": "toy", "device": "pi"})
    assert caught.value.fix == "name the device's table"


def test_from_python() -> None:
    found = nas.profile(space="toy", max_params=10**6)
    assert found.can_be_kept and found.networks == 20
    with pytest.raises(TypeError, match="'max_parms'"):
        nas.profile(max_parms=1)
    with pytest.raises(InputError, match="max_params"):
        nas.profile(space="toy", max_params=0)


def test_bounds_decide_a_space_that_nobody_named() -> None:
    assert default_space(32, 10, Bounds())[0].name == "cifar"
    assert default_space(32, 10, Bounds(max_params=200_000)) == (get_space("cifar"), "")
    space, why = default_space(32, 10, Bounds(max_params=50_000))
    assert space.name == "small" and "42,778" in why and "--max_params 50000" in why
    # No space has room for that: the usual one stays, and says what it could do.
    assert default_space(32, 10, Bounds(max_params=1000)) == (get_space("cifar"), "")
    assert default_space(64, 200, Bounds(max_params=10**6))[0].name == "tiny"


def test_bounds_on_bits_are_judged_in_the_space_with_bits() -> None:
    bound = Bounds(max_weight_bits=1_200_000)
    assert default_space(32, 10, bound)[0].name == "small", "float32 has 32 bits a weight"
    # With 4 bits the larger space has room, and comes without the bits, which callers add.
    found, why = default_space(32, 10, bound, BitWidths((4, 2)))
    assert (found, why) == (get_space("cifar"), "")


def test_the_proposed_command_names_the_space_as_it_was_named() -> None:
    _, notes = profile_of({"space": "around:resnet9_x0.125", "image_size": 32})
    assert "--space around:resnet9_x0.125 --image_size=32" in notes[-1]
