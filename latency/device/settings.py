"""Settings of an onnxruntime session, checked before anything is timed with them."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from . import strict_json
from .errors import LatencyError

GRAPH_LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
CPU_PROVIDER = "CPUExecutionProvider"
# More than any machine has cores: a file must not start threads until the system has no more.
MOST_THREADS = 4096

# onnxruntime accepts any key without a word, so a typo would measure something else. These are
# the keys of onnxruntime 1.31 that change how a session runs, but not what it writes to disk.
KNOWN_CONFIG_KEYS = frozenset(
    f"session.{name}"
    for name in (
        "disable_aot_function_inlining",
        "disable_cpu_ep_fallback",
        "disable_double_qdq_remover",
        "disable_prepacking",
        "disable_quant_qdq",
        "dynamic_block_base",
        "enable_quant_qdq_cleanup",
        "force_spinning_stop",
        "inter_op.allow_spinning",
        "intra_op.allow_spinning",
        "intra_op.spin_backoff_max",
        "intra_op.spin_duration_us",
        "intra_op_thread_affinities",
        "qdq_matmulnbits_accuracy_level",
        "qdqisint8allowed",
        "record_ep_graph_assignment_info",
        "set_denormal_as_zero",
        "strict_shape_type_inference",
        "use_deterministic_compute",
        "use_device_allocator_for_initializers",
        "use_env_allocators",
        "x64quantprecision",
    )
) | {
    "ep.context_enable",
    "ep.context_embed_mode",
    "mlas.disable_kleidiai",
    "mlas.use_lut_gemm",
    "optimization.constant_folding_max_output_size_in_bytes",
    "optimization.disable_specified_optimizers",
    "optimization.enable_cast_chain_elimination",
    "optimization.enable_gelu_approximation",
}
# Fields that decide which code is loaded, and the flag of each.
LOADING_FLAGS = {"provider_library": "--provider_library", "provider_options": "--provider_option"}
# What a provider's option is called that names a library, such as QNN's `backend_path`.
LOADING_OPTION = re.compile(r"lib|path|file|dir|plugin|backend|config", re.IGNORECASE)
# These have a field of their own; twice is once too often.
FIELD_OF_KEY = {
    "session.intra_op.allow_spinning": "allow_spinning",
    "session.set_denormal_as_zero": "set_denormal_as_zero",
}


class SettingsError(LatencyError):
    """A session setting that onnxruntime would ignore or misread."""


@dataclass(frozen=True)
class SessionSettings:
    """How a model is run: what a latency is valid for, beside the host.

    Args:
        intra_op_num_threads: Threads of one operator; more than 1 is barely repeatable on a
            shared machine.
        graph_level: 'disabled', 'basic', 'extended' or 'all' (the only one with blocked layouts).
        provider: Execution provider, by onnxruntime's name.
        provider_options: The provider's own options, text to text.
        provider_library: Path of a plugin provider's library; empty for a built-in provider.
        allow_spinning: Whether idle threads spin; matters above one thread.
        set_denormal_as_zero: Keeps tiny weights from slowing the run many times over.
        affinity: Cores that the process is pinned to; empty for all that it may use.
        config_entries: Further session configuration, keys checked.
        from_file: Fields of `LOADING_FLAGS` that a file set and not the user: nothing that they
            name is loaded.

    Raises:
        SettingsError: A value is out of range or a configuration key is unknown.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        *("intra_op_num_threads", "graph_level", "provider", "provider_options"),
        *("provider_library", "allow_spinning", "set_denormal_as_zero", "affinity"),
        "config_entries",
    )

    intra_op_num_threads: int = 1
    graph_level: str = "all"
    provider: str = CPU_PROVIDER
    provider_options: Mapping[str, str] = field(default_factory=dict)
    provider_library: str = ""
    allow_spinning: bool = True
    set_denormal_as_zero: bool = True
    affinity: tuple[int, ...] = ()
    config_entries: Mapping[str, str] = field(default_factory=dict)
    from_file: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        threads = self.intra_op_num_threads
        if not _is_whole(threads) or not 1 <= threads <= MOST_THREADS:
            raise SettingsError(
                f"intra_op_num_threads from 1 to {MOST_THREADS}",
                repr(threads),
                "pass --threads 1 or more; with 0 onnxruntime ignores which cores it may use",
            )
        if self.graph_level not in GRAPH_LEVELS:
            raise SettingsError(
                f"a graph_level among {', '.join(GRAPH_LEVELS)}",
                repr(self.graph_level),
                "use 'all' (--graph_level all) unless you deploy with less",
            )
        if not isinstance(self.provider, str) or not self.provider:
            raise SettingsError(
                "the name of an execution provider",
                repr(self.provider),
                f"pass --provider {CPU_PROVIDER}, or another that onnxruntime lists",
            )
        _check_affinity(self.affinity)
        for name in ("allow_spinning", "set_denormal_as_zero"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(
                    f"{name} as true or false", repr(getattr(self, name)), "write one of them"
                )
        _check_texts({**self.provider_options, **self.config_entries})
        for key in self.config_entries:
            _check_config_key(key)

    def as_read(self) -> SessionSettings:
        """Returns the same settings, marked as those of a file."""
        return replace(self, from_file=tuple(LOADING_FLAGS))

    def asked(self, **changes: Any) -> SessionSettings:
        """Returns these settings with what a command line says, which is the user's own word.

        Args:
            **changes: Field -> value. The path of a library becomes absolute.
        """
        if changes.get("provider_library"):
            # onnxruntime looks for a relative one beside its own libraries.
            changes["provider_library"] = os.path.abspath(changes["provider_library"])
        left = tuple(name for name in self.from_file if name not in changes)
        return replace(self, **changes, from_file=left)

    def check_loading(self) -> None:
        """Refuses to load code because a file says so.

        Raises:
            SettingsError: A file names a plugin library, or a provider's option that may be one.
        """
        if self.provider_library and "provider_library" in self.from_file:
            raise SettingsError(
                "a plugin library that the command line names",
                f"{self.provider_library!r}, which a file names",
                "see that it may be trusted, then pass --provider_library with its path",
            )
        if "provider_options" in self.from_file:
            for name, value in self.provider_options.items():
                if LOADING_OPTION.search(name) or "/" in value or "\\" in value:
                    raise SettingsError(
                        "provider options that may name libraries on the command line",
                        f"{name}={value!r}, which a file names",
                        "see that it may be trusted, then pass all of the provider's options "
                        "with --provider_option NAME=VALUE",
                    )

    def loading_flags(self) -> list[str]:
        """Returns the flags that let another program load what these settings name."""
        self.check_loading()
        flags = []
        if self.provider_library:
            flags += [LOADING_FLAGS["provider_library"], self.provider_library]
        for name, value in self.provider_options.items():
            flags += [LOADING_FLAGS["provider_options"], f"{name}={value}"]
        return flags

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, as they stand in tables and jobs."""
        plain: dict[str, Any] = strict_json.encode(self)
        return plain


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_affinity(cores: tuple[int, ...]) -> None:
    numbers = all(_is_whole(core) and core >= 0 for core in cores)
    if not numbers or len(set(cores)) != len(cores):
        raise SettingsError(
            "affinity as different core numbers from 0",
            repr(list(cores)),
            "name each core once, such as --affinity 2,3",
        )


def _check_texts(entries: Mapping[str, Any]) -> None:
    for key, value in entries.items():
        if not isinstance(value, str):
            raise SettingsError(
                f"text as the value of {key!r}", repr(value), f"write {str(value)!r}"
            )


def _check_config_key(key: str) -> None:
    if key in FIELD_OF_KEY:
        raise SettingsError(
            "config_entries without what has a field", repr(key), f"set {FIELD_OF_KEY[key]} instead"
        )
    if key not in KNOWN_CONFIG_KEYS:
        close = difflib.get_close_matches(key, sorted(KNOWN_CONFIG_KEYS), 1, 0.6)
        raise SettingsError(
            "a configuration key that onnxruntime knows (it ignores others silently)",
            repr(key),
            f"did you mean {close[0]!r}?"
            if close
            else "name a key of KNOWN_CONFIG_KEYS in latency/device/settings.py",
        )
