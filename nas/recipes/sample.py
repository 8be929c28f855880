"""Recipe `sample`: a network of the embedded sample.

Command: python main.py, after python nas.py --lambda 0.1
Hardware: two cores of a desktop processor, no GPU.
Time: about 6 minutes for the found network and its baselines.
Result: docs/results/, the pages of the sample.
n: see there.
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# No mirror images: the sample's letters know left from right. Small batches give the steps that a
# network needs to end where its size, not its start, lets it end. The rate was found with them.
SAMPLE = RECIPES.register(
    "sample",
    Recipe(
        epochs=5.0,
        batch_size=32,
        learning_rate=0.006,
        rate_batch_size=32,
        weight_decay=0.02,
        augmentation=Augmentation(crop_padding_pixels=2, flip=False),
        made_for_steps=1563,
    ),
)
