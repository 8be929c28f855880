"""What decides a latency beside the model: processor, cores, runtime. Standard library alone."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

# Instruction sets that onnxruntime's kernels choose between; the other flags decide nothing.
ISA_PREFIXES = ("avx", "amx", "sve", "sme", "neon", "asimd")
ISA_FLAGS = frozenset(("sse4_1", "sse4_2", "fma", "f16c", "i8mm", "bf16", "fphp", "dotprod"))


@dataclass(frozen=True)
class Host:
    """A device and its software at the time of a measurement.

    Args:
        cpu_model: As the system names it.
        isa_flags: Vector instruction sets, sorted.
        cores_visible: Cores that this process may use.
        quota_cores: Processor time granted by the container, in cores; None without a limit.
        governor: Frequency policy; None where unknown.
        ram_bytes: Memory of the machine; 0 where unknown.
        load_average: Over the last minute; None where unknown.
    """

    cpu_model: str
    isa_flags: tuple[str, ...]
    cores_visible: int
    quota_cores: float | None
    governor: str | None
    ram_bytes: int
    os: str
    kernel: str
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
        decisive = [*self.machine().values(), self.onnxruntime_minor]
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:12]

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
    cpu_model, flags = _processor()
    return Host(
        cpu_model=cpu_model,
        isa_flags=tuple(sorted(f for f in flags if f in ISA_FLAGS or f.startswith(ISA_PREFIXES))),
        cores_visible=_cores_visible(),
        quota_cores=_quota_cores(),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        ram_bytes=_ram_bytes(),
        os=platform.system(),
        kernel=platform.release(),
        hostname=platform.node(),
        python=platform.python_version(),
        onnxruntime=_onnxruntime_version(),
        onnxruntime_build=_onnxruntime_build(),
        load_average=load_average(),
    )


def load_average() -> float | None:
    """Returns the runnable processes of the last minute, or None where unknown."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None


def _processor() -> tuple[str, set[str]]:
    """Reads /proc/cpuinfo, whose names differ between x86 and ARM."""
    found: dict[str, str] = {}
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip().lower(), value.strip())
    parts = [found.get(name, "") for name in ("cpu implementer", "cpu part", "cpu variant")]
    arm = " ".join(part for part in parts if part)
    model = found.get("model name") or found.get("model") or arm or platform.processor()
    revision = "/".join(found[n] for n in ("cpu family", "model", "stepping") if n in found)
    # Virtual machines hide the product name; family and model still tell generations apart.
    if "model name" in found and revision:
        model = f"{model} ({revision})"
    return model or platform.machine(), set(found.get("flags", found.get("features", "")).split())


def _cores_visible() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quota_cores() -> float | None:
    version2 = (_read("/sys/fs/cgroup/cpu.max") or "").split()
    if len(version2) == 2 and version2[0] != "max":
        return round(int(version2[0]) / int(version2[1]), 3)
    quota = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
    period = _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if quota and period and int(quota) > 0:
        return round(int(quota) / int(period), 3)
    return None


def _ram_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return 0


def _onnxruntime_version() -> str:
    import onnxruntime

    return str(onnxruntime.__version__)


def _onnxruntime_build() -> str:
    import onnxruntime

    describe = getattr(onnxruntime, "get_build_info", lambda: "")
    return str(describe())
