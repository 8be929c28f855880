"""The named search spaces, as data.

Widths are multiples of 8: other widths leave ONNX Runtime's blocked layout and cost more
than they compute.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nas.architecture.shapes import same_output_size
from nas.architecture.spec import Conv, Dense, Dropout, GlobalAveragePool, Layer, MBConv, Skip
from nas.errors import SpaceError
from nas.search_space import files
from nas.search_space.around import PREFIX, around
from nas.search_space.knob_space import KnobSpace
from nas.search_space.knob_spaces import KNOB_SPACES
from nas.search_space.space import OneOf, Space
from nas.system.user_files import function_called


@dataclass(frozen=True)
class Stage:
    """Blocks of one width; the first has the stride and cannot be skipped."""

    blocks: int
    stride: int
    channels: int


@dataclass(frozen=True)
class SpaceDefinition:
    """What a named space is made of; see `SPACES` for the meaning of each number."""

    image_size: int
    num_classes: int
    stem_stride: int
    stem_channels: int
    first_channels: int
    stages: tuple[Stage, ...]
    last_channels: int  # width of a fixed last block, 0 for none
    head_channels: int
    kernels: tuple[int, ...] = (3, 5, 7)
    expansions: tuple[int, ...] = (3, 6)
    activation: str = "relu6"
    se_ratio: float = 0.0
    dropout: float = 0.2
    minimum_map: int = 4  # pixels that the last maps must keep; kernels beyond see only padding


# 64 px: four downsamplings, 12 searched blocks, last maps 4x4, largest about 33 M MACs.
_TINY = SpaceDefinition(
    image_size=64,
    num_classes=200,
    stem_stride=2,
    stem_channels=16,
    first_channels=16,
    stages=(Stage(3, 2, 24), Stage(4, 2, 48), Stage(4, 2, 96), Stage(1, 1, 128)),
    last_channels=0,
    head_channels=512,
)

# 32 px and few parameters: 12 k to 216 k, so that `--max_params 50000` leaves a choice. The
# resolution stays long (32, 16, 8), the last maps are 8x8, and the head is narrow: at 50,000
# parameters a wide one would be half of the network. No dropout: such networks underfit.
_SMALL = SpaceDefinition(
    image_size=32,
    num_classes=10,
    stem_stride=1,
    stem_channels=16,
    first_channels=16,
    stages=(Stage(2, 1, 16), Stage(4, 2, 24), Stage(5, 2, 48)),
    last_channels=0,
    head_channels=64,
    kernels=(3, 5),
    expansions=(2, 3, 4, 6),
    dropout=0.0,
    minimum_map=8,
)

SPACES: dict[str, SpaceDefinition] = {
    # The 22 blocks of Single-Path NAS (Stamoulis et al. 2019, arXiv 1904.02877): 20 searched,
    # first and last fixed; 4^5 * 5^15 networks.
    "mnasnet": SpaceDefinition(
        image_size=224,
        num_classes=1000,
        stem_stride=2,
        stem_channels=32,
        first_channels=16,
        stages=(
            Stage(4, 2, 24),
            Stage(4, 2, 40),
            Stage(4, 2, 80),
            Stage(4, 1, 96),
            Stage(4, 2, 192),
        ),
        last_channels=320,
        head_channels=1280,
        kernels=(3, 5),
        activation="relu",
        minimum_map=1,
    ),
    "tiny": _TINY,
    # `tiny` with squeeze-excite and HardSwish in every block.
    "tiny_se": replace(_TINY, activation="hard_swish", se_ratio=0.25),
    # 64 px and 0.7 to 3.4 million parameters, for long trainings on a GPU: `tiny` with about twice
    # the width, four blocks more and smaller kernels. The largest has 100 M MACs.
    "tiny_wide": replace(
        _TINY,
        stem_channels=32,
        first_channels=24,
        stages=(Stage(4, 2, 40), Stage(5, 2, 80), Stage(5, 2, 160), Stage(2, 1, 224)),
        head_channels=1024,
        kernels=(3, 5),
    ),
    # 32 px: two downsamplings, since a third costs CIFAR-10 networks 2 to 3 % accuracy.
    "cifar": SpaceDefinition(
        image_size=32,
        num_classes=10,
        stem_stride=1,
        stem_channels=16,
        first_channels=16,
        stages=(Stage(3, 2, 24), Stage(3, 2, 40), Stage(3, 1, 64)),
        last_channels=0,
        head_channels=256,
    ),
    "small": _SMALL,
    # The same with squeeze-excite and HardSwish in every block.
    "small_se": replace(_SMALL, activation="hard_swish", se_ratio=0.25),
    # For the embedded sample: searched in minutes on two cores. Its smallest network sees 19 of
    # 32 px, so that depth and kernels count; it has more blocks than the sample needs, so that
    # the largest network, at five times the milliseconds, pays for much that brings little.
    "sample": SpaceDefinition(
        image_size=32,
        num_classes=12,
        stem_stride=2,
        stem_channels=8,
        first_channels=8,
        stages=(Stage(3, 2, 16), Stage(9, 2, 32)),
        last_channels=0,
        head_channels=128,
        dropout=0.1,
    ),
    # 64 px, for benchmarks/planted_need.py: a distance that only kernels on its 8x8 maps span.
    "planted": SpaceDefinition(
        image_size=64,
        num_classes=3,
        stem_stride=2,
        stem_channels=8,
        first_channels=8,
        stages=(Stage(2, 2, 16), Stage(2, 2, 32), Stage(2, 2, 64)),
        last_channels=0,
        head_channels=128,
        dropout=0.1,
    ),
    # 32 px, two choices: for tests and trials, its table is measured in seconds.
    "toy": SpaceDefinition(
        image_size=32,
        num_classes=10,
        stem_stride=2,
        stem_channels=8,
        first_channels=8,
        stages=(Stage(2, 2, 16),),
        last_channels=0,
        head_channels=16,
        kernels=(3, 5),
        dropout=0.1,
    ),
}


def get_space(name: str, image_size: int | None = None, num_classes: int | None = None) -> Space:
    """A space with a choice at each of its places, at an image size.

    Of a space of knobs that has such places too, this is the space of its places.

    Args:
        name: One of `SPACES`, `around:` with the name of a published network, one of `KNOB_SPACES`
            with places, or a Python file that defines a space.
        image_size: Pixels; None for the space's own.
        num_classes: Class scores; None for the space's own.

    Raises:
        SpaceError: Unknown name, a space of knobs without places, or an image size whose last maps
            become too small.
        InputError: A file that defines no space.
    """
    found = any_space(name, image_size, num_classes)
    if isinstance(found, KnobSpace) and found.places is not None:
        with function_called(f"`places` of space `{found.name}`"):
            return found.places(found.image_size, found.num_classes)
    if isinstance(found, KnobSpace):
        with_places = [key for key in KNOB_SPACES if KNOB_SPACES[key].places is not None]
        raise SpaceError(
            "a space with a choice at each of its places, which a supernet and a latency table "
            f"have rows for: {', '.join((*SPACES, *with_places))} or `{PREFIX}NETWORK`",
            f"space {name}, whose knobs hold for the whole network",
            "search it by nas.py --method asha, hyperband or grid, or by --method random with "
            "--max_trials",
        )
    return found


def any_space(
    name: str, image_size: int | None = None, num_classes: int | None = None
) -> Space | KnobSpace:
    """A space of either kind at an image size.

    Args:
        name: As `get_space` takes it, or one of `KNOB_SPACES`.
        image_size: Pixels; None for the space's own.
        num_classes: Class scores; None for the space's own.

    Raises:
        SpaceError: Unknown name, or an image size that the space has no networks for.
        InputError: A file that defines no space.
    """
    if files.is_file(name):
        return files.load_space(name, image_size, num_classes)
    if name.startswith(PREFIX):
        return around(name.removeprefix(PREFIX), image_size, num_classes)
    if name in KNOB_SPACES:
        return KNOB_SPACES[name].at(image_size, num_classes)
    if name not in SPACES:
        names = [*SPACES, *KNOB_SPACES]
        known = f"a space, one of {', '.join(names)}, `{PREFIX}NETWORK`, or a Python file"
        near = difflib.get_close_matches(name, names, n=1)
        fix = f"write {near[0]!r}" if near else "name one of these by --space"
        raise SpaceError(known, repr(name), fix)
    definition = SPACES[name]
    size = definition.image_size if image_size is None else image_size
    classes = definition.num_classes if num_classes is None else num_classes
    if classes < 2:
        raise SpaceError("two classes or more", f"{classes}", "add images of another class")
    _check_image_size(name, definition, size)
    return Space(name, size, _layers(definition, classes))


def _check_image_size(name: str, definition: SpaceDefinition, image_size: int) -> None:
    factor = definition.stem_stride
    for stage in definition.stages:
        factor *= stage.stride
    least = (definition.minimum_map - 1) * factor + 1
    if same_output_size(image_size, factor) < definition.minimum_map:
        raise SpaceError(
            f"an image size of at least {least} px for space `{name}`, so that its last maps "
            f"keep {definition.minimum_map}x{definition.minimum_map} pixels",
            f"{image_size} px",
            f"enlarge the images by --image_size {least} or more, or use a space with fewer "
            "strides (`cifar` for 32 px)",
        )


def _layers(definition: SpaceDefinition, num_classes: int) -> tuple[Layer | OneOf, ...]:
    act = definition.activation
    layers: list[Layer | OneOf] = [
        Conv(3, definition.stem_stride, definition.stem_channels, act),
        MBConv(3, 1, 1, definition.first_channels, activation=act, residual=False),
    ]
    channels = definition.first_channels
    for number, stage in enumerate(definition.stages, start=1):
        for block in range(stage.blocks):
            stride = stage.stride if block == 0 else 1
            options = _options(definition, stride, stage.channels)
            if stride == 1 and channels == stage.channels and block > 0:
                options = (*options, Skip())
            layers.append(OneOf(f"stage{number}_block{block + 1}", options))
            channels = stage.channels
    if definition.last_channels:
        last = MBConv(3, 1, 6, definition.last_channels, activation=act, residual=False)
        layers.append(last)
    layers += [Conv(1, 1, definition.head_channels, act), GlobalAveragePool()]
    if definition.dropout:
        layers.append(Dropout(definition.dropout))
    return (*layers, Dense(num_classes))


def _options(definition: SpaceDefinition, stride: int, channels: int) -> tuple[Layer, ...]:
    return tuple(
        MBConv(kernel, stride, expansion, channels, definition.se_ratio, definition.activation)
        for kernel in definition.kernels
        for expansion in definition.expansions
    )


def space_for(image_size: int, names: Sequence[str] = ("tiny", "cifar")) -> str:
    """The default space for real images of a size: the first that can take it."""
    for name in names:
        try:
            _check_image_size(name, SPACES[name], image_size)
        except SpaceError:
            continue
        return name
    return names[-1]
