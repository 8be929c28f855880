"""Flags of measuring commands, and what they refuse."""

from __future__ import annotations

import argparse
import shlex

import pytest

from latency.cli.options import (
    add_plan_flags,
    add_process_flags,
    add_settings_flags,
    next_command,
    plan_of,
    rule_of,
    settings_of,
)
from latency.device.flags import option_pairs
from latency.device.plan import MeasurePlan
from latency.device.settings import SessionSettings
from latency.errors import LatencyError
from latency.measurement.processes import ProcessRule


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_settings_flags(parser)
    add_plan_flags(parser)
    return parser.parse_args(arguments)


def test_without_flags_the_defaults_stay() -> None:
    assert settings_of(options()) == SessionSettings()
    assert plan_of(options()) == MeasurePlan()


def test_what_was_not_given_keeps_the_value_of_the_base() -> None:
    base = SessionSettings(graph_level="basic", affinity=(0, 1), allow_spinning=False)
    found = settings_of(options("--threads", "2"), base)
    assert found == SessionSettings(2, "basic", allow_spinning=False, affinity=(0, 1))
    assert settings_of(options("--spinning", "--affinity", "3"), base).affinity == (3,)


def test_asking_for_more_rounds_at_least_means_more_at_most() -> None:
    assert plan_of(options("--min_rounds", "90")).max_rounds == 90
    assert plan_of(options("--max_rounds", "2")).min_rounds == 2
    assert plan_of(options("--max_rounds", "50"), min_rounds=4).min_rounds == 4


@pytest.mark.parametrize(
    "words",
    [
        ["measure", "my net.onnx", "--processes", "3", "--strict"],
        ["measure", "my net.onnx", "--processes=3", "--strict"],
        ["measure", "my net.onnx", "--strict"],
    ],
)
def test_the_next_command_is_the_one_that_was_called_with_a_flag_changed(words: list[str]) -> None:
    text = next_command(argparse.Namespace(arguments=words), processes=7)
    assert text == "python -m latency measure 'my net.onnx' --strict --processes 7"
    assert shlex.split(text)[3:] == ["measure", "my net.onnx", "--strict", "--processes", "7"]


def test_the_rule_of_processes_comes_from_its_flags() -> None:
    parser = argparse.ArgumentParser()
    add_process_flags(parser, 3, 7)
    assert rule_of(parser.parse_args([])) == ProcessRule()
    many = rule_of(parser.parse_args(["--processes", "9", "--budget_seconds", "60"]))
    assert (many.processes, many.most, many.max_seconds) == (9, 9, 60.0)
    assert rule_of(parser.parse_args(["--processes", "2"]), most=2).most == 2


@pytest.mark.parametrize("texts", [["x"], ["=1"], [""], ["a=1", "a=2"]])
def test_pairs_need_a_name_each_and_each_once(texts: list[str]) -> None:
    with pytest.raises(LatencyError) as info:
        option_pairs("--config", texts)
    assert info.value.expected == "--config NAME=VALUE, every name once"
    assert info.value.received == f"--config {texts[-1]!r}" and "--config" in info.value.fix


@pytest.mark.parametrize(
    ("arguments", "flag"),
    [
        (("--threads", "0"), "--threads"),
        (("--affinity", "x"), "--affinity"),
        (("--affinity", "1,1"), "--affinity"),
        (("--provider", ""), "--provider"),
    ],
)
def test_a_refusal_names_the_flag_that_mends_it(arguments: tuple[str, ...], flag: str) -> None:
    with pytest.raises(LatencyError) as info:
        settings_of(options(*arguments))
    assert flag in info.value.fix and arguments[1] in info.value.received.replace(", ", ",")
