"""The device: what decides a latency beside the model, and its state of the moment."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from . import strict_json
from .clock import now_text

# Instruction sets that onnxruntime's kernels choose between; the other flags decide nothing.
ISA_PREFIXES = ("avx", "amx", "sve", "sme", "neon", "asimd")
ISA_FLAGS = frozenset(("sse4_1", "sse4_2", "fma", "f16c", "i8mm", "bf16", "fphp", "dotprod"))


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
        os: Such as 'Linux'.
        kernel: Release of the operating system.
        container: Whether it ran in a container.
        hostname: For people; decides nothing.
        python: Version of the interpreter.
        onnxruntime: Version of the runtime.
        onnxruntime_build: What the runtime says of its build; empty where it says nothing.
        load_average: Runnable processes of the last minute; None where unknown.
    """

    KEYS: ClassVar[tuple[str, ...]] = (
        *("cpu_model", "architecture", "isa_flags", "cores_visible", "quota_cores", "governor"),
        *("frequency_mhz", "ram_bytes", "os", "kernel", "container", "hostname", "python"),
        *("onnxruntime", "onnxruntime_build", "load_average", "fingerprint"),
    )

    cpu_model: str
    architecture: str
    isa_flags: tuple[str, ...]
    cores_visible: int
    quota_cores: Optional[float]
    governor: Optional[str]
    frequency_mhz: Optional[float]
    ram_bytes: int
    os: str
    kernel: str
    container: bool
    hostname: str
    python: str
    onnxruntime: str
    onnxruntime_build: str
    load_average: Optional[float]

    @property
    def onnxruntime_minor(self) -> str:
        """The runtime's major and minor version, such as '1.31'."""
        return ".".join(self.onnxruntime.split(".")[:2])

    @property
    def fingerprint(self) -> str:
        """12 hex digits of what decides a latency; load and host name do not."""
        decisive = [self.cpu_model, list(self.isa_flags), self.cores_visible]
        decisive.append(self.onnxruntime_minor)
        return hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:12]

    def machine(self) -> dict[str, Any]:
        """Returns what makes it another machine when it differs."""
        return {
            "cpu_model": self.cpu_model,
            "isa_flags": " ".join(self.isa_flags),
            "cores_visible": self.cores_visible,
        }

    def differences(self, other: Host) -> list[str]:
        """Says in which machine properties `other` differs; empty for the same machine."""
        mine, theirs = self.machine(), other.machine()
        return [
            f"{name}: {mine[name]} here, {theirs[name]} there"
            for name in mine
            if mine[name] != theirs[name]
        ]

    def limits(self) -> dict[str, Any]:
        """Returns what somebody sets on a machine and may set otherwise tomorrow."""
        return {"quota_cores": self.quota_cores, "governor": self.governor}

    def other_limits(self, other: Host) -> list[str]:
        """Says which limits of `other` differ; a frequency policy unknown to one does not count."""
        mine, theirs = self.limits(), other.limits()
        if None in (self.governor, other.governor):
            mine["governor"] = theirs["governor"] = None
        return [
            f"{name}: {_or_none(mine[name])} here, {_or_none(theirs[name])} there"
            for name in mine
            if mine[name] != theirs[name]
        ]

    def to_json(self) -> dict[str, Any]:
        """Returns plain values and the fingerprint, for people who compare files."""
        plain: dict[str, Any] = strict_json.encode(self)
        return plain


def _or_none(value: Any) -> Any:
    return "none" if value is None else value


@dataclass(frozen=True)
class DeviceState:
    """What disturbs a measurement at one moment; None where this device cannot tell.

    Args:
        at: Time of day in UTC, ISO 8601.
        load_average: Runnable processes of the last minute.
        frequency_mhz: Mean over the cores.
        temperature_celsius: The hottest sensor's.
        throttled: A Raspberry Pi's own word; 'throttled=0x0' is good.
    """

    at: str
    load_average: Optional[float]
    frequency_mhz: Optional[float]
    temperature_celsius: Optional[float]
    throttled: Optional[str]


def current_host() -> Host:
    """Describes the machine that this process runs on."""
    import onnxruntime

    cpu_model, flags = _processor()
    state = device_state()
    return Host(
        cpu_model=cpu_model,
        architecture=platform.machine(),
        isa_flags=tuple(sorted(f for f in flags if f in ISA_FLAGS or f.startswith(ISA_PREFIXES))),
        cores_visible=_cores_visible(),
        quota_cores=_quota_cores(),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        frequency_mhz=state.frequency_mhz,
        ram_bytes=_ram_bytes(),
        os=platform.system(),
        kernel=platform.release(),
        container=_in_container(),
        hostname=platform.node(),
        python=platform.python_version(),
        onnxruntime=str(onnxruntime.__version__),
        onnxruntime_build=str(getattr(onnxruntime, "get_build_info", lambda: "")()),
        load_average=state.load_average,
    )


def device_state() -> DeviceState:
    """Returns load, mean frequency, highest temperature and throttling of this moment."""
    return DeviceState(
        at=now_text(),
        load_average=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        frequency_mhz=current_frequency_mhz(),
        temperature_celsius=_temperature_celsius(),
        throttled=_throttled(),
    )


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def _numbers(pattern: str) -> list[float]:
    texts = (_read(path) for path in sorted(glob.glob(pattern)))
    return [float(text) for text in texts if text and text.lstrip("-").isdigit()]


def current_frequency_mhz() -> float | None:
    """Returns the mean frequency of the cores at this moment; None where unknown."""
    khz = _numbers("/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
    if khz:
        return round(sum(khz) / len(khz) / 1e3, 1)
    lines = (_read("/proc/cpuinfo") or "").splitlines()
    mhz = [float(line.partition(":")[2]) for line in lines if line.lower().startswith("cpu mhz")]
    return round(sum(mhz) / len(mhz), 1) if mhz else None


def _temperature_celsius() -> float | None:
    millidegrees = _numbers("/sys/class/thermal/thermal_zone*/temp")
    return max(millidegrees) / 1e3 if millidegrees else None


def _throttled() -> str | None:
    """Asks a Raspberry Pi's firmware, the one board that says so; 'throttled=0x0' is good."""
    if not shutil.which("vcgencmd"):
        return None
    try:
        command = ["vcgencmd", "get_throttled"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


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


def _in_container() -> bool:
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return True
    marks = ("docker", "kubepods", "containerd", "lxc", "libpod")
    return any(mark in (_read("/proc/1/cgroup") or "") for mark in marks)
