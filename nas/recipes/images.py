"""Recipe `images`: a network of somebody's own images.

Command: python main.py, after python nas.py --data_dir DIR --lambda 0.1
Hardware: any; a GPU where there is one.
Time: as the images and the network ask for.
Result: none of its own; docs/results/ names the flags that its pages were made with.
n: 0
"""

from __future__ import annotations

from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# The steps are the sample's: with fewer, the same network ends anywhere, whatever its images.
IMAGES = RECIPES.register("images", Recipe(epochs=30.0, made_for_steps=1250))
