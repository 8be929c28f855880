"""Batches as pure functions of (seed, step): any step can be asked for again."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np

from nas.data.augment import Augmentation
from nas.data.augmentation.geometry import resized
from nas.data.dataset import Split
from nas.errors import InputError

# float32 pixels (n, height, width, 3) from 0 to 255, and int32 class indices (n,), or float32
# targets (n, classes) where images are mixed.
Batch = tuple[np.ndarray, np.ndarray]
Plan = dict[str, np.ndarray]  # of one batch: see `BatchLoader.plan`
Made = TypeVar("Made")
BATCHES_AHEAD = 4  # made in the background, so that a slow one is not waited for
# A thread that makes batches for so many cores: on few of them it would only disturb the training.
CORES_A_THREAD = 4
MOST_THREADS = 4


def usual_threads() -> int:
    """Threads that make batches; what a batch holds does not depend on them."""
    return max(1, min(MOST_THREADS, (os.cpu_count() or 1) // CORES_A_THREAD))


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
        num_classes: Of the targets, which mixed images have; None where nothing is mixed.
        size_at: Side of the images of a step in pixels, up to their own; None for their own.

    Raises:
        InputError: There are fewer images than in a batch, or the images do not suit `augment`.
    """

    def __init__(
        self,
        split: Split,
        *,
        batch_size: int,
        seed: int,
        indices: np.ndarray | None = None,
        augment: Augmentation | None = None,
        num_classes: int | None = None,
        size_at: Callable[[int], int] | None = None,
    ) -> None:
        self._indices = np.arange(len(split.labels)) if indices is None else np.asarray(indices)
        if not 1 <= batch_size <= len(self._indices):
            raise InputError(
                f"a batch size from 1 to {len(self._indices)}, the number of images",
                f"{batch_size}",
                "use a smaller --batch_size or more images",
            )
        self.split, self.batch_size, self.seed = split, batch_size, seed
        self.augment, self.num_classes, self.size_at = augment, num_classes, size_at
        if augment is not None:
            augment.check_size(split.images.shape[1])
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
        """Batch of a step: the same again whenever it is asked for.

        Args:
            step: Its number, from 0.
        """
        rows = self._rows(step)
        images, labels = self._images(rows, step, self.augment), self._labels(rows)
        if self.size_at is not None:
            images = resized(images, self.size_at(step))
        pixels = images.astype(np.float32)
        if self.augment is None or not self.augment.mixing.is_on:
            return pixels, labels
        return self.augment.mix(pixels, one_hot(labels, self._classes), self._rng(step))

    def plan(self, step: int, is_resident: bool) -> Plan:
        """What a device needs to make the batch of a step by itself.

        Args:
            step: Its number, from 0.
            is_resident: Whether the device has all images of the split, so that numbers of rows
                will do; images that it cannot change itself come along anyway.

        Returns:
            `labels` (n,), `rows` of the split (n,) or `images` (n, height, width, 3) uint8, and
            what `Augmentation.drawn` says.
        """
        rows = self._rows(step)
        augment = self.augment
        is_moved = not is_resident or (augment is not None and augment.needs_pillow)
        found: Plan = {"labels": self._labels(rows)}
        if is_moved:
            images = np.asarray(self.split.images[rows])
            found["images"] = images if augment is None else augment.moved(images, self._rng(step))
        else:
            found["rows"] = rows.astype(np.int32)
        if augment is not None:
            side = (self.split.images.shape[1], self.split.images.shape[2])
            mixed = None if self.size_at is None else (self.size_at(step),) * 2
            found |= augment.drawn(
                len(rows), side, self._rng(step), is_moved=is_moved, mixed_side=mixed
            )
        return found

    def plain_images(self, step: int) -> np.ndarray:
        """Pixels of a step in their full size, cropped and mirrored, and changed no further.

        Args:
            step: Its number, from 0.
        """
        mild = None if self.augment is None else self.augment.mild
        return self._images(self._rows(step), step, mild).astype(np.float32)

    def _rows(self, step: int) -> np.ndarray:
        count = len(self._indices)
        start, stop = step * self.batch_size, (step + 1) * self.batch_size
        parts = []
        for epoch in range(start // count, (stop - 1) // count + 1):
            first, last = max(start - epoch * count, 0), min(stop - epoch * count, count)
            parts.append(self._order(epoch)[first:last])
        # Sorted reads touch a memory-mapped file in one direction.
        return np.sort(self._indices[np.concatenate(parts)])

    def _images(self, rows: np.ndarray, step: int, augment: Augmentation | None) -> np.ndarray:
        images = np.asarray(self.split.images[rows])
        return images if augment is None else augment.apply(images, self._rng(step))

    def _labels(self, rows: np.ndarray) -> np.ndarray:
        labels: np.ndarray = self.split.labels[rows].astype(np.int32)
        return labels

    def _rng(self, step: int) -> np.random.Generator:
        return np.random.default_rng((self.seed, 1, step))

    @property
    def _classes(self) -> int:
        if self.num_classes is None:
            raise InputError(
                "the number of classes where images are mixed", "None", "pass num_classes"
            )
        return self.num_classes

    def iterate(
        self, start_step: int, stop_step: int, threads: int | None = None
    ) -> Iterator[Batch]:
        """Batches of the steps in turn, made ahead by threads; the same as `batch` gives.

        Args:
            start_step: Number of the first step, from 0.
            stop_step: Number after the last one.
            threads: How many, 1 or more; None for `usual_threads`.
        """
        return self._ahead(self.batch, start_step, stop_step, threads)

    def plans(self, start_step: int, stop_step: int, is_resident: bool) -> Iterator[Plan]:
        """Plans of the steps in turn, made ahead by threads; the same as `plan` gives.

        Args:
            start_step: Number of the first step, from 0.
            stop_step: Number after the last one.
            is_resident: As `plan` takes it.
        """
        make = partial(self.plan, is_resident=is_resident)
        return self._ahead(make, start_step, stop_step, None)

    def _ahead(
        self, make: Callable[[int], Made], start_step: int, stop_step: int, threads: int | None
    ) -> Iterator[Made]:
        """What `make` makes of each step, made ahead by threads."""
        made: deque[Future[Made]] = deque()
        pool = ThreadPoolExecutor(threads or usual_threads(), thread_name_prefix="batches")
        try:
            for step in range(start_step, stop_step):
                ahead = range(step + len(made), min(step + BATCHES_AHEAD, stop_step))
                made.extend(pool.submit(make, later) for later in ahead)
                begun = time.perf_counter()
                item = made.popleft().result()
                self.seconds_waiting += time.perf_counter() - begun
                yield item
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def one_hot(labels: np.ndarray, num_classes: int) -> np.ndarray:
    """(n,) class indices -> (n, classes) float32 targets.

    Args:
        labels: From 0 to `num_classes` - 1.
        num_classes: Number of classes.
    """
    targets: np.ndarray = np.eye(num_classes, dtype=np.float32)[labels]
    return targets


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
