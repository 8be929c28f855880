"""Recipe `smoke`: toy size, whether everything works; its figures mean nothing.

Command: python main.py --smoke, after python nas.py --smoke --lambda 0.1
Hardware: any.
Time: seconds a network.
Result: none.
n: 0
"""

from __future__ import annotations

from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

SMOKE = RECIPES.register("smoke", Recipe(epochs=0.5, batch_size=16))
