#!/usr/bin/env python3
"""Images a second of each augmentation: ours on the host, and Keras' own layers where they serve.

    python benchmarks/augmentation.py --size 32
    python benchmarks/augmentation.py --size 32 --train [--data_dir DIR]

Both sides take turns. `--train` instead trains with each augmentation and tells how long steps
waited for images. See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from nas.data.augment import Augmentation
from nas.data.augmentation.boxes import Cutout, Erasing
from nas.data.augmentation.mixing import Mixing
from nas.data.augmentation.policies import RandAugment

NONE = Augmentation(0, flip=False)
USUAL = Augmentation()
# Every knob alone; `all` is what a strong recipe may ask for at once.
KNOBS = {
    "crop": replace(NONE, crop_padding_pixels=4),
    "flip": replace(NONE, flip=True),
    "rotation": replace(NONE, rotation_degrees=15.0),
    "RandAugment": replace(NONE, rand_augment=RandAugment(9.0)),
    "TrivialAugment": replace(NONE, trivial_augment=True),
    "blur": replace(NONE, blur_sigma_pixels=1.0),
    "erasing": replace(NONE, erasing=Erasing(0.5)),
    "cutout": replace(NONE, cutout=Cutout(None, 0.25)),
    "MixUp": replace(NONE, mixing=Mixing(0.2)),
    "CutMix": replace(NONE, mixing=Mixing(None, 1.0)),
    "all": Augmentation(
        4,
        rotation_degrees=15.0,
        rand_augment=RandAugment(9.0),
        blur_sigma_pixels=1.0,
        erasing=Erasing(0.25),
        cutout=Cutout(None, 0.25),
        mixing=Mixing(0.2, 1.0),
    ),
}
CLASSES = 10
NETWORK = "cn_r1_k3_s2_c16 ir_r1_k3_s1_e1_c16 ir_r2_k3_s2_e6_c24 ir_r2_k3_s2_e6_c40 gap"
Work = Callable[[], Any]


def ours(knob: str, images: np.ndarray, targets: np.ndarray) -> Work:
    """One batch as the loader makes it: uint8, then float32, then mixed."""
    augmentation = KNOBS[knob]
    step = iter(range(10**9))

    def work() -> Any:
        number = next(step)
        changed = augmentation.apply(images, np.random.default_rng((0, 1, number)))
        return augmentation.mix(
            changed.astype(np.float32), targets, np.random.default_rng((0, 1, number))
        )

    return work


def keras_layers(knob: str, images: np.ndarray, targets: np.ndarray) -> Work | None:
    """The layer of Keras that comes nearest, as a step would run it; None where there is none."""
    import keras

    size = images.shape[1]
    layers = keras.layers
    nearest: dict[str, Callable[[], Any]] = {
        "crop": lambda: layers.RandomTranslation(4 / size, 4 / size, fill_mode="reflect"),
        "flip": lambda: layers.RandomFlip("horizontal"),
        "rotation": lambda: layers.RandomRotation(15 / 360),
        "RandAugment": lambda: layers.RandAugment(factor=0.3),
        "blur": lambda: layers.RandomGaussianBlur(sigma=(0.01, 1.0)),
        "erasing": lambda: layers.RandomErasing((0.5, 0.5)),
        "MixUp": lambda: layers.MixUp(0.2),
        "CutMix": lambda: layers.CutMix(),
    }
    if knob not in nearest:
        return None
    layer = nearest[knob]()
    is_mixed = knob in ("MixUp", "CutMix")

    def call(pixels: Any, labels: Any) -> Any:
        pixels = keras.ops.cast(pixels, "float32")
        given = {"images": pixels, "labels": labels} if is_mixed else pixels
        return layer(given, training=True)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        call = tf.function(call)
    return lambda: call(keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(targets))


def rate(work: Work, images: int, seconds: float) -> float:
    """Images a second over about so many seconds."""
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        work()
        count += 1
    return count * images / (time.perf_counter() - begun)


def compare(size: int, batch_size: int, rounds: int, seconds: float) -> None:
    """Prints images a second of each knob, ours and Keras' in turns."""
    from nas.system import backend

    backend.start(image_size=size)
    import keras

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch_size, size, size, 3), np.uint8)
    targets = np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, batch_size)]
    print(
        f"{size} px, {batch_size} images a batch, Keras {keras.__version__} on "
        f"{keras.backend.backend()}; median (greatest) of {rounds} rounds, images/s"
    )
    print(f"{'':16}{'host':>20}{'Keras layer':>22}")
    sides: dict[tuple[str, str], Work] = {}
    for knob in KNOBS:
        sides[knob, "host"] = ours(knob, images, targets)
        layer = keras_layers(knob, images, targets)
        if layer is not None:
            sides[knob, "keras"] = layer
    for work in sides.values():
        work()  # traced, and warm
    rates: dict[tuple[str, str], list[float]] = {key: [] for key in sides}
    for _ in range(rounds):
        for key, work in sides.items():
            rates[key].append(rate(work, batch_size, seconds))
    for knob in KNOBS:
        cells = [rates.get((knob, side)) for side in ("host", "keras")]
        texts = [f"{median(c):9,.0f} ({max(c):9,.0f})" if c else "none" for c in cells]
        print(f"{knob:16}{texts[0]:>21}{texts[1]:>22}")


