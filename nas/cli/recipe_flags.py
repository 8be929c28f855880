"""Flags of `main.py` for the knobs of a recipe: all of them out of the records."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from absl import flags

from nas.errors import FieldError, InputError, WrittenError
from nas.interface.recipe_options import KNOBS
from nas.recipes import RECIPES
from nas.training.knobs import NONE, Knob


class KnobParser(flags.ArgumentParser):
    """Reads the value of a knob, as Python options are read.

    Args:
        knob: That is meant.
    """

    def __init__(self, knob: Knob) -> None:
        self.knob = knob
        self.syntactic_help = knob.form

    def parse(self, argument: Any) -> Any:
        """The value that a text means; `none` stays that word, since None is a flag not given.

        Args:
            argument: As it was written.

        Raises:
            ValueError: It has another form; absl makes a flag's error of it.
        """
        try:
            value = self.knob.value(argument)
        except InputError as error:
            wanted = error.expected.removeprefix(f"{self.knob.name} to be ")
            raise ValueError(f"{error.received} is not {wanted}") from None
        return NONE if value is None else value


def define(values: flags.FlagValues) -> None:
    """Defines --recipe, and a flag for every knob.

    Args:
        values: Where they are defined.
    """
    flags.DEFINE_string(
        "recipe",
        None,
        f"Named recipe to begin with: {', '.join(RECIPES.names)}; default: that of the images. "
        "All flags below change single knobs of it.",
        flag_values=values,
    )
    for knob in KNOBS.values():
        if knob.kind is bool:
            flags.DEFINE_bool(knob.name, None, help_of(knob), flag_values=values)
        else:
            flags.DEFINE(
                KnobParser(knob),
                knob.name,
                None,
                help_of(knob),
                values,
                flags.ArgumentSerializer(),
            )


@contextmanager
def named_as_typed(values: flags.FlagValues) -> Iterator[None]:
    """Refusals of records, which name their fields, name the flags of a command line in here.

    Names of knobs that are made of several words mean nothing else, and need not be declared.

    Args:
        values: Flags of the program.

    Raises:
        InputError: As it came, with `--` before the names of flags. A `WrittenError` stays as it
            is: its names stand in the text of one flag.
    """
    try:
        yield
    except WrittenError:
        raise
    except InputError as error:
        declared = error.names if isinstance(error, FieldError) else ()
        names = {*declared, *(name for name in KNOBS if "_" in name)} & set(values)
        parts = (error.expected, error.received, error.fix)
        found = tuple(_with_dashes(part, names) for part in parts)
        if found == parts:
            raise
        # Flags write what Python calls None in small letters.
        raise InputError(*(re.sub(r"\bNone\b", NONE, part) for part in found)) from None


def _with_dashes(text: str, names: Iterable[str]) -> str:
    """A text whose words of these names are flags; parts of paths and of `--tune` are none."""
    for name in names:
        word = rf"(?<![\w/.\\-]){re.escape(name)}(?![\w/\\]|\.\w|=(?:log)?[\[{{])"
        text = re.sub(word, f"--{name}", text)
    return text


def help_of(knob: Knob) -> str:
    """What --help says of a knob: what its record says, and the names that there are.

    Args:
        knob: That is meant.
    """
    names = ", ".join(knob.names)
    return f"{knob.text} One of: {names}." if names else knob.text
