"""Recipe `tiny_imagenet_long`: small networks on Tiny-ImageNet in 200 epochs.

Command: python main.py --run RUN --data_dir TINY_IMAGENET --recipe tiny_imagenet_long
Hardware: a GPU.
Time: not yet measured.
Result: not yet run.
n: 0
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Erasing
from nas.data.augmentation.mixing import Mixing
from nas.recipes.registry import RECIPES
from nas.recipes.tiny_imagenet import TINY_IMAGENET

# Two hundred passes are enough to learn from changed images; half of each batch is mixed.
TINY_IMAGENET_LONG = RECIPES.register(
    "tiny_imagenet_long",
    TINY_IMAGENET.changed(
        epochs=200.0,
        warmup_share=0.05,
        weight_decay=0.05,
        stochastic_depth=0.1,
        augmentation=Augmentation(
            crop_padding_pixels=8,
            flip=True,
            trivial_augment=True,
            erasing=Erasing(erasing_probability=0.25),
            mixing=Mixing(mixup_alpha=0.2, cutmix_alpha=1.0, mixing_probability=0.5),
        ),
    ),
)
