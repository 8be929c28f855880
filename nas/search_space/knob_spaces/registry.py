"""Knob spaces by name; each file of this folder registers its own."""

from __future__ import annotations

from nas.registry import Registry
from nas.search_space.knob_space import KnobSpace

KNOB_SPACES: Registry[KnobSpace] = Registry("knob space")
