"""Batches as pure functions of (seed, step): any step can be asked for again."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterator

import numpy as np

from nas.data.augment import Augmentation
from nas.data.dataset import Split
from nas.errors import InputError

Batch = tuple[np.ndarray, np.ndarray]


def steps_of(epochs: float, images: int, batch_size: int) -> int:
    """Full batches that see at least `epochs` times as many images as there are; 1 or more.

    Args:
        epochs: Passes over the images, above 0.
        images: How many there are, 1 or more.
        batch_size: Images a batch, from 1 to all of them.
    """
    # Rounded first: 0.1 * 30 / 1 must not become 4 steps by an error of the last bit.
    return max(1, math.ceil(round(epochs * (images / batch_size), 6)))


class BatchLoader:
    """Training batches in a random order that depends on nothing but the seed.

    The images of all epochs form one endless sequence of shuffled passes, cut into full
    batches: a batch may reach over the border of two epochs, and no image is left out.

    Args:
        split: Images and labels.
        batch_size: Images a batch.
        seed: Of order and augmentation.
        indices: Part of the split; None for all of it.
        augment: What is done to each image; None for nothing.
        prefetch: Batches made ahead by a background thread.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int,
        seed: int,
        indices: np.ndarray | None = None,
        augment: Augmentation | None = None,
        prefetch: int = 2,
    ) -> None:
        self._indices = np.arange(len(split.labels)) if indices is None else np.asarray(indices)
        if not 1 <= batch_size <= len(self._indices):
            raise InputError(
                f"a batch size from 1 to {len(self._indices)}, the number of images",
                f"{batch_size}",
                "use a smaller --batch_size or more images",
            )
        self.split, self.batch_size, self.seed = split, batch_size, seed
        self.augment, self.prefetch = augment, prefetch
        self.seconds_waiting = 0.0
        self._orders: dict[int, np.ndarray] = {}

    @property
    def steps_per_epoch(self) -> float:
        """Batches that see every image once; no whole number, since batches cross epochs."""
        return len(self._indices) / self.batch_size

    def steps(self, epochs: float) -> int:
        """Full batches that see at least `epochs` times as many images as there are."""
        return steps_of(epochs, len(self._indices), self.batch_size)

    def _order(self, epoch: int) -> np.ndarray:
        # One look-up of one dict: the thread of an earlier `iterate` may replace it meanwhile.
        known = self._orders
        if epoch in known:
            return known[epoch]
        rng = np.random.default_rng((self.seed, 0, epoch))
        order = rng.permutation(len(self._indices))
        # Two orders are enough for a batch at the border; older ones would only pile up.
        kept = {e: o for e, o in known.items() if e >= epoch - 1}
        self._orders = {**kept, epoch: order}
        return order

    def batch(self, step: int) -> Batch:
        """Batch of a step: float32 pixels (batch, height, width, 3) 0 to 255, int32 labels."""
        count = len(self._indices)
        positions = np.arange(step * self.batch_size, (step + 1) * self.batch_size)
        chosen = [self._indices[self._order(int(p // count))[p % count]] for p in positions]
        # Sorted reads touch a memory-mapped file in one direction.
        rows = np.sort(np.array(chosen))
        images = np.asarray(self.split.images[rows])
        if self.augment is not None:
            images = self.augment.apply(images, np.random.default_rng((self.seed, 1, step)))
        return images.astype(np.float32), self.split.labels[rows].astype(np.int32)

    def iterate(self, start_step: int, stop_step: int) -> Iterator[Batch]:
        """Batches of the steps in turn, made ahead by a thread; the same as `batch` gives."""
        made: queue.Queue[Batch | BaseException] = queue.Queue(maxsize=self.prefetch)
        stopped = threading.Event()

        def put(item: Batch | BaseException) -> None:
            while not stopped.is_set():
                try:
                    made.put(item, timeout=0.1)
                except queue.Full:
                    continue
                return

        def work() -> None:
            try:
                for step in range(start_step, stop_step):
                    if stopped.is_set():
                        return
                    put(self.batch(step))
            except BaseException as error:
                put(error)

        threading.Thread(target=work, daemon=True, name="batches").start()
        try:
            for _ in range(start_step, stop_step):
                begun = time.perf_counter()
                item = made.get()
                self.seconds_waiting += time.perf_counter() - begun
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            stopped.set()


def evaluation_batches(
    split: Split, batch_size: int, indices: np.ndarray | None = None
) -> Iterator[Batch]:
    """All images once, in order; the last batch may be smaller.

    Args:
        split: Images and labels.
        batch_size: Images a batch.
        indices: Part of the split; None for all of it.
    """
    rows = np.arange(len(split.labels)) if indices is None else np.asarray(indices)
    for start in range(0, len(rows), batch_size):
        part = rows[start : start + batch_size]
        images = np.asarray(split.images[part]).astype(np.float32)
        yield images, split.labels[part].astype(np.int32)
