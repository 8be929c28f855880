"""What a result was made with."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

from latency.device.host import current_host


def environment() -> dict[str, Any]:
    """Versions, processor and cores, for config.json and certificates."""
    host = current_host()
    found: dict[str, Any] = {
        "cpu_model": host.cpu_model,
        "cores": host.cores_visible,
        "os": platform.platform(terse=True),
        "python": platform.python_version(),
        "host_fingerprint": host.fingerprint,
    }
    for package in ("stopwatch-nas", "keras", "tensorflow", "onnxruntime", "onnx", "numpy"):
        try:
            found[package.replace("-", "_")] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package.replace("-", "_")] = None
    return found
