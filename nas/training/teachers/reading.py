"""A path or a run -> the file of a teacher, its hash, and the teacher itself."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from latency import atomic
from latency.device import files
from latency.errors import LatencyError
from latency.onnx_files.external_data import external_tensors, locate
from nas.errors import FieldError, InputError
from nas.system.paths import kept_path, own_path
from nas.training.teachers.settings import Distillation
from nas.training.teachers.teacher import Teacher

# The network of a run, as `main.py` writes it.
EXPORTED = "model.onnx"
ENDINGS = (".onnx", ".keras")
# Folder of the copy that a run keeps of a teacher which its own trainings would replace.
KEPT = "teacher"


def teacher_file(named: str | Path) -> Path:
    """The file that is meant by a path.

    Args:
        named: An .onnx or .keras file, or the folder of a run whose network was trained.

    Raises:
        InputError: There is no such file.
    """
    path = own_path(named)
    if path.is_dir():
        if not (path / EXPORTED).is_file():
            raise InputError(
                f"a run with a trained network as --teacher, with {EXPORTED} in its folder",
                f"{path}, a folder without it",
                "train that run by main.py first, or name the file of a network",
            )
        path = path / EXPORTED
    if path.suffix.lower() not in ENDINGS:
        raise InputError(
            "--teacher FILE.onnx, FILE.keras or the folder of a run",
            f"{path}",
            "export the network to ONNX, and name that file",
        )
    if not path.is_file():
        raise InputError("a file as --teacher", f"{path}, where no file lies", "correct the path")
    return Path(kept_path(path))


def file_hash(path: Path) -> str:
    """SHA-256 of a teacher's file, and of the files beside it that hold its weights.

    Args:
        path: From `teacher_file`.

    Raises:
        LatencyError: A file cannot be read, or weights lie outside of the folder.
    """
    data = files.read_bytes(path, files.MOST_MODEL_BYTES)
    found = hashlib.sha256(data)
    if path.suffix.lower() == ".onnx":
        for name in _beside(path, data):
            found.update(files.read_bytes(name, files.MOST_MODEL_BYTES))
    return found.hexdigest()


def _beside(path: Path, data: bytes) -> list[str]:
    """Files with weights of an ONNX file; none where it is no such file, which is told later."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError:
        return []
    return sorted({locate(path, tensor).path for tensor in external_tensors([model.graph])})


def with_file(settings: Distillation) -> Distillation:
    """The same settings with the absolute path of the teacher's file, and its hash.

    Args:
        settings: As they were asked for.

    Raises:
        LatencyError: There is no such file.
    """
    if settings.teacher is None:
        return settings
    path = teacher_file(settings.teacher)
    return replace(settings, teacher=str(path), teacher_sha256=file_hash(path))


def kept_in(folder: Path, settings: Distillation) -> Distillation:
    """The same teacher where no training of a run writes: as a copy, if it lies in its folder.

    Args:
        folder: Of the run, whose trainings replace what earlier ones have exported.
        settings: Of the training, from `with_file`.

    Raises:
        LatencyError: The file cannot be read.
        OSError: The copy cannot be written.
    """
    if settings.teacher is None:
        return settings
    path, run = Path(settings.teacher).resolve(), folder.resolve()
    inside = path.is_relative_to(run) and not path.is_relative_to(run / KEPT)
    if not inside or not path.is_file():
        return settings
    data = files.read_bytes(path, files.MOST_MODEL_BYTES)
    # Another content is told where it is read; no training writes files with weights beside them.
    if hashlib.sha256(data).hexdigest() != settings.teacher_sha256:
        return settings
    own = folder / KEPT / path.relative_to(run)
    own.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(own, data)
    return replace(settings, teacher=kept_path(own))


def is_copy(kept: Path, path: Path) -> bool:
    """Whether a file is the copy of another one that `kept_in` made.

    Args:
        kept: The file that may be a copy.
        path: The other one, which trainings may have replaced since.
    """
    kept, path = kept.resolve(), path.resolve()
    folders = (folder for folder in kept.parents if folder.name == KEPT)
    return any(folder.parent / kept.relative_to(folder) == path for folder in folders)


def read_teacher(settings: Distillation, image_size: int) -> Teacher | None:
    """The teacher of a training; None where it has none.

    Args:
        settings: Of the training, from `with_file`.
        image_size: Of the images that it will score, in pixels.

    Raises:
        LatencyError: The file is gone, is another one by now, or is no classifier of colour images
            that can be run.
    """
    if settings.teacher is None:
        return None
    try:
        return _read(teacher_file(settings.teacher), settings, image_size)
    except LatencyError as error:
        is_told = "teacher" in error.expected
        expected = error.expected if is_told else f"{error.expected}, as teacher"
        raise FieldError(expected, error.received, error.fix, "teacher") from error


def _read(path: Path, settings: Distillation, image_size: int) -> Teacher:
    check_same_file(path, settings.teacher_sha256)
    # Each loads a library that the other does not need.
    if path.suffix.lower() == ".onnx":
        from nas.training.teachers.onnx_teacher import read_onnx_teacher

        return read_onnx_teacher(path, settings.teacher_input, image_size)
    from nas.training.teachers.keras_teacher import read_keras_teacher

    return read_keras_teacher(path, settings.teacher_input, image_size)


def check_same_file(path: Path, sha256: str) -> None:
    """Refuses a file with another content than the training began with.

    Args:
        path: Of the file.
        sha256: That its content has to have.

    Raises:
        LatencyError: It has another one, or cannot be read.
    """
    found = file_hash(path)
    if found != sha256:
        raise FieldError(
            f"the teacher that the training began with, of SHA-256 {sha256[:16]}...",
            f"{path} of SHA-256 {found[:16]}...",
            "put that file back or name it where it lies now, or add --restart to train anew",
            "teacher",
        )
