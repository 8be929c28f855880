"""What of a folder is an image, what is no data, and that whatever is left out is named."""

from __future__ import annotations

import os
import random
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from nas.data import DataError, image_formats, load_dataset
from nas.data.decoding import decode_image
from nas.data.layouts.find import find_layout
from nas.data.layouts.layout import FileLayout
from nas.data.look import Looks, check_searchable
from nas.data.preparation import Preparation
from nas.pipeline.inputs import load_data
from nas.recipes.scales import Scale
from nas.runs.data import DataSource
from tests.support.image_folders import PNG, assert_three_parts, plant, write_folders

Tree = Mapping[str, int | bytes | Path]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 12345\n"


def read(root: Path, tree: Tree) -> FileLayout:
    found = find_layout(plant(root, tree), 0, 0.25)
    assert isinstance(found, FileLayout)
    return found


def names_of(found: FileLayout) -> set[str]:
    return {file.path.name for file in (*found.train, *found.evaluation)}


def refusal(root: Path, tree: Tree) -> pytest.ExceptionInfo[DataError]:
    plant(root, tree)
    with pytest.raises(DataError) as error:
        find_layout(root, 0, 0.25)
    return error


READ = (".jfif", ".jpe", ".JPG", ".webp", ".jp2", ".tga", ".ico", ".pgm", ".qoi", ".mpo", ".apng")


@pytest.mark.parametrize("suffix", READ)
def test_a_class_of_files_of_any_format_that_pillow_reads(tmp_path: Path, suffix: str) -> None:
    files: dict[str, int | bytes | Path] = {f"b/{i}{suffix}": PNG for i in range(4)}
    found = read(tmp_path, files | {"a": 4})
    assert found.class_names == ("a", "b")
    assert len(found.train) + len(found.evaluation) == 8


def test_every_format_that_pillow_opens_is_read_or_refused_by_a_list() -> None:
    Image.init()
    known = {s: name for s, name in Image.registered_extensions().items() if name in Image.OPEN}
    missing = {name for s, name in known.items() if s not in image_formats.image_suffixes()}
    assert missing <= image_formats.NOT_OPENED
    assert not image_formats.image_suffixes() & {".pdf", ".eps", ".ps", ".h5", ".txt", ""}


def test_a_format_that_is_not_read_is_not_opened_under_another_suffix(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path, "EPS")
    with pytest.raises(DataError) as error:
        decode_image(path, Preparation(8))
    assert_three_parts(error, "no image of a format that is known")
    assert "a.png" in error.value.received


@pytest.mark.parametrize("name", [".png", "png", "a.", "a.txt", "a.png.part", ".a"])
def test_names_that_are_no_image(name: str) -> None:
    assert not image_formats.is_image_name(name)


def test_files_of_other_suffixes_are_counted_and_named(tmp_path: Path) -> None:
    tree: Tree = {"a": 4, "b": 4, "a/x.heic": b"", "a/y.heic": b"", "b/n.pdf": b"", "b/0001": b""}
    (note,) = [note for note in read(tmp_path, tree).notes if "of no image suffix" in note]
    assert "4 files" in note and ".heic 2" in note and ".pdf 1" in note and "no suffix 1" in note
    assert "a/x.heic" in note


@pytest.mark.parametrize("parts", ["", "train/"])
def test_a_folder_without_images_is_named_with_what_it_holds(tmp_path: Path, parts: str) -> None:
    tree: dict[str, int | bytes] = {f"{parts}{name}": 4 for name in ("a", "b")}
    tree |= {f"{parts}c/{i}.heic": b"" for i in range(3)} | {f"{parts}d": 0}
    if parts:
        tree |= {"val/a": 2, "val/b": 2, "val/d": 0}
    found = read(tmp_path, tree)
    assert found.class_names == ("a", "b")
    (note,) = [note for note in found.notes if "so no class" in note]
    assert f"{parts}c/ (3 .heic)" in note and f"{parts}d/ (empty)" in note


def test_a_class_with_evaluation_images_alone_is_refused(tmp_path: Path) -> None:
    tree = {"train/a": 3, "train/b": 3, "train/c": 0, "val/a": 1, "val/b": 1, "val/c": 1}
    assert_three_parts(refusal(tmp_path, tree), "c, of which there are no training images")


