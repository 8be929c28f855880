"""The embedded samples by name: images that this program draws, so that examples run anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nas.data import sample, trigger_sample
from nas.data.sample import SampleSize
from nas.registry import Registry

LETTERS = "letters"


@dataclass(frozen=True)
class EmbeddedSample:
    """A sample that is drawn.

    Args:
        title: Of its data set, for people.
        image_size: Height and width in pixels, unless others are asked for.
        class_names: Position is the class index.
        draw: From a number of images, a seed and a size in pixels to images and their labels.
        labels_of: From a number of images to as many labels of each class as are drawn.
        whole: Images of each split.
        toy: Likewise with `--smoke`.
        key: In the cache, so that images that were drawn by another version are drawn anew.
        background_rate_hz: Background images that come a second in what it is drawn after; None
            where no class is signal.
    """

    title: str
    image_size: int
    class_names: tuple[str, ...]
    draw: Callable[[int, int, int], tuple[np.ndarray, np.ndarray]]
    labels_of: Callable[[int], np.ndarray]
    whole: SampleSize
    toy: SampleSize
    key: int | str
    background_rate_hz: float | None = None

    def size(self, is_toy: bool) -> SampleSize:
        """Images of each split.

        Args:
            is_toy: Whether `--smoke` asks for toy size.
        """
        return self.toy if is_toy else self.whole


SAMPLES: Registry[EmbeddedSample] = Registry("sample")
SAMPLES.register(
    LETTERS,
    EmbeddedSample(
        title=sample.NAME,
        image_size=sample.IMAGE_SIZE,
        class_names=sample.CLASS_NAMES,
        draw=sample.draw,
        labels_of=sample.labels_of,
        whole=sample.DEFAULT,
        toy=sample.SMOKE,
        key=3,
    ),
)
# 10 kHz of 4 MHz are one background image in 400: 112 of the evaluation's 45,000 lie behind it, and
# 18 of the 7,200 that a search holds out.
SAMPLES.register(
    "trigger",
    EmbeddedSample(
        title=trigger_sample.TITLE,
        image_size=trigger_sample.IMAGE_SIZE,
        class_names=trigger_sample.CLASS_NAMES,
        draw=trigger_sample.draw,
        labels_of=trigger_sample.labels_of,
        whole=trigger_sample.WHOLE,
        toy=trigger_sample.TOY,
        key="trigger 1",
        background_rate_hz=trigger_sample.BACKGROUND_RATE_HZ,
    ),
)
