"""What a result was made with."""

from __future__ import annotations

import functools
import platform
from dataclasses import dataclass
from importlib import metadata

from latency.device.host import current_host


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Versions, processor and cores, for config.json and certificates.

    Args:
        cpu_model: Name of the processor.
        cores: Cores that this process may use.
        os: Name and version of the operating system.
        python: Version.
        host_fingerprint: Of the machine, as latency tables name it.
        stopwatch_nas: Version of this program; None where it runs without being installed.
        keras: Version; None if it is not installed, as of those below.
        tensorflow: Version.
        onnxruntime: Version.
        onnx: Version.
        numpy: Version.
    """

    cpu_model: str
    cores: int
    os: str
    python: str
    host_fingerprint: str
    stopwatch_nas: str | None = None
    keras: str | None = None
    tensorflow: str | None = None
    onnxruntime: str | None = None
    onnx: str | None = None
    numpy: str | None = None


def environment() -> Environment:
    """This process and machine."""
    host = current_host()
    packages = ("stopwatch-nas", "keras", "tensorflow", "onnxruntime", "onnx", "numpy")
    return Environment(
        cpu_model=host.cpu_model,
        cores=host.cores_visible,
        os=platform.platform(terse=True),
        python=platform.python_version(),
        host_fingerprint=host.fingerprint,
        **{package.replace("-", "_"): _version(package) for package in packages},
    )


@functools.cache
def _version(package: str) -> str | None:
    """Version of a package; the search for it reads every folder of the path."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
