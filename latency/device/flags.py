"""Flags that say which code may be loaded: the command line alone decides it, never a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from .settings import LOADING_FLAGS, SettingsError


def add_loading_flags(parser: Any) -> None:
    """Adds the flags that say which code may be loaded; a job cannot say it itself."""
    parser.add_argument(
        LOADING_FLAGS["provider_library"], metavar="PATH", help="library file of a plugin provider"
    )
    parser.add_argument(
        LOADING_FLAGS["provider_options"],
        action="append",
        metavar="NAME=VALUE",
        help="option of the provider, instead of those in the file; may be repeated",
    )


def asked_loading(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the fields of the session settings that the flags of `add_loading_flags` name.

    Raises:
        SettingsError: A provider's option is malformed.
    """
    asked: dict[str, Any] = {}
    if options.provider_library:
        asked["provider_library"] = options.provider_library
    if options.provider_option:
        pairs = option_pairs(LOADING_FLAGS["provider_options"], options.provider_option)
        asked["provider_options"] = pairs
    return asked


def loading_words(options: argparse.Namespace) -> list[str]:
    """Returns the same flags as they were given, for a program on another machine."""
    words = []
    if options.provider_library:
        words += [LOADING_FLAGS["provider_library"], options.provider_library]
    for text in options.provider_option or []:
        words += [LOADING_FLAGS["provider_options"], text]
    return words


def option_pairs(flag: str, texts: Sequence[str]) -> dict[str, str]:
    """Reads NAME=VALUE texts of a command line.

    Args:
        flag: Of the texts, for the message.
        texts: Each in the form NAME=VALUE.

    Raises:
        SettingsError: A text has no name or no equals sign, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals or name in found:
            raise SettingsError(
                f"{flag} NAME=VALUE, every name once",
                f"{flag} {text!r}",
                f"write {flag} {name or 'NAME'}=VALUE, or give {name!r} once",
            )
        found[name] = value
    return found
