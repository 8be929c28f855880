"""Recipe `resnet9`: ResNet-9 on CIFAR-10 in 20 epochs, with one cycle of the rate.

Command: python main.py --network resnet9_x0.25 --data_dir CIFAR10 --recipe resnet9 \
    --seeds 5 --goal_top1 0.92
Hardware: one NVIDIA H200, JAX, bfloat16, three other trainings beside it.
Time: 15 s, without compilation.
Result: top-1 86.42 %, sd 0.19 points, on CIFAR-10 as JPEG of quality 75. The whole network,
    `resnet9`: 90.30 % on held-out images (n = 1); resnet9_smoothed has more of it. See
    docs/results/recipes.md.
n: 5
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Cutout
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# As the network's author trained it (Page 2018, How to Train Your ResNet), with one cycle: crops
# after reflection, flips, cutout of 8 pixels, L2 of 0.0005 through the momentum and none beside it.
# The peak stands behind a fifth of the steps, as his fifth of 24 epochs.
RESNET9 = RECIPES.register(
    "resnet9",
    Recipe(
        epochs=20.0,
        batch_size=512,
        optimizer="sgd",
        schedule="one_cycle",
        warmup_share=0.2,
        learning_rate=0.4,
        rate_batch_size=512,
        momentum=0.9,
        weight_decay=0.0,
        l2=0.0005,
        label_smoothing=0.0,
        average_share=None,
        augmentation=Augmentation(crop_padding_pixels=4, flip=True, cutout=Cutout(cutout_pixels=8)),
    ),
)
