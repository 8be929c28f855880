"""model.keras -> a LiteRT file, by Keras' own exporter, and its scores by LiteRT's interpreter."""

from __future__ import annotations

import importlib.util
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from nas.data import Split
from nas.deployment.scores import PART, Told, tell_nobody
from nas.errors import InputError
from nas.system.backend import native_stderr_held
from nas.system.chosen_backend import chosen_backend

# Backend -> the package that Keras' exporter needs beside it.
CONVERTERS = {"tensorflow": "tensorflow", "torch": "litert_torch"}
INTERPRETER = "ai_edge_litert"


def check_litert() -> None:
    """Refuses a backend or an installation that Keras exports no LiteRT from.

    Raises:
        InputError: As said.
    """
    backend = chosen_backend().name
    if backend not in CONVERTERS:
        raise InputError(
            f"--export litert with a backend that Keras exports it from: {', '.join(CONVERTERS)}",
            f"KERAS_BACKEND={backend}",
            "leave litert out now; later, `KERAS_BACKEND=tensorflow main.py --run RUN --export "
            "litert` exports the trained network and trains nothing anew",
        )
    package = CONVERTERS[backend]
    if importlib.util.find_spec(package) is None:
        name = package.replace("_", "-")
        raise InputError(
            f"the package {name}, which Keras' LiteRT exporter needs with {backend}",
            "no such package in this installation",
            f"pip install {name}, or leave litert out of --export",
        )


def to_litert(keras_file: Path) -> bytes:
    """A trained network as a LiteRT file.

    Args:
        keras_file: model.keras, whose layers are all Keras' own.

    Raises:
        InputError: Keras' exporter, or the converter below it, failed.
    """
    import keras

    model = keras.saving.load_model(keras_file, compile=False)
    shape = (1, *model.input_shape[1:])
    with tempfile.TemporaryDirectory(prefix="stopwatch-litert-") as folder:
        path = Path(folder, "model.tflite")
        try:
            with warnings.catch_warnings(), native_stderr_held():
                warnings.simplefilter("ignore")  # the converter's own
                model.export(
                    str(path),
                    format="litert",
                    verbose=False,
                    input_signature=[keras.InputSpec(shape=shape, dtype="float32")],
                )
        except Exception as error:  # converters raise whatever they meet
            line = (str(error).splitlines() or [repr(error)])[0].rstrip(".")
            raise InputError(
                "a network that Keras exports to LiteRT",
                f"{type(error).__name__}: {line}",
                "use model.onnx, or leave litert out of --export",
            ) from error
        return path.read_bytes()


def no_interpreter() -> str:
    """Why no LiteRT file can be run here, in words; empty where one can."""
    if any(importlib.util.find_spec(package) for package in (INTERPRETER, "tensorflow")):
        return ""
    return "no LiteRT interpreter is installed (pip install ai-edge-litert)"


def _interpreter() -> Any:
    if importlib.util.find_spec(INTERPRETER) is not None:
        from ai_edge_litert.interpreter import Interpreter

        return Interpreter
    import tensorflow

    return tensorflow.lite.Interpreter


def litert_scores(data: bytes, split: Split, told: Told = tell_nobody) -> np.ndarray:
    """Scores of a LiteRT file, one image at a time.

    Args:
        data: Of the file.
        split: Images.
        told: Told the progress.

    Returns:
        (images, classes) float32.
    """
    # TensorFlow's interpreter says at each start that it will move to a package of its own, and
    # which kernels it uses.
    with warnings.catch_warnings(), native_stderr_held():
        warnings.simplefilter("ignore")
        interpreter = _interpreter()(model_content=data)
        interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]["index"]
    result = interpreter.get_output_details()[0]["index"]
    total, found = len(split.labels), []
    for row in range(total):
        interpreter.set_tensor(source, np.asarray(split.images[row : row + 1], np.float32))
        interpreter.invoke()
        found.append(np.array(interpreter.get_tensor(result)))
        if (row + 1) % PART == 0 or row + 1 == total:
            told(row + 1, total)
    return np.concatenate(found).astype(np.float32)
