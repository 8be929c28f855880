"""Texts of metrics, and what is refused before anything is trained."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.errors import InputError
from nas.metrics import METRICS, AskedMetrics, Metric, MetricGoal, signal_index
from nas.metrics.decimals import frequency_text, parse_frequency, parse_share, plain
from nas.metrics.goals import parse_asked

PIXELS = ("noise", "track")
DIGITS = st.decimals(Decimal("1e-9"), Decimal("0.999999999"), places=9)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("auc", "auc"),
        ("tpr_at_fpr=0.01", "tpr_at_fpr=0.01"),
        ("tpr_at_fpr=1e-2", "tpr_at_fpr=0.01"),
        ("tpr_at_fpr=0.0100", "tpr_at_fpr=0.01"),
        ("tpr_at_rate=10kHz", "tpr_at_rate=10kHz"),
        ("tpr_at_rate=10000Hz", "tpr_at_rate=10kHz"),
        ("tpr_at_rate=0.01MHz", "tpr_at_rate=10kHz"),
        ("tpr_at_rate=0.5Hz", "tpr_at_rate=0.5Hz"),
        ("tpr_at_rate=1234.5kHz", "tpr_at_rate=1.2345MHz"),
    ],
)
def test_a_metric_has_one_text_which_gives_it_back(written: str, text: str) -> None:
    metric = Metric.parse(written)
    assert metric.text == text
    assert Metric.parse(metric.text) == metric


@given(DIGITS)
def test_text_and_number_of_a_share_are_inverses(value: Decimal) -> None:
    assert parse_share("fpr", plain(value)) == value


@given(st.decimals(Decimal("1e-6"), Decimal("1e9"), places=6), st.integers(0, 6))
def test_text_and_number_of_a_frequency_are_inverses(value: Decimal, power: int) -> None:
    rate_hz = value.scaleb(power)
    if len(rate_hz.normalize().as_tuple().digits) <= 15:
        assert parse_frequency("rate", frequency_text(rate_hz)) == rate_hz


@pytest.mark.parametrize("name", list(METRICS))
def test_every_metric_that_is_registered_is_told_of_and_reads_its_own_text(name: str) -> None:
    kind = METRICS[name]
    metric = Metric.parse(f"{name}={kind.parameter.example}" if kind.parameter else name)
    assert Metric.parse(metric.text) == metric
    assert kind.meaning.endswith(".")


@pytest.mark.parametrize(
    ("text", "expected", "fix"),
    [
        ("acu", "metric to be one of", "write 'auc'"),
        ("", "metric to be one of", ""),
        ("auc=0.1", "auc without a number", "write auc alone"),
        ("tpr_at_fpr", "tpr_at_fpr with a number, as tpr_at_fpr=0.01", "write the number"),
        ("tpr_at_fpr=", "a share from 1e-9 to below 1", ""),
        ("tpr_at_fpr=1", "a share from 1e-9 to below 1", ""),
        ("tpr_at_fpr=0", "a share from 1e-9 to below 1", ""),
        ("tpr_at_fpr=-0.1", "a share from 1e-9 to below 1", ""),
        ("tpr_at_fpr=nan", "a share from 1e-9 to below 1", ""),
        ("tpr_at_fpr=1%", "a share from 1e-9 to below 1", ""),
        ("tpr_at_fpr=0.12345678901234567", "a share from 1e-9 to below 1", ""),
        ("tpr_at_fpr=0.1=0.2", "a share from 1e-9 to below 1", ""),
        ("tpr_at_rate=10", "a number and its unit", "Hz, kHz, MHz"),
        ("tpr_at_rate=kHz", "a number and its unit", "Hz, kHz, MHz"),
        ("tpr_at_rate=10 kHz", "a number and its unit", "Hz, kHz, MHz"),
        ("tpr_at_rate=10khz", "the unit of tpr_at_rate to be one of Hz, kHz, MHz", "write 'kHz'"),
        ("tpr_at_rate=10mHz", "the unit of tpr_at_rate to be one of Hz, kHz, MHz", "write 'MHz'"),
        ("tpr_at_rate=10ms", "the unit of tpr_at_rate to be one of Hz, kHz, MHz", ""),
        ("tpr_at_rate=0Hz", "from 1e-6 Hz to 1e15 Hz", ""),
        ("tpr_at_rate=1e99MHz", "from 1e-6 Hz to 1e15 Hz", ""),
    ],
)
def test_texts_that_are_no_metric_are_refused_in_three_parts(
    text: str, expected: str, fix: str
) -> None:
    with pytest.raises(InputError) as caught:
        Metric.parse(text)
    assert expected in caught.value.expected
    assert caught.value.received and fix in caught.value.fix


@pytest.mark.parametrize(
    ("metrics", "others", "text"),
    [
        ("auc,auc", {}, "each metric once"),
        ("tpr_at_rate=1kHz,tpr_at_rate=1000Hz", {"background_rate_hz": 1e6}, "each metric once"),
        ("tpr_at_rate=10kHz", {}, "--background_rate_hz with tpr_at_rate=10kHz"),
        ("tpr_at_rate=10kHz", {"background_rate_hz": 5e3}, "a rate below the background's 5000 Hz"),
        ("tpr_at_rate=10kHz", {"background_rate_hz": 1e4}, "at its own rate all background passes"),
        ("tpr_at_rate=10kHz", {"background_rate_hz": 0.0}, "--background_rate_hz to be a number"),
        ("tpr_at_rate=10kHz", {"background_rate_hz": float("nan")}, "to be a number above 0"),
        ("auc", {"background_rate_hz": 1e6}, "--background_rate_hz with a metric at a rate"),
        ("top1", {"signal_class": "1"}, "--signal_class with a metric that looks for one class"),
        (None, {"signal_class": "1"}, "--signal_class with a metric that looks for one class"),
        ("auc,", {}, "metric to be one of"),
    ],
)
def test_askings_that_contradict_themselves_are_refused(
    metrics: str | None, others: dict[str, float | str], text: str
) -> None:
    with pytest.raises(InputError) as caught:
        AskedMetrics.of(metrics, **others)  # type: ignore[arg-type]
    assert text in str(caught.value)


def test_metrics_are_kept_in_one_way_of_writing() -> None:
    asked = AskedMetrics.of("tpr_at_fpr=1e-2, auc", signal_class=0)
    assert asked == AskedMetrics(("tpr_at_fpr=0.01", "auc"), "0")
    assert AskedMetrics.of(["auc"]) == AskedMetrics.of("auc")
    assert asked and not AskedMetrics()


@pytest.mark.parametrize(
    ("word", "metric", "value"),
    [
        ("auc>=0.95", "auc", 0.95),
        ("tpr_at_fpr=1e-2 >= 0.9", "tpr_at_fpr=0.01", 0.9),
        ("tpr_at_rate=10kHz>=1", "tpr_at_rate=10kHz", 1.0),
        ("cross_entropy<=2", "cross_entropy", 2.0),
    ],
)
def test_a_metric_may_have_a_goal(word: str, metric: str, value: float) -> None:
    asked = AskedMetrics.of(word, background_rate_hz=1e6 if "rate" in word else None)
    assert (asked.metrics, asked.goals) == ((metric,), (MetricGoal(metric, value),))
    assert parse_asked(asked.goals[0].text) == (Metric.parse(metric), asked.goals[0])


@pytest.mark.parametrize(
    ("word", "expected", "fix"),
    [
        ("auc<=0.9", "since higher is better", "write auc>=0.9"),
        ("auc>0.9", "auc>=VALUE", "write auc>=0.9"),
        ("cross_entropy>=1", "since lower is better", "write cross_entropy<=1"),
        ("auc>=", "a number behind auc>=", "write a number there"),
        ("auc>=much", "a number behind auc>=", "write a number there"),
        ("auc>=95", "a goal of auc from 0 to 1", "from 0 to 1"),
        ("auc>=nan", "a goal of auc from 0 to 1", "from 0 to 1"),
        ("cross_entropy<=-1", "a goal of cross_entropy of 0 or more", "of 0 or more"),
        ("acu>=0.9", "metric to be one of", "write 'auc'"),
    ],
)
def test_goals_that_contradict_a_metric_are_refused(word: str, expected: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        AskedMetrics.of(word)
    assert expected in caught.value.expected and fix in caught.value.fix


@pytest.mark.parametrize(
    ("word", "names", "index"),
    [
        (None, ("noise", "track"), 1),
        (None, ("track", "noise"), 0),  # the second of the sorted names, wherever it stands
        ("noise", ("noise", "track"), 0),
        ("1", ("noise", "track"), 1),
        ("2", ("0", "1", "2"), 2),
        ("7", ("3", "5", "7"), 2),  # no index, so that it is a name
        ("name=1", ("2", "1", "0"), 1),
        ("index=2", ("2", "1", "0"), 2),
        ("name=name=a", ("name=a", "b"), 0),
        ("name=a", ("name=a", "a"), 0),
    ],
)
def test_the_signal_class_has_a_name_or_an_index(
    word: str | None, names: tuple[str, ...], index: int
) -> None:
    assert signal_index(word, names) == index


@pytest.mark.parametrize(
    ("word", "names", "text"),
    [
        (None, ("a", "b", "c"), "one of more than two classes has to be the signal"),
        ("trak", PIXELS, "write 'track'"),
        ("2", PIXELS, "one of the classes noise, track"),
        ("-1", PIXELS, "one of the classes noise, track"),
        ("2", ("2", "1", "0"), "--signal_class name=2 or --signal_class index=2"),
        ("index=2", PIXELS, "an index of a class, from 0 to 1"),
        ("index=" + "9" * 5000, PIXELS, "an index of a class, from 0 to 1"),
        ("name=2", PIXELS, "one of the classes noise, track"),
        ("x", tuple(map(str, range(100))), "and 88 more"),
    ],
)
def test_a_signal_class_that_is_none_or_two_is_refused(
    word: str | None, names: tuple[str, ...], text: str
) -> None:
    with pytest.raises(InputError) as caught:
        signal_index(word, names)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ([0, 0, 0], "evaluation images of the signal class for auc, tpr_at_fpr=0.1"),
        ([1, 1, 1], "evaluation images of another class, as background, for auc, tpr_at_fpr=0.1"),
    ],
)
def test_images_of_one_side_alone_are_refused(labels: list[int], text: str) -> None:
    asked = AskedMetrics.of("top1,auc,tpr_at_fpr=0.1")
    with pytest.raises(InputError) as caught:
        asked.check(np.array(labels), PIXELS)
    assert text in str(caught.value)
    assert AskedMetrics.of("top1").check(np.array(labels), PIXELS) == ()


def test_thresholds_that_rest_on_few_events_are_warned_of_with_their_number() -> None:
    labels = np.repeat([0, 1], [900, 100])
    asked = AskedMetrics.of("tpr_at_fpr=0.01,tpr_at_fpr=0.1,tpr_at_rate=1kHz", None, 1e6)
    first, second = asked.check(labels, PIXELS)
    assert first.startswith("tpr_at_fpr=0.01: 9 of 900 background images may pass.")
    assert second.startswith("tpr_at_rate=1kHz: 0.9 of 900 background images may pass.")
