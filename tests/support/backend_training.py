"""A short training on whichever backend and devices the environment names; see test_backends.py."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from nas.architecture import text as arch_text
from nas.data import Dataset, Split
from nas.system import backend, hosts

NETWORK = "in_s16 cn_r1_k3_s2_c8 ir_r1_k3_s1_e3_c8 ir_r1_k5_s2_e3_c16 gap fc_c4"


def train(
    mixed_precision: str, data_parallel: bool, process: tuple[str, int] | None = None
) -> dict[str, Any]:
    """Trains; returns losses, devices and the type of the scores.

    Args:
        mixed_precision: As `backend.start` takes it.
        data_parallel: Whether batches are divided over all devices.
        process: HOST:PORT of JAX's coordinator and the number of this process, of two; None for
            one alone.
    """
    compute = backend.Compute(mixed_precision, data_parallel)
    if process is not None:
        hosts.follow_at(*process)
        compute = backend.Compute(mixed_precision, True, process[0], 2)
    backend.start(compute)
    import keras

    from nas.training.loop import Control
    from nas.training.recipe import Pace, Recipe
    from nas.training.trainer import train_network

    rng = np.random.default_rng(0)
    labels = (np.arange(128) % 4).astype(np.int32)
    images = rng.integers(0, 256, (128, 16, 16, 3), np.uint8)
    # A brightness that tells the classes apart.
    images = (images // 2 + (labels * 32)[:, None, None, None]).astype(np.uint8)
    split = Split(images, labels)
    dataset = Dataset("toy", split, split, tuple("abcd"), 16, "0", False)
    recipe = Recipe(epochs=3.0, batch_size=32)
    architecture = arch_text.loads(NETWORK)
    result = train_network(
        architecture,
        dataset,
        recipe,
        Control(pace=Pace(log_every=1)),
    )
    return {
        "loss": [row["loss"] for row in result.history],
        "top1": result.evaluation.top1,
        "statistics": [
            np.asarray(keras.ops.convert_to_numpy(one)).tolist()
            for one in result.model.non_trainable_variables
        ],
        "scores_dtype": str(result.model.output.dtype),
        "devices": len(keras.distribution.list_devices()) if data_parallel else 1,
    }


if __name__ == "__main__":
    at = (sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else None
    print(json.dumps(train(sys.argv[1], len(sys.argv) > 2, at)))
