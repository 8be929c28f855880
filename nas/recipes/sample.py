"""Recipe `sample`: a network of the embedded sample.

Command: python main.py, after python nas.py --lambda 0.1
Hardware: two cores of a desktop processor, no GPU.
Time: about 5 minutes for the found network and its baselines.
Result: docs/results/, the pages of the sample.
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# No mirror images: the sample's classes know left from right.
SAMPLE = RECIPES.register("sample", Recipe(epochs=3.0, augmentation=Augmentation(flip=False)))
