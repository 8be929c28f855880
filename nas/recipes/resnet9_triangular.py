"""Recipe `resnet9_triangular`: ResNet-9 on CIFAR-10 by Smith's triangles.

Command: python main.py --network resnet9 --data_dir CIFAR10 --recipe resnet9_triangular \
    --seeds 5 --goal_top1 0.92
Hardware: any; a GPU where there is one.
Time: not yet measured.
Result: top-1 76.99 % of a quarter of the widths (resnet9_x0.25), without the factor of the scores,
    on an NVIDIA H100 (docs/results/recipes.md); the whole network is not yet run. The policy's
    source reports 92 % in 4 of 5 runs by another program.
n: 1
"""

from __future__ import annotations

from nas.recipes.registry import RECIPES
from nas.recipes.resnet9 import RESNET9

# Four epochs up and four down, between 0.001 and 0.4.
RESNET9_TRIANGULAR = RECIPES.register(
    "resnet9_triangular",
    RESNET9.changed(
        schedule="triangular",
        base_share=0.0025,
        step_size_epochs=4.0,
    ),
)
