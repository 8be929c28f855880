"""Recipe `short`: a few epochs from the weights of a supernet, for the networks of a front.

Command: python main.py --run SWEEP
Hardware: any; a GPU where there is one.
Time: not yet measured.
Result: not yet run.
n: 0
"""

from __future__ import annotations

from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# The weights are trained already: a third of the usual rate changes them without losing them, and a
# longer warm-up lets the normalisations follow first.
SHORT = RECIPES.register(
    "short",
    Recipe(
        epochs=4.0,
        learning_rate=0.002,
        rate_batch_size=64,
        weight_decay=0.02,
        warmup_share=0.2,
        average_share=0.05,
    ),
)
