"""Pages of the report's tests share their pictures, which take most of a page's time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import pytest

from nas.report import plots

# What was asked of which function -> the picture.
_drawn: dict[str, str | None] = {}


@pytest.fixture(scope="module", autouse=True)
def each_picture_is_drawn_once() -> Iterator[None]:
    """The same rows and networks give the same picture: it is drawn for the first page alone."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("history_plot", "prediction_plot", "accuracy_plot"):
            patch.setattr(plots, name, _kept(getattr(plots, name)))
        yield


@pytest.fixture
def pictures_drawn_anew(each_picture_is_drawn_once: None) -> None:
    """For a test of the pictures themselves."""
    _drawn.clear()


def _kept(draw: Callable[..., str | None]) -> Callable[..., str | None]:
    @wraps(draw)
    def drawn(*asked: Any, **options: Any) -> str | None:
        # Rows and networks are records of plain values, whose text tells every difference.
        key = f"{draw.__name__} {asked!r} {options!r}"
        if key not in _drawn:
            _drawn[key] = draw(*asked, **options)
        return _drawn[key]

    return drawn