def train(size: int, batch_size: int, steps: int, data_dir: str | None) -> None:
    """Prints the share of waiting of a training with each knob."""
    from nas.architecture.text import loads
    from nas.builders.keras_model import build_model
    from nas.data.load import load_dataset, load_sample
    from nas.data.loader import BatchLoader
    from nas.system import backend
    from nas.training.recipe import Recipe
    from nas.training.steps import WeightSteps

    backend.start(image_size=size)
    dataset = load_dataset(data_dir, image_size=size) if data_dir else load_sample(size)
    print(f"{dataset.name}, {size} px, {batch_size} images a batch, {steps} steps each")
    classes = dataset.num_classes
    network = loads(f"in_s{size} {NETWORK} fc_c{classes}")
    model = WeightSteps(build_model(network), Recipe(1.0, batch_size), 10**6, classes)
    for knob, augmentation in {"none": NONE, "usual": USUAL, **KNOBS}.items():
        loader = BatchLoader(
            dataset.train, batch_size=batch_size, seed=0, augment=augmentation, num_classes=classes
        )
        for number, batch in enumerate(loader.iterate(0, 3)):
            model.train(number, *batch)  # traced, and warm
        loader.seconds_waiting = 0.0
        begun = time.perf_counter()
        for number, batch in enumerate(loader.iterate(3, 3 + steps)):
            model.train(number, *batch)
        seconds = time.perf_counter() - begun
        print(
            f"{knob:16}{steps * batch_size / seconds:9,.0f} images/s   "
            f"waiting {loader.seconds_waiting / seconds:6.2%}"
        )


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=32, help="side of the images, in pixels (32)")
    parser.add_argument("--batch_size", type=int, default=64, help="images a batch (64)")
    parser.add_argument("--rounds", type=int, default=7, help="of all knobs in turn (7)")
    parser.add_argument("--seconds", type=float, default=0.3, help="a knob and round (0.3)")
    parser.add_argument("--train", action="store_true", help="train, and tell the waiting")
    parser.add_argument("--steps", type=int, default=100, help="of a training (100)")
    parser.add_argument("--data_dir", help="images to train on; default: the sample")
    flags = parser.parse_args()
    if flags.train:
        train(flags.size, flags.batch_size, flags.steps, flags.data_dir)
    else:
        compare(flags.size, flags.batch_size, flags.rounds, flags.seconds)


if __name__ == "__main__":
    main()
