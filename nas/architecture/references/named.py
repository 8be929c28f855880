"""`resnet9`, `mobilenetv2_x0.5`, `mnasnet_5x5_6@published`: published networks by their names.

A name has a width multiplier behind `_x` and a form behind `@`. Without a form a network fits
itself to small images; `@published` keeps the strides and pools of the publication at any size.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nas.architecture.references.images import (
    LEAST_MAP,
    last_map,
    with_fewer_strides,
    with_whole_pool,
)
from nas.architecture.references.published import PUBLISHED, Published
from nas.architecture.references.widths import least_multiplier, scaled
from nas.architecture.spec import Architecture, Layer, MaxPool
from nas.architecture.text import loads
from nas.errors import ArchitectureError
from nas.registry import check_known

NAMES = tuple(PUBLISHED)
AS_PUBLISHED = "published"
MOST_MULTIPLIER = 16.0
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class Reference:
    """A published network at an image size.

    Args:
        architecture: Its layers, under its name.
        source: Who published it, and where.
        notes: What is not as it was published, in sentences.
    """

    architecture: Architecture
    source: str
    notes: tuple[str, ...] = ()


def reference(
    name: str, image_size: int | None = None, num_classes: int | None = None
) -> Architecture:
    """A published network.

    Args:
        name: One of `NAMES`, with a width multiplier as in `_x0.5` and `@published` if wanted.
        image_size: Height and width in pixels; None for the published one.
        num_classes: Class scores; None for the published ones.

    Raises:
        InputError: An unknown name, with the nearest known one.
        ArchitectureError: A multiplier or a form that does not exist, or images that are too small.
    """
    return described(name, image_size, num_classes).architecture


def described(
    name: str, image_size: int | None = None, num_classes: int | None = None
) -> Reference:
    """A published network with what is to be said of it.

    Args:
        name: As `reference` takes it.
        image_size: Height and width in pixels; None for the published one.
        num_classes: Class scores; None for the published ones.

    Raises:
        InputError: An unknown name, with the nearest known one.
        ArchitectureError: A multiplier or a form that does not exist, or images that are too small.
    """
    base, multiplier, is_as_published = _parts(name)
    published = PUBLISHED[base]
    original = loads(published.text)
    size = original.image_size if image_size is None else image_size
    layers = scaled(original.layers, multiplier, published)
    notes = [f"{published.by_description}."] if published.by_description else []
    if not is_as_published:
        layers, changes = _fitted(layers, size, published, name)
        notes += changes
    found = Architecture(size, layers, name)
    if num_classes is not None:
        found = found.with_num_classes(num_classes)
    return Reference(found, published.source, tuple(notes))


def is_name(text: str) -> bool:
    """Whether a text means a published network, right or wrong in its multiplier and form.

    Args:
        text: As somebody wrote it.
    """
    return _base(text) in PUBLISHED


def _base(name: str) -> str:
    before = name.partition("@")[0]
    return before if before in PUBLISHED else before.rpartition("_x")[0] or before


def _parts(name: str) -> tuple[str, float, bool]:
    """The network's own name, its multiplier, and whether it stays as published."""
    before, at, form = name.partition("@")
    if at and form != AS_PUBLISHED:
        raise ArchitectureError(
            f"`@{AS_PUBLISHED}` as the form of a network",
            f"'@{form}' in {name!r}",
            f"write {before}@{AS_PUBLISHED}, or leave it out",
        )
    base = _base(name)
    check_known("a network", base, PUBLISHED)
    width = before.removeprefix(base).removeprefix("_x")
    if before == base:
        return base, 1.0, bool(at)
    multiplier = float(width) if _NUMBER.fullmatch(width) else 0.0
    published = PUBLISHED[base]
    least = least_multiplier(loads(published.text).layers, published)
    if not least <= multiplier <= MOST_MULTIPLIER:
        raise ArchitectureError(
            f"a width multiplier from {least:g}, below which {base} has its least widths "
            f"everywhere, up to {MOST_MULTIPLIER:g} behind `_x`",
            f"'_x{width}' in {name!r}",
            f"write for example {base}_x0.5",
        )
    return base, multiplier, bool(at)


def _fitted(
    layers: tuple[Layer, ...], image_size: int, published: Published, name: str
) -> tuple[tuple[Layer, ...], list[str]]:
    """The layers for an image size, and what was changed in them."""
    least = _least_size(layers, published)
    if image_size < least:
        raise ArchitectureError(
            f"images of {least} px or more for {name}", f"{image_size} px", "enlarge the images"
        )
    if published.pools_whole_map:
        fitted = with_whole_pool(layers, image_size)
        if fitted == layers:
            return layers, []
        pool = next(x for x in reversed(fitted) if isinstance(x, MaxPool))
        return fitted, [
            f"{name} at {image_size} px: its last maximum is taken over {pool.size}x{pool.size} "
            f"pixels, the whole map; `@{AS_PUBLISHED}` keeps the published pool."
        ]
    try:
        before = last_map(layers, image_size)
    except ArchitectureError as error:  # kernels without padding are larger than their maps
        raise ArchitectureError(
            f"images that are large enough for {name}: {error.expected}",
            f"{image_size} px: {error.received}",
            "enlarge the images, or name another network",
        ) from None
    fitted, changed = with_fewer_strides(layers, image_size)
    if not changed:
        return layers, []
    after = last_map(fitted, image_size)
    return fitted, [
        f"{name} at {image_size} px: stride 1 and not 2 in {', '.join(changed)}, so that the last "
        f"maps have {after}x{after} pixels and not {before}x{before}; `@{AS_PUBLISHED}` keeps the "
        "published strides."
    ]


def _least_size(layers: tuple[Layer, ...], published: Published) -> int:
    """Pixels below which a network has no map to look at."""
    if not published.pools_whole_map:
        return LEAST_MAP
    *inner, _ = [layer.size for layer in layers if isinstance(layer, MaxPool)]
    least = 1
    for size in inner:
        least *= size
    return least
