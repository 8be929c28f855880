"""Recipe `resnet9_triangular2`: ResNet-9 on CIFAR-10 by triangles that halve.

Command: python main.py --network resnet9_x0.25 --data_dir CIFAR10 \
    --recipe resnet9_triangular2 --seeds 5 --goal_top1 0.92
Hardware: one NVIDIA H200, JAX, bfloat16, three other trainings beside it.
Time: 15 s, without compilation.
Result: top-1 83.77 %, sd 0.36 points, on CIFAR-10 as JPEG of quality 75. The whole network,
    `resnet9`, is not yet run by it. The policy's source reports 92 % in 4 of 5 runs by another
    program. See docs/results/recipes.md.
n: 5
"""

from __future__ import annotations

from nas.recipes.registry import RECIPES
from nas.recipes.resnet9 import RESNET9

# Four epochs up and four down, between 0.001 and 0.4.
RESNET9_TRIANGULAR2 = RECIPES.register(
    "resnet9_triangular2",
    RESNET9.changed(
        schedule="triangular2",
        base_share=0.0025,
        step_size_epochs=4.0,
    ),
)
