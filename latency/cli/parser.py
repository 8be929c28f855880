"""A command line in which every word is used or refused by name: argparse, made strict.

A flag has one value, which is not empty and no flag itself. What is refused is a `UsageError` in
three parts, as everywhere, and proposes the nearest name.
"""

from __future__ import annotations

import argparse
import difflib
import math
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from latency.errors import LatencyError
from latency.outputs import check_output_file, check_output_folder
from latency.terminal import say

KINDS: dict[Any, str] = {int: "a whole number", float: "a finite number", Path: "a path"}


class UsageError(LatencyError):
    """A command line that no program can work with."""


class Parser(argparse.ArgumentParser):
    """Reads a command line strictly; what was written is told by `given` of the namespace.

    Args:
        **options: Of `argparse.ArgumentParser`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **options})
        for name in (None, "store"):
            self.register("action", name, Value)
        self.register("action", "append", Values)
        self.register("action", "store_true", SwitchOn)
        self.register("action", "store_false", SwitchOff)
        self.register("action", argparse.BooleanOptionalAction, Toggle)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Reads the words; there are none that are left over.

        Args:
            args: Words; those of this process by default.
            namespace: Takes the values.

        Raises:
            UsageError: A word says nothing here.
        """
        found = argparse.Namespace() if namespace is None else namespace
        found.given = {}
        found, rest = super().parse_known_args(args, found)
        if rest:
            raise self._unknown(rest)
        return found, rest

    def print_help(self, file: Any = None) -> None:
        """Prints the help; argparse itself is content where nobody can read it.

        Args:
            file: Instead of stdout.
        """
        if file is None:
            say(self.format_help().rstrip("\n"))
        else:
            super().print_help(file)

    def error(self, message: str) -> NoReturn:
        """Refuses what argparse itself finds.

        Args:
            message: Its own, which names the argument.

        Raises:
            UsageError: Always.
        """
        raise UsageError(
            f"arguments as `{self.prog} --help` lists them", message, "correct the argument"
        )

    def _unknown(self, rest: Sequence[str]) -> UsageError:
        flags = [word for word in rest if word.startswith("-")]
        if not flags:
            return UsageError(
                f"no more arguments than `{self.prog} --help` lists",
                f"{rest[0]!r} as well",
                "leave it out, put names side by side, or put quotes around one with spaces",
            )
        name = flags[0].partition("=")[0]
        known = [text for action in self._actions for text in action.option_strings]
        return UsageError(
            f"flags as `{self.prog} --help` lists them",
            name,
            nearest(name, known) or f"see {self.prog} --help",
        )


def nearest(word: str, known: Iterable[str]) -> str:
    """Asks for what was probably meant; nothing where no name is near.

    Args:
        word: That is unknown.
        known: Names.
    """
    near = difflib.get_close_matches(word, list(known), n=2)
    return f"did you mean {' or '.join(near)}?" if near else ""


class Value(argparse.Action):
    """One value, not empty, and the same one if it is written twice; also of a positional.

    Args:
        option_strings: Names of the flag; none of a positional.
        dest: Attribute of the namespace.
        type: From the text to the value; argparse itself sees the text alone.
        **options: Of `argparse.Action`.
    """

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        type: Callable[[str], Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(option_strings, dest, **options)
        self._convert = type

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Takes the text that was written."""
        del parser  # the form of an action asks for it
        name = option_string or str(self.metavar or self.dest)
        if option_string is not None:
            _once(namespace, self.dest, f"{name} {values}")
        is_list = isinstance(values, list)
        read = [self.read(text, name) for text in (values if is_list else [values])]
        setattr(namespace, self.dest, read if is_list else read[0])

    def read(self, text: str, name: str) -> Any:
        """The value of a text.

        Args:
            text: As it was written.
            name: Of the flag or positional.

        Raises:
            UsageError: It is empty, or has no such value.
        """
        kind = KINDS.get(self._convert, "a value")
        if not text.strip():
            raise UsageError(
                f"{kind} for {name}", f"{text!r}, which is empty", f"write one, or leave {name} out"
            )
        # Behind two dashes, a name may begin like a flag.
        if self.option_strings and self._convert is Path and text.startswith("-"):
            raise UsageError(
                f"a path for {name}", f"{text!r}, like a flag", f"write {name} ./{text} for a file"
            )
        return _converted(self._convert, text, name, kind)


class Values(Value):
    """A flag that may be repeated; its values are a list."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Takes the text that was written as well."""
        del parser  # the form of an action asks for it
        name = option_string or self.dest
        namespace.given[self.dest] = name
        earlier = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*earlier, self.read(values, name)])


class OutputFile(Value):
    """The path of a file to write; refused before any work where it cannot be written."""

    def read(self, text: str, name: str) -> Path:
        """The path of a text.

        Args:
            text: As it was written.
            name: Of the flag.

        Raises:
            LatencyError: Nothing can be written there.
        """
        path = Path(super().read(text, name))
        check_output_file(path, name)
        return path


class OutputFolder(Value):
    """The path of a folder to write into; refused before any work where that is not possible."""

    def read(self, text: str, name: str) -> Path:
        """The path of a text.

        Args:
            text: As it was written.
            name: Of the flag.

        Raises:
            LatencyError: Nothing can be written there.
        """
        path = Path(super().read(text, name))
        check_output_folder(path, name)
        return path


class Toggle(argparse.BooleanOptionalAction):
    """`--name` and `--no-name`; both together are refused."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Takes one of both."""
        _once(namespace, self.dest, option_string or self.dest)
        super().__call__(parser, namespace, values, option_string)


class SwitchOn(argparse.Action):
    """A flag without a value.

    Args:
        option_strings: Names of the flag.
        dest: Attribute of the namespace.
        **options: Of `argparse.Action`.
    """

    ON = True

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, **{"nargs": 0, "default": not self.ON, **options})

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Says so."""
        del parser, values  # the form of an action asks for them
        _once(namespace, self.dest, option_string or self.dest)
        setattr(namespace, self.dest, self.ON)


class SwitchOff(SwitchOn):
    """A flag without a value that takes something away."""

    ON = False


def _once(namespace: argparse.Namespace, dest: str, written: str) -> None:
    """Refuses a flag that says two things."""
    earlier = namespace.given.setdefault(dest, written)
    if earlier != written:
        raise UsageError(
            f"{written.partition(' ')[0]} once", f"{earlier} and {written}", "leave one of them out"
        )


def _converted(convert: Callable[[str], Any] | None, text: str, name: str, kind: str) -> Any:
    if convert is None:
        return text
    if convert is Path:
        return Path(os.path.expanduser(text))  # a shell does not do it behind `=`
    try:
        value = convert(text)
    except LatencyError:
        raise
    except ValueError:
        value = math.nan
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name} as {kind}", f"{name} {text}", f"correct {name}") from None
    return value
