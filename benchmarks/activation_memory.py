#!/usr/bin/env python3
"""Peak activation memory by our count, and by the statistics of ONNX Runtime's own arena.

    python benchmarks/activation_memory.py --spaces toy,cifar,tiny --output memory.json

The Python package shows no statistics of its allocators. Its C interface does: a table of
functions whose places never change, which is read here with ctypes. Nothing is timed.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from latency.start import begin

if __name__ == "__main__":
    begin()

import numpy as np
import onnxruntime

from latency import atomic, shell
from latency.cli.parser import OutputFile, Parser
from latency.onnx_files.memory import peak_activation_bytes
from nas.hardware.measurement import network_bytes
from nas.search_space.named import get_space

POINTER = ctypes.c_void_p
# Version of the interface, and places of its functions in onnxruntime_c_api.h of that version.
VERSION = 24
PLACES = {
    "GetErrorMessage": 2,
    "CreateEnv": 3,
    "CreateSessionFromArray": 8,
    "Run": 9,
    "CreateSessionOptions": 10,
    "DisableMemPattern": 17,
    "SetSessionGraphOptimizationLevel": 23,
    "SetIntraOpNumThreads": 24,
    "CreateTensorWithDataAsOrtValue": 49,
    "CreateCpuMemoryInfo": 69,
    "ReleaseEnv": 92,
    "ReleaseMemoryInfo": 94,
    "ReleaseSession": 95,
    "ReleaseValue": 96,
    "ReleaseSessionOptions": 100,
    "AddSessionConfigEntry": 130,
    "CreateAllocator": 131,
    "ReleaseAllocator": 132,
    "GetKeyValue": 297,
    "ReleaseKeyValuePairs": 300,
    "AllocatorGetStats": 319,
}
RETURNS = {"GetErrorMessage": ctypes.c_char_p, "GetKeyValue": ctypes.c_char_p}
FLOAT = 1  # of ONNX's types
WARNINGS = 3


class _Interface:
    """The functions by name; a call that fails raises what it says."""

    def __init__(self) -> None:
        path = library()
        if path is None:
            raise RuntimeError("Expected libonnxruntime.so in the package. Received: none.")
        base = ctypes.CDLL(str(path)).OrtGetApiBase
        base.restype = ctypes.POINTER(POINTER)
        get = ctypes.CFUNCTYPE(ctypes.POINTER(POINTER), ctypes.c_uint32)(base()[0])
        self._table = get(VERSION)

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Calls a function with arguments of ctypes."""
        releases = name.startswith("Release")
        result = None if releases else RETURNS.get(name, POINTER)
        kind = ctypes.CFUNCTYPE(result, *(type(argument) for argument in arguments))
        found = kind(self._table[PLACES[name]])(*arguments)
        if found and name not in RETURNS:
            raise RuntimeError(f"{name}: {self('GetErrorMessage', POINTER(found)).decode()}")
        return found

    def made(self, name: str, *arguments: Any) -> ctypes.c_void_p:
        """What a function makes: its last argument is where it puts it."""
        place = POINTER()
        self(name, *arguments, ctypes.pointer(place))
        return place


def _flag(value: int) -> ctypes.c_int:
    return ctypes.c_int(value)


@contextmanager
def _session(api: _Interface, model: bytes, is_optimised: bool) -> Iterator[ctypes.c_void_p]:
    environment = api.made("CreateEnv", _flag(WARNINGS), ctypes.c_char_p(b"arena"))
    options = api.made("CreateSessionOptions")
    api("SetIntraOpNumThreads", options, _flag(1))
    # Blocks one by one: a pattern of all of them would be one block, and its gaps would count.
    api("DisableMemPattern", options)
    api("SetSessionGraphOptimizationLevel", options, _flag(99 if is_optimised else 0))
    if not is_optimised:
        # Packed weights would be made and thrown away in the same arena.
        entry = (b"session.disable_prepacking", b"1")
        api("AddSessionConfigEntry", options, *map(ctypes.c_char_p, entry))
    size = ctypes.c_size_t(len(model))
    session = api.made("CreateSessionFromArray", environment, ctypes.c_char_p(model), size, options)
    try:
        yield session
    finally:
        api("ReleaseSession", session)
        api("ReleaseSessionOptions", options)
        api("ReleaseEnv", environment)


