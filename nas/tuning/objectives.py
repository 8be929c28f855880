"""What trials are judged by: quantities by name, whose direction follows from the name."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nas.errors import InputError
from nas.ranges import check_number
from nas.registry import Registry, check_known

Direction = Literal["maximise", "minimise"]
DIRECTION_WORDS: dict[str, Direction] = {
    "max": "maximise",
    "maximise": "maximise",
    "maximize": "maximise",
    "min": "minimise",
    "minimise": "minimise",
    "minimize": "minimise",
}
# Their case counts: mHz would be a thousandth.
HERTZ = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6}


@dataclass(frozen=True)
class Quantity:
    """One thing that can be told of a configuration.

    Args:
        direction: Whether more of it is better, `maximise`, or less, `minimise`.
        text: What it is, with its unit.
        before_training: Whether it is known before a configuration is trained.
        parameter: What stands behind `=` in its name: a `share` between 0 and 1, or a `rate` in
            hertz; None for nothing.
        most: The greatest value that there is.
    """

    direction: Direction
    text: str
    before_training: bool = False
    parameter: Literal["share", "rate"] | None = None
    most: float = math.inf


QUANTITIES: Registry[Quantity] = Registry("objective")
for _name, _quantity in {
    "top1": Quantity("maximise", "share of images whose most probable class is right", most=1.0),
    "top5": Quantity(
        "maximise", "share of images whose class is among the five most probable", most=1.0
    ),
    "auc": Quantity("maximise", "area below the ROC curve, from 0 to 1", most=1.0),
    "tpr_at_fpr": Quantity(
        "maximise",
        "share of signal kept at a share of background kept",
        parameter="share",
        most=1.0,
    ),
    "tpr_at_rate": Quantity(
        "maximise", "share of signal kept at a background rate", parameter="rate", most=1.0
    ),
    "cross_entropy": Quantity("minimise", "mean cross-entropy"),
    "ms": Quantity("minimise", "milliseconds by the latency table", before_training=True),
    "macs": Quantity("minimise", "multiply-adds of one image", before_training=True),
    "params": Quantity("minimise", "trainable parameters", before_training=True),
    "bytes": Quantity("minimise", "bytes of the weights in the file", before_training=True),
    "memory_bytes": Quantity("minimise", "peak activation memory in bytes", before_training=True),
    "weight_bits": Quantity("minimise", "bits of the kernels", before_training=True),
    "bops": Quantity(
        "minimise", "multiply-adds times the bits of both factors", before_training=True
    ),
    "energy_mj": Quantity("minimise", "millijoules of one image"),
}.items():
    QUANTITIES.register(_name, _quantity)

# Words of other programs and of our files, which are no names here.
OTHER_WORDS = {
    "top": "top1",
    "accuracy": "top1",
    "val_accuracy": "top1",
    "validation_accuracy": "top1",
    "error": "top1",
    "validation_error": "top1",
    "loss": "cross_entropy",
    "val_loss": "cross_entropy",
    "validation_loss": "cross_entropy",
    "latency": "ms",
    "latency_ms": "ms",
    "flops": "macs",
    "parameters": "params",
    "size": "bytes",
    "size_bytes": "bytes",
    "memory": "memory_bytes",
    "energy": "energy_mj",
    "bits": "weight_bits",
    "bit_operations": "bops",
    "total_bops": "bops",
    "total_mem_w_bits": "weight_bits",
}


@dataclass(frozen=True)
class Objective:
    """One quantity that trials are judged by.

    Args:
        name: Of a quantity in `QUANTITIES`.
        parameter: The share between 0 and 1, or the rate in hertz above 0, of a quantity that has
            one; None for the others.

    Raises:
        InputError: The name is unknown, or its parameter is missing, too much or out of range.
    """

    name: str
    parameter: float | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)
        kind = QUANTITIES[self.name].parameter
        if (kind is None) != (self.parameter is None):
            raise InputError(
                f"the objective {self.name} {_form(self.name)}", self.text, _example(self.name)
            )
        if kind is not None:
            below = 1 if kind == "share" else math.inf
            check_number(f"the {kind} of {self.name}", self.parameter, above=0, below=below)

    @property
    def quantity(self) -> Quantity:
        """What its name stands for."""
        return QUANTITIES[self.name]

    @property
    def direction(self) -> Direction:
        """Whether more is better; it follows from the name alone."""
        return self.quantity.direction

    @property
    def text(self) -> str:
        """How a flag writes it, one text for each objective, such as `tpr_at_rate=10kHz`."""
        if self.parameter is None:
            return self.name
        is_rate = QUANTITIES[self.name].parameter == "rate"
        return f"{self.name}={_rate_text(self.parameter) if is_rate else f'{self.parameter!r}'}"

    def cost(self, value: float) -> float:
        """A value with the sign that makes less better.

        Args:
            value: As it was measured.
        """
        return -value if self.direction == "maximise" else value

    def check_direction(self, word: str) -> None:
        """Refuses a direction that the name contradicts.

        Args:
            word: `max` or `min`, also written out, as a user or a stored study has it.

        Raises:
            InputError: The word is unknown, or the quantity goes the other way.
        """
        check_known("direction", word, DIRECTION_WORDS)
        if DIRECTION_WORDS[word] != self.direction:
            raise InputError(
                f"{self.name} to be {self.direction}d, as its name says",
                f"{self.text}:{word}",
                f"leave the direction out, or write {self.text}:{self.direction[:3]}",
            )


def parse_objective(text: str) -> Objective:
    """One objective as a flag writes it: `NAME`, `NAME=PARAMETER`, either with `:max` or `:min`.

    A direction is never needed. One that is given is checked against the name.

    Args:
        text: Such as `top1`, `ms:min`, `tpr_at_fpr=0.01` or `tpr_at_rate=10kHz`.

    Raises:
        InputError: It is no objective, or its direction contradicts its name.
    """
    rest, has_direction, direction = text.strip().partition(":")
    name, has_parameter, word = rest.partition("=")
    _check_name(name)
    parameter = None
    if has_parameter:
        parameter = _parameter(name, word)
    found = Objective(name, parameter)
    if has_direction:
        found.check_direction(direction)
    return found


def parse_objectives(text: str) -> tuple[Objective, ...]:
    """Objectives between commas.

    Args:
        text: Such as `top1,ms`.

    Raises:
        InputError: One is none, or one is named twice.
    """
    found = tuple(parse_objective(part) for part in text.split(","))
    check_different(found)
    return found


def check_different(objectives: Sequence[Objective]) -> None:
    """Refuses no objectives, and one that is named twice.

    Args:
        objectives: In the order of the values of a trial.

    Raises:
        InputError: There are none, or two are the same.
    """
    texts = [objective.text for objective in objectives]
    twice = sorted({text for text in texts if texts.count(text) > 1})
    if twice or not texts:
        raise InputError(
            "one or more objectives, each named once",
            ",".join(texts) or "none",
            f"name {', '.join(twice)} once" if twice else "name at least one, such as top1",
        )


def _check_name(name: str) -> None:
    word = OTHER_WORDS.get(name.lower())
    if name not in QUANTITIES and word:
        known = ", ".join(QUANTITIES)
        raise InputError(f"objective to be one of {known}", repr(name), f"write {word!r}")
    QUANTITIES.check(name)


def _parameter(name: str, word: str) -> float:
    kind = QUANTITIES[name].parameter
    number = _rate_hz(word) if kind == "rate" else _number(word)
    if kind is None or number is None:
        raise InputError(f"the objective {name} {_form(name)}", f"{name}={word}", _example(name))
    return number


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def _rate_hz(word: str) -> float | None:
    """Hertz of a number with its unit; a rate without one is no rate."""
    found = re.fullmatch(r"(.+?)\s*([kM]?Hz)", word)
    number = _number(found[1]) if found else None
    return None if found is None or number is None else number * HERTZ[found[2]]


def _rate_text(rate_hz: float) -> str:
    for unit, factor in (("MHz", 1e6), ("kHz", 1e3)):
        # The text has to read back as the same number.
        if rate_hz >= factor and float(f"{rate_hz / factor:.15g}") * factor == rate_hz:
            return f"{rate_hz / factor:.15g}{unit}"
    return f"{rate_hz!r}Hz"


def _form(name: str) -> str:
    kind = QUANTITIES[name].parameter
    if kind is None:
        return "without a parameter"
    return "with a share between 0 and 1" if kind == "share" else "with a rate and its unit"


def _example(name: str) -> str:
    kind = QUANTITIES[name].parameter
    return f"write {name}" + {None: "", "share": "=0.01", "rate": "=10kHz"}[kind]