def test_classes_without_evaluation_images_are_named_in_the_first_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_folders(tmp_path / "data" / "train", ("a", "b", "c", "d")).parent
    write_folders(root / "val", ("a", "b"))
    (root / "val" / "c").mkdir()
    data = load_data(DataSource("files", str(root)), Scale.fitting(False, True), 0)
    assert any("No evaluation images of c, d" in note for note in data.notes)
    assert "No evaluation images of c, d" in capsys.readouterr().out


def test_a_class_whose_evaluation_images_are_skipped_is_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "data" / "train", ("a", "b")).parent
    write_folders(root / "val", ("a", "b"), count=1)
    (root / "val" / "b" / "0.png").write_bytes(b"no image")
    data = load_dataset(root, cache_dir=tmp_path / "cache", skip_bad_images=True)
    assert any("No evaluation images of b" in note for note in data.notes)


HIDDEN_FOLDERS = (
    *(".ipynb_checkpoints", "__MACOSX", ".git", "@eaDir", "$RECYCLE.BIN", ".AppleDouble"),
    *("System Volume Information", ".thumbnails", ".Trash-1000", "lost+found", "#recycle"),
)


@pytest.mark.parametrize("hidden", HIDDEN_FOLDERS)
@pytest.mark.parametrize("place", ["", "a/", "a/inner/"])
def test_images_below_hidden_and_system_folders_are_no_data(
    tmp_path: Path, hidden: str, place: str
) -> None:
    found = read(tmp_path, {"a": 4, "a/inner": 2, "b": 4, f"{place}{hidden}/a": 9})
    assert found.class_names == ("a", "b")
    assert len(found.train) + len(found.evaluation) == 10
    assert any(f"hidden or of the system: {hidden}/" in note for note in found.notes)


@pytest.mark.parametrize("part", ["train", "val"])
def test_a_hidden_folder_in_a_part_is_no_class(tmp_path: Path, part: str) -> None:
    tree = {"train/a": 3, "train/b": 3, "val/a": 1, "val/b": 1, f"{part}/.ipynb_checkpoints": 2}
    assert read(tmp_path, tree).class_names == ("a", "b")


def test_the_data_itself_may_stand_below_a_hidden_folder(tmp_path: Path) -> None:
    assert read(tmp_path / ".cache" / "data", {"a": 4, "b": 4}).class_names == ("a", "b")


def test_images_that_are_in_the_cloud_alone_are_named(tmp_path: Path) -> None:
    found = read(tmp_path, {"a": 4, "b": 4, "a/.9.jpg.icloud": b"bplist00"})
    assert len(found.train) + len(found.evaluation) == 8
    assert any(".9.jpg.icloud" in note for note in found.notes)


@pytest.mark.parametrize("name", ["Thumbs.db", "desktop.ini", ".DS_Store", "Icon\r"])
def test_files_of_the_system_need_no_word(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, {"a": 4, "b": 4, name: b"x", f"a/{name}": b"x"})
    assert not any("Left out" in note for note in found.notes)


def test_hidden_images_are_named(tmp_path: Path) -> None:
    found = read(tmp_path, {"a": 4, "b": 4, "a/._0.png": b"\x00\x05\x16\x07"})
    assert "._0.png" not in names_of(found)
    assert any("._0.png" in note for note in found.notes)


@pytest.mark.parametrize("place", ["", "train/"])
def test_images_beside_class_folders_are_named(tmp_path: Path, place: str) -> None:
    tree: dict[str, int | bytes] = {f"{place}a": 4, f"{place}b": 4, f"{place}cover.png": PNG}
    if place:
        tree |= {"val/a": 1, "val/b": 1}
    found = read(tmp_path, tree)
    assert "cover.png" not in names_of(found)
    assert any("1 image straight in" in note and "cover.png" in note for note in found.notes)


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    plant(tmp_path / "elsewhere", {"more": 3, "dog": 4})
    away = tmp_path / "elsewhere"
    tree: Tree = {"cat": 4, "cat/more": away / "more", "dog": away / "dog"}
    found = read(tmp_path / "data", tree)
    assert len(found.train) + len(found.evaluation) == 11
    assert any("cat/more/" in note for note in found.notes)


