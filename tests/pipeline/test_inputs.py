"""The images and the space of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nas.data import Dataset, Split
from nas.data.dataset import selection_fingerprint
from nas.data.preparation import Preparation
from nas.errors import InputError
from nas.pipeline.inputs import keep_data, load_data, space_of
from nas.recipes.scales import SMOKE
from nas.runs.config import DataRecord, DataSource
from nas.runs.folder import RunFolder
from tests.support.run_config import run_config


@pytest.fixture
def dataset() -> Dataset:
    split = Split(np.zeros((4, 32, 32, 3), np.uint8), np.array([0, 1, 0, 1], np.int32))
    return Dataset("toy", split, split, ("a", "b"), 32, "0" * 16, False, ("2 were skipped",))


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", run_config(), "test")


def test_images_that_were_handed_over_are_used_as_they_are(
    dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_data(DataSource("memory"), SMOKE, 0, dataset) is dataset
    assert "2 were skipped" in capsys.readouterr().out


def test_images_that_were_handed_over_must_come_again() -> None:
    with pytest.raises(InputError, match="handed over"):
        load_data(DataSource("memory"), SMOKE, 0)


def test_the_record_of_the_images_is_written_once(folder: RunFolder, dataset: Dataset) -> None:
    record = keep_data(folder, dataset)
    assert (record.train_images, record.num_classes, record.notes) == (4, 2, ("2 were skipped",))
    before = (folder.path / "data.json").stat().st_mtime_ns
    assert keep_data(folder, replace(dataset, name="elsewhere")) == record
    assert (folder.path / "data.json").stat().st_mtime_ns == before
    assert folder.read(DataRecord) == record


def test_the_record_says_how_later_images_become_arrays(
    folder: RunFolder, dataset: Dataset
) -> None:
    prepared = Preparation(32, "pad", white=4095)
    keep_data(folder, replace(dataset, preparation=prepared))
    assert folder.read(DataRecord).preparation == prepared


def test_other_images_are_refused(folder: RunFolder, dataset: Dataset) -> None:
    keep_data(folder, dataset)
    with pytest.raises(InputError, match="the images that the run began with") as caught:
        keep_data(folder, replace(dataset, fingerprint="1" * 16))
    assert "1" * 16 in caught.value.received


def test_a_run_of_an_earlier_version_goes_on_with_the_same_images(
    folder: RunFolder, dataset: Dataset
) -> None:
    """Its fingerprint was made by another formula."""
    earlier = selection_fingerprint(dataset.train, dataset.evaluation)
    folder.write(DataRecord.of(replace(dataset, fingerprint=earlier)))
    assert keep_data(folder, dataset).fingerprint == earlier != dataset.fingerprint
    other = Split(dataset.train.images + 1, dataset.train.labels)
    with pytest.raises(InputError, match="the images that the run began with"):
        keep_data(folder, replace(dataset, train=other))


def test_images_that_were_handed_over_have_no_files_to_verify(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="--verify_data"):
        load_data(DataSource("memory", verify_data=True), SMOKE, 0, dataset)


def test_a_space_fits_the_images_where_none_is_named(dataset: Dataset) -> None:
    assert space_of(None, dataset).name == "cifar"
    assert space_of(None, replace(dataset, image_size=64)).name == "tiny"
    assert space_of("toy", dataset).name == "toy"
    assert space_of("toy", dataset).num_classes == 2
