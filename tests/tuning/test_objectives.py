"""Objectives by name: their direction, their parameter, and what is refused."""

from __future__ import annotations

import pytest

from nas.errors import InputError
from nas.tuning.objectives import (
    OTHER_WORDS,
    QUANTITIES,
    Objective,
    Quantity,
    parse_objective,
    parse_objectives,
)

MAXIMISED = {"top1", "top5", "auc", "tpr_at_fpr", "tpr_at_rate"}
KNOWN_BEFORE = {"ms", "macs", "params", "bytes", "memory_bytes", "weight_bits", "bops"}


def example(name: str) -> str:
    return name + {None: "", "share": "=0.01", "rate": "=10kHz"}[QUANTITIES[name].parameter]


@pytest.mark.parametrize("name", QUANTITIES.names)
def test_the_direction_follows_from_the_name(name: str) -> None:
    objective = parse_objective(example(name))
    wanted = "maximise" if name in MAXIMISED else "minimise"
    assert objective.direction == wanted
    assert (objective.cost(2.0) < objective.cost(1.0)) == (wanted == "maximise")
    assert objective.quantity.before_training == (name in KNOWN_BEFORE)
    assert parse_objective(objective.text) == objective


@pytest.mark.parametrize("name", QUANTITIES.names)
def test_a_direction_that_the_name_contradicts_is_refused(name: str) -> None:
    right, wrong = ("max", "min") if name in MAXIMISED else ("min", "max")
    text = example(name)
    for word in (right, right + "imise", right + "imize"):
        assert parse_objective(f"{text}:{word}") == parse_objective(text)
    for word in (wrong, wrong + "imise", wrong + "imize"):
        with pytest.raises(InputError) as refused:
            parse_objective(f"{text}:{word}")
        assert refused.value.expected == f"{name} to be {right}imised, as its name says"
        assert refused.value.received == f"{text}:{wrong}" + word[3:]
        assert refused.value.fix == f"leave the direction out, or write {text}:{right}"


def test_an_unknown_direction_is_refused() -> None:
    with pytest.raises(InputError, match="(?s)direction to be one of max, .*'maxi'.*write 'max'"):
        parse_objective("top1:maxi")


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("top_1", "write 'top1'"),
        ("TOP1", "write 'top1'"),
        ("validation_accuracy", "write 'top1'"),
        ("latency", "write 'ms'"),
        ("bits", "write 'weight_bits'"),
        ("bop", "write 'bops'"),
        ("size_bytes", "write 'bytes'"),
        ("quux", "write objective as one of these names"),
        ("", "write objective as one of these names"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones_and_the_nearest(
    text: str, fix: str
) -> None:
    with pytest.raises(InputError) as refused:
        parse_objectives(f"ms,{text}")
    assert refused.value.expected == f"objective to be one of {', '.join(QUANTITIES)}"
    assert (refused.value.received, refused.value.fix) == (repr(text), fix)


def test_words_of_others_lead_to_names_that_there_are() -> None:
    assert set(OTHER_WORDS.values()) <= set(QUANTITIES)
    assert not set(OTHER_WORDS) & set(QUANTITIES)


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        ("top1,ms,top1", "top1"),
        ("top1,top1:max", "top1"),
        ("tpr_at_fpr=0.01,tpr_at_fpr=1e-2", "tpr_at_fpr=0.01"),
        ("tpr_at_rate=10kHz,tpr_at_rate=10000 Hz", "tpr_at_rate=10kHz"),
    ],
)
def test_an_objective_named_twice_is_refused(text: str, twice: str) -> None:
    with pytest.raises(InputError, match=f"(?s)each named once.*Fix: name {twice} once"):
        parse_objectives(text)


def test_one_quantity_at_two_points_is_two_objectives() -> None:
    found = parse_objectives("tpr_at_fpr=0.01, tpr_at_fpr=0.1")
    assert [objective.parameter for objective in found] == [0.01, 0.1]


@pytest.mark.parametrize(
    ("text", "rate_hz", "written"),
    [
        ("10kHz", 1e4, "10kHz"),
        ("12.7kHz", 12.7e3, "12.7kHz"),
        ("2 MHz", 2e6, "2MHz"),
        ("0.5Hz", 0.5, "0.5Hz"),
        ("0.1kHz", 100.0, "100.0Hz"),
    ],
)
def test_rates_have_a_unit_and_one_text(text: str, rate_hz: float, written: str) -> None:
    objective = parse_objective(f"tpr_at_rate={text}")
    assert objective.parameter == rate_hz
    assert objective.text == f"tpr_at_rate={written}"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("top1=5", "top1 without a parameter"),
        ("tpr_at_fpr", "tpr_at_fpr with a share between 0 and 1"),
        ("tpr_at_fpr=", "tpr_at_fpr with a share between 0 and 1"),
        ("tpr_at_fpr=1", "the share of tpr_at_fpr to be a number above 0 and below 1"),
        ("tpr_at_fpr=nan", "the share of tpr_at_fpr to be a number above 0 and below 1"),
        ("tpr_at_rate=10", "tpr_at_rate with a rate and its unit"),
        ("tpr_at_rate=kHz", "tpr_at_rate with a rate and its unit"),
        ("tpr_at_rate=10khz", "tpr_at_rate with a rate and its unit"),
        ("tpr_at_rate=10mHz", "tpr_at_rate with a rate and its unit"),
        ("tpr_at_rate=0Hz", "the rate of tpr_at_rate to be a number above 0"),
        ("tpr_at_rate=infHz", "the rate of tpr_at_rate to be a number above 0"),
    ],
)
def test_a_parameter_that_is_missing_or_wrong_is_refused(text: str, part: str) -> None:
    with pytest.raises(InputError, match=f"(?s)Expected .*{part}.*Received: .*Fix: "):
        parse_objective(text)


def test_a_quantity_of_a_users_own_has_its_direction_in_the_registry() -> None:
    QUANTITIES.register("loudness", Quantity("minimise", "decibel of the fan"))
    try:
        assert Objective("loudness").direction == "minimise"
    finally:
        QUANTITIES.remove("loudness")
