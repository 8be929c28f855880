"""Metrics against cases counted by hand, and against slow computations that cannot be wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from nas.errors import InputError
from nas.metrics import METRICS, Metric, metric_value
from nas.metrics.bootstrap import CONFIDENCE, Sample, interval
from nas.metrics.images import ScoredImages
from nas.metrics.ranking import allowed, auc, threshold, true_positive_rate

# Scores that were written by hand: the background is 1, 2, 2, 3 and the signal 2, 3, 4.
BACKGROUND = np.array([1.0, 2.0, 2.0, 3.0])
SIGNAL = np.array([2.0, 3.0, 4.0])


def two_classes(signal: np.ndarray, background: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two classes whose log-odds are the given numbers, and labels."""
    odds = np.concatenate([signal, background])
    scores = np.stack([np.zeros(len(odds)), odds], axis=1)
    return scores, np.repeat([1, 0], [len(signal), len(background)])


def drawn(seed: int, distinct: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Signal and background of so many different scores, so that many are equal."""
    rng = np.random.default_rng(seed)
    return rng.integers(2, distinct + 2, count) * 1.0, rng.integers(0, distinct, 2 * count) * 1.0


def brute_force_rate(signal: np.ndarray, background: np.ndarray, share: Fraction) -> float:
    """The best share of signal over every threshold there is that keeps the background's share."""
    thresholds = np.unique(np.concatenate([signal, background]))
    rates = {
        float((signal >= least).mean())
        for least in thresholds
        if Fraction(int((background >= least).sum()), len(background)) <= share
    }
    return max(rates, default=0.0)


def test_auc_of_a_case_counted_by_hand() -> None:
    # Of 12 pairs: 2 beats one and ties two (2), 3 beats three and ties one (3.5), 4 beats four.
    assert auc(SIGNAL, BACKGROUND) == 9.5 / 12


@pytest.mark.parametrize("distinct", [1, 2, 7, 1_000])
def test_auc_is_the_share_of_pairs_and_the_statistic_of_mann_and_whitney(distinct: int) -> None:
    from scipy.stats import mannwhitneyu

    signal, background = drawn(distinct, distinct)
    pairs = np.sign(signal[:, None] - background[None]) / 2 + 0.5
    # Ranks are halves and the sums are whole numbers of halves: one division may round.
    assert auc(signal, background) == pytest.approx(pairs.mean(), abs=1e-15)
    statistic = mannwhitneyu(signal, background).statistic
    assert auc(signal, background) == statistic / (len(signal) * len(background))


def test_auc_of_a_perfect_a_useless_and_a_reversed_order() -> None:
    high, low = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    assert (auc(high, low), auc(low, high), auc(low, low)) == (1.0, 0.0, 0.5)


@pytest.mark.parametrize(
    ("share", "passing", "rate"),
    [
        # One of four may pass: the background 3 does, and so do the signals 3 and 4 with it: the
        # threshold is the 2 that stays behind.
        ("0.25", 1, 2 / 3),
        # Two may, but 2 and 2 cannot be told apart: both stay.
        ("0.5", 1, 2 / 3),
        ("0.75", 3, 1.0),
        # None may: above the highest background score.
        ("0.24", 0, 1 / 3),
        ("0.999999999", 3, 1.0),
    ],
)
def test_equal_scores_are_never_split_and_the_share_is_never_exceeded(
    share: str, passing: int, rate: float
) -> None:
    count = allowed(Fraction(share), len(BACKGROUND))
    assert true_positive_rate(SIGNAL, BACKGROUND, count) == rate
    assert np.greater(BACKGROUND, threshold(BACKGROUND, count)).sum() == passing


@pytest.mark.parametrize("distinct", [1, 2, 5, 30, 1_000])
@pytest.mark.parametrize("share", ["0.000001", "0.01", "0.1", "0.29", "0.5", "0.99"])
def test_the_rate_is_the_best_of_all_thresholds_that_keep_the_share(
    distinct: int, share: str
) -> None:
    signal, background = drawn(distinct, distinct)
    count = allowed(Fraction(share), len(background))
    found = true_positive_rate(signal, background, count)
    assert found == brute_force_rate(signal, background, Fraction(share))


def test_shares_are_those_that_were_written_and_not_their_binary_neighbours() -> None:
    # 0.29 * 100 is 28.999999999999996 in binary numbers.
    assert int(0.29 * 100) == 28
    assert allowed(Metric.parse("tpr_at_fpr=0.29").background_share(None) or Fraction(0), 100) == 29
    share = Metric.parse("tpr_at_rate=29kHz").background_share(1e5)
    assert share == Fraction(29, 100)


def test_the_image_that_passes_is_more_probable_and_no_probability_rounds_to_one() -> None:
    # All of these probabilities are 1.0 in binary numbers of 64 bits, and would be equal.
    scores, labels = two_classes(np.array([51.0, 52.0]), np.array([50.0, 49.0]))
    assert metric_value(Metric("auc"), scores, labels, 1) == 1.0
    assert metric_value(Metric.parse("tpr_at_fpr=0.01"), scores, labels, 1) == 1.0


def test_signal_is_judged_by_its_softmax_probability_among_several_classes() -> None:
    # The signal's own score is the same everywhere: what the others have decides.
    scores = np.array([[1.0, 0.0, 0.0], [1.0, 2.0, 0.0], [1.0, 0.5, 0.0], [1.0, 3.0, 3.0]])
    labels = np.array([0, 0, 1, 2])
    probabilities = np.exp(scores[:, 0]) / np.exp(scores).sum(axis=1)
    found = ScoredImages.of(scores, labels, 0)
    assert found.log_odds is not None
    # Two ways to the same number, each with a rounding or two of numbers near 1.
    expected = np.log(probabilities / (1 - probabilities))
    np.testing.assert_allclose(found.log_odds, expected, rtol=1e-12)
    # Pairs (0, 2), (0, 3), (1, 3) are in order, (1, 2) is not.
    assert metric_value(Metric("auc"), scores, labels, 0) == 3 / 4


def test_shares_and_cross_entropy_are_those_of_the_evaluation() -> None:
    from nas.training.evaluation import accuracy

    rng = np.random.default_rng(5)
    scores = np.round(rng.normal(size=(40, 8)), 1)  # some are equal
    labels = rng.integers(0, 8, 40)
    split = SplitOfNumbers(np.arange(40)[:, None, None, None] * np.ones((1, 1, 1, 3)), labels)
    expected = accuracy(lambda images: scores[images[:, 0, 0, 0].astype(int)], split, 7)  # type: ignore[arg-type]
    assert metric_value(Metric("top1"), scores, labels) == expected.top1
    assert metric_value(Metric("top5"), scores, labels) == expected.top5
    found = metric_value(Metric("cross_entropy"), scores, labels)
    # Sums of 40 numbers near 2 in another order.
    assert found == pytest.approx(expected.cross_entropy, rel=1e-14)


class SplitOfNumbers:
    """Images that are their own position, so that a scoring function can look them up."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels


@pytest.mark.parametrize(
    ("scores", "labels", "text"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), "one image or more"),
        (np.zeros((3, 1)), np.zeros(3, int), "two classes or more"),
        (np.zeros((3, 2)), np.zeros(2, int), "a label for each image"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "labels from 0 to 1"),
        (np.array([[0.0, np.nan], [0.0, 1.0]]), np.array([0, 1]), "1 of 2 images with a score"),
        (np.array([[0.0, np.inf], [0.0, 1.0]]), np.array([0, 1]), "NaN or infinite"),
    ],
)
def test_scores_that_say_nothing_are_refused(
    scores: np.ndarray, labels: np.ndarray, text: str
) -> None:
    with pytest.raises(InputError) as caught:
        metric_value(Metric("auc"), scores, labels, 1)
    assert text in str(caught.value)


@pytest.mark.parametrize("name", ["auc", "tpr_at_fpr=0.1", "top1", "cross_entropy"])
def test_intervals_are_those_of_scipy_up_to_the_draws(name: str) -> None:
    from scipy.stats import bootstrap

    rng = np.random.default_rng(2)
    scores, labels = two_classes(rng.normal(1.5, 1, 80), rng.normal(0, 1, 80))
    metric = Metric.parse(name)
    sample = metric.kind.sample(ScoredImages.of(scores, labels, 1), metric.background_share(None))
    own = interval(sample, 2_000, seed=0)
    others = bootstrap(
        sample.strata, sample.statistic, n_resamples=2_000, method="percentile", random_state=1
    ).confidence_interval
    width = others.high - others.low
    # Each end is off by 1.6 % of the width by chance (see RESAMPLES), two of them by 2.2 %; 8 % is
    # more than three times that, and holds the grain of shares of 80 images as well.
    grain = 1 / 80
    assert own == pytest.approx((others.low, others.high), abs=max(0.08 * width, grain))


def test_draws_keep_the_number_of_images_on_both_sides_and_repeat_themselves() -> None:
    sizes: list[tuple[int, ...]] = []

    def statistic(*strata: np.ndarray) -> np.ndarray:
        sizes.append(tuple(values.shape[-1] for values in strata))
        return np.asarray(strata[0].mean(axis=-1))

    sample = Sample((np.arange(4.0), np.array([7.0])), statistic)
    assert interval(sample, 50) == interval(sample, 50)
    assert set(sizes) == {(4, 1)}
    assert interval(sample, 50, seed=1) != interval(sample, 50)


def test_intervals_hold_the_true_value_about_as_often_as_they_say() -> None:
    from scipy.stats import norm

    # Two normal distributions: their AUC is Phi(d / sqrt 2), their signal at a tenth of the
    # background is Phi(d - z) with z the 90 % quantile.
    distance, trials, images = 1.2, 150, 120
    truth = {
        "auc": norm.cdf(distance / np.sqrt(2)),
        "tpr_at_fpr=0.1": norm.cdf(distance - norm.ppf(0.9)),
    }
    rng = np.random.default_rng(11)
    held = dict.fromkeys(truth, 0)
    for _ in range(trials):
        scores, labels = two_classes(rng.normal(distance, 1, images), rng.normal(0, 1, images))
        for name, true in truth.items():
            metric = Metric.parse(name)
            sampled = ScoredImages.of(scores, labels, 1)
            sample = metric.kind.sample(sampled, metric.background_share(None))
            low, high = interval(sample, 150)
            held[name] += low <= true <= high
    # Of 150 intervals of 95 %, 95 +- 1.8 % hold by chance: three deviations below are 89.6 %. Those
    # of thresholds are somewhat too long: 98 % of 400 with 1,000 draws each held the truth.
    for name, count in held.items():
        assert count / trials >= 0.896, name
        assert count < trials, f"{name}: intervals that always hold are too long"
    assert CONFIDENCE == 0.95


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_gets_better_in_its_direction(name: str) -> None:
    takes = METRICS[name].parameter
    metric = Metric.parse(f"{name}={takes.example}" if takes else name)
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 8, 400)
    noise, own = rng.normal(size=(400, 8)), np.eye(8)[labels]
    worse, better = (
        metric_value(metric, noise + strength * own, labels, 3, 1e5) for strength in (0.5, 3.0)
    )
    assert (better > worse) == metric.higher_is_better
