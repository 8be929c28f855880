"""Which files are images: all formats that Pillow reads, but for a few."""

from __future__ import annotations

from functools import lru_cache

from PIL import Image

# Pillow lists these and gives no pixels of them by itself: Ghostscript draws EPS, Windows draws
# WMF, PDF is only written, and of the others no more is known than their names.
NOT_OPENED = frozenset({"EPS", "PDF", "WMF", "BUFR", "GRIB", "HDF5", "MPEG"})
# A JPEG with more than one picture; Pillow's reader of JPEG opens it and is registered without it.
OPENED_AS_OTHERS = frozenset({"MPO"})


@lru_cache
def opened_formats() -> tuple[str, ...]:
    """Names of the formats that are read here, whatever a file's suffix says."""
    Image.init()
    return tuple(name for name in Image.ID if name not in NOT_OPENED)


@lru_cache
def image_suffixes() -> frozenset[str]:
    """Suffixes in lower case, such as `.jpg`, of the formats that Pillow reads here.

    Which they are depends on how Pillow was built and on its plugins that are imported.
    """
    opened = OPENED_AS_OTHERS.union(opened_formats())
    names = Image.registered_extensions()
    return frozenset(suffix.lower() for suffix, name in names.items() if name in opened)


def is_image_name(name: str) -> bool:
    """Whether a file is an image by the suffix of its name, in any case.

    Args:
        name: Of the file.
    """
    stem, dot, suffix = name.rpartition(".")
    return bool(stem and dot) and f".{suffix.lower()}" in image_suffixes()
