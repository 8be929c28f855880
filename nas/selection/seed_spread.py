"""What several trainings of one network say: the spread between seeds, and differences over it.

The evaluation images are the same for every training. How far a share of so many images may be
off (`image_error`) is another matter. It is no part of the spread, and says nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from nas.errors import InputError

CONFIDENCE = 0.95
# Two-sided 95 % of a normal distribution.
Z_95 = 1.96
# Shares of images that differ by less are equal: fewer than one of a billion images.
EQUAL = 1e-9

PAIRED: Final = "paired t"
WELCH: Final = "Welch's t"


@dataclass(frozen=True)
class SeedSpread:
    """What trainings of one network reached, each with another seed.

    Args:
        seeds: Of weights, dropout and data order; one or more, all different.
        top1: Share of the evaluation images after each training, 0 to 1.
        mean: Of these.
        standard_deviation: Between the trainings; None with one training.
        low: Lower end of the 95 % interval of the mean over seeds, by Student's t; None where the
            trainings show no spread.
        high: Upper end.

    Raises:
        InputError: No training, a seed twice, or not one share a seed.
    """

    seeds: tuple[int, ...]
    top1: tuple[float, ...]
    mean: float
    standard_deviation: float | None = None
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        different = len(set(self.seeds))
        if not different or (different, different) != (len(self.seeds), len(self.top1)):
            raise InputError(
                "different seeds, and one share for each",
                f"seeds {self.seeds} and shares {self.top1}",
                "train the networks again",
            )

    @classmethod
    def of(cls, top1: Mapping[int, float]) -> SeedSpread:
        """From what was reached.

        Args:
            top1: Seed -> share of the evaluation images.
        """
        seeds, shares = tuple(top1), tuple(top1.values())
        mean = float(np.mean(shares)) if shares else math.nan
        if len(shares) < 2:
            return cls(seeds, shares, mean)
        deviation = 0.0 if np.ptp(shares) < EQUAL else float(np.std(shares, ddof=1))
        if deviation == 0.0:  # finer than the images can show, which is not the same as none
            return cls(seeds, shares, mean, deviation)
        half = _student(len(shares) - 1) * deviation / math.sqrt(len(shares))
        return cls(seeds, shares, mean, deviation, max(mean - half, 0.0), min(mean + half, 1.0))

    @classmethod
    def mean_of(cls, spreads: Sequence[SeedSpread]) -> SeedSpread | None:
        """The mean of several networks, seed by seed; None without a seed that all have.

        Args:
            spreads: Of each network.
        """
        tables = [dict(zip(s.seeds, s.top1, strict=True)) for s in spreads]
        common = [seed for seed in tables[0] if all(seed in t for t in tables)] if tables else []
        if not common:
            return None
        return cls.of({seed: float(np.mean([t[seed] for t in tables])) for seed in common})

    @property
    def count(self) -> int:
        """Number of trainings, n."""
        return len(self.seeds)


@dataclass(frozen=True)
class KnownSpread:
    """The spread between seeds, as far as networks that were trained several times tell it.

    Args:
        standard_deviation: Of one training, pooled over these networks; above 0.
        degrees_of_freedom: Trainings beyond the first of each network.
        networks: How many these are.
    """

    standard_deviation: float
    degrees_of_freedom: int
    networks: int

    def least_difference(self, trainings: int = 1) -> float:
        """Difference of two means below which nothing can be told at 95 %, two-sided.

        The trainings of the two count as independent of each other.

        Args:
            trainings: Of each of the two networks, 1 or more.
        """
        reach = _student(self.degrees_of_freedom) * math.sqrt(2 / trainings)
        return reach * self.standard_deviation


def known_spread(spreads: Sequence[SeedSpread]) -> KnownSpread | None:
    """What is known of the spread between seeds; None where no network shows one.

    Args:
        spreads: Of all networks that are compared, trained by one recipe.
    """
    several = [spread for spread in spreads if spread.count > 1]
    free = sum(spread.count - 1 for spread in several)
    squares = sum((s.count - 1) * (s.standard_deviation or 0.0) ** 2 for s in several)
    if not squares:
        return None
    return KnownSpread(math.sqrt(squares / free), free, len(several))


@dataclass(frozen=True)
class SeedDifference:
    """How much more one network reaches than another, over seeds.

    Args:
        top1: Mean top-1 of the one minus that of the other, -1 to 1.
        low: Lower end of the 95 % interval; None where the trainings show no spread.
        high: Upper end.
        test: `paired t` where both were trained with the same seeds, which are compared seed by
            seed; `Welch's t` where they were not.
        degrees_of_freedom: Of the test.
        seeds: Pairs of trainings, or the smaller number of trainings.
    """

    top1: float
    low: float | None
    high: float | None
    test: Literal["paired t", "Welch's t"]
    degrees_of_freedom: float
    seeds: int

    @property
    def side(self) -> int:
        """1 where the one is better at 95 %, -1 where it is worse, 0 where it cannot be told."""
        if self.low is None or self.high is None:
            return 0
        return int(self.low > 0) - int(self.high < 0)


def difference(one: SeedSpread, other: SeedSpread) -> SeedDifference | None:
    """Compares two networks; None where single trainings are all there is.

    The same seed gives networks the same order of images, and moves them together. Networks with
    common seeds are therefore compared seed by seed. Trainings of different seeds are independent.

    Args:
        one: Trainings of a network.
        other: Of another one.

    Source: Student 1908, The probable error of a mean; Welch 1947, The generalization of
        "Student's" problem when several different population variances are involved.
    """
    own, others = (dict(zip(s.seeds, s.top1, strict=True)) for s in (one, other))
    common = [seed for seed in own if seed in others]
    if len(common) > 1:
        return _paired([own[seed] for seed in common], [others[seed] for seed in common])
    return _unpaired(one, other) if min(one.count, other.count) > 1 else None


def _paired(own: Sequence[float], others: Sequence[float]) -> SeedDifference:
    from scipy.stats import ttest_rel  # takes a moment to load

    gains = np.subtract(own, others)
    mean, free = float(gains.mean()), len(gains) - 1
    if np.ptp(gains) < EQUAL:
        return SeedDifference(mean, None, None, PAIRED, free, len(gains))
    interval = ttest_rel(own, others).confidence_interval(CONFIDENCE)
    return SeedDifference(mean, float(interval.low), float(interval.high), PAIRED, free, len(gains))


def _unpaired(one: SeedSpread, other: SeedSpread) -> SeedDifference:
    from scipy.stats import ttest_ind  # takes a moment to load

    mean, count = one.mean - other.mean, min(one.count, other.count)
    if not one.standard_deviation and not other.standard_deviation:
        return SeedDifference(mean, None, None, WELCH, count - 1, count)
    found = ttest_ind(one.top1, other.top1, equal_var=False)
    interval = found.confidence_interval(CONFIDENCE)
    return SeedDifference(
        mean, float(interval.low), float(interval.high), WELCH, float(found.df), count
    )


@dataclass(frozen=True)
class SearchVerdict:
    """Whether a search paid: its network against random ones of equal milliseconds.

    Args:
        paid: Whether the found network is better at 95 %; false where it is worse; None where it
            cannot be told.
        random_networks: With the mean of how many it is compared.
        difference: The found network's top-1 minus that mean.
    """

    paid: bool | None
    random_networks: int
    difference: SeedDifference


def search_verdict(found: SeedSpread, random: Sequence[SeedSpread]) -> SearchVerdict | None:
    """Judges a search by trainings; None where there are no random networks, or single trainings.

    What a search is worth is what chance would have given, so that the found network is compared
    with the mean of the random ones. The best of them was picked by the images that judge it.

    Args:
        found: Trainings of the found network.
        random: Of each random network of equal milliseconds.
    """
    mean = SeedSpread.mean_of(random)
    # The mean over networks has a spread of its own kind: it is compared seed by seed, or not.
    common = 0 if mean is None else len(set(mean.seeds) & set(found.seeds))
    gain = difference(found, mean) if mean is not None and common > 1 else None
    if gain is None:
        return None
    return SearchVerdict({1: True, -1: False, 0: None}[gain.side], len(random), gain)


def image_error(share: float, images: float | None) -> float:
    """Half of the 95 % interval of a share of images, which is not the spread between seeds.

    It is the normal approximation, 1.96 sqrt(p (1 - p) / n): how far one training's share would be
    off on other images of the same kind.

    Args:
        share: 0 to 1.
        images: How many; None where that is not known, which gives 0.
    """
    return Z_95 * math.sqrt(max(share * (1 - share), 0.0) / images) if images else 0.0


def _student(degrees_of_freedom: float) -> float:
    """Two-sided 95 % quantile of Student's t."""
    from scipy.special import stdtrit  # takes a moment to load

    return float(stdtrit(degrees_of_freedom, (1 + CONFIDENCE) / 2))
