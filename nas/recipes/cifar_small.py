"""Recipe `cifar_small`: networks below 50,000 parameters on CIFAR-10 in 60 epochs.

Command: python main.py --run RUN --data_dir CIFAR10 --recipe cifar_small --seeds 3
Hardware: two cores of a desktop processor, no GPU.
Time: not yet measured.
Result: not yet run to its end. On an NVIDIA H100 each of 4 trainings lost its loss within 8 steps;
    with other algorithms for depthwise convolutions none of 3 did on an H200 (docs/log.md).
n: 4
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
