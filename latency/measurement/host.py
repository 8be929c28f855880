"""What decides a latency beside the model: processor, cores, runtime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from latency.worker import describe_host, host_fingerprint


@dataclass(frozen=True)
class Host:
    """A device and its software at the time of a measurement.

    Args:
        cpu_model: As the system names it.
        architecture: Such as 'x86_64' or 'aarch64'.
        isa_flags: Vector instruction sets, sorted.
        cores_visible: Cores that this process may use.
        quota_cores: Processor time granted by the container, in cores; None without a limit.
        governor: Frequency policy; None where unknown.
        frequency_mhz: Mean over the cores at that moment; None where unknown.
        ram_bytes: Memory of the machine; 0 where unknown.
        container: Whether it ran in a container.
        load_average: Over the last minute; None where unknown.
    """

    cpu_model: str
    architecture: str
    isa_flags: tuple[str, ...]
    cores_visible: int
    quota_cores: float | None
    governor: str | None
    frequency_mhz: float | None
    ram_bytes: int
    os: str
    kernel: str
    container: bool
    hostname: str
    python: str
    onnxruntime: str
    onnxruntime_build: str
    load_average: float | None

    @property
    def onnxruntime_minor(self) -> str:
        """Returns the runtime's major and minor version, such as '1.31'."""
        return ".".join(self.onnxruntime.split(".")[:2])

    @property
    def fingerprint(self) -> str:
        """Returns 12 hex digits of what decides a latency; load and host name do not."""
        return host_fingerprint(asdict(self))

    def machine(self) -> dict[str, Any]:
        """Returns what makes it another machine when it differs."""
        return {
            "cpu_model": self.cpu_model,
            "isa_flags": list(self.isa_flags),
            "cores_visible": self.cores_visible,
        }

    def differences(self, other: Host) -> list[str]:
        """Says in which machine properties `other` differs; empty for the same machine."""
        mine, theirs = self.machine(), other.machine()
        return [
            f"{name}: {_short(mine[name])} here, {_short(theirs[name])} there"
            for name in mine
            if mine[name] != theirs[name]
        ]

    def to_json(self) -> dict[str, Any]:
        """Returns plain values and the fingerprint, for people who compare files."""
        return {**asdict(self), "isa_flags": list(self.isa_flags), "fingerprint": self.fingerprint}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Host:
        """Reads `to_json`'s form.

        Raises:
            ValueError: A field is missing or its type is wrong.
        """
        names = [entry.name for entry in fields(cls)]
        missing = [name for name in names if name not in value]
        if missing or not isinstance(value["isa_flags"], list):
            raise ValueError(
                f"Expected a host with {', '.join(names)}. Received: one without "
                f"{', '.join(missing) or 'a list of isa_flags'}. Fix: measure the table again."
            )
        known = {name: value[name] for name in names}
        return cls(**{**known, "isa_flags": tuple(value["isa_flags"])})


def _short(value: Any) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def current_host() -> Host:
    """Describes the machine that this process runs on."""
    return Host.from_json(describe_host())


def load_average() -> float | None:
    """Returns the runnable processes of the last minute, or None where unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
