"""Recipe `short`: a few epochs from the weights of a supernet, for the networks of a front.

Command: python main.py --run SWEEP
Hardware: two shared cores of an Intel Xeon.
Time: not measured by itself.
Result: efficiencies of 96.7 to 98.6 % at 10 kHz of 18 networks with few bits, on the embedded
    sample `trigger`; by 20 epochs from random weights they have 94.8 to 97.4 %. See
    docs/results/bit_widths.md.
n: 1 each
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
