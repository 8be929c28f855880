"""Recipe `resnet9_exp`: ResNet-9 on CIFAR-10 by triangles that fall by a factor.

Command: python main.py --network resnet9 --data_dir CIFAR10 --recipe resnet9_exp \
    --seeds 5 --goal_top1 0.92
Hardware: any; a GPU where there is one.
Time: not yet measured.
Result: top-1 80.11 % of a quarter of the widths (resnet9_x0.25), without the factor of the scores,
    on an NVIDIA H100 (docs/results/recipes.md); the whole network is not yet run.
n: 1
"""

from __future__ import annotations

from nas.recipes.registry import RECIPES
from nas.recipes.resnet9 import RESNET9

# Four epochs up and four down, between 0.001 and 0.4.
# The report names no factor; 0.97 an epoch halves the height within the run.
RESNET9_EXP = RECIPES.register(
    "resnet9_exp",
    RESNET9.changed(
        schedule="exp_range",
        base_share=0.0025,
        step_size_epochs=4.0,
        gamma=0.97,
    ),
)
