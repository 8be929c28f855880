"""The recipes that have a name."""

from __future__ import annotations

from nas.registry import Registry
from nas.training.recipe import Recipe

RECIPES: Registry[Recipe] = Registry("recipe")
