"""What an exported ONNX file says of itself: enough to use it right, and to find its run.

`read_metadata(path)` reads a file and checks it, and `with_metadata(model, metadata)` writes it.
The texts stand in the file's `metadata_props`, one key each, so that a program that knows nothing
of this one can read them too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

from latency.onnx_files.model_file import read_model
from nas.architecture import spec
from nas.architecture.text import to_text
from nas.data import Dataset
from nas.data.colours import BACKGROUND
from nas.data.preparation import RESIZES, Preparation
from nas.deployment.properties import PIXELS, class_names_in, properties_of
from nas.errors import InputError

Precision = Literal["fp32", "int8"]

METADATA_VERSION = "1"
# A run folder of an earlier version has files with these keys alone.
EARLIER_KEYS = frozenset(("architecture", "class_names", "input", "output"))
AGAIN = "write the file again: main.py --run RUN exports the run's network and trains nothing anew"
# The same in every file of this version. A file with other values would need another reader.
FIXED: Mapping[str, str] = {
    "metadata_version": METADATA_VERSION,
    "input": f"image: float32 [1, height, width, 3], RGB, {PIXELS}, not scaled",
    "output": "logits: float32 [1, classes], before softmax",
    "layout": "NHWC",
    "colours": "RGB",
    "pixel_range": "[0, 255]",
    "normalisation": f"in the graph: pixel * {spec.PIXEL_SCALE} + {spec.PIXEL_OFFSET}",
    "orientation": "EXIF is applied first",
    "resize_filter": "Pillow's BICUBIC with reducing_gap=3.0",
    "background": json.dumps(list(BACKGROUND)),
}
UNKNOWN = "unknown"


class MetadataError(InputError):
    """An ONNX file that does not say what it is, or something else than it is."""


@dataclass(frozen=True, kw_only=True)
class ModelMetadata:
    """What a file says of itself beside its graph.

    Args:
        class_names: Position is the index of the score.
        architecture: The network as text.
        image_size: Height and width of the input in pixels.
        preparation: How an image file becomes the input; None where nobody knows, as of arrays
            that a program made by itself.
        run_id: Of the run that trained it, `RunFolder.run_id`; None where there was no run.
        precision: What its products are computed in, `fp32` or `int8`.
        weights_sha256: Over all weights in the graph, 64 hex digits; empty until `with_metadata`
            has filled it in.
    """

    INPUT: ClassVar[str] = "image"
    OUTPUT: ClassVar[str] = "logits"

    class_names: tuple[str, ...]
    architecture: str
    image_size: int
    preparation: Preparation | None = None
    run_id: str | None = None
    precision: Precision = "fp32"
    weights_sha256: str = ""

    def in_precision(self, precision: Precision) -> ModelMetadata:
        """The same of another file of the same network.

        Args:
            precision: What that one computes in.
        """
        return replace(self, precision=precision)

    @property
    def properties(self) -> dict[str, str]:
        """Key -> text, as they stand in the file."""
        known = self.preparation
        return {
            **FIXED,
            "architecture": self.architecture,
            "class_names": json.dumps(list(self.class_names)),
            "image_size": str(self.image_size),
            "resize": known.resize if known else UNKNOWN,
            # Grey images of 16 bits have a white of their own, which the whole data set tells.
            "white": str(known.white) if known and known.white is not None else UNKNOWN,
            "run_id": self.run_id or UNKNOWN,
            "precision": self.precision,
            "weights_sha256": self.weights_sha256,
        }


def read_metadata(path: Path) -> ModelMetadata:
    """What an ONNX file of this program says of itself, checked against its graph.

    Args:
        path: Of the file.

    Raises:
        MetadataError: The file was not exported by this version of the program, or its metadata
            do not fit its graph or its weights.
        ModelFileError: It is no ONNX file.
    """
    return metadata_of(read_model(path), str(path))


def metadata_of(data: bytes, source: str) -> ModelMetadata:
    """Like `read_metadata`, of a file's content.

    Args:
        data: A serialised ONNX model.
        source: Where it comes from, for messages.

    Raises:
        MetadataError: As `read_metadata`.
    """
    import onnx

    model = onnx.ModelProto.FromString(data)
    found = properties_of(model)
    _check_is_ours(found, source)
    names = _class_names(found, source)
    size = _whole_number(found, "image_size", source)
    _check_graph(model, size, len(names), source)
    if found["weights_sha256"] != weights_sha256(model):
        raise MetadataError(
            f"the weights that were exported in {source}",
            "weights of another hash: the file was changed afterwards",
            AGAIN,
        )
    return ModelMetadata(
        class_names=names,
        architecture=found["architecture"],
        image_size=size,
        preparation=_preparation(found, size, source),
        run_id=None if found["run_id"] == UNKNOWN else found["run_id"],
        precision=_one_of(found, "precision", get_args(Precision), source),
        weights_sha256=found["weights_sha256"],
    )


def is_of_earlier_version(data: bytes) -> bool:
    """Whether a file was exported by a version whose metadata were fewer.

    Args:
        data: A serialised ONNX model.
    """
    import onnx

    model = onnx.ModelProto.FromString(data)
    return set(properties_of(model)) == EARLIER_KEYS


def metadata_for(
    architecture: spec.Architecture, dataset: Dataset, run_id: str | None
) -> ModelMetadata:
    """What a file of a network says of itself.

    Args:
        architecture: The network.
        dataset: What it learned from.
        run_id: Of the run; None where there is none.
    """
    return ModelMetadata(
        class_names=tuple(dataset.class_names),
        architecture=to_text(architecture),
        image_size=architecture.image_size,
        preparation=dataset.preparation,
        run_id=run_id,
    )


def with_metadata(model: Any, metadata: ModelMetadata) -> bytes:
    """A model as the bytes of a file that says what it is.

    Args:
        model: `onnx.ModelProto`; its metadata are replaced, its graph stays.
        metadata: What to say; the hash of the weights is filled in.
    """
    properties = {**metadata.properties, "weights_sha256": weights_sha256(model)}
    del model.metadata_props[:]
    for key, value in properties.items():
        model.metadata_props.add(key=key, value=value)
    return bytes(model.SerializeToString())


def weights_sha256(model: Any) -> str:
    """A hash over the names, types, shapes and values of all weights of a graph.

    Args:
        model: `onnx.ModelProto`.

    Returns:
        64 hex digits; the same whatever the order of the weights in the file.
    """
    from onnx import numpy_helper

    digest = hashlib.sha256()
    for tensor in sorted(model.graph.initializer, key=lambda tensor: tensor.name):
        head = [tensor.name, tensor.data_type, list(tensor.dims)]
        digest.update(json.dumps(head).encode())
        digest.update(numpy_helper.to_array(tensor).tobytes())
    return digest.hexdigest()


def _check_is_ours(found: Mapping[str, str], source: str) -> None:
    """Refuses files of other programs and of other versions of this one."""
    wanted = f"an ONNX file that this program exported, with metadata {METADATA_VERSION}"
    if "metadata_version" not in found:
        if set(found) == EARLIER_KEYS:
            received = "of an earlier version, which did not say how images are prepared"
            raise MetadataError(wanted, f"{source}, {received}", AGAIN)
        raise MetadataError(
            wanted,
            f"{source}, without metadata_version",
            "name the model.onnx of a run; files of other programs do not say what they expect",
        )
    keys = ModelMetadata(class_names=(), architecture="", image_size=1).properties
    missing = [key for key in keys if key not in found]
    if missing:
        raise MetadataError(wanted, f"{source}, without {', '.join(missing)}", AGAIN)
    for key, value in FIXED.items():
        if found[key] != value:
            raise MetadataError(
                f"{key} {value!r} in the metadata of {source}",
                repr(found[key]),
                "use the version of the program that exported the file",
            )


def _class_names(found: Mapping[str, str], source: str) -> tuple[str, ...]:
    names = class_names_in(found)
    if names is None:
        raise MetadataError(
            f"class_names as a JSON list of texts in the metadata of {source}",
            repr(found["class_names"][:60]),
            AGAIN,
        )
    return names


def _whole_number(found: Mapping[str, str], key: str, source: str) -> int:
    text = found[key]
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text)):
        raise MetadataError(
            f"a whole number above 0 as {key} in the metadata of {source}", repr(text), AGAIN
        )
    return int(text)


def _one_of(found: Mapping[str, str], key: str, known: tuple[Any, ...], source: str) -> Any:
    if found[key] not in known:
        raise MetadataError(
            f"{key} to be one of {', '.join(known)} in the metadata of {source}",
            repr(found[key]),
            AGAIN,
        )
    return found[key]


def _preparation(found: Mapping[str, str], image_size: int, source: str) -> Preparation | None:
    resize = _one_of(found, "resize", (*RESIZES, UNKNOWN), source)
    if resize == UNKNOWN:
        return None
    has_white = found["white"] != UNKNOWN
    white = _whole_number(found, "white", source) if has_white else None
    return Preparation(image_size, resize, white)


def _check_graph(model: Any, image_size: int, classes: int, source: str) -> None:
    """Refuses metadata of another network than that of the file."""
    wanted = {
        ModelMetadata.INPUT: [1, image_size, image_size, spec.IMAGE_CHANNELS],
        ModelMetadata.OUTPUT: [1, classes],
    }
    found = {
        value.name: [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    if found != wanted:
        raise MetadataError(
            f"the input and output {wanted} that the metadata of {source} tell of",
            f"{found}",
            AGAIN,
        )
