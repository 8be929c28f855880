"""Starts Keras and its backend quietly and with deterministic kernels."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


def set_environment() -> None:
    """Variables that libraries read when they are imported; a user's own values stay."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@contextlib.contextmanager
def _native_stderr_held() -> Iterator[None]:
    """Keeps what native libraries write to file descriptor 2; shows it if the block fails.

    TensorFlow reports the absence of a GPU there as an error, before any log level counts.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


def start() -> None:
    """Imports Keras, wakes its devices and asks for deterministic kernels.

    Same seed and same steps then give the same bits, which resuming relies on.
    """
    set_environment()
    with _native_stderr_held():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.experimental.enable_op_determinism()
        keras.ops.convert_to_numpy(keras.ops.zeros(1))
