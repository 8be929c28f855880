"""Settings of an onnxruntime session, checked before anything is timed with them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from latency.worker import CPU_PROVIDER, GRAPH_LEVELS

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
# These have a field of their own; twice is once too often.
FIELD_OF_KEY = {
    "session.intra_op.allow_spinning": "allow_spinning",
    "session.set_denormal_as_zero": "set_denormal_as_zero",
}


class SettingsError(ValueError):
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

    Raises:
        SettingsError: A value is out of range or a configuration key is unknown.
    """

    intra_op_num_threads: int = 1
    graph_level: str = "all"
    provider: str = CPU_PROVIDER
    provider_options: Mapping[str, str] = field(default_factory=dict)
    provider_library: str = ""
    allow_spinning: bool = True
    set_denormal_as_zero: bool = True
    affinity: tuple[int, ...] = ()
    config_entries: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        threads = self.intra_op_num_threads
        if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
            raise SettingsError(
                f"Expected intra_op_num_threads of 1 or more. Received: {threads!r}. Fix: name "
                "the number of threads; onnxruntime's 0 ignores the cores this process may use."
            )
        if self.graph_level not in GRAPH_LEVELS:
            raise SettingsError(
                f"Expected a graph_level among {', '.join(GRAPH_LEVELS)}. "
                f"Received: {self.graph_level!r}. Fix: use 'all' unless you deploy with less."
            )
        if not isinstance(self.provider, str) or not self.provider:
            raise SettingsError(
                f"Expected the name of an execution provider. Received: {self.provider!r}. "
                f"Fix: use {CPU_PROVIDER} or a name that onnxruntime lists."
            )
        _check_affinity(self.affinity)
        for name in ("allow_spinning", "set_denormal_as_zero"):
            if not isinstance(getattr(self, name), bool):
                raise SettingsError(
                    f"Expected {name} as true or false. Received: {getattr(self, name)!r}. "
                    "Fix: write one of them."
                )
        for key, value in {**self.provider_options, **self.config_entries}.items():
            if not isinstance(value, str):
                raise SettingsError(
                    f"Expected text as the value of {key!r}. Received: {value!r}. "
                    f"Fix: write {str(value)!r}."
                )
        for key in self.config_entries:
            _check_config_key(key)

    def to_json(self) -> dict[str, Any]:
        """Returns plain values, as stored in tables and handed to the worker."""
        return {**asdict(self), "affinity": list(self.affinity)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> SessionSettings:
        """Reads `to_json`'s form.

        Raises:
            SettingsError: A field is unknown or has a bad value.
        """
        names = {entry.name for entry in fields(cls)}
        unknown = sorted(set(value) - names)
        if unknown:
            raise SettingsError(
                f"Expected session settings among {', '.join(sorted(names))}. "
                f"Received: {', '.join(unknown)}. Fix: remove them, or use the version that "
                "wrote them."
            )
        cores = value.get("affinity", [])
        return cls(**{**value, "affinity": tuple(cores) if isinstance(cores, list) else (cores,)})


def _check_affinity(cores: tuple[int, ...]) -> None:
    numbers = all(isinstance(c, int) and not isinstance(c, bool) and c >= 0 for c in cores)
    if not numbers or len(set(cores)) != len(cores):
        raise SettingsError(
            f"Expected affinity as different core numbers from 0. Received: {list(cores)!r}. "
            "Fix: name cores such as 2, 3."
        )


def _check_config_key(key: str) -> None:
    if key in FIELD_OF_KEY:
        raise SettingsError(
            f"Expected config_entries without what has a field. Received: {key!r}. "
            f"Fix: set {FIELD_OF_KEY[key]} instead."
        )
    if key not in KNOWN_CONFIG_KEYS:
        close = difflib.get_close_matches(key, sorted(KNOWN_CONFIG_KEYS), 1, 0.6)
        hint = f"did you mean {close[0]!r}?" if close else "see KNOWN_CONFIG_KEYS."
        raise SettingsError(
            "Expected a configuration key that onnxruntime knows (it ignores others silently). "
            f"Received: {key!r}. Fix: {hint}"
        )
