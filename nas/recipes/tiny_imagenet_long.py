"""Recipe `tiny_imagenet_long`: small networks on Tiny-ImageNet in ten minutes of a GPU.

Command: KERAS_BACKEND=jax python main.py --run RUN --data_dir TINY_IMAGENET
    --recipe tiny_imagenet_long --mixed_precision bfloat16
Hardware: one NVIDIA H200, JAX, bfloat16.
Time: 578 s for 171 epochs, at 43,000, 34,300 and 23,900 images a second of 32, 48 and 64 px.
Result: top-1 59.28 %, top-5 82.70 % of a network with 1.03 million parameters that a search of
    `tiny_wide` found at half of the largest one's milliseconds. See docs/results/recipes.md.
n: 1
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Erasing
from nas.data.augmentation.mixing import Mixing
from nas.recipes.registry import RECIPES
from nas.recipes.tiny_imagenet import TINY_IMAGENET

# So many passes are enough to learn from changed images; half of each batch is mixed. What only
# the host can do, as TrivialAugment, would set the pace of a GPU.
TINY_IMAGENET_LONG = RECIPES.register(
    "tiny_imagenet_long",
    TINY_IMAGENET.changed(
        epochs=171.0,
        batch_size=512,
        learning_rate=0.012,
        rate_batch_size=512,
        warmup_share=0.05,
        weight_decay=0.05,
        stochastic_depth=0.1,
        image_sizes=(32, 48, 64),
        augmentation=Augmentation(
            crop_padding_pixels=8,
            flip=True,
            erasing=Erasing(erasing_probability=0.25),
            mixing=Mixing(mixup_alpha=0.2, cutmix_alpha=1.0, mixing_probability=0.5),
        ),
    ),
)
