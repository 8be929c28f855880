"""Recipe `tiny_imagenet`: small networks on Tiny-ImageNet in 35 epochs.

Command: python main.py --run RUN --data_dir TINY_IMAGENET --recipe tiny_imagenet
Hardware: any; a GPU where there is one.
Time: not yet measured.
Result: not yet run.
n: 0
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Erasing
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# Networks of a few million parameters underfit in 35 epochs: what is done to images is light.
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