@pytest.mark.parametrize("target", ["cat", ".", ".."])
def test_a_link_to_a_folder_above_is_refused(tmp_path: Path, target: str) -> None:
    root = plant(tmp_path / "data", {"cat": 4, "dog": 4})
    (root / "cat" / "again").symlink_to((root / target) if target != ".." else tmp_path)
    with pytest.raises(DataError) as error:
        find_layout(root, 0, 0.25)
    assert_three_parts(error, "again")


@pytest.mark.parametrize("names", [("cat", "dog"), ("train", "val"), ("train/cat", "val/cat")])
def test_one_folder_under_two_names_is_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    first, second = names
    tree: dict[str, int | Path] = {"bird": 3} if first == "cat" else {"train/bird": 3}
    inner = "/cat" if first == "train" else ""
    tree |= {f"{first}{inner}": 3, second: tmp_path / "data" / first}
    if first == "train/cat":
        tree |= {"val/bird": 3}
    error = refusal(tmp_path / "data", tree)
    assert_three_parts(error, "one folder by a link")
    assert first in error.value.received and second in error.value.received


@pytest.mark.parametrize("target", ["gone.png", "x.png"])
def test_links_to_images_that_are_gone_are_counted_and_named(tmp_path: Path, target: str) -> None:
    error = refusal(tmp_path, {"a": 3, "b": 3, "a/x.png": tmp_path / "a" / target})
    assert_three_parts(error, "1 of 7 that lead nowhere")
    assert target in error.value.received


def test_a_class_of_links_that_lead_nowhere_does_not_vanish(tmp_path: Path) -> None:
    links: Tree = {f"c/{i}.jpg": tmp_path / "gone" for i in range(3)}
    tree = {"a": 3, "b": 3, **links}
    assert_three_parts(refusal(tmp_path, tree), "3 of 9 that lead nowhere")


@pytest.mark.parametrize("link", ["c", "train", "a/more"])
def test_a_linked_folder_that_is_gone_is_refused(tmp_path: Path, link: str) -> None:
    error = refusal(tmp_path, {"a": 3, "b": 3, link: tmp_path / "gone"})
    assert_three_parts(error, f"{tmp_path / link}, a link to {tmp_path / 'gone'}")


@pytest.mark.parametrize("link", ["train/c", "val/c", "val"])
def test_a_linked_folder_of_a_part_that_is_gone_is_refused(tmp_path: Path, link: str) -> None:
    tree: dict[str, int | Path] = {"train/a": 3, "train/b": 3}
    tree |= {} if link == "val" else {"val/a": 1, "val/b": 1}
    error = refusal(tmp_path, tree | {link: tmp_path / "gone"})
    assert_three_parts(error, f"{tmp_path / link}, a link")


@pytest.mark.parametrize("inside", [0, 3])
def test_a_folder_called_like_an_image_is_a_folder(tmp_path: Path, inside: int) -> None:
    found = read(tmp_path, {"a": 4, "b": 4, "a/x.jpg": inside})
    assert len(found.train) + len(found.evaluation) == 8 + inside
    assert any("a/x.jpg/" in note for note in found.notes)


def test_pipes_called_like_an_image_are_left_out(tmp_path: Path) -> None:
    plant(tmp_path, {"a": 4, "b": 4})
    os.mkfifo(tmp_path / "a" / "x.png")
    assert "x.png" not in names_of(read(tmp_path, {}))


@pytest.mark.parametrize("name", ["a", "train", "train/a", "val"])
def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tree = {"a": 3, "b": 3} if name == "a" else {"train/a": 3, "train/b": 3, "val/a": 1, "val/b": 1}
    usual = os.scandir

    def scandir(path: Path) -> object:
        if Path(path) == tmp_path / name:
            raise PermissionError(13, "Permission denied", str(path))
        return usual(path)

    plant(tmp_path, tree)
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError) as error:
        find_layout(tmp_path, 0, 0.25)
    assert_three_parts(error, f"{tmp_path / name}: Permission denied")


def test_a_folder_that_can_be_listed_and_not_entered_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, {"a": 3, "b": 3})
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "b")
    with pytest.raises(DataError) as error:
        find_layout(tmp_path, 0, 0.25)
    assert_three_parts(error, f"{tmp_path / 'b'}: Permission denied")


@pytest.mark.parametrize("pair", [("Cat", "cat"), ("cat", "cat "), ("big cat", "BigCat")])
def test_classes_of_nearly_one_name_are_named(tmp_path: Path, pair: tuple[str, str]) -> None:
    found = read(tmp_path, {"dog": 3, **dict.fromkeys(pair, 3)})
    assert set(found.class_names) == {"dog", *pair}
    (note,) = [note for note in found.notes if "nearly one" in note]
    assert all(f"{name}/" in note for name in pair) and "dog" not in note