def library() -> Path | None:
    """ONNX Runtime's library with the C interface; None where the package keeps none apart."""
    folder = Path(onnxruntime.__file__).parent / "capi"
    return next(folder.glob("libonnxruntime.so.*"), None)


def arena_bytes(model: bytes, is_optimised: bool) -> dict[str, int]:
    """Bytes of the arena of a session on the CPU.

    Args:
        model: A serialised ONNX model with one float32 input of fixed shape and one output.
        is_optimised: Whether ONNX Runtime may change the graph and pack weights.

    Returns:
        `weights`, in use before the first run; `activations`, what was in use beyond them at most;
        `allocated` from the system for both.
    """
    api = _Interface()
    plain = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    source, target = plain.get_inputs()[0], plain.get_outputs()[0]
    values = np.zeros(source.shape, np.float32)
    shape = (ctypes.c_int64 * values.ndim)(*values.shape)
    with _session(api, model, is_optimised) as session:
        memory = api.made("CreateCpuMemoryInfo", _flag(0), _flag(0))
        image = api.made(
            "CreateTensorWithDataAsOrtValue",
            memory,
            POINTER(values.ctypes.data),
            ctypes.c_size_t(values.nbytes),
            ctypes.pointer(shape),
            ctypes.c_size_t(values.ndim),
            _flag(FLOAT),
        )
        allocator = api.made("CreateAllocator", session, memory)
        before = _statistics(api, allocator)
        for _ in range(2):
            names = [ctypes.pointer(ctypes.c_char_p(n.name.encode())) for n in (source, target)]
            result = POINTER()
            one = ctypes.c_size_t(1)
            inputs = (names[0], ctypes.pointer(image), one)
            api("Run", session, POINTER(), *inputs, names[1], one, ctypes.pointer(result))
            api("ReleaseValue", result)
        after = _statistics(api, allocator)
        for kind, what in (("Allocator", allocator), ("Value", image), ("MemoryInfo", memory)):
            api(f"Release{kind}", what)
    return {
        "weights": before["InUse"],
        "activations": after["MaxInUse"] - before["InUse"],
        "allocated": after["TotalAllocated"],
    }


def _statistics(api: _Interface, allocator: ctypes.c_void_p) -> dict[str, int]:
    pairs = api.made("AllocatorGetStats", allocator)
    try:
        return {
            name: int(api("GetKeyValue", pairs, ctypes.c_char_p(name.encode())))
            for name in ("InUse", "MaxInUse", "TotalAllocated")
        }
    finally:
        api("ReleaseKeyValuePairs", pairs)


def figures(name: str, network: str) -> dict[str, Any]:
    """The count of a network's exported graph beside the arena's.

    Args:
        name: Of a space.
        network: `largest` or `smallest`.
    """
    model = network_bytes(getattr(get_space(name), network)())
    counted = peak_activation_bytes(model)
    optimised, exported = (arena_bytes(model, is_optimised) for is_optimised in (True, False))
    return {
        "space": name,
        "network": network,
        "counted_bytes": counted,
        "optimised_bytes": optimised["activations"],
        "optimised_over_counted": optimised["activations"] / counted,
        "exported_bytes": exported["activations"],
        "exported_over_counted": exported["activations"] / counted,
    }


def main(arguments: list[str] | None = None) -> int:
    """Asks the arena about the largest and smallest networks of spaces, and writes the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument("--spaces", default="toy,cifar,tiny", help="names between commas")
    parser.add_argument("--output", action=OutputFile, type=Path, required=True, help="JSON")
    options = parser.parse_args(arguments)
    names = options.spaces.split(",")
    found = [figures(name, network) for name in names for network in ("largest", "smallest")]
    atomic.write_json(options.output, {"onnxruntime": onnxruntime.__version__, "networks": found})
    return 0


if __name__ == "__main__":
    sys.exit(shell.run(main))
