"""Networks with number formats on whichever backend the environment names; see test_backends.py."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from nas.architecture import text as arch_text
from nas.architecture.weights import random_weights
from nas.system import backend

NETWORKS = (
    "in_s12 cn_r1_k3_s1_c6_valid_wqb1_aqf8.1_nno cn_r1_k3_s2_c8_nno_wqb1_aqb1 mp_k2 flat "
    "fc_c8_bn_nobias_wqb1_aqb1 fc_c5_nobias_wqb2_aqb2",
    "in_s12 cn_r1_k3_s2_c6_wqb4_aqf8.1 ir_r1_k3_s1_e3_c6_wqb4l_aqb4l gap fc_c5_wqu3l_aqu3l_bqb4",
    "in_s12 cn_r1_k3_s2_c6_nre_wqf16.6_aqf16.6_nqf16.6 ap_k2 flat fc_c5_wqf16.6_aqf24.8tw_bqf8.2t",
)


def compare() -> dict[str, Any]:
    """The largest difference of each network's scores from NumPy's, and gradients of a step."""
    backend.start()
    import keras

    from nas.builders.integer_network import integer_scores
    from nas.builders.keras_model import build_model, set_weights_by_name, weights_by_name
    from nas.training.first_scales import set_first_scales

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 12, 12, 3)).astype(np.float32)
    differences, moves = [], []
    for text in NETWORKS:
        architecture = arch_text.loads(text)
        weights = random_weights(architecture, seed=1)
        model = build_model(architecture)
        set_weights_by_name(model, architecture, weights)
        optimizer = keras.optimizers.SGD(0.1)
        loss = keras.losses.CategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=optimizer, loss=loss, jit_compile=False)
        found = model.predict_on_batch(images)
        differences.append(
            float(np.abs(found - integer_scores(architecture, weights, images)).max())
        )
        set_first_scales(model, images)
        before = weights_by_name(model, architecture)
        model.train_on_batch(images, np.eye(5, dtype=np.float32)[[0, 1, 2, 3]])
        after = weights_by_name(model, architecture)
        moves.append({name: float(np.abs(after[name] - before[name]).sum()) for name in after})
    return {"differences": differences, "moves": moves}


if __name__ == "__main__":
    print(json.dumps(compare()))
    sys.exit(0)
