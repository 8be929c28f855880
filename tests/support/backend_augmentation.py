"""A training with every augmentation, whole and in two parts; see test_backends.py."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from nas.architecture import text as arch_text
from nas.data import Dataset, Split
from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Cutout, Erasing
from nas.data.augmentation.mixing import Mixing
from nas.data.augmentation.policies import RandAugment
from nas.system import backend

NETWORK = "in_s12 cn_r1_k3_s2_c8 ir_r2_k3_s1_e3_c8 gap drop_p0.1 fc_c4"
STRONG = Augmentation(
    1,
    rotation_degrees=20.0,
    rand_augment=RandAugment(9.0),
    blur_sigma_pixels=0.5,
    erasing=Erasing(0.5),
    cutout=Cutout(2),
    mixing=Mixing(0.4, 1.0),
)


class StoppedError(Exception):
    """Stands for a kill between two steps."""


def train(image_sizes: tuple[int, ...] | None) -> dict[str, Any]:
    """Trains; the losses of a training that was stopped, and of one that was not.

    Args:
        image_sizes: Sides that the images have one after the other; None where they keep theirs.
    """
    backend.start()
    from nas.training.loop import Control, LoopState
    from nas.training.recipe import Pace, Recipe
    from nas.training.trainer import train_network

    rng = np.random.default_rng(0)
    labels = (np.arange(48) % 4).astype(np.int32)
    split = Split(rng.integers(0, 256, (48, 12, 12, 3), np.uint8), labels)
    dataset = Dataset("toy", split, split, tuple("abcd"), 12, "0", False)
    recipe = Recipe(
        2.0, 16, dropout=0.2, stochastic_depth=0.3, image_sizes=image_sizes, augmentation=STRONG
    )

    def losses(control: Control) -> list[float]:
        found = train_network(arch_text.loads(NETWORK), dataset, recipe, control)
        return [row["loss"] for row in found.history]

    def stop(state: LoopState, total: int) -> None:
        if state.step == 3:
            raise StoppedError

    with tempfile.TemporaryDirectory() as folder:
        control = Control(Path(folder) / "state.npz", Pace(1, 0.0))
        with contextlib.suppress(StoppedError):
            losses(replace(control, on_progress=stop))
        resumed = losses(control)
    return {"resumed": resumed, "whole": losses(Control(pace=Pace(1)))}


if __name__ == "__main__":
    print(json.dumps(train(None if "one_size" in sys.argv[1:] else (6, 9, 12))))
