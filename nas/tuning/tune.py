"""Knobs of a recipe as parameters of trials, as `--tune` writes them.

    --tune learning_rate=log[1e-3,1],batch_size={64,128},augmentation.cutout_pixels={0,8}

A list in braces holds values; a range in brackets holds two numbers, behind `log` for equal ratios.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from nas.errors import InputError, WrittenError
from nas.registry import check_known
from nas.training.knobs import Knob, knobs_of
from nas.training.recipe import Recipe
from nas.tuning.parameters import OneOfList, Parameter, Range, Value, check_names

# The length of a training is that of its rungs, and its average has a length of its own;
# evaluations along the way and their images are the rungs'.
NOT_TUNED = {
    "epochs": "set --max_epochs",
    "average_share": "trials have an average of their own; --rung_weights last goes without",
    "evaluate_every": "trials are judged at the ends of rungs",
    "held_out_share": "trials are judged at the ends of rungs",
}
# Draws of the other knobs among which a value has to go with one.
COMBINATIONS = 100
EXAMPLE = "write for example learning_rate=log[1e-3,1],batch_size={64,128}"
_PART = re.compile(r"\s*([\w.]+)\s*=\s*(log)?\s*([\[{])([^\]}]*)([\]}])\s*(?:,|$)")


def parse_tune(text: str) -> tuple[Parameter, ...]:
    """The parameters that `--tune` names, with values that their knobs can have.

    Args:
        text: As the flag has it.

    Raises:
        InputError: It has another form, an unknown knob, or a value that the knob cannot have.
    """
    with _as_written():
        found = tuple(_parameter(*part) for part in _parts(text))
        check_names(found)
    return found


@contextmanager
def _as_written() -> Iterator[None]:
    """Refusals of knobs that stand in `--tune`, where none of them is a flag.

    Raises:
        WrittenError: With the parts of the refusal.
    """
    try:
        yield
    except InputError as error:
        raise WrittenError(error.expected, error.received, error.fix) from None


def _parts(text: str) -> Iterator[tuple[str, bool, str, list[str]]]:
    """Name, whether it is `log`, kind of brackets, and words of each parameter."""
    position = 0
    while position < len(text.rstrip()) or not position:
        part = _PART.match(text, position)
        pair = part and part[3] + part[5]
        if part is None or pair not in ("[]", "{}"):
            raise InputError(
                "knobs with ranges [low,high], log[low,high] or lists {a,b}",
                repr(text[position:] or text),
                EXAMPLE,
            )
        words = [word.strip() for word in part[4].split(",")]
        yield part[1], part[2] is not None, str(pair), words
        position = part.end()
    if text.rstrip().endswith(","):
        raise InputError(
            "a knob behind each comma", f"{text.strip()!r}", "leave the last comma out"
        )


def _parameter(path: str, is_log: bool, pair: str, words: Sequence[str]) -> Parameter:
    knob = _knob(path)
    if pair == "[]":
        return _range(knob, is_log, words)
    if is_log:
        raise InputError(
            f"a range behind log for {knob.name}", "a list", f"write {knob.name}=log[low,high]"
        )
    return OneOfList(knob.name, tuple(_value(knob.value(word)) for word in words))


def _knob(path: str) -> Knob:
    """The knob of a name, perhaps with the records that it stands in, as in `augmentation.flip`."""
    *parts, name = path.split(".")
    knobs = knobs_of(Recipe)
    if name in NOT_TUNED:
        raise InputError("a knob that trials can differ in", name, NOT_TUNED[name])
    check_known("knob of --tune", name, [known for known in knobs if known not in NOT_TUNED])
    knob = knobs[name]
    if tuple(parts) != knob.path[: len(parts)]:
        raise InputError(
            f"the knob {'.'.join((*knob.path, name))}", path, f"write {name}, or its whole path"
        )
    return knob


def _range(knob: Knob, is_log: bool, words: Sequence[str]) -> Range:
    if knob.kind not in (int, float):
        raise InputError(
            f"a list for {knob.name}, which is {knob.form}",
            f"[{','.join(words)}]",
            f"write {knob.name}={{a,b}}",
        )
    numbers = [number for number in map(_number, words) if number is not None]
    if len(numbers) != 2 or len(words) != 2:
        raise InputError(
            f"two numbers for {knob.name}",
            f"[{','.join(words)}]",
            f"write {knob.name}=[low,high]",
        )
    low, high = numbers
    return Range(knob.name, low, high, is_log, knob.kind is int)


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _value(value: Any) -> Value:
    """A value of a knob as JSON has it: what is no number or text is written as a flag has it."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise InputError("a number, a text or none", repr(value), "tune another knob")


def check_fits(parameters: Sequence[Parameter], recipe: Recipe) -> None:
    """Refuses a value that no recipe of the trials can have, whatever the other knobs are.

    Args:
        parameters: Of `--tune`.
        recipe: Of the trials.

    Raises:
        InputError: A value is out of its range, or contradicts what the recipe has otherwise.
    """
    rng = np.random.default_rng(0)
    others = [{p.name: p.draw(rng) for p in parameters} for _ in range(COMBINATIONS)]
    with _as_written():
        for parameter in parameters:
            for value in ends_of(parameter):
                _check_value(parameter.name, value, recipe, others)


def _check_value(
    name: str, value: Value, recipe: Recipe, others: Sequence[Mapping[str, Value]]
) -> None:
    first: InputError | None = None
    for drawn in ({}, *others):
        try:
            recipe.changed(**{**drawn, name: value})
        except InputError as error:
            first = first or error
        else:
            return
    if first is not None:
        raise InputError(first.expected, f"{name}={value} of --tune", first.fix)


def ends_of(parameter: Parameter) -> tuple[Value, ...]:
    """The values of a list, or the ends of a range.

    Args:
        parameter: Of `--tune`.
    """
    if isinstance(parameter, OneOfList):
        return parameter.options
    ends = (parameter.low, parameter.high)
    return tuple(round(end) if parameter.is_whole else end for end in ends)