@pytest.mark.parametrize("count", [1, 3])
def test_pointers_of_git_lfs_are_counted_and_named(tmp_path: Path, count: int) -> None:
    error = refusal(tmp_path, {"a": 3, "b": 3, **{f"a/x{i}.png": POINTER for i in range(count)}})
    assert_three_parts(error, f"{count} of {6 + count} files that are pointers of Git LFS")
    assert "x0.png" in error.value.received and "git lfs pull" in error.value.fix


@pytest.mark.parametrize("counts", [{"a": 1, "b": 5}, {"a": 1, "b": 1, "c": 4}])
def test_classes_with_one_image_are_named_before_anything(
    tmp_path: Path, counts: dict[str, int]
) -> None:
    error = refusal(tmp_path, counts)
    few = ", ".join(name for name, count in counts.items() if count == 1)
    assert_three_parts(error, f"1 of {few}")


def test_a_class_that_a_search_cannot_divide_is_named(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "data" / "train", ("a", "b")).parent
    write_folders(root / "val", ("a", "b"), count=1)
    for number in (1, 2, 3):
        (root / "train" / "b" / f"{number}.png").unlink()
    data = load_dataset(root, cache_dir=tmp_path / "cache")
    with pytest.raises(DataError) as error:
        check_searchable(Looks.of(data))
    assert_three_parts(error, "1 of b")


def test_accents_in_two_forms_are_one_class(tmp_path: Path) -> None:
    whole, apart = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    found = read(
        tmp_path,
        {f"train/{whole}": 3, "train/tea": 3, f"val/{apart}": 1, "val/tea": 1},
    )
    assert found.class_names == (whole, "tea")
    assert sorted(file.label for file in found.evaluation) == [0, 1]


def test_two_folders_of_one_class_in_two_forms_are_refused(tmp_path: Path) -> None:
    tree = {unicodedata.normalize(form, "café"): 3 for form in ("NFC", "NFD")}
    assert_three_parts(refusal(tmp_path, tree), "two forms of Unicode")


def test_names_that_are_no_utf8_are_written_out(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    found = read(tmp_path, {name: 4, "tea": 4, f"{name}/x.heic": b""})
    assert found.class_names == ("caf\\xe9", "tea")
    assert "".join((*found.notes, *found.class_names)).encode("utf-8")


NAMES = (
    *("train", "Training", "val", "valid", "test", "test1", "seg_train", "seg_test", "pred"),
    *("cat", "dog", "x", "c d", "images", "masks", ".hidden", "__MACOSX"),
)


def grown(rng: random.Random, prefix: str = "", depth: int = 1) -> dict[str, int]:
    """Folders of any names within each other, with none to three images each."""
    tree: dict[str, int] = {}
    for name in rng.sample(NAMES, rng.randint(0, 4)):
        tree[f"{prefix}{name}"] = rng.choice((0, 0, 1, 2, 3))
        if depth < 3 and rng.random() < 0.5:
            tree |= grown(rng, f"{prefix}{name}/", depth + 1)
    return tree


def test_of_any_folders_every_image_is_used_or_counted_or_the_whole_is_refused(
    tmp_path: Path,
) -> None:
    read_ones = 0
    for seed in range(400):
        tree = grown(random.Random(seed))
        root = plant(tmp_path / str(seed), tree)
        try:
            found = find_layout(root, 0, 0.25)
        except DataError as error:
            assert str(root) in error.expected + error.received, "the place is named"
            continue
        assert isinstance(found, FileLayout)
        read_ones += 1
        no_data = re.compile(r"(^|/)(\.hidden|__MACOSX)(/|$)")
        there = sum(count for name, count in tree.items() if not no_data.search(name))
        used = [file.path for file in (*found.train, *found.evaluation)]
        assert len(set(used)) == len(used)
        said = " ".join(note for note in found.notes if note.startswith(("Not used", "Left out")))
        counted = sum(int(count) for count in re.findall(r"(\d+) images?\b", said))
        assert len(used) + counted == there, (tree, found.notes)
    assert read_ones > 20, "else the trees would say nothing"
