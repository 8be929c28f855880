"""An exported network says what is on images; only ONNX Runtime computes, nothing is trained."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from latency.device.clock import now_text
from latency.errors import LatencyError
from nas.data.dataset import DataError
from nas.data.decoding import decode_content, read_bytes, shown
from nas.data.layouts.walk import image_files
from nas.data.preparation import Preparation
from nas.errors import InputError
from nas.runs.data import DataRecord
from nas.runs.folder import RunFolder
from nas.runs.predictions import ClassShare, FailedImage, PredictedImage, Predictions
from nas.system.paths import exists, own_path
from nas.system.program import go_on_command

MODEL_FILE = "model.onnx"
INT8_FILE = "model_int8.onnx"
# So many classes are told of each image.
TOP = 5
# So many images of a call are drawn.
MOST_DRAWN = 40
# A photograph of 32 px shows nobody what it is; the same part of it is drawn larger.
DRAWN_PIXELS = 224
LEAVE_OUT = "correct the path, or leave it out"


@dataclass(frozen=True)
class Classifier:
    """The exported file of a run, ready to be asked.

    Args:
        name: Of the file.
        sha256: Of its content.
        class_names: Position is the class index.
        preparation: How image files become arrays, as those that the network learned from.
        is_preparation_known: Whether the run says so; else images are squeezed to the size.
        session: Of ONNX Runtime.
    """

    name: str
    sha256: str
    class_names: tuple[str, ...]
    preparation: Preparation
    is_preparation_known: bool
    session: Any

    @classmethod
    def of(cls, folder: RunFolder, int8: bool = False) -> Classifier:
        """Of a run whose network is trained.

        Args:
            folder: Of the run.
            int8: The file whose weights and activations have 8 bits, in place of the usual one.

        Raises:
            InputError: The network is not trained, not exported in this form, or cannot be read.
        """
        path = _model_path(folder, int8)
        data = folder.read(DataRecord)
        content = path.read_bytes()
        session = _session(content, path)
        _check_scores(session, data, path)
        preparation = data.preparation or Preparation(data.image_size)
        return cls(
            path.name,
            hashlib.sha256(content).hexdigest(),
            data.class_names,
            preparation,
            data.preparation is not None,
            session,
        )

    def classify(self, path: str, content: bytes) -> PredictedImage:
        """The most probable classes of one image.

        Args:
            path: Of the image file.
            content: What is in it.

        Raises:
            DataError: It is no image that can be decoded.
            InputError: The file's scores are no numbers.
        """
        pixels = decode_content(content, self.preparation, Path(path))
        name = self.session.get_inputs()[0].name
        scores = self.session.run(None, {name: pixels[None].astype(np.float32)})[0][0]
        shares = softmax(np.asarray(scores, np.float64))
        if not np.isfinite(shares).all():
            raise InputError(
                f"scores of {self.name} that are numbers", "NaN or infinity", "train the run again"
            )
        best = np.argsort(-shares, kind="stable")[:TOP]
        return PredictedImage(
            path,
            tuple(ClassShare(self.class_names[i], int(i), float(shares[i])) for i in best),
        )

    def picture(self, path: str, content: bytes) -> np.ndarray:
        """The part of an image that the network sees, large enough for people.

        Args:
            path: Of the image file.
            content: What is in it.

        Raises:
            DataError: It is no image that can be decoded.
        """
        pixels = max(DRAWN_PIXELS, self.preparation.image_size)
        return decode_content(content, replace(self.preparation, image_size=pixels), Path(path))


@dataclass(frozen=True)
class Predicted:
    """What a network says of images, and how they look.

    Args:
        predictions: For the record.
        pictures: (pixels, pixels, 3) uint8 of the first `MOST_DRAWN` of its images. A file is read
            once: a pipe can be read no second time.
    """

    predictions: Predictions
    pictures: tuple[np.ndarray, ...]


def softmax(scores: np.ndarray) -> np.ndarray:
    """Scores of classes -> probabilities that add up to 1.

    Args:
        scores: (classes,) before softmax.
    """
    powers = np.exp(scores - scores.max())
    return np.asarray(powers / powers.sum())


def predict(folder: RunFolder, words: Sequence[str], int8: bool = False) -> Predicted:
    """What a run's exported network says of images; one that cannot be read stops no other.

    Args:
        folder: Of the run.
        words: Paths of image files, and of folders, whose images are all taken.
        int8: See `Classifier.of`.

    Returns:
        What was predicted, what failed, and what is drawn. Nothing is written.

    Raises:
        InputError: No paths, or no exported network.
    """
    if not words:
        raise InputError("paths of images or of folders", "none", "name one or more")
    classifier = Classifier.of(folder, int8)
    paths, failed = _all_images(words)
    found: list[PredictedImage] = []
    pictures: list[np.ndarray] = []
    for path in paths:
        try:
            content = read_bytes(Path(path))
            found.append(classifier.classify(path, content))
            if len(found) <= MOST_DRAWN:
                pictures.append(classifier.picture(path, content))
        except DataError as error:
            # The error of a data set proposes to skip bad images of the training.
            fix = error.fix.partition(", or go on without it by --skip_bad_images")[0]
            failed.append(FailedImage.of(path, error, f"{fix}, or leave it out"))
        except LatencyError as error:
            failed.append(FailedImage.of(path, error))
    predictions = Predictions(
        date=now_text(),
        model=classifier.name,
        model_sha256=classifier.sha256,
        preparation=classifier.preparation,
        is_preparation_known=classifier.is_preparation_known,
        images=tuple(found),
        failed=tuple(failed),
    )
    return Predicted(predictions, tuple(pictures))


def _all_images(words: Iterable[str]) -> tuple[list[str], list[FailedImage]]:
    """Every image file once, as it was named or found first, and what leads to none."""
    found: dict[Path, str] = {}
    failed: list[FailedImage] = []
    for word in _paths(words):
        try:
            for path in _images(word):
                found.setdefault(Path(path).absolute(), path)
        except DataError as error:
            failed.append(FailedImage.of(word, error))
    return list(found.values()), failed


def _paths(words: Iterable[str]) -> list[str]:
    """Paths that are written one by one or with commas between them, each once.

    A path that has a comma itself is there as a whole, and so is one with a space at its ends.
    """
    parts: list[str] = []
    for word in words:
        parts += [word] if exists(word) else word.split(",")
    named = (part if exists(part) else part.strip() for part in parts)
    return list(dict.fromkeys(str(own_path(part)) for part in named if part))


def _images(word: str) -> Iterator[str]:
    """The files that a path means: itself, or all images below a folder."""
    path = Path(word)
    if not exists(path):
        raise DataError(
            "an image or a folder of images", f"{shown(path)}: nothing there", LEAVE_OUT
        )
    if not path.is_dir():
        yield word
        return
    names = image_files(path)
    if not names:
        raise DataError(
            "a folder with images",
            f"{shown(path)}: no file in it, or below it, has the name of an image",
            "name the image files themselves if their names have other endings, or leave it out",
        )
    yield from map(str, names)


def _model_path(folder: RunFolder, int8: bool) -> Path:
    name = INT8_FILE if int8 else MODEL_FILE
    path = folder.path / name
    if path.is_file():
        return path
    if int8 and folder.has(MODEL_FILE):
        raise InputError(
            f"a network that was exported with 8 bits in {folder.path}",
            f"no {name}",
            "leave --int8 out, or make it, which trains nothing anew: "
            f"{go_on_command('retrain', folder.path)} --export int8",
        )
    raise InputError(
        f"a trained network in {folder.path}",
        f"no {name}",
        f"train it: {go_on_command('retrain', folder.path)}",
    )


def _session(content: bytes, path: Path) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has an exception for each status, and no common one
        raise InputError(
            f"a network that ONNX Runtime {onnxruntime.__version__} runs in {path}",
            str(error).partition("\n")[0],
            "train the run again, or copy the file again",
        ) from None


def _check_scores(session: Any, data: DataRecord, path: Path) -> None:
    """Refuses a file that is not of this run: another size of images, or other classes."""
    size, classes = session.get_inputs()[0].shape[1:3], session.get_outputs()[0].shape[-1]
    wanted = [data.image_size, data.image_size]
    if list(size) != wanted or classes != data.num_classes:
        raise InputError(
            f"a network for {data.image_size} px and {data.num_classes} classes in {path}",
            f"one for {'x'.join(map(str, size))} px and {classes} classes",
            "train the run again, or copy the whole folder again",
        )
