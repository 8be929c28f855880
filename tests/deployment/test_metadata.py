"""What an exported file says of itself, and what its reader refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from latency.errors import ModelFileError
from nas.architecture.text import parse, to_text
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx
from nas.data.preparation import Preparation, Resize
from nas.deployment.metadata import (
    EARLIER_KEYS,
    MetadataError,
    ModelMetadata,
    read_metadata,
    with_metadata,
)
from nas.deployment.properties import class_names_in, properties_of, takes_pixels

NETWORK = parse("in_s16 cn_k3_s2_c8 gap fc_c3")
# Folders may be called anything: separators, quotes, markup, bytes that are no UTF-8.
ODD_NAMES = ('a "b", c', "[red]\n\t", "日本 \u202e caf\udce9")
METADATA = ModelMetadata(
    class_names=ODD_NAMES,
    architecture=to_text(NETWORK),
    image_size=16,
    preparation=Preparation(16, "crop", 4095),
    run_id="0123456789ab",
)


def model() -> onnx.ModelProto:
    return to_onnx(NETWORK, random_weights(NETWORK))


def written(
    path: Path,
    metadata: ModelMetadata = METADATA,
    changes: Mapping[str, str | None] = MappingProxyType({}),
) -> Path:
    """A file with these metadata; of the changes, None leaves a key out."""
    made = onnx.ModelProto.FromString(with_metadata(model(), metadata))
    texts = {entry.key: entry.value for entry in made.metadata_props} | dict(changes)
    onnx.helper.set_model_props(
        made, {key: text for key, text in texts.items() if text is not None}
    )
    path.write_bytes(made.SerializeToString())
    return path


def test_what_is_written_is_read(tmp_path: Path) -> None:
    found = read_metadata(written(tmp_path / "model.onnx"))
    assert found == replace(METADATA, weights_sha256=found.weights_sha256)
    assert len(found.weights_sha256) == 64


def test_files_of_others_and_of_earlier_versions_say_what_they_can(tmp_path: Path) -> None:
    path = written(tmp_path / "model.onnx")
    own = properties_of(onnx.load(path))
    assert own["image_size"] == "16"
    assert class_names_in(own) == ODD_NAMES and takes_pixels(own)
    earlier = {key: own[key] for key in EARLIER_KEYS}
    assert class_names_in(earlier) == ODD_NAMES and takes_pixels(earlier)
    for text in ("", "[", "{}", '["a", 1]', "[" * 100_000):
        assert class_names_in({"class_names": text}) is None, text[:9]
    assert class_names_in({}) is None and not takes_pixels({"input": "from 0 to 1"})


@pytest.mark.parametrize("resize", ["squeeze", "crop", "pad"])
def test_every_way_to_resize_is_read(resize: Resize, tmp_path: Path) -> None:
    metadata = replace(METADATA, preparation=Preparation(16, resize))
    assert read_metadata(written(tmp_path / "m.onnx", metadata)).preparation == Preparation(
        16, resize
    )


def test_what_nobody_knows_is_read_as_not_known(tmp_path: Path) -> None:
    found = read_metadata(
        written(tmp_path / "m.onnx", replace(METADATA, preparation=None, run_id=None))
    )
    assert (found.preparation, found.run_id) == (None, None)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"class_names": "a, b, c"}, "class_names as a JSON list of texts"),
        ({"class_names": '["a", 1, "c"]'}, "class_names as a JSON list of texts"),
        ({"class_names": '["a", "b"]'}, "the input and output"),
        ({"image_size": "32"}, "the input and output"),
        ({"image_size": "16.0"}, "a whole number above 0 as image_size"),
        ({"white": "-1"}, "a whole number above 0 as white"),
        ({"resize": "stretch"}, "resize to be one of squeeze, crop, pad, unknown"),
        ({"precision": "int4"}, "precision to be one of fp32, int8"),
        ({"layout": "NCHW"}, "layout 'NHWC'"),
        ({"metadata_version": "9"}, "metadata_version '1'"),
        ({"weights_sha256": "0" * 64}, "the weights that were exported"),
        ({"run_id": None}, "without run_id"),
        ({"metadata_version": None}, "without metadata_version"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(
    changes: dict[str, str | None], words: str, tmp_path: Path
) -> None:
    path = written(tmp_path / "model.onnx", changes=changes)
    with pytest.raises(MetadataError) as caught:
        read_metadata(path)
    error = caught.value
    assert words in f"{error.expected} {error.received}" and str(path) in str(error)
    assert error.fix


def test_other_weights_than_those_exported_are_seen(tmp_path: Path) -> None:
    made = onnx.ModelProto.FromString(with_metadata(model(), METADATA))
    kernel = made.graph.initializer[-1]
    changed = np.array(numpy_helper.to_array(kernel)) + np.float32(1e-3)
    kernel.CopyFrom(numpy_helper.from_array(changed, kernel.name))
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(MetadataError, match="the file was changed afterwards"):
        read_metadata(tmp_path / "model.onnx")


def test_a_file_of_an_earlier_version_is_told_from_one_of_another_program(tmp_path: Path) -> None:
    earlier = {"architecture": "a", "class_names": "[]", "input": "i", "output": "o"}
    made = to_onnx(NETWORK, random_weights(NETWORK), metadata=earlier)
    (tmp_path / "model.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(MetadataError, match="(?s)an earlier version.*main.py --run RUN"):
        read_metadata(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(model().SerializeToString())
    with pytest.raises(MetadataError, match="files of other programs"):
        read_metadata(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelFileError):
        read_metadata(tmp_path / "model.onnx")
