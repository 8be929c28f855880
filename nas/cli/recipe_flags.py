"""Flags of `main.py` for the knobs of a recipe: all of them out of the records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from absl import flags

from nas.errors import InputError
from nas.interface import recipe_options
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


def check(options: Mapping[str, Any]) -> None:
    """Refuses what no recipe can have, and names the flag.

    Args:
        options: Flags that the user wrote, with their values.

    Raises:
        InputError: A value is out of its range, or an unknown name.
    """
    try:
        recipe_options.check(options)
    except InputError as error:
        flag = _blamed(error, options)
        if flag is None:
            raise
        raise InputError(error.expected, f"--{flag} {options[flag]}", error.fix) from None


def _blamed(error: InputError, options: Mapping[str, Any]) -> str | None:
    """The flag that is refused in the same way when it stands alone; None if there is none."""
    begin = {name: options[name] for name in ("recipe",) if name in options}
    for name in KNOBS:
        if name in options:
            try:
                recipe_options.check({**begin, name: options[name]})
            except InputError as own:
                if own.expected == error.expected:
                    return name
    return None


def help_of(knob: Knob) -> str:
    """What --help says of a knob: what its record says, and the names that there are.

    Args:
        knob: That is meant.
    """
    names = ", ".join(knob.names)
    return f"{knob.text} One of: {names}." if names else knob.text
