"""Commands as the pages of this repository write them, and whether programs would take them."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from latency.command_line import with_flags
from tests.support.programs import ROOT, Done, run_program

# Languages whose blocks hold nothing but commands; blocks without one hold all kinds of text.
SHELLS = ("bash", "sh", "shell", "console")
# What is not ours: nothing of it is judged.
FOREIGN = {
    *("cd", "curl", "docker", "echo", "export", "git", "mkdir", "mkdocs", "ray", "rsync"),
    *("ruff", "scp", "source", "ssh", "sudo", "tar", "tensorboard", "unzip", "wget"),
}
# Messages of a program that took its flags and then lacked a file: the command itself is right.
WITHOUT_FILES = (
    *("does not exist", "is no file", "a finished search", "config.json"),
    "where --run_dir can be written",
)
NOWHERE = "/nowhere/at/all"
NO_FOLDER = "/dev/null/run"


@dataclass(frozen=True)
class Command:
    """One command of a page.

    Args:
        page: Path below the repository's root.
        words: Of the command line; variables before it are left out.
        is_whole: Whether it stands in a block. In running text flags may be left out.
    """

    page: str
    words: tuple[str, ...]
    is_whole: bool

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"


def pages() -> list[Path]:
    """Every page that tells users what to type."""
    own = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "benchmarks" / "README.md"]
    # Decisions and the log keep what was once true.
    past = {ROOT / "docs" / "log.md", *(ROOT / "docs" / "decisions").glob("*.md")}
    docs = [path for path in sorted((ROOT / "docs").rglob("*.md")) if path not in past]
    return [path for path in (*own, *docs) if path.is_file()]


def commands_of(path: Path) -> list[Command]:
    """The commands of a page in its order, those of blocks and those in running text.

    Args:
        path: Of the page.
    """
    page, text = str(path.relative_to(ROOT)), path.read_text("utf-8")
    found = []
    rest = re.compile(r"^ *```(\w*)[^\n]*\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
    for language, block in rest.findall(text):
        if language not in (*SHELLS, ""):
            continue
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            commands = [c for c in _commands_in(line) if language in SHELLS or _is_ours(c)]
            found += [Command(page, words, True) for words in commands]
    for span in re.findall(r"`((?:python3?|stopwatch) [^`]+|scripts/[^`]+)`", rest.sub("", text)):
        found += [Command(page, words, False) for words in _commands_in(span.replace("\n", " "))]
    return found


def _commands_in(line: str) -> list[tuple[str, ...]]:
    """Splits a line at `&&`, `|` and `;`; `<the run>` is one word, `[--flag 3]` is given."""
    plain = re.sub(r"<[^<>]*>", "NAME", line.strip().removeprefix("$ "))
    plain = re.sub(r"\[(--?[^\[\]]*)\]", r"\1", plain)
    lexer = shlex.shlex(plain, posix=True, punctuation_chars="&|;>")
    lexer.whitespace_split, lexer.commenters = True, "#"
    try:
        tokens = list(lexer)
    except ValueError:
        return []  # an apostrophe in a line of text
    parts: list[list[str]] = [[]]
    for token in tokens:
        if set(token) <= set("&|;>"):
            parts.append([])
        elif token != "..." and not (not parts[-1] and re.fullmatch(r"[A-Z_]+=.*", token)):
            parts[-1].append(token)
    return [tuple(part) for part in parts if part]


def _is_ours(words: tuple[str, ...]) -> bool:
    return words[0] in ("python", "python3", "pip", "stopwatch") or words[0].startswith(
        ("scripts/", ".ci/")
    )


def refusal(command: Command) -> str | None:
    """Why a command cannot be meant as it is written; None if the program would take it.

    Args:
        command: Of a page.
    """
    first, *rest = command.words
    for word in rest:
        is_ours = re.match(r"(docs|tests|scripts|benchmarks|latency|nas)/", word)
        if is_ours and "*" not in word and not (ROOT / word.partition("::")[0]).exists():
            return f"{word} is no file of this repository"
    # Of a virtual environment, too.
    first = first.rpartition("bin/")[2]
    if first in ("python", "python3"):
        return _python_refusal(rest, command.is_whole)
    if first == "stopwatch":
        return _stopwatch_refusal(rest, command.is_whole)
    if first == "pip":
        return _pip_refusal(rest)
    if first.endswith(".py") and rest and (ROOT / first).is_file():
        return _argparse_refusal(first, rest, command.is_whole)
    if (ROOT / first).is_file():
        text = (ROOT / first).read_text("utf-8")
        unknown = [word for word in rest if word.startswith("-") and word not in text]
        return f"{first} knows no {unknown}" if unknown else None
    return None if first in FOREIGN else f"{first!r} is neither ours nor known here"


def _pip_refusal(words: list[str]) -> str | None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    for word in words[1:]:
        name, _, extras = word.rstrip("]").partition("[")
        if name.startswith(".") and not (ROOT / name).is_dir():
            return f"there is no folder {name}"
        for extra in filter(None, extras.split(",")):
            if not re.search(rf"^{extra} = \[", project, re.MULTILINE):
                return f"pyproject.toml has no extra {extra!r}"
        if name.endswith(".txt") and not (ROOT / name).is_file():
            return f"there is no file {name}"
    return None


def _python_refusal(words: list[str], is_whole: bool) -> str | None:
    if words[0] == "-c":
        return None
    if words[0] == "-m":
        module, arguments = words[1], words[2:]
        if module == "latency":
            return _argparse_refusal("latency", arguments, is_whole)
        if module in FOREIGN:  # of an extra, which need not be installed
            return None
        places = (ROOT / module, ROOT / "latency" / module)
        known = any(place.is_dir() for place in places) or importlib.util.find_spec(module)
        return None if known else f"there is no module {module}"
    if words[0] in ("nas.py", "main.py"):
        return _flags_refusal(words[0], words[1:], is_whole)
    if not (ROOT / words[0]).is_file():
        # What is copied to a device lies below `latency`.
        found = list((ROOT / "latency").rglob(words[0]))
        return None if found else f"there is no file {words[0]}"
    return _argparse_refusal(words[0], words[1:], is_whole)


def _stopwatch_refusal(words: list[str], is_whole: bool) -> str | None:
    """The installed program has the others as verbs."""
    verb, arguments = (words[0], words[1:]) if words else ("", [])
    if verb in ("search", "retrain"):
        return _flags_refusal("nas.py" if verb == "search" else "main.py", arguments, is_whole)
    if verb == "latency":
        return _argparse_refusal("latency", arguments, is_whole)
    if verb in ("report", "table"):
        return _argparse_refusal("stopwatch", words, is_whole)
    done = run_program("stopwatch", *words)
    return None if done.exit_code == 0 or not (words or is_whole) else done.err


def _flags_refusal(name: str, arguments: list[str], is_whole: bool) -> str | None:
    """Reads the flags; a whole command is also begun, with images that are nowhere."""
    from nas.cli import flags as strict_flags
    from nas.cli.program import retrain_flags, search_flags
    from nas.errors import InputError
    from nas.interface import recipe_options

    values = search_flags() if name == "nas.py" else retrain_flags()
    try:
        strict_flags.parse(values, [name, *arguments])
        if name == "main.py":
            recipe_options.check(strict_flags.given(values))
    except InputError as error:
        return str(error)
    if not is_whole:
        return None
    with pytest.MonkeyPatch.context() as patch:
        # Where no earlier run is found either.
        patch.setenv("STOPWATCH_RUNS", NOWHERE)
        # A flag has one value: the page's own images are nowhere, too.
        images = {} if "--summary" in arguments else {"data_dir": NOWHERE}
        if "--sample" in arguments:
            # Its images are always there: the run's folder cannot be.
            images = {"run_dir": NO_FOLDER}
        done = run_program(name, *with_flags(arguments, images))
    return None if done.exit_code == 0 or _lacks_files(done) else done.err


def _lacks_files(done: Done) -> bool:
    return any(text in done.err for text in WITHOUT_FILES)


class _ParsedError(BaseException):
    """Ends a program once its flags are read; holds why they are wrong, if they are."""


def _argparse_refusal(name: str, arguments: list[str], is_whole: bool) -> str | None:
    """Runs a program that uses argparse up to the end of `parse_args`."""
    parse = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser, args: list[str] | None = None) -> NoReturn:
        if is_whole:
            parse(self, args)
            raise _ParsedError
        raise _ParsedError(*_unknown(self, arguments))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        try:
            done = run_program(name, *arguments)
        except _ParsedError as parsed:
            return f"{name} knows no {', '.join(parsed.args)}" if parsed.args else None
    return None if _lacks_files(done) else done.err


def _unknown(parser: argparse.ArgumentParser, arguments: list[str]) -> list[str]:
    """Words that are neither flags nor verbs of a parser, where values may be left out."""
    verbs: dict[str, argparse.ArgumentParser] = {}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            verbs |= action.choices
    if verbs and arguments and not arguments[0].startswith("-"):
        if arguments[0] not in verbs:
            return [arguments[0]]
        return _unknown(verbs[arguments[0]], arguments[1:])
    known = parser._option_string_actions
    flags = [word.partition("=")[0] for word in arguments if word.startswith("--")]
    return [flag for flag in flags if flag not in known]
