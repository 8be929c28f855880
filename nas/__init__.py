"""Latency-aware neural architecture search; importing it starts no framework.

    run = nas.search("images", target_ms="25%")
    nas.retrain(run)

`docs/python.md` tells more; `nas.py` and `main.py` run the same functions.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nas.architecture.spec import Architecture
    from nas.data import Dataset, from_arrays
    from nas.interface.api import compare, retrain, search, tune
    from nas.interface.networks import build_model, count, read_architecture
    from nas.interface.profiling import profile
    from nas.interface.run import Front, Run

# Public name -> module that has it, imported when it is first asked for.
_HOMES = {
    "Architecture": "nas.architecture.spec",
    "Dataset": "nas.data",
    "Front": "nas.interface.run",
    "Run": "nas.interface.run",
    "build_model": "nas.interface.networks",
    "compare": "nas.interface.api",
    "count": "nas.interface.networks",
    "from_arrays": "nas.data",
    "profile": "nas.interface.profiling",
    "read_architecture": "nas.interface.networks",
    "retrain": "nas.interface.api",
    "search": "nas.interface.api",
    "tune": "nas.interface.api",
}

__all__ = [
    "Architecture",
    "Dataset",
    "Front",
    "Run",
    "build_model",
    "compare",
    "count",
    "from_arrays",
    "profile",
    "read_architecture",
    "retrain",
    "search",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'nas' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
