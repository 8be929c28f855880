"""onnxruntime's own converters: kept quiet, and their many exceptions made one."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Callable, Iterator

from latency.errors import LatencyError


class PrecisionError(LatencyError):
    """A precision, a scheme or a model that does not go with it."""


def converted(precision: str, convert_it: Callable[[], bytes]) -> bytes:
    """Runs a library's converter; its many exceptions become one.

    Args:
        precision: That it converts to, for the message.
        convert_it: Gives the converted model.

    Raises:
        PrecisionError: The converter failed.
    """
    try:
        return convert_it()
    except Exception as error:
        line = (str(error).splitlines() or [repr(error)])[0].rstrip(".")
        raise PrecisionError(
            f"a model that onnxruntime's converter turns into {precision}",
            f"{type(error).__name__}: {line}",
            "check the model with onnx.checker, or convert it with your own tool and measure "
            "that file",
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Undoes what onnxruntime's converters do to the process beside their work.

    They configure the root logger, advise on it, warn, and lengthen `sys.path`.
    """
    root, path = logging.root, list(sys.path)
    disabled, level, handlers = root.manager.disable, root.level, list(root.handlers)
    silent = logging.NullHandler()  # with a handler there, basicConfig leaves the root alone
    root.addHandler(silent)
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers
        root.setLevel(level)
        sys.path[:] = path
