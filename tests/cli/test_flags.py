"""Strict flags: exit code 2 material, never a guess."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from absl import flags

from nas.cli import flags as strict_flags
from nas.cli.program import retrain_flags, search_flags
from nas.cli.recipe_flags import KnobParser
from nas.errors import InputError


def parsed(*arguments: str) -> dict[str, object]:
    values = search_flags()
    strict_flags.parse(values, ["nas.py", *arguments])
    return strict_flags.given(values)


def test_values_are_read() -> None:
    assert parsed("--lambda", "0.1", "--seed=3", "--smoke") == {
        "lambda": "0.1",
        "seed": 3,
        "smoke": True,
    }


@pytest.mark.parametrize(
    "arguments, text",
    [
        (["--search_epochs", "0"], "--search_epochs to be a number above 0"),
        (["--learning_rate", "nan"], "--learning_rate to be a number"),
        (["--race_epochs", "-1"], "--race_epochs to be a number above 0"),
        (["--gate_learning_rate", "much"], "flags as --help lists them"),
        (["--race", "1"], "flags as --help"),
        (["--max_macs", "0"], "flags as --help"),
        (["--max_macs", "1.5"], "1.5 is no whole number"),
        (["--max_params", "nan"], "flags as --help"),
        (["--max_params", "inf"], "flags as --help"),
        (["--max_size_bytes", "few"], "flags as --help"),
        (["--method", "guess"], "flags as --help"),
        (["--lamda", "0.1"], "did you mean --lambda"),
        (["--lam", "0.1"], "--lam"),
        (["--seed", "-1"], "flags as --help"),
        (["--batch_size", "1"], "flags as --help"),
        (["0.1"], "flags only"),
    ],
)
def test_bad_flags_are_refused_with_three_parts(arguments: list[str], text: str) -> None:
    with pytest.raises(InputError) as error:
        parsed(*arguments)
    message = str(error.value)
    assert text in message
    assert all(part in message for part in ("Expected", "Received", "Fix"))


@pytest.mark.parametrize("values", [search_flags(), retrain_flags()], ids=["search", "retrain"])
def test_a_flag_of_a_wrong_form_is_named_with_the_form_that_it_has(
    values: flags.FlagValues,
) -> None:
    found = 0
    for name in list(values):
        # Texts have any form; a letter is short for another flag.
        parser = values[name].parser
        is_text = isinstance(parser, KnobParser) and "text" in parser.syntactic_help
        if type(parser) is flags.ArgumentParser or is_text or len(name) == 1:
            continue
        with pytest.raises(InputError) as error:
            strict_flags.parse(values, ["program", f"--{name}=%"])
        found += 1
        assert re.search(rf"--{name}( as .|$)", error.value.fix), error.value.fix
    assert found > 20


def test_a_knob_that_is_too_small_is_told_its_range() -> None:
    values = retrain_flags()
    with pytest.raises(InputError, match="1 is not a whole number, 2 or more"):
        strict_flags.parse(values, ["main.py", "--batch_size", "1"])
    with pytest.raises(InputError, match="'few' is not a whole number"):
        strict_flags.parse(retrain_flags(), ["main.py", "--batch_size", "few"])


@pytest.mark.parametrize("text", ["3000000", "3_000_000", "3e6", "0.3e7"])
def test_counts_are_read_as_people_write_them(text: str) -> None:
    assert parsed("--max_macs", text) == {"max_macs": 3_000_000}


@pytest.mark.parametrize("make", [search_flags, retrain_flags])
def test_help_lists_every_flag_and_no_other(make: Callable[[], flags.FlagValues]) -> None:
    values = make()
    text = strict_flags.help_text(values, "intro", 80)
    assert max(map(len, text.splitlines())) <= 80 and "repeat this option" not in text
    listed = re.findall(r"^  --(?:\[no\])?(\w+)", text, re.MULTILINE)
    assert sorted(listed) == sorted(name for name in values if len(name) > 1)
