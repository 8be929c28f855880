"""Names -> what they stand for; a file of a user's own can add to them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from nas.errors import FieldError, InputError

T = TypeVar("T")


def check_known(what: str, name: str, known: Iterable[str], fix: str = "") -> None:
    """Refuses a name that is none of the known ones.

    Args:
        what: What the names are, such as `optimizer`.
        name: The name that was asked for.
        known: All names that there are.
        fix: What to do where no known name is near; by default, to write one of them.

    Raises:
        InputError: The name is unknown; the message holds all known names and the nearest.
    """
    names = list(known)
    if name in names:
        return
    near = difflib.get_close_matches(str(name).lower(), [n.lower() for n in names], n=1)
    nearest = [n for n in names if near and n.lower() == near[0]]
    raise FieldError(
        f"{what} to be one of {', '.join(names)}",
        repr(name),
        f"write {nearest[0]!r}" if nearest else fix or f"write {what} as one of these names",
        what,
    )


class Registry(Generic[T]):
    """One dict of names, whose look-up tells what there is.

    Args:
        what: What an entry is, such as `optimizer`; messages say it.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> T:
        """Adds an entry.

        Args:
            name: A new name.
            entry: What it stands for.

        Returns:
            The entry.

        Raises:
            InputError: The name is taken.
        """
        if name in self._entries:
            raise InputError(
                f"a new name for the {self.what}", f"{name!r}, which is taken", "choose another"
            )
        self._entries[name] = entry
        return entry

    def remove(self, name: str) -> None:
        """Takes an entry away, as tests do with what they added."""
        self.check(name)
        del self._entries[name]

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order in which they were registered."""
        return tuple(self._entries)

    def check(self, name: str) -> None:
        """Refuses an unknown name.

        Raises:
            InputError: The message holds the known names and the nearest one.
        """
        check_known(self.what, name, self._entries)

    def __getitem__(self, name: str) -> T:
        self.check(name)
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries
