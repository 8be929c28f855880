"""Recipe `cifar_small`: networks below 50,000 parameters on CIFAR-10 in 60 epochs.

Command: python main.py --run RUN --data_dir CIFAR10 --recipe cifar_small --seeds 3
Hardware: NVIDIA H200; seeds 1 (from epoch 40) and 2 on two cores of an Intel Xeon.
Time: 7 minutes on the GPU beside two others; one core would take 3.6 hours.
Result: 86.0 % top-1 (sd 0.2) with 46,000 parameters (docs/results/recipes.md).
n: 3
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# Such networks cannot learn the images by heart: neither smoothed labels nor strong changes help
# them. Decay is of kernels alone, as everywhere, and small; the average does the rest.
CIFAR_SMALL = RECIPES.register(
    "cifar_small",
    Recipe(
        epochs=60.0,
        batch_size=128,
        learning_rate=0.006,
        rate_batch_size=64,
        weight_decay=0.005,
        label_smoothing=0.0,
        average_share=0.02,
        augmentation=Augmentation(crop_padding_pixels=4, flip=True),
    ),
)
