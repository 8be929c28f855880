"""What a result was made with."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib import metadata

from latency.measurement.host import current_host


@dataclass(frozen=True)
class Environment:
    """Versions, processor and cores; None for a package that is not installed.

    Args:
        cpu_model: As the system names it.
        cores: That this process may use.
        os: Name and version of the operating system.
        python: Version of Python.
        host_fingerprint: 12 hex digits of all that decides a latency.
        stopwatch_nas: Version of this program.
        keras: Version of Keras.
        tensorflow: Version of TensorFlow.
        onnxruntime: Version of ONNX Runtime.
        onnx: Version of ONNX.
        numpy: Version of NumPy.
    """

    cpu_model: str
    cores: int
    os: str
    python: str
    host_fingerprint: str
    stopwatch_nas: str | None
    keras: str | None
    tensorflow: str | None
    onnxruntime: str | None
    onnx: str | None
    numpy: str | None


def environment() -> Environment:
    """Of this process, for config.json and certificates."""
    host = current_host()
    return Environment(
        cpu_model=host.cpu_model,
        cores=host.cores_visible,
        os=platform.platform(terse=True),
        python=platform.python_version(),
        host_fingerprint=host.fingerprint,
        stopwatch_nas=_version("stopwatch-nas"),
        keras=_version("keras"),
        tensorflow=_version("tensorflow"),
        onnxruntime=_version("onnxruntime"),
        onnx=_version("onnx"),
        numpy=_version("numpy"),
    )


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
