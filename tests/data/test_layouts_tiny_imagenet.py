"""Tiny-ImageNet as it is unpacked, and as the usual scripts leave it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nas.data import DataError
from nas.data.layouts.find import find_layout
from nas.data.layouts.layout import FileLayout
from tests.support.image_folders import PNG, assert_three_parts, plant

# Not in sorted order, as in the original: the class index is the line number.
WNIDS = ("n03", "n01", "n02")
EACH = 2


def unpacked(root: Path) -> Path:
    lines = []
    plant(root, {f"train/{wnid}/images": 3 for wnid in WNIDS} | {"val/images": 0})
    for number, wnid in enumerate(sorted(WNIDS) * EACH):
        (root / "val" / "images" / f"val_{number}.JPEG").write_bytes(PNG)
        lines.append(f"val_{number}.JPEG\t{wnid}\t0\t0\t63\t63")
    (root / "val" / "val_annotations.txt").write_text("\n".join(lines))
    (root / "wnids.txt").write_text("\n".join(WNIDS))
    return root


def sort_into(root: Path, below: str, move: bool = True) -> None:
    """What the scripts do: one folder a class, from the lines of the annotations."""
    for line in (root / "val" / "val_annotations.txt").read_text().splitlines():
        file, wnid = line.split("\t")[:2]
        target = root / "val" / below.format(wnid=wnid) / file
        target.parent.mkdir(parents=True, exist_ok=True)
        source = root / "val" / "images" / file
        target.write_bytes(source.read_bytes())
        if move:
            source.unlink()


def flat(root: Path) -> None:
    sort_into(root, "{wnid}")
    (root / "val" / "images").rmdir()


def flat_with_empty_images(root: Path) -> None:
    sort_into(root, "{wnid}")


def nested(root: Path) -> None:
    sort_into(root, "{wnid}/images")
    (root / "val" / "images").rmdir()


def inside_images(root: Path) -> None:
    sort_into(root, "images/{wnid}")


def copied(root: Path) -> None:
    sort_into(root, "{wnid}", move=False)


def without_file(sorted_by: Callable[[Path], None]) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        sorted_by(root)
        (root / "val" / "val_annotations.txt").unlink()

    return change


CHANGES: dict[str, Callable[[Path], None]] = {
    "as unpacked": lambda root: None,
    "val/<wnid>/": flat,
    "val/<wnid>/ beside an empty images/": flat_with_empty_images,
    "val/<wnid>/images/": nested,
    "val/images/<wnid>/": inside_images,
    "copies in val/<wnid>/": copied,
    "val/<wnid>/ without the file": without_file(flat),
    "val/<wnid>/images/ without the file": without_file(nested),
    "val/images/<wnid>/ without the file": without_file(inside_images),
}


def read(root: Path) -> FileLayout:
    found = find_layout(root, 0, 0.1)
    assert isinstance(found, FileLayout)
    return found


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_the_usual_ways_to_sort_val_are_read(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    root = unpacked(tmp_path / "tiny")
    change(root)
    found = read(root)
    assert found.class_names == WNIDS
    assert len(found.train) == 9
    # val_0 and val_3 are of n01, which is in the second line, and so on.
    labels = {file.path.name: file.label for file in found.evaluation}
    assert labels == {f"val_{number}.JPEG": (1, 2, 0)[number % 3] for number in range(6)}
    assert len(found.evaluation) == 6
    assert any("line number in wnids.txt" in note for note in found.notes)
    assert any("Evaluation images: val/" in note for note in found.notes)


def test_blank_lines_of_the_annotations_name_nothing(tmp_path: Path) -> None:
    root = unpacked(tmp_path / "tiny")
    expected = read(root).evaluation
    path = root / "val" / "val_annotations.txt"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join(["", first, "", *rest, " \t", "", ""]))
    assert read(root).evaluation == expected


def test_train_may_lack_its_images_folders(tmp_path: Path) -> None:
    root = plant(unpacked(tmp_path / "tiny"), {f"train/{wnid}": 4 for wnid in WNIDS})
    assert len(read(root).train) == 9 + 12


@pytest.mark.parametrize("name", ["test/images", "test/n01/images", "val_original"])
def test_other_folders_of_images_are_named(tmp_path: Path, name: str) -> None:
    root = plant(unpacked(tmp_path / "tiny"), {name: 5})
    notes = read(root).notes
    assert any(f"Not used: {name.partition('/')[0]}/ (5 images)" in note for note in notes)


def test_training_folders_that_no_line_names_are_named(tmp_path: Path) -> None:
    root = plant(unpacked(tmp_path / "tiny"), {"train/n99/images": 3})
    assert any("1 folder with 3 images (train/n99/)" in note for note in read(root).notes)


def no_file(root: Path) -> None:
    (root / "val" / "val_annotations.txt").unlink()


def no_val(root: Path) -> None:
    for path in sorted((root / "val").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / "val").rmdir()


def foreign_class(root: Path) -> None:
    flat(root)
    plant(root, {"val/n77": 2})


@pytest.mark.parametrize(
    ("change", "text"), [(no_file, "val"), (no_val, "val"), (foreign_class, "n77/")]
)
def test_validation_images_without_a_class_are_refused(
    tmp_path: Path, change: Callable[[Path], None], text: str
) -> None:
    root = unpacked(tmp_path / "tiny")
    change(root)
    with pytest.raises(DataError) as error:
        find_layout(root, 0, 0.1)
    assert_three_parts(error, text)


def test_without_wnids_it_is_a_folder_of_parts(tmp_path: Path) -> None:
    root = unpacked(tmp_path / "tiny")
    nested(root)
    (root / "wnids.txt").unlink()
    found = read(root)
    assert found.class_names == tuple(sorted(WNIDS))
    assert any("sorted folder name" in note for note in found.notes)
