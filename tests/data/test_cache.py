"""The cache of decoded images under full disks, killed processes and company."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nas.data import DataError, cache, load_dataset, split_decoding
from nas.data.decoding import Decoded, decode, decode_image
from nas.data.load import load_sample
from nas.data.preparation import Preparation
from tests.support.image_folders import SIZE, assert_three_parts, write_folders

ROOT = Path(__file__).resolve().parents[2]


def test_skipped_images_leave_the_others_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_decoding, "ROWS_AT_ONCE", 3)
    root = write_folders(tmp_path / "data" / "train", count=7).parent
    write_folders(root / "val", count=1)
    for name in ("a/0.png", "b/3.png"):
        (root / "train" / name).write_bytes(b"no image")
    data = load_dataset(root, cache_dir=tmp_path / "cache", skip_bad_images=True)
    good = [p for p in sorted(root.glob("train/*/*")) if p.stat().st_size > 10]
    assert len(good) == 12
    assert np.array_equal(data.train.images, [decode_image(p, Preparation(SIZE)) for p in good])
    assert data.train.labels.tolist() == [0] * 6 + [1] * 6
    assert not list(tmp_path.rglob("kept.npy"))


def test_disk_space_is_taken_before_pixels_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write to a map without space of its own ends the process instead of raising."""
    taken = []

    def looked(data: bytes, preparation: Preparation, path: Path) -> Decoded:
        (array,) = (tmp_path / "cache").rglob("train_images.npy")
        taken.append((array.stat().st_blocks * 512, array.stat().st_size))
        return decode(data, preparation, path)

    monkeypatch.setattr(split_decoding, "decode", looked)
    root = write_folders(tmp_path / "data" / "train", count=40).parent
    write_folders(root / "val", count=1)
    load_dataset(root, cache_dir=tmp_path / "cache")
    blocks, size = taken[0]
    assert blocks >= size > 80 * SIZE * SIZE * 3


@pytest.mark.parametrize("sample", [False, True])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sample: bool, code: int
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "posix_fallocate", full)
    root = write_folders(tmp_path / "data")
    with pytest.raises(DataError) as error:
        if sample:
            load_sample(is_toy=True, cache_dir=tmp_path / "cache")
        else:
            load_dataset(root, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "STOPWATCH_CACHE")
    assert not list((tmp_path / "cache" / "images").iterdir())


def test_cache_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(DataError) as error:
        load_sample(is_toy=True, cache_dir=tmp_path / "cache")
    assert_three_parts(error, "STOPWATCH_CACHE")


MAKER = """
import sys, time
from pathlib import Path
from nas.data.cache import cached_arrays

def make(folder):
    (folder / "train_images.npy").write_bytes(b"half")
    print(folder, flush=True)
    time.sleep(600)

cached_arrays(Path(sys.argv[1]), "key", make)
"""


def one_split(folder: Path) -> dict[str, object]:
    cache.write_split(folder, "train", np.ones((1, 2, 2, 3)), np.zeros(1))
    return {"splits": ["train"]}


def test_what_a_killed_process_left_is_removed_and_a_living_one_keeps_its_own(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", MAKER, str(tmp_path)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        half = Path(process.stdout.readline().strip())
        cache.cached_arrays(tmp_path, "other", one_split)
        assert (half / "train_images.npy").is_file(), "its maker lives"
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert half.is_dir(), "else this tests nothing"
    _, splits, _ = cache.cached_arrays(tmp_path, "key", one_split)
    assert (splits["train"].images == 1).all()
    assert sorted(p.name for p in (tmp_path / "images").iterdir()) == ["key", "other"]


def test_leftover_of_a_process_with_our_number_is_removed(tmp_path: Path) -> None:
    """In a container every run may have the same process number."""
    left = tmp_path / "images" / f".key.{os.getpid()}.abc"
    left.mkdir(parents=True)
    cache.cached_arrays(tmp_path, "key", one_split)
    assert not left.exists()


def test_entry_made_meanwhile_by_another_is_used(tmp_path: Path) -> None:
    def slower(folder: Path) -> dict[str, object]:
        cache.cached_arrays(tmp_path, "key", one_split)
        cache.write_split(folder, "train", np.zeros((1, 2, 2, 3)), np.zeros(1))
        return {"splits": ["train"]}

    _, splits, _ = cache.cached_arrays(tmp_path, "key", slower)
    assert (splits["train"].images == 1).all()
    assert [p.name for p in (tmp_path / "images").iterdir()] == ["key"]


def test_disk_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    other = tmp_path / "images" / ".key.1.abc"
    other.mkdir(parents=True)
    _, splits, _ = cache.cached_arrays(tmp_path, "key", one_split)
    assert len(splits["train"].labels) == 1
    assert other.is_dir(), "without locks nobody can tell whether it is in use"


def test_entry_has_the_permissions_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images").chmod(0o775)
    cache.cached_arrays(tmp_path, "key", one_split)
    assert (tmp_path / "images" / "key").stat().st_mode & 0o777 == 0o775
