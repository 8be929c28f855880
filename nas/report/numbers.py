"""Figures as people read them: units, and no more digits than the figure carries."""

from __future__ import annotations

from typing import Any

from nas.cost.units import Unit

UNKNOWN = "–"


def milliseconds(value_ms: float | None) -> str:
    """1.4923 -> '1.492'; four significant digits or so, without the unit."""
    if value_ms is None:
        return UNKNOWN
    size = abs(value_ms)
    digits = 4 if size < 0.1 else 3 if size < 10 else 2 if size < 100 else 1
    return f"{value_ms:.{digits}f}"


def count(value: float | None) -> str:
    """6573120 -> '6.57 M'."""
    if value is None:
        return UNKNOWN
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        # Rounded first, so that 999,999 becomes 1.00 M and not 1000 k.
        if abs(value) >= 0.9995 * limit:
            return f"{_three_digits(value / limit)} {unit}"
    return f"{value:.0f}"


def _three_digits(value: float) -> str:
    size = abs(value)
    return f"{value:.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"


def figure(unit: Unit, value: float | None) -> str:
    """What a goal is asked in, with its unit: '1.492 ms', '70.3 M BOPs'."""
    return UNKNOWN if value is None else f"{bare_figure(unit, value)} {unit.text}"


def bare_figure(unit: Unit, value: float | None) -> str:
    """The same without its unit."""
    return milliseconds(value) if unit.is_measured else count(value)


def counted(number: float, noun: str) -> str:
    """1, 'trial' -> '1 trial'; 2.5, 'epoch' -> '2.5 epochs'."""
    return f"{number:g} {noun}" + ("" if number == 1 else "s")


def size(size_bytes: float | None) -> str:
    """1234567 -> '1.23 MB'; a kB is 1000 bytes."""
    if size_bytes is None:
        return UNKNOWN
    text = count(size_bytes)
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def share(value: float | None, digits: int = 1) -> str:
    """0.4512 -> '45.1 %'."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f} %"


def points(value: float) -> str:
    """A difference of two shares in percentage points, with a true minus: 0.0123 -> '1.23'."""
    size = abs(100 * value)
    text = f"{size:.{2 if size < 9.995 else 1}f}"
    return f"\u2212{text}" if value < 0 < float(text) else text


def whole(value: float | None) -> str:
    """12345 -> '12,345'."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def value_text(value: Any) -> str:
    """A configuration's value in words: long lists are cut, true is yes."""
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case int():
            # A seed or a count; years and hashes come as text.
            return f"{value:,}"
        case list() | tuple() if len(value) > 12:
            return f"{', '.join(map(str, value[:10]))}, … ({len(value)} in all)"
        case list() | tuple():
            return ", ".join(map(value_text, value))
        case dict():
            known = [(key, item) for key, item in value.items() if item is not None]
            return ", ".join(f"{key.replace('_', ' ')} {value_text(item)}" for key, item in known)
    return str(value)
