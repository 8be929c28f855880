"""Architectures as one line of text: a strict reader, its exact inverse, one table for both.

Text is a list of tokens, `in_s64 cn_r1_k3_s2_c16 ir_r1_k5_s2_e6_c24 skip gap drop_p0.2 fc_c200`:
`r` repeats a block (the stride is the first one's alone), `res[...]` is a residual around
layers, and `res[... | ...]` one with layers on its other way too. The notation looks like timm's
block strings and differs from them: a missing activation means relu6, an expansion of 1 has no
expansion convolution, a squeeze is rounded to 8 channels, and an unknown part is an error.
`nas.architecture.timm_text` reads timm's own strings.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nas.architecture.activations import ACTIVATIONS, activation
from nas.architecture.bounds import MOST_CHARACTERS, MOST_LAYERS, MOST_LEVELS, check_most, shown
from nas.architecture.number_formats import format_text, parse_format
from nas.architecture.spec import LAYER_TYPES, Architecture, Field, Layer, Residual, repeated
from nas.architecture.timm_blocks import BLOCKS
from nas.architecture.timm_text import PREFIX as TIMM
from nas.errors import ArchitectureError

# Bounded, since a number of thousands of digits is no number that Python reads.
_PART = re.compile(r"([a-z]+)([0-9.]{0,30})")
_INPUT = re.compile(r"in_s[0-9]{1,6}")


def to_text(architecture: Architecture) -> str:
    """Architecture -> string; `parse` gives back an equal architecture."""
    tokens = [f"in_s{architecture.image_size}"]
    tokens += [layer_to_text(layer) for layer in architecture.layers]
    return " ".join(tokens)


def layer_to_text(layer: Layer) -> str:
    """One record -> its token; `r1` marks blocks that could be repeated."""
    if isinstance(layer, Residual):
        ways = [layer.layers, layer.shortcut] if layer.shortcut else [layer.layers]
        return f"res[{' | '.join(' '.join(map(layer_to_text, way)) for way in ways)}]"
    parts = [layer.TOKEN]
    if _repeatable(type(layer)):
        parts.append("r1")
    defaults = {f.name: f.default for f in dataclasses.fields(layer)}
    for entry in layer.FIELDS:
        value = getattr(layer, entry.name)
        if value == defaults[entry.name]:
            continue
        if entry.kind == "flag":
            parts.append(entry.key)
        elif entry.kind == "activation":
            parts.append(entry.key + activation(value).short)
        elif entry.kind == "format":
            parts.append(entry.key + format_text(value))
        else:
            parts.append(entry.key + _number_text(value))
    return "_".join(parts)


def parse(text: str, name: str = "") -> Architecture:
    """String -> architecture.

    Raises:
        ArchitectureError: Names the token at fault and what is allowed in its place.
    """
    check_most("characters of an architecture", len(text), MOST_CHARACTERS, "shorten the text")
    tokens = re.sub(r"([\[\]|])", r" \1 ", text).split()
    if not tokens or not _INPUT.fullmatch(tokens[0]):
        raise ArchitectureError(
            "an architecture string that starts with `in_s<pixels>`",
            shown(tokens[0]) if tokens else "an empty string",
            "write for example `in_s64 cn_k3_s2_c16 ir_k3_s1_e3_c16 gap fc_c10`; timm's block "
            f"strings are read as `{TIMM}FAMILY in_s224 ...`",
        )
    return Architecture(int(tokens[0][4:]), _parse_layers(tokens[1:]), name)


def _parse_layers(tokens: Sequence[str]) -> tuple[Layer, ...]:
    # Of each open `res[`, and of the network itself: the layers of its ways.
    levels: list[list[list[Layer]]] = [[[]]]
    count = 0
    for place, token in enumerate(tokens):
        if token == "res" and tokens[place + 1 : place + 2] == ["["]:
            check_most("levels of `res[...]`", len(levels), MOST_LEVELS, "write fewer of them")
            levels.append([[]])
        elif token == "[" and place and tokens[place - 1] == "res":
            continue
        elif token == "|":
            _check_second_way(levels)
            levels[-1].append([])
        elif token == "]":
            if len(levels) == 1:
                raise ArchitectureError("balanced brackets", "`]` without `res[`", "remove it")
            levels[-2][-1].append(Residual(*map(tuple, levels.pop())))
        else:
            layer, repeats = _parse_token(token)
            count += repeats
            if count > MOST_LAYERS:
                raise ArchitectureError(
                    f"at most {MOST_LAYERS:,} layers",
                    f"{count:,} or more with {shown(token)}",
                    "write a smaller `r`, or fewer layers",
                )
            levels[-1][-1] += repeated(layer, repeats)
    if len(levels) > 1:
        raise ArchitectureError("`]` after `res[`", "the end of the string", "close the bracket")
    return tuple(levels[0][0])


def _check_second_way(levels: Sequence[Sequence[Sequence[Layer]]]) -> None:
    if len(levels) == 1 or len(levels[-1]) == 2:
        where = "outside of `res[...]`" if len(levels) == 1 else "again in one `res[...]`"
        raise ArchitectureError("`|` once in a `res[...]`", f"`|` {where}", "remove it")


def _parse_token(token: str) -> tuple[Layer, int]:
    """A token -> its record, and how often it stands there."""
    kind, *parts = token.split("_")
    layer_type = LAYER_TYPES.get(kind)
    if layer_type is None or layer_type is Residual:
        is_timm = kind in BLOCKS
        raise ArchitectureError(
            f"a layer token, one of {', '.join(sorted(LAYER_TYPES))} (`res` as `res[...]`)",
            shown(token),
            f"read timm's block strings as `{TIMM}FAMILY in_s224 ...`"
            if is_timm
            else f"correct {shown(kind)} in {shown(token)}",
        )
    values: dict[str, Any] = {}
    fields = {entry.key: entry for entry in layer_type.FIELDS}
    defaults = {f.name: f.default for f in dataclasses.fields(layer_type)}
    for part in parts:
        key, value = _parse_part(token, part, fields, defaults, _repeatable(layer_type))
        if key in values:
            raise ArchitectureError(
                "each part once", f"{shown(part)} again in {shown(token)}", "remove it"
            )
        values[key] = value
    repeats = values.pop("r", 1)
    missing = [
        entry.key
        for entry in layer_type.FIELDS
        if entry.name not in values and defaults[entry.name] is dataclasses.MISSING
    ]
    if missing:
        raise ArchitectureError(
            f"`{kind}` with {', '.join(missing)}", shown(token), f"add {', '.join(missing)}"
        )
    with _in_token(token):
        return layer_type(**values), repeats


@contextlib.contextmanager
def _in_token(token: str) -> Iterator[None]:
    """Adds to what is refused the token that it stands in."""
    try:
        yield
    except ArchitectureError as error:
        received = f"{error.received} in {shown(token)}"
        raise ArchitectureError(error.expected, received, error.fix) from None


def _parse_part(
    token: str, part: str, fields: dict[str, Field], defaults: dict[str, Any], repeatable: bool
) -> tuple[str, Any]:
    """`k5` -> ("kernel", 5); the repeat count comes back under "r"."""
    allowed = [_part_text(field) for field in fields.values()]
    if repeatable:
        allowed.insert(0, "r<int>")
    error = ArchitectureError(
        f"parts of `{token.split('_')[0]}` from {', '.join(allowed) or 'nothing'}",
        f"{shown(part)} in {shown(token)}",
        "correct or remove that part",
    )
    if part in fields and fields[part].kind == "flag":
        entry = fields[part]
        return entry.name, not defaults[entry.name]
    with _in_token(token):
        if (word := _parse_word(part, fields)) is not None:
            return word
    match = _PART.fullmatch(part)
    if match is None or not match[2]:
        raise error
    key, digits = match[1], match[2]
    if repeatable and key == "r" and digits.isdecimal() and int(digits) >= 1:
        return "r", int(digits)
    known = fields.get(key)
    if known is None or known.kind not in ("int", "count", "float", "factor"):
        raise error
    try:
        is_whole = known.kind in ("int", "count")
        return known.name, int(digits) if is_whole else float(digits)
    except ValueError:
        raise error from None


def _parse_word(part: str, fields: dict[str, Field]) -> tuple[str, Any] | None:
    """`nre` -> ("activation", "relu"), `wqb4` -> ("weight_format", its format); None for others."""
    for entry in fields.values():
        if entry.kind == "activation" and part.startswith(entry.key):
            short = part.removeprefix(entry.key)
            named = [name for name, act in ACTIVATIONS.items() if act.short == short]
            if named:
                return entry.name, named[0]
    longest = max((key for key in fields if part.startswith(key)), key=len, default=None)
    if longest is None or fields[longest].kind != "format":
        return None
    return fields[longest].name, parse_format(part.removeprefix(longest))


def _part_text(field: Field) -> str:
    if field.kind == "flag":
        return field.key
    if field.kind == "activation":
        return "/".join(field.key + act.short for act in ACTIVATIONS.values())
    return f"{field.key}<{field.kind}>"


def _number_text(value: float) -> str:
    """Shortest text that reads back the same, never with an exponent."""
    if isinstance(value, int):
        return str(value)
    return str(np.format_float_positional(value, trim="-"))


def _repeatable(layer_type: type[Layer]) -> bool:
    return any(entry.name == "stride" for entry in layer_type.FIELDS)
