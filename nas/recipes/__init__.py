"""Recipes by name, one file each as plain data, and scales: the sizes of a job.

Importing this folder registers every recipe in it.
"""

from nas.recipes.images import IMAGES
from nas.recipes.registry import RECIPES
from nas.recipes.sample import SAMPLE
from nas.recipes.smoke import SMOKE

__all__ = ["IMAGES", "RECIPES", "SAMPLE", "SMOKE"]
