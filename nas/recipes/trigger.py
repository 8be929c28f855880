"""Recipe `trigger`: a small network that tells signal from background in a hardware trigger.

Command: scripts/reproduce_trigger
Hardware: two cores of a desktop processor, no GPU.
Time: 8 minutes for the network of the result, beside other programs.
Result: two convolutions of 4 and 8 filters without batch normalisation, 8,794 parameters in
    float32, reached a top-1 of 99.03 % and an efficiency of 0.890 at 10 kHz on the embedded sample
    (docs/images.md has its text).
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
