"""Sessions of onnxruntime that run where they were asked to run."""

from __future__ import annotations

import contextlib
import os
import platform
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .errors import LatencyError, WorkerError
from .foreign import foreign_kind
from .settings import CPU_PROVIDER, GRAPH_LEVELS, SessionSettings

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

_registered_libraries: set[str] = set()  # onnxruntime refuses to register one twice


def create_session(
    model: bytes,
    settings: SessionSettings,
    optimized_path: str = "",
    record_assignment: bool = False,
) -> Any:
    """Makes an `onnxruntime.InferenceSession` that runs where it was asked to run.

    Args:
        model: A serialised ONNX model.
        settings: Of the session.
        optimized_path: Where onnxruntime writes the graph it really runs; empty for nowhere.
        record_assignment: Keeps which provider took which node, for `node_share`.

    Raises:
        SettingsError: A file, and not the user, names code to be loaded.
        WorkerError: The provider is missing or fell back to the CPU, or the model does not load.
    """
    import onnxruntime

    settings.check_loading()
    provider = settings.provider
    try:
        options = _session_options(onnxruntime, settings)
        if optimized_path:
            options.optimized_model_filepath = optimized_path
        if record_assignment:
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        arguments = _provider_arguments(onnxruntime, options, settings)
        session = onnxruntime.InferenceSession(model, options, **arguments)
    except LatencyError:
        raise
    except Exception as error:  # onnxruntime's exceptions share no base class
        raise _not_loaded(model, provider, error) from error
    if session.get_providers()[0] != provider:
        raise WorkerError(
            f"a session on {provider}",
            f"a silent fallback to {session.get_providers()[0]}",
            "repair the provider's libraries, or ask for the CPU by name",
        )
    return session


# What onnxruntime says of a model that it does not load -> what to do about it.
_LOAD_FIXES = (
    (
        r"IR version|opset|[Nn]o [Oo]p registered|is not a registered function/op",
        "export the model with an older opset and IR version, such as opset 17 and IR version 8, "
        "or install a newer onnxruntime where it runs",
    ),
    (
        r"NOT_IMPLEMENTED|[Cc]ould not find an implementation",
        "export the model with operators and types that this provider has, or name another "
        "provider with --provider",
    ),
    (
        r"[Aa]lloc|memory",
        "free memory, or measure a smaller model or batch",
    ),
)


def _not_loaded(model: bytes, provider: str, error: Exception) -> WorkerError:
    said = (str(error).splitlines() or [repr(error)])[0]
    expected = f"an ONNX model that {provider} runs"
    kind = foreign_kind(model)
    if kind is not None and "PROTOBUF" in said:
        return WorkerError(expected, kind.name, kind.fix)
    for pattern, fix in _LOAD_FIXES:
        if re.search(pattern, said):
            return WorkerError(expected, said, fix)
    return WorkerError(
        expected,
        said,
        "check the file with onnx.checker, its opset against this onnxruntime, and the values of "
        "--config and --provider_option",
    )


def _session_options(onnxruntime: Any, settings: SessionSettings) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = settings.intra_op_num_threads
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    level = GRAPH_LEVELS[settings.graph_level]
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    for key, value in config_entries(settings).items():
        options.add_session_config_entry(key, value)
    return options


def config_entries(settings: SessionSettings) -> dict[str, str]:
    """Returns every configuration key and value that a session of these settings gets."""
    entries = {
        "session.intra_op.allow_spinning": str(int(settings.allow_spinning)),
        "session.set_denormal_as_zero": str(int(settings.set_denormal_as_zero)),
    }
    # onnxruntime refuses the session when the CPU itself was asked for and may not be used.
    if settings.provider != CPU_PROVIDER:
        entries["session.disable_cpu_ep_fallback"] = "1"
    entries.update(settings.config_entries)
    return entries


def _provider_arguments(
    onnxruntime: Any, options: Any, settings: SessionSettings
) -> dict[str, Any]:
    """Checks that the provider is there and returns the session's arguments that select it."""
    provider, library = settings.provider, settings.provider_library
    provider_options = dict(settings.provider_options)
    if library:
        devices = _plugin_devices(onnxruntime, provider, library)
        options.add_provider_for_devices(devices, provider_options)
        return {}
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise WorkerError(
            f"a provider of this onnxruntime ({', '.join(available)})",
            provider,
            "name one of these, install the onnxruntime build that has it, or name the library "
            "of a plugin provider",
        )
    return {"providers": [(provider, provider_options)]}


def _plugin_devices(onnxruntime: Any, provider: str, library: str) -> list[Any]:
    if not hasattr(onnxruntime, "register_execution_provider_library"):
        raise WorkerError(
            "an onnxruntime that loads plugin providers",
            f"onnxruntime {onnxruntime.__version__}",
            "install a newer onnxruntime, or leave out the provider's library",
        )
    library = os.path.abspath(library)  # a relative one is looked for beside onnxruntime itself
    if not os.path.isfile(library):
        raise WorkerError(
            "the library file of a plugin provider", f"{library}, no such file", "check its path"
        )
    if library not in _registered_libraries:
        try:
            onnxruntime.register_execution_provider_library(provider, library)
            _registered_libraries.add(library)
        except Exception as error:
            raise WorkerError(
                "a library that this onnxruntime can load as a plugin provider",
                f"{library}: {(str(error).splitlines() or [repr(error)])[0]}",
                "install the plugin's version that fits this onnxruntime",
            ) from error
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == provider]
    if not devices:
        names = sorted({device.ep_name for device in onnxruntime.get_ep_devices()})
        raise WorkerError(
            f"a device of {provider} after loading {library}",
            f"devices of {', '.join(names)}",
            "name one of these providers, or install the device's driver",
        )
    # One device runs a session; which of them is the provider options' business.
    return devices[:1]


@contextlib.contextmanager
def pinned(cores: Sequence[int] | None) -> Iterator[None]:
    """Keeps this process, and threads that it starts, on some cores; None leaves it free.

    Raises:
        WorkerError: A core is not there, or this system cannot pin.
    """
    if not cores:
        yield
        return
    if not hasattr(os, "sched_setaffinity"):
        raise WorkerError(
            "a system that can pin a process to cores", platform.system(), "leave affinity out"
        )
    before = os.sched_getaffinity(0)
    if not set(cores) <= before:
        raise WorkerError(
            f"cores among {sorted(before)}", f"affinity {list(cores)}", "name cores of this list"
        )
    os.sched_setaffinity(0, set(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
