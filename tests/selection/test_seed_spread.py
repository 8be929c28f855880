"""What trainings with several seeds tell, and what single ones do not."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from latency.device import strict_json
from nas.errors import InputError
from nas.selection.seed_spread import (
    SeedSpread,
    difference,
    image_error,
    known_spread,
    search_verdict,
)

# Two networks of the sample, one recipe, the same five seeds (issue 14, line 25).
ONE = (0.90, 0.31, 0.97, 0.96, 0.85)
OTHER = (0.92, 0.30, 0.96, 0.97, 0.73)
# Quantiles of Student's t, two-sided 95 %, from printed tables with three digits behind the point.
T_2, T_4, T_8 = 4.303, 2.776, 2.306
# They are rounded by up to half a thousandth, of about 2.5.
TABLE = 5e-4


def spread(top1: Sequence[float], first: int = 0) -> SeedSpread:
    """Trainings with seeds from `first` on."""
    return SeedSpread.of(dict(enumerate(top1, start=first)))


def test_one_training_tells_no_spread() -> None:
    found = spread([0.9])
    assert (found.count, found.mean) == (1, 0.9)
    assert (found.standard_deviation, found.low, found.high) == (None, None, None)
    assert known_spread([found, spread([0.5])]) is None
    assert difference(found, spread([0.5])) is None


def test_mean_and_interval_are_over_seeds() -> None:
    found = spread(ONE)
    assert found.mean == pytest.approx(0.798)
    # Squares of the deviations add up to 0.30708.
    assert found.standard_deviation == pytest.approx((0.30708 / 4) ** 0.5)
    deviation = found.standard_deviation or 0.0
    assert found.low == pytest.approx(0.798 - T_4 * deviation / 5**0.5, rel=TABLE)
    assert found.high == 1.0, "no share is above all images"


def test_equal_trainings_show_no_spread_and_no_certainty() -> None:
    # In floats 0.7 - 0.6 and 0.6 - 0.5 differ: this must not count as a spread.
    for shares in ((0.6, 0.6), (0.1 + 0.2, 0.3, 0.3)):
        found = spread(shares)
        assert (found.standard_deviation, found.low, found.high) == (0.0, None, None)
        assert known_spread([found]) is None
    found_difference = difference(spread((0.6, 0.7)), spread((0.5, 0.6)))
    assert found_difference is not None
    assert (found_difference.low, found_difference.high, found_difference.side) == (None, None, 0)


def test_networks_with_the_same_seeds_are_compared_seed_by_seed() -> None:
    found = difference(spread(ONE), spread(OTHER))
    assert found is not None
    assert (found.test, found.degrees_of_freedom, found.seeds) == ("paired t", 4, 5)
    # Differences of -2, 1, 1, -1 and 12 points: squares of the deviations add up to 126.8.
    half = T_4 * (126.8 / 4) ** 0.5 / 5**0.5 / 100
    assert found.top1 == pytest.approx(0.022)
    assert found.high == pytest.approx(0.022 + half, rel=TABLE)
    assert found.low == pytest.approx(0.022 - half, rel=2 * TABLE)
    assert found.side == 0, "five seeds of this spread tell nothing"


def test_the_same_seed_moves_networks_together_and_tells_them_apart() -> None:
    found = difference(
        spread(ONE), spread([share - 0.01 - i / 1000 for i, share in enumerate(ONE)])
    )
    assert found is not None and found.side == 1
    mirrored = difference(
        spread([share - 0.02 - i / 1000 for i, share in enumerate(ONE)]), spread(ONE)
    )
    assert mirrored is not None and mirrored.side == -1
    # The same shares with seeds of their own are two wide clouds.
    apart = difference(spread(ONE), spread([share - 0.01 for share in ONE], first=10))
    assert apart is not None and apart.side == 0


def test_networks_with_seeds_of_their_own_are_compared_by_welchs_t() -> None:
    found = difference(spread((0.5, 0.6, 0.7)), spread((0.1, 0.2, 0.3), first=7))
    assert found is not None
    # Equal numbers and equal variances: 2 (n - 1) degrees of freedom.
    assert (found.test, found.seeds) == ("Welch's t", 3)
    assert found.degrees_of_freedom == pytest.approx(4)
    assert found.high == pytest.approx(0.4 + T_4 * (2 * 0.01 / 3) ** 0.5, rel=TABLE)
    assert found.side == 1
    level = difference(spread((0.5, 0.5)), spread((0.1, 0.1), first=7))
    assert level is not None and (level.low, level.side) == (None, 0)


def test_seeds_that_only_one_network_has_do_not_count() -> None:
    found = difference(spread((*ONE, 0.0)), spread(OTHER))
    assert found == difference(spread(ONE), spread(OTHER))
    assert difference(spread(ONE), spread(OTHER[:1])) is None


def test_the_known_spread_is_pooled_over_networks() -> None:
    known = known_spread([spread(ONE), spread(OTHER), spread([0.9])])
    assert known is not None
    assert (known.degrees_of_freedom, known.networks) == (8, 2)
    # Squares of the deviations add up to 0.30708 and 0.32092.
    assert known.standard_deviation == pytest.approx(((0.30708 + 0.32092) / 8) ** 0.5)
    least = T_8 * 2**0.5 * known.standard_deviation
    assert known.least_difference() == pytest.approx(least, rel=TABLE)
    assert known.least_difference(4) == pytest.approx(least / 2, rel=TABLE)


def test_a_search_is_judged_by_the_mean_of_the_random_networks() -> None:
    found = spread((0.90, 0.80, 0.85))
    random = [spread((0.85, 0.74, 0.80)), spread((0.75, 0.64, 0.68))]
    # Their means are 0.80, 0.69 and 0.74: 10, 11 and 11 points below.
    paid = search_verdict(found, random)
    assert paid is not None
    assert (paid.paid, paid.random_networks, paid.difference.seeds) == (True, 2, 3)
    assert paid.difference.top1 == pytest.approx(0.32 / 3)
    half = T_2 * (2 / 3 / 2) ** 0.5 / 3**0.5 / 100
    assert paid.difference.low == pytest.approx(0.32 / 3 - half, rel=TABLE)
    lost = search_verdict(spread((0.7, 0.59, 0.64)), random)
    assert lost is not None and lost.difference.side == 0, "always 10 points: no spread is seen"
    lost = search_verdict(spread((0.7, 0.6, 0.65)), random)
    assert lost is not None and lost.paid is False
    unsure = search_verdict(spread((0.9, 0.6, 0.7)), random)
    assert unsure is not None and unsure.paid is None


@pytest.mark.parametrize(
    ("found", "random"),
    [
        (spread([0.9]), [spread([0.5]), spread([0.6])]),
        (spread(ONE), [spread(OTHER), spread([0.6])]),
        (spread(ONE), [spread(OTHER, first=100)]),
        (spread(ONE), []),
    ],
    ids=["single trainings", "one single training", "other seeds", "no random networks"],
)
def test_without_several_common_seeds_there_is_no_verdict(
    found: SeedSpread, random: list[SeedSpread]
) -> None:
    assert search_verdict(found, random) is None


def test_what_is_written_is_read_again() -> None:
    for record in (spread(ONE), difference(spread(ONE), spread(OTHER))):
        assert record is not None and dataclasses.is_dataclass(record)
        again = strict_json.decode(type(record), strict_json.encode(record), "here")
        assert again == record


@pytest.mark.parametrize(("seeds", "top1"), [((), ()), ((1, 1), (0.5, 0.5)), ((1, 2), (0.5,))])
def test_trainings_without_seeds_of_their_own_are_refused(
    seeds: tuple[int, ...], top1: tuple[float, ...]
) -> None:
    with pytest.raises(InputError, match="different seeds"):
        SeedSpread(seeds, top1, 0.5)


def test_the_images_own_error_is_that_of_a_share() -> None:
    # 1.96 * sqrt(0.5 * 0.5 / 10000): https://en.wikipedia.org/wiki/Margin_of_error
    assert image_error(0.5, 10_000) == pytest.approx(0.0098)
    assert image_error(0.5, None) == 0.0
