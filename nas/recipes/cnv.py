"""Recipe `cnv`: the quantised CNV on CIFAR-10, as a search by asynchronous halving trained it.

Command: scripts/reproduce_cnv FOLDER_OF_CIFAR_10
Hardware: any; a GPU for the full size.
Time: not yet measured.
Result: not yet run at full size. Four searches of `cnv_small`, a quarter of the widths, trained
    by it for 8 epochs of a fifth of the images: docs/results/bit_widths.md.
n: 0
"""

from __future__ import annotations

from nas.data.augment import Augmentation
from nas.recipes.registry import RECIPES
from nas.training.recipe import Recipe

# As github.com/fastmachinelearning/bnn_pynq trained it (`model_def.py`, `adaptive.yaml`): Adam
# without decay at one rate, 100 images a step, crops and mirror images, the squared hinge loss. The
# rate is that of the network which was to be shrunk; trials have rates of their own. 100 epochs are
# those of the second search, the first one had 32.
CNV = RECIPES.register(
    "cnv",
    Recipe(
        epochs=100.0,
        batch_size=100,
        optimizer="adamw",
        schedule="constant",
        warmup_share=0.0,
        learning_rate=0.02,
        rate_batch_size=100,
        weight_decay=0.0,
        loss="squared_hinge",
        label_smoothing=0.0,
        average_share=None,
        augmentation=Augmentation(crop_padding_pixels=4, flip=True),
    ),
)
