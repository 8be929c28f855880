"""Recipe `resnet9_piecewise`: ResNet-9 on CIFAR-10 by two lines.

Command: python main.py --network resnet9_x0.25 --data_dir CIFAR10 \
    --recipe resnet9_piecewise --seeds 5 --goal_top1 0.92
Hardware: one NVIDIA H200, JAX, bfloat16, three other trainings beside it.
Time: 15 s, without compilation.
Result: top-1 83.40 %, sd 0.30 points, on CIFAR-10 as JPEG of quality 75. The whole network,
    `resnet9`, is not yet run by it. The policy's source reports 92 % in 4 of 5 runs by another
    program. See docs/results/recipes.md.
n: 5
"""

from __future__ import annotations

from nas.recipes.registry import RECIPES
from nas.recipes.resnet9 import RESNET9

# The report names two slopes, +0.1068 and -0.01059, and no points. Read as rates an epoch, with
# the turn after the four epochs of its other courses, they lead to 0.4272 and then to 0.2578.
RESNET9_PIECEWISE = RECIPES.register(
    "resnet9_piecewise",
    RESNET9.changed(
        schedule="piecewise_linear",
        learning_rate=0.4272,
        rate_batch_size=512,
        points=((0.0, 0.0), (4.0, 1.0), (20.0, 0.6034)),
    ),
)
