"""Pieces of HTML that sections are put together from; texts are escaped here."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from nas.report import numbers

# Said first wherever figures of a run with --smoke are shown.
TOY_SIZE = "This run is of toy size: its figures mean nothing."


def card(title: str, lead: str, *parts: str) -> str:
    """One card of the page.

    Args:
        title: Text.
        lead: Text below it; empty for none.
        *parts: HTML.
    """
    introduction = f'<p class="lead">{escape(lead)}</p>' if lead else ""
    return f"<section><h2>{escape(title)}</h2>{introduction}{''.join(parts)}</section>"


def chart(address: str | None, title: str, caption: str) -> str:
    """A picture with its caption; nothing without a picture.

    Args:
        address: Of the picture.
        title: Text.
        caption: Text.
    """
    if address is None:
        return ""
    return (
        f'<figure><h3>{escape(title)}</h3><img src="{address}" alt="{escape(title)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def charts(*shown: str) -> str:
    """Pictures beside each other; nothing without any.

    Args:
        *shown: HTML of each.
    """
    parts = "".join(shown)
    return f'<div class="charts">{parts}</div>' if parts else ""


def pairs(values: Mapping[str, Any]) -> str:
    """Names and values as a list; what is empty is left out.

    Args:
        values: Name -> value.
    """
    texts = {name: numbers.value_text(v) for name, v in values.items() if v is not None}
    items = "".join(
        f"<dt>{escape(name.replace('_', ' '))}</dt><dd>{escape(text)}</dd>"
        for name, text in texts.items()
        if text
    )
    return f'<dl class="pairs">{items}</dl>' if items else ""


def legend(entries: Mapping[str, str]) -> str:
    """Labels with their colours.

    Args:
        entries: Label -> colour.
    """
    items = "".join(
        f'<li><i style="background:{colour}"></i>{escape(label)}</li>'
        for label, colour in entries.items()
    )
    return f'<ul class="legend">{items}</ul>'
