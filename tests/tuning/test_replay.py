"""The benchmark that replays searches: its file, its figures, and made-up curves."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from benchmarks import tuning_curves, tuning_replay, tuning_tables
from benchmarks.tuning_players import Deck, Leg, Reached
from benchmarks.tuning_replay import Seen
from benchmarks.tuning_searches import OWN, RIVALS
from benchmarks.tuning_tables import Interval
from nas.errors import InputError
from nas.tuning.ladder import Ladder

CURVES = tuning_curves.made_up(80, seed=3)
LADDER = Ladder(32, 4, 5)


def test_curves_are_read_as_they_were_written(tmp_path: Path) -> None:
    tuning_curves.save(CURVES, tmp_path / "curves.npz")
    found = tuning_curves.load(tmp_path / "curves.npz")
    for name, array in vars(CURVES).items():
        np.testing.assert_array_equal(getattr(found, name), array)
    assert [path.name for path in tmp_path.iterdir()] == ["curves.npz"]


def test_trials_are_judged_by_averages_and_keep_the_better_weights_at_the_end(
    tmp_path: Path,
) -> None:
    assert CURVES.top1_average is not None
    found = CURVES.judged_by("average").top1
    np.testing.assert_array_equal(found[:, :-1], CURVES.top1_average[:, :-1])
    best = np.maximum(CURVES.top1[:, -1], CURVES.top1_average[:, -1])
    np.testing.assert_array_equal(found[:, -1], best)
    np.testing.assert_array_equal(CURVES.judged_by("last").top1, CURVES.top1)
    # Recordings of earlier versions have no averages.
    earlier = CURVES.judged_by("last")
    tuning_curves.save(earlier, tmp_path / "earlier.npz")
    assert tuning_curves.load(tmp_path / "earlier.npz").top1_average is None
    with pytest.raises(InputError, match="(?s)top1_average.*--weights last"):
        earlier.judged_by("average")


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "curves.npz"
    with pytest.raises(InputError, match="(?s)a file of recorded curves.*No such file"):
        tuning_curves.load(path)
    path.write_bytes(b"text")
    with pytest.raises(InputError, match="(?s)a file of recorded curves.*Fix"):
        tuning_curves.load(path)
    np.savez_compressed(path, epochs=CURVES.epochs)
    with pytest.raises(InputError, match="(?s)a file of recorded curves.*top1"):
        tuning_curves.load(path)
    np.savez_compressed(path, **{**vars(CURVES), "top1": CURVES.top1[:, :3]})
    with pytest.raises(InputError, match=r"(?s)top1 of shape \(80, 35\).*shape \(80, 3\)"):
        tuning_curves.load(path)
    with pytest.raises(InputError, match="(?s)values at 0.395062 epochs.*rungs and reduction"):
        CURVES.points_of(Ladder(32, 3, 5).epochs)


@pytest.mark.parametrize("seed", range(3))
def test_the_hypervolume_is_the_share_of_cells_that_a_point_dominates(seed: int) -> None:
    rng = random.Random(seed)
    points = [(rng.randrange(11), rng.randrange(1, 11)) for _ in range(6)]
    cells = {
        (top1, cost) for most, least in points for top1 in range(most) for cost in range(least, 10)
    }
    top1, cost = (np.array(column, float) for column in zip(*points, strict=True))
    # Sums of at most six products of tenths.
    wanted = pytest.approx(len(cells) / 100, abs=1e-12)
    assert tuning_replay.hypervolume(top1 / 10, cost, 10.0) == wanted


@pytest.mark.parametrize("name", list(OWN))
def test_a_replay_trains_what_it_may_and_does_it_again_alike(name: str) -> None:
    seen = [
        tuning_replay.replay(OWN[name](LADDER, Deck(CURVES, 1), 1), CURVES, 3, 40.0)
        for _ in range(2)
    ]
    # NaN is not equal to itself, its text is.
    assert repr(seen[0]) == repr(seen[1])
    spent = [epochs for epochs, *_ in seen[0]]
    assert spent == sorted(spent) and 20 < spent[-1] <= 40


def test_searches_of_one_seed_are_dealt_the_same_configurations() -> None:
    first = [OWN[name](LADDER, Deck(CURVES, 2), 2).ask() for name in ("asha, top1", "random")]
    assert first[0] == first[1] == Leg(0, Deck(CURVES, 2).next(), 0)


def test_a_sampler_gets_the_nearest_configuration_that_is_left() -> None:
    deck = Deck(CURVES, 0)
    for wanted in (5, 6):
        choices = CURVES.choices[wanted].tolist()
        assert deck.nearest(choices, float(CURVES.learning_rate[wanted])) == wanted
    choices = CURVES.choices[5].tolist()
    assert deck.nearest(choices, float(CURVES.learning_rate[5])) not in (5, 6)


def test_all_configurations_are_trained_where_epochs_allow() -> None:
    few = tuning_curves.made_up(20)
    seen = tuning_replay.replay(OWN["random"](LADDER, Deck(few, 0), 0), few, 4, 1e9)
    assert len(seen) == 20 * 5 and seen[-1][0] == 20 * 32
    seen = tuning_replay.replay(OWN["asha, top1"](LADDER, Deck(few, 0), 0), few, 4, 1e9)
    assert len(seen) == 20 + 5 + 1


def test_on_made_up_curves_halving_comes_to_more_than_chance() -> None:
    """The lead is several times its interval there, so that another seed would not change it."""
    names = ("asha, top1", "asha, top1 and cost", "random")
    curves = tuning_curves.made_up(200)
    searches = {name: OWN[name] for name in names}
    found = tuning_replay.figures(curves, searches, LADDER, [96.0], replays=5)
    for measure in ("top1", "hypervolume"):
        ours = next(iter(RIVALS[measure]))
        assert tuning_tables.leads(found, measure, ours)["random"][0].verdict == "ahead"


def test_an_interval_is_that_of_student() -> None:
    """Of 1, 2, 3: the error is 1 / sqrt(3), and t of two degrees of freedom is 4.302653."""
    found = Interval.of(np.array([1.0, 2.0, 3.0]))
    assert (found.mean, found.high) == pytest.approx((2.0, 2 + 4.302653 / 3**0.5), abs=1e-5)


def test_what_diverged_is_never_the_best() -> None:
    seen = [Seen(1.0, float("nan"), 1.0), Seen(2.0, 0.5, 5.0), Seen(3.0, 0.9, 5.0)]
    assert tuning_replay.judged(seen, 2.0, 10.0) == {"top1": 0.5, "hypervolume": 0.25}
    assert tuning_replay.judged(seen, 0.5, 10.0) == {"top1": 0.0, "hypervolume": 0.0}
    assert Reached(0.5, 5.0).cost == 5.0


def test_the_program_prints_its_figures(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    arguments = ["--made_up", "--replays", "2", "--epochs", "8,16", "--json", str(path)]
    assert tuning_replay.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| lead in hypervolume of asha, top1 and cost, over | 8 epochs |" in printed
    assert "| all configurations, against 6400 epochs |" in printed
    assert "n = 2 replays" in printed and path.exists()
    with pytest.raises(InputError, match="(?s)recorded curves or made-up ones"):
        tuning_replay.main([])
    with pytest.raises(InputError, match="(?s)--others to be one of optuna, synetune.*'optuna'"):
        tuning_replay.main(["--made_up", "--others", "optun"])
