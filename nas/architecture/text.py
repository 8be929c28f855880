"""Architectures as text and as JSON: strict readers, exact inverses.

`nas.architecture.tokens` has the text, `nas.architecture.timm_text` reads timm's own.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

from latency.device import strict_json
from latency.errors import FileFormatError
from nas.architecture import timm_text
from nas.architecture.bounds import MOST_CHARACTERS, MOST_LAYERS, check_most, shown
from nas.architecture.number_formats import format_text, parse_format
from nas.architecture.spec import LAYER_TYPES, Architecture, Layer, Residual
from nas.architecture.tokens import layer_to_text as layer_to_text
from nas.architecture.tokens import parse as parse
from nas.architecture.tokens import to_text as to_text
from nas.errors import ArchitectureError, InputError

# 2: `valid` of convolutions, `shortcut` of residuals, and the layers dw, se, rb, act, norm, ap.
# 3: `scale` of dense layers, and formats of numbers, which are left out where they are float32.
SCHEMA_VERSION = 3
KEYS = {"schema_version", "kind", "name", "image_size", "layers", "text"}


def to_json(architecture: Architecture) -> dict[str, Any]:
    """Architecture -> plain data with a schema version; `from_json` is its inverse."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "architecture",
        "name": architecture.name,
        "image_size": architecture.image_size,
        "layers": [_layer_to_json(layer) for layer in architecture.layers],
        "text": to_text(architecture),
    }


def _layer_to_json(layer: Layer) -> dict[str, Any]:
    if isinstance(layer, Residual):
        ways = {"layers": layer.layers, "shortcut": layer.shortcut}
        inside = {key: [_layer_to_json(x) for x in way] for key, way in ways.items()}
        return {"type": layer.TOKEN, **inside}
    values = dataclasses.asdict(layer)
    for name, default in _formats(type(layer)).items():
        del values[name]
        if (value := getattr(layer, name)) != default:
            values[name] = format_text(value)
    return {"type": layer.TOKEN, **values}


def _formats(layer_type: type[Layer]) -> dict[str, Any]:
    """Attributes that are formats of numbers, with their defaults."""
    names = {entry.name for entry in layer_type.FIELDS if entry.kind == "format"}
    return {f.name: f.default for f in dataclasses.fields(layer_type) if f.name in names}


@contextlib.contextmanager
def _named(source: str) -> Iterator[None]:
    """Adds to what is refused where it comes from."""
    try:
        yield
    except InputError as error:
        if not source:
            raise
        received = f"{error.received} in {source}"
        raise type(error)(error.expected, received, error.fix) from None


def from_json(data: Any, source: str = "") -> Architecture:
    """Plain data -> architecture.

    Args:
        data: As `to_json` makes it.
        source: Where it comes from, for messages; '' where a user wrote it just now.

    Raises:
        ArchitectureError: Not an architecture, of a newer schema, or with unknown entries.
    """
    with _named(source):
        return _from_json(data)


def _from_json(data: Any) -> Architecture:
    if not isinstance(data, dict) or data.get("kind") != "architecture":
        raise ArchitectureError(
            'a JSON object with `"kind": "architecture"`',
            f"{type(data).__name__} with keys "
            f"{shown(', '.join(map(str, data))) if isinstance(data, dict) else '-'}",
            "give the architecture.json of a run folder",
        )
    unknown = sorted(set(data) - KEYS)
    if unknown:
        raise ArchitectureError(
            f"the keys {', '.join(sorted(KEYS))}", shown(", ".join(unknown)), "remove the others"
        )
    version = data.get("schema_version")
    if type(version) is not int or not 1 <= version <= SCHEMA_VERSION:
        raise ArchitectureError(
            f"schema_version from 1 to {SCHEMA_VERSION}",
            shown(version),
            "update the program, or write the file again with this version",
        )
    layers = data.get("layers")
    if not isinstance(layers, list) or type(data.get("image_size")) is not int:
        raise ArchitectureError(
            "`layers` as a list and `image_size` as a whole number",
            f"{type(layers).__name__} and {shown(data.get('image_size'))}",
            "repair the file or search again",
        )
    name, text = data.get("name", ""), data.get("text")
    if not isinstance(name, str) or not isinstance(text, str | None):
        raise ArchitectureError(
            "`name` and `text` as texts", shown(name if text is None else text), "correct it"
        )
    check_most("layers", len(layers), MOST_LAYERS, "leave layers out")
    found = Architecture(data["image_size"], tuple(map(_layer_from_json, layers)), name)
    if text is not None and parse(text) != found:
        raise ArchitectureError(
            f"`text` to say what `layers` and `image_size` say, {shown(to_text(found))}",
            shown(text),
            "remove `text`, or correct the layers",
        )
    return found


def _layer_from_json(entry: Any) -> Layer:
    kind = entry.get("type") if isinstance(entry, dict) else None
    layer_type = LAYER_TYPES.get(kind) if isinstance(kind, str) else None
    if layer_type is None:
        raise ArchitectureError(
            f"layers with a `type` among {', '.join(sorted(LAYER_TYPES))}",
            shown(entry),
            "correct the type",
        )
    values = {key: value for key, value in entry.items() if key != "type"}
    known = {f.name for f in dataclasses.fields(layer_type)}
    required = {f.name for f in dataclasses.fields(layer_type) if f.default is dataclasses.MISSING}
    if set(values) - known or required - set(values):
        raise ArchitectureError(
            f"`{kind}` with {sorted(known)}", shown(sorted(values)), "add or remove entries"
        )
    if layer_type is Residual:
        if not all(isinstance(way, list) for way in values.values()):
            raise ArchitectureError("`res` with lists of layers", shown(entry), "correct it")
        return Residual(**{key: tuple(map(_layer_from_json, way)) for key, way in values.items()})
    try:
        for name in _formats(layer_type).keys() & values:
            values[name] = parse_format(values[name])
        return layer_type(**values)
    except ArchitectureError as error:
        received = f"{error.received} in {shown(entry)}"
        raise ArchitectureError(error.expected, received, error.fix) from None


def loads(text: str, source: str = "") -> Architecture:
    """Architecture from the text of a JSON file, an architecture string, or timm's strings.

    Args:
        text: Of any of these forms.
        source: Where it comes from, for messages; '' where a user wrote it just now.

    Raises:
        ArchitectureError: Neither can be read.
    """
    with _named(source):
        return _loads(text)


def _loads(text: str) -> Architecture:
    check_most("characters of an architecture", len(text), MOST_CHARACTERS, "shorten the text")
    # Editors of some systems begin a file with this mark.
    stripped = text.removeprefix("\ufeff").strip()
    if stripped.startswith(timm_text.PREFIX):
        return timm_text.parse(stripped)
    if not stripped.startswith("{"):
        return parse(stripped)
    try:
        data = strict_json.loads(stripped, "the text of an architecture")
    except FileFormatError as error:
        raise ArchitectureError(
            "a JSON file",
            f"text that breaks off or is malformed: {error.received}",
            "write it again",
        ) from None
    return _from_json(data)
