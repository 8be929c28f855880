"""Which backend Keras is to run on: what is running, the variable, Keras' own file, TensorFlow.

Keras looks at the same places in the same order. Nothing of it is imported here.
"""

from __future__ import annotations

import difflib
import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from nas.errors import InputError

VARIABLE = "KERAS_BACKEND"
# Keras knows others, numpy and openvino, which have no gradients.
BACKENDS = ("tensorflow", "jax", "torch")
DEFAULT = "tensorflow"


@dataclass(frozen=True)
class ChosenBackend:
    """A backend and who named it.

    Args:
        name: As it was written.
        file: Keras' own file, if that named it; None for the variable, or the default.
    """

    name: str
    file: Path | None = None

    def check(self) -> None:
        """Refuses a backend that trains nothing.

        Raises:
            InputError: It is none of `BACKENDS`.
        """
        if self.name in BACKENDS:
            return
        near = difflib.get_close_matches(self.name, BACKENDS, n=1)
        where = f"`backend` in that file, or set {VARIABLE}" if self.file else "the variable"
        raise InputError(
            f"{VARIABLE} to be {', '.join(BACKENDS[:-1])} or {BACKENDS[-1]}, the backends of "
            "Keras that train",
            repr(self.name) + (f" in {self.file}" if self.file else ""),
            f"correct {where}" + (f"; did you mean {near[0]}" if near else ""),
        )

    def check_here(self) -> None:
        """Refuses a backend that this process cannot have; nothing is imported.

        Raises:
            InputError: There is no package of its name, or Keras runs on another one already.
        """
        self.check()
        running = running_backend()
        if running not in (None, self.name):
            raise InputError(
                f"Keras on {self.name}, which {VARIABLE} names",
                f"Keras on {running}, imported by this process before",
                f"set {VARIABLE} before Keras is imported, or set it to {running}",
            )
        if running is None and not is_installed(self.name):
            raise self._missing()

    def _missing(self) -> InputError:
        others = [name for name in BACKENDS if is_installed(name)]
        instead = f", or set {VARIABLE} to {' or '.join(others)}, which is installed"
        return InputError(
            f"the package {self.name}, the backend that {self.file or VARIABLE} names",
            "no package of that name",
            f"`pip install {self.name}`" + (instead if others else ""),
        )


def chosen_backend() -> ChosenBackend:
    """What Keras runs on, or would.

    Raises:
        InputError: Keras' own file is needed and cannot be read.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return ChosenBackend(named)
    return ChosenBackend(running) if (running := running_backend()) else _of_file()


def running_backend() -> str | None:
    """The backend of this process, which cannot change any more; None before Keras is imported."""
    keras = sys.modules.get("keras")
    # A module without it is being imported at this moment.
    backend = getattr(keras, "backend", None)
    return None if backend is None else str(backend.backend())


def is_installed(package: str) -> bool:
    """Whether a package can be found.

    Args:
        package: Its name.
    """
    try:
        return importlib.util.find_spec(package) is not None
    except ValueError:
        return True  # it is imported already, by somebody who left it without a spec


def keras_file() -> Path:
    """Where Keras keeps its own settings; it need not exist."""
    if "KERAS_HOME" in os.environ:
        folder = os.environ["KERAS_HOME"]
    else:
        home = os.path.expanduser("~")
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return Path(folder, "keras.json").expanduser()


def _of_file() -> ChosenBackend:
    """What Keras' own file names, or the default."""
    path = keras_file()
    if not path.exists():
        return ChosenBackend(DEFAULT)
    try:
        settings = json.loads(path.read_text("utf-8"))
        name = settings.get("backend", DEFAULT)
    except (OSError, ValueError, AttributeError) as error:
        raise InputError(
            f"Keras' own settings in {path}, a JSON object",
            f"{error}",
            f"correct or remove that file, or set {VARIABLE} to one of {', '.join(BACKENDS)}",
        ) from None
    return ChosenBackend(str(name), path)
