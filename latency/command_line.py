r"""Commands that a program proposes: called as it was, with what it was given, ready to paste.

Every proposal is made here. Words are quoted for a shell; those that a terminal or an encoding
cannot show are written as their bytes, `$'\xff.onnx'`, which bash, zsh and ksh read back.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

CONSOLE_SCRIPT = "stopwatch"


def join(words: Sequence[str]) -> str:
    """One line for a shell.

    Args:
        words: Of the command.
    """
    return " ".join(map(quote, words))


def quote(word: str) -> str:
    """One word for a shell.

    Args:
        word: Any text that an operating system takes.
    """
    if word.isprintable() and _can_be_shown(word):
        return shlex.quote(word)
    return f"$'{''.join(map(_byte_text, word.encode('utf-8', 'surrogateescape')))}'"


def with_flags(
    words: Sequence[str], flags: Mapping[str, object], switches: Container[str] = ()
) -> list[str]:
    """The words that were given, with some flags changed and everything else as it was.

    Args:
        words: Of the command line, without the program.
        flags: Name without dashes -> new value; True for a flag without one, None to leave it out.
        switches: Names of flags that have no value of their own in the next word.
    """
    end = list(words).index("--") if "--" in words else len(words)
    kept, is_value = list[str](), False
    for word in words[:end]:
        name = word.lstrip("-").partition("=")[0]
        if is_value:
            is_value = False
        elif word.startswith("-") and _is_one_of(name, flags, switches):
            is_value = "=" not in word and name in flags and name not in switches
        else:
            kept.append(word)
    for name, value in flags.items():
        if value is not None:
            kept += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return [*kept, *words[end:]]


def path_word(path: Path) -> str:
    """A path as a word that no program takes for a flag, nor scp for a file of another host.

    Args:
        path: Relative to the current folder, or absolute.
    """
    word = str(path)
    return f"./{word}" if word.startswith("-") or ":" in word.partition("/")[0] else word


def python_words(*script: str) -> list[str]:
    """Words that start a script or a module by Python.

    Args:
        *script: Its path, or `-m` and the module.
    """
    # Some systems have the name `python3` alone.
    return ["python" if shutil.which("python") else sys.executable or "python3", *script]


def is_console_script() -> bool:
    """Whether this is the installed program, and no script of the repository."""
    return Path(sys.argv[0]).stem == CONSOLE_SCRIPT


def latency_words() -> list[str]:
    """Words that start the measuring commands as this program was started."""
    return [CONSOLE_SCRIPT, "latency"] if is_console_script() else python_words("-m", "latency")


def latency_command(*words: str) -> str:
    """A measuring command for a shell.

    Args:
        *words: The command and its arguments.
    """
    return join([*latency_words(), *words])


def _is_one_of(name: str, flags: Mapping[str, object], switches: Container[str]) -> bool:
    positive = name.removeprefix("no")
    return name in flags or (positive in flags and positive in switches)


def _can_be_shown(word: str) -> bool:
    try:
        for stream in (sys.stdout, sys.stderr):
            word.encode(getattr(stream, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _byte_text(byte: int) -> str:
    character = chr(byte)
    if character in "'\\":
        return f"\\{character}"
    return character if " " <= character <= "~" else f"\\x{byte:02x}"
