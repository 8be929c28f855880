"""Recipe `trigger`: a small network that tells signal from background in a hardware trigger.

Command: scripts/reproduce_trigger
Hardware: two cores of a desktop processor, no GPU.
Time: not yet measured.
Result: the network `trigger` in float32 reached 99.03 % and an efficiency of 0.890 at 10 kHz on
    the embedded sample (docs/decisions/0058).
n: 1
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# The searches that the space `trigger` is made after had Adam at 0.001, and no changes of images.
# Their batches and epochs are not known; these are ours.
TRIGGER = RECIPES.register(
    "trigger",
    Recipe(
        epochs=20.0,
        batch_size=128,
        optimizer="adamw",
        schedule="constant",
        warmup_share=0.0,
        learning_rate=0.001,
        rate_batch_size=128,
        weight_decay=0.0,
        label_smoothing=0.0,
        average_share=None,
        augmentation=Augmentation(crop_padding_pixels=0, flip=False),
    ),
)
