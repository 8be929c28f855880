"""Recipe `tiny_imagenet`: small networks on Tiny-ImageNet in 35 epochs.

Command: python main.py --run RUN --data_dir TINY_IMAGENET --recipe tiny_imagenet
Hardware: one NVIDIA H200, JAX, bfloat16, 256 images a step, two other trainings beside it.
Time: 4 to 9 minutes of steps, at 14,800 and 6,860 images a second.
Result: top-1 53.07 % of a network with 500,000 parameters that a search of `tiny` found for half
    of its range, and 51.14 % of the largest one. See docs/results/recipes.md.
n: 1 each
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Erasing
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# What is done to images is light: in 4 epochs more of it cost 3 to 9 points of top-1 (the ablation
# in docs/results/recipes.md). What it gains or costs in 35 was not measured.
TINY_IMAGENET = RECIPES.register(
    "tiny_imagenet",
    Recipe(
        epochs=35.0,
        batch_size=128,
        learning_rate=0.006,
        rate_batch_size=64,
        weight_decay=0.02,
        clip_norm=5.0,
        augmentation=Augmentation(
            crop_padding_pixels=8, flip=True, erasing=Erasing(erasing_probability=0.1)
        ),
    ),
)
