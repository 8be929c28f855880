"""Command-line flags: absl's, made strict (exit code 2, no abbreviations, no NaN)."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from latency.cli.parser import nearest
from nas.data.preparation import RESIZES
from nas.data.samples import SAMPLES
from nas.errors import InputError
from nas.system.backend import MIXED_PRECISION

HELP_INDENT = 27
MIN_HELP_WIDTH = 60  # narrower columns of text are harder to read than wrapped lines
MOST_SEED = 2**32 - 1  # of Keras and numpy
# Checked floats: flag -> (least, greatest, whether the least itself is allowed). Knobs of recipes
# are checked by their records.
_RANGES = {
    "search_epochs": (0.0, math.inf, False),
    "race_epochs": (0.0, math.inf, False),
    "learning_rate": (0.0, math.inf, False),
    "gate_learning_rate": (0.0, math.inf, False),
}


class CountParser(flags.IntegerParser):
    """Whole numbers, also as people write large ones: 3e6, 1.5e6."""

    syntactic_help = "a whole number, such as 3000000 or 3e6"

    def convert(self, argument: int | str) -> int:
        """The number that a text means.

        Args:
            argument: As it was written.

        Raises:
            ValueError: No whole number; absl makes a flag's error of it.
        """
        try:
            return int(super().convert(argument))
        except ValueError:
            value = float(argument)
            if not value.is_integer():  # NaN and infinity are none either
                raise ValueError(f"{argument} is no whole number") from None
            return int(value)


def define_count(values: flags.FlagValues, name: str, text: str) -> None:
    """A flag of a count of 1 or more that has no default.

    Args:
        values: Where it is defined.
        name: Of the flag.
        text: For --help.
    """
    flags.DEFINE(CountParser(lower_bound=1), name, None, text, values, flags.ArgumentSerializer())


def define_common(values: flags.FlagValues) -> None:
    """Flags that nas.py and main.py share."""
    text: dict[str, Any] = {"flag_values": values}
    flags.DEFINE_string(
        "data_dir",
        None,
        "Images: Tiny-ImageNet, CIFAR-10 binary batches, a folder per class, or an .npz. "
        "Without it an embedded sample is used.",
        **text,
    )
    flags.DEFINE_enum(
        "sample",
        None,
        list(SAMPLES),
        "Embedded sample in place of --data_dir: images that this program draws; default: letters.",
        **text,
    )
    flags.DEFINE_multi_string(
        "blocks", None, "Python file with blocks of your own; may be given several times.", **text
    )
    flags.DEFINE_integer(
        "image_size", None, "Pixels; default: the data's own.", lower_bound=1, **text
    )
    flags.DEFINE_enum(
        "resize",
        "squeeze",
        list(RESIZES),
        "What becomes of images that are not square: squeezed, cropped, or padded with white.",
        **text,
    )
    flags.DEFINE_bool("skip_bad_images", False, "Go on without images that are broken.", **text)
    flags.DEFINE_bool(
        "verify_data",
        False,
        "Compare the contents of all image files with those that were decoded.",
        **text,
    )
    flags.DEFINE_integer(
        "seed", 0, "Of weights, draws and data order.", lower_bound=0, upper_bound=MOST_SEED, **text
    )
    flags.DEFINE_enum(
        "mixed_precision",
        "none",
        list(MIXED_PRECISION),
        "What a GPU computes products in.",
        **text,
    )
    flags.DEFINE_bool(
        "data_parallel", False, "Divide batches over all devices (KERAS_BACKEND=jax).", **text
    )
    flags.DEFINE_string(
        "coordinator",
        None,
        "HOST:PORT of process 0, with --data_parallel over several hosts.",
        **text,
    )
    flags.DEFINE_integer(
        "processes",
        None,
        "Processes of --coordinator in all, one a host.",
        lower_bound=2,
        **text,
    )
    flags.DEFINE_integer(
        "process_id",
        None,
        "Take part as this process of --processes, 1 or more, in what process 0 trains; all other "
        "flags are those of process 0.",
        lower_bound=1,
        **text,
    )
    flags.DEFINE_bool("smoke", False, "Run every stage at toy size; figures mean nothing.", **text)
    flags.DEFINE_bool("help", False, "Print this.", short_name="h", **text)


def parse(values: flags.FlagValues, argv: Sequence[str], takes_words: Sequence[str] = ()) -> None:
    """Reads a command line strictly.

    Args:
        values: Defined flags.
        argv: With the program's name first.
        takes_words: Flags of several values that words without a flag are further values of, as a
            shell writes them for `--predict *.jpg`. The first of them that was given gets them.

    Raises:
        InputError: An unknown, abbreviated or contradictory flag, or a bad value.
    """
    _check_words(values, argv[1:])
    try:
        rest = values(list(argv))
    except flags.Error as error:
        raise InputError("flags as --help lists them", str(error), _fix(values, error)) from None
    _take_words(values, rest[1:], takes_words)
    for name, (least, greatest, inclusive) in _RANGES.items():
        if name in values and isinstance(values[name].value, int | float):
            value = float(values[name].value)
            inside = least <= value <= greatest if inclusive else least < value <= greatest
            if not math.isfinite(value) or not inside:
                bound = "at least" if inclusive else "above"
                raise InputError(
                    f"--{name} to be a number {bound} {least:g}",
                    f"{value}",
                    f"write --{name} as a number {bound} {least:g}",
                )


def _fix(values: flags.FlagValues, error: flags.Error) -> str:
    """What to do about a flag that absl refuses; it says which one in its text alone."""
    found = re.search(r"flag --(\w+)", str(error))
    if found is None or found[1] not in values:
        return "correct the flag"
    flag = values[found[1]]
    if isinstance(flag.parser, flags.EnumParser):
        return f"write --{flag.name} as one of {', '.join(flag.parser.enum_values)}"
    form = flag.parser.syntactic_help
    return f"write --{flag.name} as {form}" if form else f"correct --{flag.name}"


def _take_words(values: flags.FlagValues, words: Sequence[str], takes_words: Sequence[str]) -> None:
    """Words without a flag: further values of the flag that takes them, or refused."""
    taker = next((name for name in takes_words if values[name].present), None)
    empty = [word for word in words if not word.strip()]
    if words and (taker is None or empty):
        raise InputError(
            "flags only" if taker is None else f"values of --{taker}",
            repr([*empty, *words][0]),
            "write values as --flag value",
        )
    if taker is not None:
        values[taker].value = [*(values[taker].value or ()), *words]


def _check_words(values: flags.FlagValues, words: Sequence[str]) -> None:
    """Refuses what absl would take silently: no value, a flag as a value, a second value."""
    first: dict[str, str] = {}
    for flag, value in _read_words(values, words):
        name = flag.name
        if not value.strip():
            raise InputError(
                f"a value for --{name}",
                f"{value!r}, which is empty",
                f"write one, or leave --{name} out",
            )
        if _is_flag(value):
            raise InputError(
                f"a value for --{name}",
                f"{value!r}, which is a flag",
                f"write the value of --{name}; a path that begins with - is written ./{value}",
            )
        if first.setdefault(name, value) != value and not isinstance(flag, flags.MultiFlag):
            raise InputError(
                f"--{name} once", f"{first[name]} and {value}", "leave one of them out"
            )


def _read_words(values: flags.FlagValues, words: Sequence[str]) -> Iterator[tuple[flags.Flag, str]]:
    """Each flag of a command line with the text of its value, as absl will read them."""
    rest = iter(words)
    for word in rest:
        if word == "--":
            return
        if not _is_flag(word):
            continue  # absl refuses it as no flag
        name, equals, value = word.lstrip("-").partition("=")
        flag = _known(values, name)
        if flag.boolean:
            is_off = name not in values
            yield flag, value if equals else str(not is_off).lower()
        elif equals:
            yield flag, value
        else:
            following = next(rest, None)
            if following is not None:  # absl names the flag whose value is missing
                yield flag, following


def _is_flag(word: str) -> bool:
    """Whether a word names a flag; a negative number is a value."""
    return word.startswith("-") and word != "-" and not (word[1].isdigit() or word[1] == ".")


def _known(values: flags.FlagValues, name: str) -> flags.Flag:
    known = list(values)
    negated = name[2:] if name.startswith("no") else None
    if name in known:
        return values[name]
    if negated in known and values[negated].boolean:
        return values[negated]
    raise InputError(
        "flags as --help lists them",
        f"--{name}",
        nearest(f"--{name}", [f"--{n}" for n in known]) or "see --help",
    )


def help_text(values: flags.FlagValues, intro: str, width: int) -> str:
    """What --help prints.

    Args:
        values: Flags of the command.
        intro: Before the flags.
        width: Characters that a line may have.
    """
    lines = [*(_wrapped(line, width) for line in intro.strip().splitlines()), ""]
    seen: set[int] = set()
    for name in values:
        flag = values[name]
        if id(flag) in seen or len(name) == 1:
            continue
        seen.add(id(flag))
        default = "" if flag.default in (None, False) else f" (default: {flag.default})"
        label = f"--[no]{name}" if flag.boolean else f"--{name}"
        # absl adds how its own flags of several values are written; ours say it where it is so.
        text = flag.help.partition(";\n")[0]
        lines.append(_wrapped(f"  {label:<24} {text}{default}", width, HELP_INDENT))
    return "\n".join(lines)


def _wrapped(line: str, width: int, indent: int = 0) -> str:
    return textwrap.fill(
        line,
        max(width, MIN_HELP_WIDTH),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def given(values: flags.FlagValues) -> dict[str, Any]:
    """Flags that the user wrote, with their values."""
    return {name: values[name].value for name in values if values[name].present}
