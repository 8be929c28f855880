"""The files of a data set, decoded side by side into arrays on disk, each read once."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nas.data.cache import ImageFile, new_array, write_array
from nas.data.colours import range_of, to_bytes
from nas.data.dataset import DataError
from nas.data.decoder_warnings import quiet_decoders
from nas.data.decoding import TRAITS, Decoded, decode, read_bytes, shown
from nas.data.duplicates import DIGEST_BYTES, image_digest
from nas.data.preparation import Preparation
from nas.system.console import bar

ROWS_AT_ONCE = 1024  # of images copied, so that the memory taken stays small
# Upper bytes of 16-bit colours that are all below this are those of 14 bits or fewer.
FULL_UPPER_BYTE = 64
FACTS = np.dtype(
    [
        ("is_good", "?"),
        ("width", np.int32),
        ("height", np.int32),
        ("highest", np.int32),
        ("is_grey", "?"),
        *((trait, "?") for trait in TRAITS),
    ]
)


@dataclass(frozen=True)
class DecodedSplit:
    """One split whose files are decoded; while they are, each thread writes to its own rows.

    Args:
        name: Of the split.
        files: In order.
        images: (n, size, size, 3) uint8 on disk. A grey image of 16 bits waits here as its upper
            bytes, then its lower ones, until all files have told the range.
        facts: (n,) `FACTS`: what each file held.
        sha256: (n, 32) uint8 of the files' contents.
        digests: (n, 16) uint8 of the pixels.
        errors: Row -> what is wrong with the file.
        warnings: Row -> what a decoder warned of.
    """

    name: str
    files: Sequence[ImageFile]
    images: np.ndarray
    facts: np.ndarray
    sha256: np.ndarray
    digests: np.ndarray
    errors: dict[int, str]
    warnings: dict[int, str]

    @classmethod
    def empty(
        cls, folder: Path, name: str, files: Sequence[ImageFile], image_size: int
    ) -> DecodedSplit:
        """Room for the images of some files.

        Args:
            folder: Of the arrays.
            name: Of the split.
            files: In order.
            image_size: Height and width in pixels.

        Raises:
            OSError: The disk is full.
        """
        count = len(files)
        images = new_array(
            folder / f"{name}_images.npy", (count, image_size, image_size, 3), np.uint8
        )
        facts = np.zeros(count, FACTS)
        sha256 = np.zeros((count, hashlib.sha256().digest_size), np.uint8)
        digests = np.zeros((count, DIGEST_BYTES), np.uint8)
        return cls(name, files, images, facts, sha256, digests, {}, {})

    def path(self, row: int) -> Path:
        """The file of a row.

        Args:
            row: Of the image.
        """
        return self.files[row].path

    def decode(self, preparation: Preparation, skip_bad: bool) -> None:
        """Decodes all files.

        Args:
            preparation: How files become arrays.
            skip_bad: Go on without files that cannot be decoded.

        Raises:
            DataError: A file is broken and `skip_bad` is off.
        """
        current = threading.local()

        def work(row: int) -> None:
            current.row = row
            try:
                self._decode_row(row, preparation)
            except DataError as error:
                if not skip_bad:
                    raise
                self.errors[row] = error.received

        def warned(text: str) -> None:
            self.warnings.setdefault(current.row, text)

        count = len(self.files)
        with (
            bar(f"Decoding {count} {self.name} images") as progress,
            quiet_decoders(warned),
            ThreadPoolExecutor(max(2, os.cpu_count() or 2)) as pool,
        ):
            try:
                for done, _ in enumerate(pool.map(work, range(count)), start=1):
                    if done % 256 == 0 or done == count:
                        progress.update(done, count)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _decode_row(self, row: int, preparation: Preparation) -> None:
        data = read_bytes(self.path(row))
        self.sha256[row] = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
        found = decode(data, preparation, self.path(row))
        if found.is_grey:
            self.images[row, ..., 0] = found.pixels >> 8
            self.images[row, ..., 1] = found.pixels & 255
        else:
            self.images[row] = found.pixels
            self.digests[row] = image_digest(found.pixels)
        self.facts[row] = _facts(found)

    def spread(self, white: int) -> None:
        """Gives grey images of 16 bits their pixels.

        Args:
            white: Value that becomes 255.
        """
        for row in np.flatnonzero(self.facts["is_grey"]):
            upper, lower = self.images[row, ..., 0], self.images[row, ..., 1]
            self.images[row] = to_bytes((upper.astype(np.uint16) << 8) | lower, white)
            self.digests[row] = image_digest(self.images[row])

    def store(self, folder: Path) -> None:
        """Writes labels and hashes beside the images, without those that are bad.

        Args:
            folder: Of the arrays.

        Raises:
            OSError: The disk is full.
        """
        good = np.flatnonzero(self.facts["is_good"])
        self.images.flush()  # type: ignore[attr-defined]
        if len(good) < len(self.files):
            kept = new_array(folder / "kept.npy", (len(good), *self.images.shape[1:]), np.uint8)
            for start in range(0, len(good), ROWS_AT_ONCE):
                part = slice(start, start + ROWS_AT_ONCE)
                kept[part] = self.images[good[part]]
            kept.flush()
            os.replace(folder / "kept.npy", folder / f"{self.name}_images.npy")
        labels = np.array([file.label for file in self.files], np.int32)
        write_array(folder / f"{self.name}_labels.npy", labels[good], np.int32)
        write_array(folder / f"{self.name}_rows.npy", good, np.int64)
        write_array(folder / f"{self.name}_digests.npy", self.digests[good], np.uint8)


def decode_splits(
    folder: Path,
    files: Mapping[str, Sequence[ImageFile]],
    preparation: Preparation,
    skip_bad: bool,
) -> tuple[list[DecodedSplit], int | None]:
    """Decodes the files of all splits into a folder.

    Args:
        folder: Where the arrays are written.
        files: Of each split, in order.
        preparation: How files become arrays; `white` follows from them here.
        skip_bad: Go on without files that cannot be decoded.

    Returns:
        What was found, and the value that is white in grey images of 16 bits; None without any.

    Raises:
        DataError: A file is broken and `skip_bad` is off, or 16-bit colours are nearly black.
    """
    splits = []
    for name, members in files.items():
        split = DecodedSplit.empty(folder, name, members, preparation.image_size)
        split.decode(preparation, skip_bad)
        splits.append(split)
    _check_upper_bytes(splits)
    highest = [split.facts["highest"][split.facts["is_grey"]] for split in splits]
    values = np.concatenate(highest)
    white = range_of(int(values.max())) if len(values) else None
    for split in splits:
        if white is not None:
            split.spread(white)
        split.store(folder)
    return splits, white


def _facts(found: Decoded) -> tuple[object, ...]:
    traits = (trait in found.traits for trait in TRAITS)
    return (True, found.width, found.height, found.highest, found.is_grey, *traits)


def _check_upper_bytes(splits: Sequence[DecodedSplit]) -> None:
    """Refuses 16-bit colours that have fewer bits, of which the upper byte alone is nearly black.

    Raises:
        DataError: All such images of the data set have fewer.
    """
    highest, example, count = 0, None, 0
    for split in splits:
        rows = np.flatnonzero(split.facts["upper_bytes"])
        if len(rows):
            highest = max(highest, int(split.facts["highest"][rows].max()))
            example, count = example or split.path(int(rows[0])), count + len(rows)
    if example is not None and highest < FULL_UPPER_BYTE:
        most = 256 * highest + 255
        raise DataError(
            "colours of 16 bits that use this range",
            f"{count} images, such as {shown(example)}, in which no value is above {most} of 65535",
            f"write them with 8 bits a value: value * 255 / {range_of(most)}",
        )
