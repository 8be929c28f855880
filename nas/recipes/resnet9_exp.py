"""Recipe `resnet9_exp`: ResNet-9 on CIFAR-10 by triangles that fall by a factor.

Command: python main.py --network resnet9_x0.25 --data_dir CIFAR10 \
    --recipe resnet9_exp --seeds 5 --goal_top1 0.92
Hardware: one NVIDIA H200, JAX, bfloat16, three other trainings beside it.
Time: 15 s, without compilation.
Result: top-1 81.91 %, sd 0.38 points, on CIFAR-10 as JPEG of quality 75. The whole network,
    `resnet9`, is not yet run by it. The policy's source reports 92 % in 4 of 5 runs by another
    program. See docs/results/recipes.md.
n: 5
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
