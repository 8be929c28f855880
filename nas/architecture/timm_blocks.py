"""timm's block strings taken apart, and what its families give to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nas.architecture.activations import ACTIVATIONS
from nas.architecture.bounds import MOST_NUMBER, check_most, shown
from nas.architecture.shapes import round_to_multiple
from nas.errors import ArchitectureError


@dataclass(frozen=True)
class Family:
    """What timm's generator of a family gives to its strings.

    Args:
        activation: Where a block names none.
        squeeze_of_input: The ratio of a squeeze is of the block's input, not of its expansion.
        squeeze_round: Width of the squeeze from its exact value.
        squeeze_activation: Inside of the squeeze; None for the block's own.
        sigmoid_gate: The squeeze ends in a sigmoid and not in a hard one.
        pools_first: The head is a layer after the mean, with a bias and no normalisation.
    """

    activation: str
    squeeze_of_input: bool = True
    squeeze_round: Callable[[float], int] = round
    squeeze_activation: str | None = None
    sigmoid_gate: bool = True
    pools_first: bool = False


_RELU, _RELU6, _SWISH = Family("relu"), Family("relu6"), Family("swish")
FAMILIES: Mapping[str, Family] = {
    "mnasnet": _RELU,
    "spnasnet": _RELU,
    "fbnetc": _RELU,
    "efficientnet_edge": _RELU,
    "mobilenetv1": _RELU6,
    "mobilenetv2": _RELU6,
    "efficientnet_lite": _RELU6,
    "efficientnet": _SWISH,
    "mobilenetv3": Family("hard_swish", False, round_to_multiple, "relu", False, True),
    "mobilenetv3_minimal": Family("relu", False, round_to_multiple, "relu", False, True),
    "lcnet": Family("hard_swish", False, round, "relu", False, True),
}
# Block -> parts that it must have, and further ones that it may have.
_NEEDED = {"ir": "rksec", "er": "rksec", "ds": "rksc", "dsa": "rksc", "cn": "rksc"}
_ALLOWED = {"ir": ("se",), "er": ("fc",), "ds": ("se", "e"), "dsa": ("se", "e"), "cn": ()}
# Kernels of the 1x1 convolutions: another size than 1 is another block.
_POINTWISE = ("a", "p")
BLOCKS = frozenset({*_NEEDED, "tu", "uir", "mha", "mqa"} - {"ir", "cn"})
TIMMS_ACTIVATIONS = ("relu", "relu6", "hard_swish", "swish")
_PART = re.compile(r"([a-z]+)([0-9]{1,9}(?:\.[0-9]{1,9})?)")


@dataclass(frozen=True)
class Block:
    """One block string, taken apart.

    Args:
        token: The string.
        kind: Of the block.
        numbers: Key -> number, of the parts that have one.
        activation: The block's own, else the family's.
        skip: Whether a residual is asked for or forbidden; None where nothing is said.
    """

    token: str
    kind: str
    numbers: Mapping[str, float]
    activation: str
    skip: bool | None

    def whole(self, key: str) -> int:
        """A part that has to be a whole number from 1.

        Args:
            key: Of the part.
        """
        value = self.numbers[key]
        is_whole = value == int(value) and 1 <= value <= MOST_NUMBER
        self.check(key, is_whole, f"as a whole number from 1 to {MOST_NUMBER}")
        return int(value)

    def squeeze(self, expanded: int, family: Family) -> int:
        """Width of the squeeze, 0 for none.

        Args:
            expanded: Channels of the depthwise convolution.
            family: Says what the ratio is of, and how the width is rounded.
        """
        ratio = self.numbers.get("se", 0.0)
        if not ratio:
            return 0
        if family.squeeze_of_input and self.kind == "ir":
            ratio /= self.numbers["e"]
        found = family.squeeze_round(expanded * ratio)
        self.check("se", 1 <= found <= MOST_NUMBER, f"that gives 1 to {MOST_NUMBER} channels")
        return found

    def check_no_expansion(self) -> None:
        """Refuses an `e` that timm would not look at."""
        if "e" in self.numbers:
            self.check("e", self.numbers["e"] == 1, f"of 1, since `{self.kind}` expands nothing")

    def check(self, key: str, holds: bool, wanted: str) -> None:
        """Refuses a part.

        Args:
            key: Of the part.
            holds: What must be true.
            wanted: The same in words.
        """
        if not holds:
            raise ArchitectureError(
                f"`{key}` {wanted}",
                f"{key}{self.numbers[key]:g} in {shown(self.token)}",
                f"correct `{key}`",
            )

    @property
    def repeats(self) -> int:
        """How often the block stands there."""
        return self.whole("r")

    @property
    def stride(self) -> int:
        """1 or 2, as timm has them."""
        self.check("s", self.numbers["s"] in (1, 2), "of 1 or 2")
        return self.whole("s")

    def expanded(self, channels: int) -> int:
        """Channels of the expansion, rounded as in timm.

        Args:
            channels: That are expanded.
        """
        self.check("e", self.numbers["e"] > 0, "above 0")
        found = round_to_multiple(channels * self.numbers["e"])
        check_most(f"channels of {shown(self.token)}", found, MOST_NUMBER, "expand by less")
        return found


def taken_apart(token: str, family: Family) -> Block:
    """A block string -> its parts.

    Args:
        token: Of timm.
        family: Says what a missing activation means.

    Raises:
        ArchitectureError: Names the part at fault.
    """
    kind, *parts = token.split("_")
    if kind not in _NEEDED:
        known = ", ".join(f"`{name}`" for name in _NEEDED)
        raise ArchitectureError(
            f"one of timm's blocks {known}",
            shown(token),
            "replace it: this block cannot be expressed here" if kind in BLOCKS else "correct it",
        )
    numbers: dict[str, float] = {}
    words: dict[str, str] = {}
    for part in parts:
        key, value = _part(token, kind, part)
        if key in numbers or key in words:
            raise ArchitectureError(
                "each part once", f"{shown(part)} again in {shown(token)}", "remove it"
            )
        if isinstance(value, str):
            words[key] = value
        else:
            numbers[key] = value
    missing = [key for key in _NEEDED[kind] if key not in numbers]
    if missing:
        raise ArchitectureError(
            f"`{kind}` with {', '.join(missing)}", shown(token), f"add {', '.join(missing)}"
        )
    skip = {"skip": True, "noskip": False, None: None}[words.get("skip")]
    block = Block(token, kind, numbers, words.get("n", family.activation), skip)
    if kind in ("ds", "dsa"):
        block.check_no_expansion()
    return block


def _part(token: str, kind: str, part: str) -> tuple[str, float | str]:
    """`k5` -> ("k", 5.0), `nre` -> ("n", "relu"), `noskip` -> ("skip", "noskip")."""
    acts = {ACTIVATIONS[name].short: name for name in TIMMS_ACTIVATIONS}
    allowed = [*_NEEDED[kind], *_ALLOWED[kind]]
    skips = ("skip",) if kind == "cn" else ("noskip",)
    if part in skips:
        return "skip", part
    if part.startswith("n") and part[1:] in acts:
        return "n", acts[part[1:]]
    match = _PART.fullmatch(part)
    if match is not None and match[1] in allowed:
        return match[1], float(match[2])
    if match is not None and match[1] in _POINTWISE and float(match[2]) == 1:
        return match[1], 1.0
    raise ArchitectureError(
        f"parts of timm's `{kind}` from {', '.join(allowed)}, {skips[0]}, "
        f"{'/'.join(f'n{short}' for short in acts)}",
        f"{shown(part)} in {shown(token)}",
        "correct or remove that part; what it asks for cannot be expressed here",
    )
